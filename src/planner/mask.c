#include "planner/mask.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/limits.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Characters of a word that begins as a token does, from which on it is taken for one. */
#define TOKEN_WORD_MIN 16

/* ---- Characters and names ---- */

static bool is_alnum(char c)
{
    c = span_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name_char(char c)
{
    return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where a value without quotes ends, which may have any other character in it. */
static bool ends_value(char c)
{
    return (unsigned char)c <= ' ' || strchr("\"'`&", c) != NULL;
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.p + n, s.n - n};
}

static bool begins(struct span s, const char *lower_case)
{
    size_t n = strlen(lower_case);

    return s.n >= n && span_is_nocase((struct span){s.p, n}, lower_case);
}

static bool ends(struct span s, const char *lower_case)
{
    size_t n = strlen(lower_case);

    return s.n >= n && span_is_nocase((struct span){s.p + s.n - n, n}, lower_case);
}

static bool contains(struct span s, const char *lower_case)
{
    for (; s.n > 0; s = skip(s, 1))
        if (begins(s, lower_case))
            return true;
    return false;
}

/* A name whose value is a secret. Not "key" alone, which in the world is node/service. */
static bool is_secret_name(struct span name)
{
    static const char *const parts[] = {
        "password", "passwd",        "passphrase", "secret", "token", "api_key", "api-key",
        "api.key",  "authorization", "credential", "cookie", "psk",   "session", "bearer",
    };
    static const char *const tails[] = {"pwd", "pass", "key", "auth", "jwt", "sig"};

    if (span_is_nocase(name, "key") || span_is_nocase(name, "svc_key"))
        return false;
    for (size_t i = 0; i < COUNT(parts); i++)
        if (contains(name, parts[i]))
            return true;
    for (size_t i = 0; i < COUNT(tails); i++)
        if (ends(name, tails[i]))
            return true;
    return false;
}

/* ---- What a secret looks like: each gives the bytes that it takes at the start of s, 0 for none,
 * and how many of them are shown ---- */

struct secret {
    size_t shown;  /* bytes at its start that stay */
    size_t hidden; /* bytes after them that go */
};

static const struct secret no_secret;

/* From BEGIN to END of a private key in PEM, or to the end of the text. */
static struct secret private_key(struct span s)
{
    static const char begin[] = "-----begin ";
    static const char end[] = "-----end ";

    if (!begins(s, begin))
        return no_secret;
    const char *line_end = memchr(s.p, '\n', s.n);
    struct span line = {s.p, line_end != NULL ? (size_t)(line_end - s.p) : s.n};
    if (!contains(line, "private key"))
        return no_secret;
    size_t at = sizeof(begin) - 1;
    while (at < s.n && !begins(skip(s, at), end))
        at++;
    for (at += at < s.n ? sizeof(end) - 1 : 0; at < s.n && s.p[at] != '\n'; at++)
        if (begins(skip(s, at), "key-----")) {
            at += sizeof("key-----") - 1;
            break;
        }
    return (struct secret){0, at};
}

static size_t blanks(struct span s)
{
    size_t n = 0;

    while (n < s.n && is_blank(s.p[n]))
        n++;
    return n;
}

/* scheme://user:password@host. A password may hold what ends a host; a port is no password. */
static struct secret user_info(struct span s)
{
    static const char slashes[] = "://";
    const size_t from = sizeof(slashes) - 1;
    size_t last = 0;
    size_t host_end = 0;
    bool has_password = false;

    if (!begins(s, slashes))
        return no_secret;
    for (size_t at = from; at < s.n && !ends_value(s.p[at]); at++) {
        if (host_end == 0 && strchr("/?#", s.p[at]) != NULL)
            host_end = at;
        if (host_end == 0 && s.p[at] == ':')
            has_password = at + 1 < s.n && !(s.p[at + 1] >= '0' && s.p[at + 1] <= '9');
        if (s.p[at] == '@' && (host_end == 0 || has_password))
            last = at;
    }
    return last > from ? (struct secret){from, last - from} : no_secret;
}

static char closing(char c)
{
    switch (c) {
    case '[':
        return ']';
    case '{':
        return '}';
    case '(':
        return ')';
    default:
        return '\0';
    }
}

/* Bytes up to the bracket that closes the first one; all where none does. */
static size_t bracketed(struct span s)
{
    const char open = s.p[0], close = closing(open);
    size_t depth = 0;
    size_t at = 0;

    do {
        depth += s.p[at] == open;
        depth -= s.p[at] == close;
        at++;
    } while (at < s.n && depth > 0);
    return at;
}

/* Bytes in quotes, up to a quote with as many backslashes before it as the opening one has. */
static size_t quoted(struct span s, char quote, size_t backslashes)
{
    size_t run = 0;
    size_t at = 0;

    for (; at < s.n; at++) {
        if (s.p[at] == quote && run == backslashes)
            return at - run;
        run = s.p[at] == '\\' ? run + 1 : 0;
    }
    return at;
}

/* Where the value begins that a name has: behind blanks, or on the next line where that is indented
 * (YAML, with | or > or without). */
static size_t lead(struct span s)
{
    size_t at = blanks(s);

    if (at < s.n && (s.p[at] == '|' || s.p[at] == '>'))
        at += 1 + blanks(skip(s, at + 1));
    if (at + 1 < s.n && s.p[at] == '\n' && is_blank(s.p[at + 1]))
        at += 1 + blanks(skip(s, at + 1));
    return at;
}

/* Bytes of the value at the start of s: in quotes or brackets, or up to a blank. */
static struct secret value(struct span s, size_t shown, bool whole_line)
{
    size_t backslashes = 0;
    size_t at = 0;

    while (backslashes < s.n && s.p[backslashes] == '\\')
        backslashes++;
    if (backslashes < s.n && (s.p[backslashes] == '"' || s.p[backslashes] == '\'')) {
        size_t from = backslashes + 1;
        size_t n = quoted(skip(s, from), s.p[backslashes], backslashes);
        return n > 0 ? (struct secret){shown + from, n} : no_secret;
    }
    if (s.n > 0 && closing(s.p[0]) != '\0')
        return (struct secret){shown, bracketed(s)};
    while (at < s.n && (whole_line ? s.p[at] != '\n' && s.p[at] != '\r' : !ends_value(s.p[at])))
        at++;
    return at > 0 ? (struct secret){shown, at} : no_secret;
}

static size_t name_length(struct span s)
{
    size_t n = 0;

    while (n < s.n && is_name_char(s.p[n]))
        n++;
    return n;
}

/* "Bearer abc", at the start of a word. */
static struct secret bearer(struct span s)
{
    static const char *const schemes[] = {"bearer", "basic"};

    for (size_t i = 0; i < COUNT(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (!begins(s, schemes[i]) || n >= s.n || !is_blank(s.p[n]))
            continue;
        n += blanks(skip(s, n));
        struct secret secret = value(skip(s, n), n, false);
        /* "basic settings" is no secret: what follows Basic is as long as a user and a password. */
        if (i == 0 || secret.hidden >= TOKEN_WORD_MIN)
            return secret;
    }
    return no_secret;
}

static size_t marks(struct span s)
{
    size_t n = 0;

    while (n < s.n && (is_blank(s.p[n]) || strchr("\\\"'", s.p[n]) != NULL))
        n++;
    return n;
}

/* Behind a name: ","value":" up to the value of {"name":"...","value":"..."}. 0: that is not there.
 */
static size_t beside(struct span s)
{
    size_t at = 1 + (s.n > 1 ? marks(skip(s, 1)) : 0);

    if (s.n == 0 || s.p[0] != ',' || at >= s.n || !begins(skip(s, at), "val"))
        return 0;
    at += name_length(skip(s, at));
    at += marks(skip(s, at));
    return at < s.n && s.p[at] == ':' ? at + 1 : 0;
}

/* name=value, name: value, "name": "value", --name value; at the start of a word. */
static struct secret named(struct span s)
{
    size_t dashes = 0;
    while (dashes < s.n && s.p[dashes] == '-')
        dashes++;
    size_t n = name_length(s);
    struct span name = {s.p + dashes, n - dashes};
    bool is_option = dashes == 2;
    if (name.n == 0)
        return no_secret;
    size_t at = n;
    while (at < s.n && strchr("\\\"'", s.p[at]) != NULL)
        at++;
    at += blanks(skip(s, at));
    size_t gap = beside(skip(s, at));
    bool is_equated = at < s.n && s.p[at] == '=';
    bool is_assigned = is_equated || (at < s.n && s.p[at] == ':');
    if (!is_assigned && gap == 0 && (!is_option || at == n))
        return no_secret;
    if (!is_secret_name(name) && (!is_equated || !span_is_nocase(name, "key")))
        return no_secret;
    if (gap > 0) {
        at += gap + blanks(skip(s, at + gap));
    } else if (is_assigned) {
        at++;
        at += at < s.n && strchr(">=", s.p[at]) != NULL ? 1 : 0;
        at += lead(skip(s, at));
    }
    return value(skip(s, at), at, contains(name, "authorization") || contains(name, "cookie"));
}

/* A word that begins as the tokens of a well-known maker do. */
static struct secret token_word(struct span s)
{
    static const char *const makers[] = {"sk-", "pk-",    "ghp_",        "gho_",    "ghs_",  "ghu_",
                                         "xox", "glpat-", "akia",        "aiza",    "xapp-", "asia",
                                         "eyj", "hf_",    "github_pat_", "dop_v1_", "tskey-"};
    size_t n = name_length(s);

    for (size_t i = 0; i < COUNT(makers) && n >= TOKEN_WORD_MIN; i++)
        if (begins(s, makers[i]))
            return (struct secret){0, n};
    return no_secret;
}

/* <password>value</password>, from the bracket on. */
static struct secret element(struct span s)
{
    size_t n = name_length(skip(s, 1)) + 1;
    size_t at = n + 1;

    if (n >= s.n || s.p[n] != '>' || !is_secret_name((struct span){s.p + 1, n - 1}))
        return no_secret;
    while (at < s.n && s.p[at] != '<')
        at++;
    return at > n + 1 ? (struct secret){n + 1, at - n - 1} : no_secret;
}

/* What is known by where it leads to: the rest of it is the secret. */
static struct secret webhook(struct span s)
{
    static const char *const heads[] = {"hooks.slack.com/", "discord.com/api/webhooks/",
                                        "api.telegram.org/bot"};

    for (size_t i = 0; i < COUNT(heads); i++)
        if (begins(s, heads[i])) {
            size_t n = strlen(heads[i]);
            return value(skip(s, n), n, false);
        }
    return no_secret;
}

static struct secret secret_at(struct span s, bool word_begins)
{
    static struct secret (*const at_words[])(struct span) = {named, bearer, token_word, webhook};
    struct secret secret = no_secret;

    if (s.p[0] == '-')
        secret = private_key(s);
    else if (s.p[0] == ':')
        secret = user_info(s);
    else if (s.p[0] == '<')
        secret = element(s);
    for (size_t i = 0; i < COUNT(at_words) && word_begins && secret.hidden == 0; i++)
        secret = at_words[i](s);
    return secret;
}

void mask_text(struct buf *out, struct span text)
{
    size_t at = 0;

    while (at < text.n) {
        bool word_begins = is_name_char(text.p[at]) && (at == 0 || !is_name_char(text.p[at - 1]));
        struct secret secret = secret_at(skip(text, at), word_begins);
        if (secret.hidden > 0) {
            buf_bytes(out, text.p + at, secret.shown);
            buf_str(out, MASK_TEXT);
            at += secret.shown + secret.hidden;
        } else {
            buf_char(out, text.p[at++]);
        }
    }
}

/* ---- JSON ---- */

/* Members looked at for the name that belongs to a value. */
#define SIBLINGS_MAX 16

static bool is_string(const struct json *doc, json_ref ref)
{
    return ref >= 0 && doc->tokens[ref].type == JSMN_STRING;
}

/* Is the member's name one of a secret, in whatever words ("Wi-Fi password (guest)")? */
static bool says_secret(const struct json *doc, json_ref ref)
{
    char text[NAME_MAX_BYTES + 1];

    return json_string_cut(doc, ref, text, sizeof(text)) >= 0 && is_secret_name(span_of(text));
}

/* Is the string a name, and nothing but one, perhaps of an option, whose value is a secret? */
static bool says_secret_name(const struct json *doc, json_ref ref)
{
    char text[NAME_MAX_BYTES + 1];

    if (!is_string(doc, ref) || json_string_cut(doc, ref, text, sizeof(text)) < 0)
        return false;
    struct span name = span_of(text);
    while (name.n > 0 && name.p[0] == '-')
        name = skip(name, 1);
    return name_length(name) == name.n && is_secret_name(name);
}

/* {"name":"DB_PASSWORD","value":"..."}: is this member's value one of a secret that a sibling
 * names?
 */
static bool is_named_beside(const struct json *doc, json_ref member)
{
    static const char *const values[] = {"value", "val", "v"};
    static const char *const names[] = {"name", "key", "header", "k"};
    json_ref object = doc->tokens[member].parent;
    struct span raw = json_raw(doc, member);
    bool is_value = false;
    int left = SIBLINGS_MAX;

    for (size_t i = 0; i < COUNT(values); i++)
        is_value |= span_is_nocase((struct span){raw.p + 1, raw.n - 2}, values[i]);
    if (!is_value)
        return false;
    for (json_ref at = json_first(doc, object); at != JSON_NONE && left > 0;
         at = json_next(doc, object, at), left--)
        for (size_t i = 0; i < COUNT(names); i++) {
            struct span name = json_raw(doc, at);
            if (span_is_nocase((struct span){name.p + 1, name.n - 2}, names[i]) &&
                says_secret_name(doc, json_value(doc, at)))
                return true;
        }
    return false;
}

/* Does what stands before this token say that it is a secret: its member's name, the name beside
 * that, or the element before it in a list (["--password","..."])? */
static bool is_announced(const struct json *doc, json_ref ref)
{
    if (ref == 0 || !is_string(doc, ref - 1))
        return false;
    if (doc->tokens[ref - 1].size == 1)
        return says_secret(doc, ref - 1) || is_named_beside(doc, ref - 1);
    json_ref parent = doc->tokens[ref].parent;
    return is_string(doc, ref) && parent >= 0 && doc->tokens[parent].type == JSMN_ARRAY &&
           doc->tokens[ref - 1].parent == parent && says_secret_name(doc, ref - 1);
}

/* NAME=value, as a whole string of a list of variables: the value is all the rest. */
static size_t assigned_at(struct span text)
{
    size_t n = name_length(text);
    struct span name = {text.p, n};

    if (n == 0 || n >= text.n || text.p[n] != '=')
        return 0;
    return is_secret_name(name) || span_is_nocase(name, "key") ? n + 1 : 0;
}

/* A string of the document: as it stands where nothing in it is a secret. */
static void mask_string(struct buf *out, const struct json *doc, json_ref ref)
{
    static char plain[MASK_STRING_MAX + 1];
    static char masked[4 * MASK_STRING_MAX];
    struct span raw = json_raw(doc, ref);
    struct json_write w;
    struct buf b;

    json_write_init(&w, out);
    int n = json_string_cut(doc, ref, plain, sizeof(plain));
    if (n < 0 || raw.n > MASK_STRING_MAX) {
        json_write_str(&w, NULL, MASK_TEXT);
        return;
    }
    struct span text = {plain, (size_t)n};
    size_t shown = assigned_at(text);
    buf_init(&b, masked, sizeof(masked));
    mask_text(&b, shown > 0 ? (struct span){plain, shown} : text);
    if (shown > 0 && shown < text.n)
        buf_str(&b, MASK_TEXT);
    if (buf_done(&b) != 0)
        json_write_str(&w, NULL, MASK_TEXT);
    else if (span_eq(buf_view(&b), text))
        buf_span(out, raw);
    else
        json_write_span(&w, NULL, buf_view(&b));
}

/* A private key as a list of lines is one from its first line to its last: *list is the list. */
static bool is_in_key(const struct json *doc, json_ref ref, json_ref *list)
{
    json_ref parent = doc->tokens[ref].parent;
    struct span raw = json_raw(doc, ref);
    bool inside = parent == *list;

    if (parent < 0 || doc->tokens[parent].type != JSMN_ARRAY)
        return false;
    if (contains(raw, "-----end "))
        *list = JSON_NONE;
    else if (contains(raw, "-----begin ") && contains(raw, "private key"))
        *list = parent;
    return inside;
}

void mask_json(struct buf *out, struct span json)
{
    /* A value and its separator take two bytes or more. */
    static jsmntok_t tokens[PROMPT_USER_MAX / 2 + 2];
    struct json doc;
    size_t at = 0;
    json_ref key_list = JSON_NONE;

    if (json_read(&doc, json.p, json.n, tokens, COUNT(tokens), EVENT_DEPTH_MAX + 4) != JSON_OK) {
        out->failed = true;
        return;
    }
    /* Tokens stand in the order of the text; what lies inside a masked value is passed over. */
    for (json_ref ref = 0; ref < doc.count; ref++) {
        struct span raw = json_raw(&doc, ref);
        size_t from = (size_t)(raw.p - json.p);
        if (from < at)
            continue;
        bool secret =
            is_announced(&doc, ref) || (is_string(&doc, ref) && is_in_key(&doc, ref, &key_list));
        if (!secret && !is_string(&doc, ref))
            continue;
        buf_bytes(out, json.p + at, from - at);
        if (secret)
            buf_str(out, "\"" MASK_TEXT "\"");
        else
            mask_string(out, &doc, ref);
        at = from + raw.n;
    }
    buf_bytes(out, json.p + at, json.n - at);
}
