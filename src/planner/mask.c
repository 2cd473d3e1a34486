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

/* Where a value without quotes ends. */
static bool ends_value(char c)
{
    return (unsigned char)c <= ' ' || strchr("\"'`,;&<>()[]{}|", c) != NULL;
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

/* A name whose value is a secret, whatever stands between the two. */
static bool is_secret_name(struct span name)
{
    static const char *const parts[] = {
        "password",  "passwd",  "passphrase",    "secret",      "token",      "api_key",
        "api-key",   "api.key", "apikey",        "private_key", "privatekey", "access_key",
        "accesskey", "psk",     "authorization", "credential",  "cookie",
    };

    for (size_t i = 0; i < COUNT(parts); i++)
        if (contains(name, parts[i]))
            return true;
    return ends(name, "pwd") || span_is_nocase(name, "pass") || ends(name, "_pass");
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

/* scheme://user:password@host */
static struct secret user_info(struct span s)
{
    static const char slashes[] = "://";
    size_t at = sizeof(slashes) - 1;
    size_t last = 0;

    if (!begins(s, slashes))
        return no_secret;
    for (; at < s.n && !ends_value(s.p[at]) && strchr("/?#", s.p[at]) == NULL; at++)
        if (s.p[at] == '@')
            last = at;
    if (last == 0)
        return no_secret;
    return (struct secret){sizeof(slashes) - 1, last - (sizeof(slashes) - 1)};
}

/* Bytes of the value at the start of s: in quotes, perhaps escaped ones, or up to a blank. */
static struct secret value(struct span s, size_t shown, bool whole_line)
{
    size_t at = 0;

    while (at < s.n && s.p[at] == '\\')
        at++;
    if (at < s.n && (s.p[at] == '"' || s.p[at] == '\'')) {
        char quote = s.p[at++];
        size_t from = at;
        while (at < s.n && s.p[at] != quote)
            at++;
        return at > from ? (struct secret){shown + from, at - from} : no_secret;
    }
    size_t from = at;
    while (at < s.n && (whole_line ? s.p[at] != '\n' && s.p[at] != '\r' : !ends_value(s.p[at])))
        at++;
    return at > from ? (struct secret){shown + from, at - from} : no_secret;
}

static size_t blanks(struct span s)
{
    size_t n = 0;

    while (n < s.n && is_blank(s.p[n]))
        n++;
    return n;
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
    bool is_equated = at < s.n && s.p[at] == '=';
    bool is_assigned = is_equated || (at < s.n && s.p[at] == ':');
    if (!is_assigned && (!is_option || at == n))
        return no_secret;
    if (!is_secret_name(name) && (!is_equated || !ends(name, "key")))
        return no_secret;
    if (is_assigned) {
        at++;
        at += at < s.n && s.p[at] == '>' ? 1 : 0;
        at += blanks(skip(s, at));
    }
    return value(skip(s, at), at, contains(name, "authorization") || contains(name, "cookie"));
}

/* A word that begins as the tokens of a well-known maker do. */
static struct secret token_word(struct span s)
{
    static const char *const makers[] = {
        "sk-",    "pk-",  "ghp_", "gho_", "ghs_", "ghu_",        "xoxb-",   "xoxp-", "xapp-",
        "glpat-", "akia", "asia", "eyj",  "hf_",  "github_pat_", "dop_v1_", "tskey-"};
    size_t n = name_length(s);

    for (size_t i = 0; i < COUNT(makers) && n >= TOKEN_WORD_MIN; i++)
        if (begins(s, makers[i]))
            return (struct secret){0, n};
    return no_secret;
}

static struct secret secret_at(struct span s, bool word_begins)
{
    static struct secret (*const at_words[])(struct span) = {named, bearer, token_word};
    struct secret secret = no_secret;

    if (s.p[0] == '-')
        secret = private_key(s);
    else if (s.p[0] == ':')
        secret = user_info(s);
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
    buf_init(&b, masked, sizeof(masked));
    mask_text(&b, (struct span){plain, (size_t)n});
    if (buf_done(&b) != 0)
        json_write_str(&w, NULL, MASK_TEXT);
    else if (span_eq(buf_view(&b), (struct span){plain, (size_t)n}))
        buf_span(out, raw);
    else
        json_write_span(&w, NULL, buf_view(&b));
}

/* Is this token the name of a member whose value is a secret? */
static bool names_secret(const struct json *doc, json_ref ref)
{
    char name[NAME_MAX_BYTES + 1];

    if (doc->tokens[ref].type != JSMN_STRING || doc->tokens[ref].size != 1)
        return false;
    return json_string_cut(doc, ref, name, sizeof(name)) >= 0 && is_secret_name(span_of(name));
}

void mask_json(struct buf *out, struct span json)
{
    /* A value and its separator take two bytes or more. */
    static jsmntok_t tokens[PROMPT_USER_MAX / 2 + 2];
    struct json doc;
    size_t at = 0;

    if (json_read(&doc, json.p, json.n, tokens, COUNT(tokens), EVENT_DEPTH_MAX + 4) != JSON_OK) {
        out->failed = true;
        return;
    }
    /* Tokens stand in the order of the text; what lies inside a masked value is passed over. */
    for (json_ref ref = 0; ref < doc.count; ref++) {
        struct span raw = json_raw(&doc, ref);
        size_t from = (size_t)(raw.p - json.p);
        bool secret = ref > 0 && names_secret(&doc, ref - 1) && from >= at;
        if (from < at || (!secret && doc.tokens[ref].type != JSMN_STRING))
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
