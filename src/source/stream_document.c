#include "source/stream_document.h"

#include "base/json_check.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/utf8.h"

#include <hiredis/hiredis.h>

#include <string.h>

/* Deeper than an event may be, so that it is the event's reader who refuses it. */
#define DEPTH_MAX 64

enum stream_fields stream_document_look(const struct redisReply *fields)
{
    bool nulls = false;

    if (fields->type == REDIS_REPLY_NIL)
        return STREAM_FIELDS_NONE;
    if (fields->type != REDIS_REPLY_ARRAY || fields->elements % 2 != 0)
        return STREAM_FIELDS_NONSENSE;
    for (size_t i = 0; i < fields->elements; i++) {
        int type = fields->element[i]->type;
        if (type != REDIS_REPLY_STRING && type != REDIS_REPLY_NIL)
            return STREAM_FIELDS_NONSENSE;
        nulls = nulls || type == REDIS_REPLY_NIL;
    }
    return nulls ? STREAM_FIELDS_NULLS : STREAM_FIELDS_GOOD;
}

static struct span text_of(const struct redisReply *fields, size_t i)
{
    return (struct span){fields->element[i]->str, fields->element[i]->len};
}

/* The first character that is no white space of JSON; 0: there is none. */
static char first_of(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || strchr(" \t\r\n", s.p[i]) == NULL)
            return s.p[i];
    return '\0';
}

/* The value of the field: 1, 0 = none has this name, -1 = two have. */
static int find(const struct redisReply *fields, const char *name, struct span *value)
{
    int found = 0;

    for (size_t i = 0; i < fields->elements; i += 2) {
        if (!span_is(text_of(fields, i), name))
            continue;
        if (found++ > 0)
            return -1;
        *value = text_of(fields, i + 1);
    }
    return found;
}

static bool has_any(const struct redisReply *fields, const char *const *names)
{
    struct span value;

    for (; *names != NULL; names++)
        if (find(fields, *names, &value) != 0 && first_of(value) != '{')
            return true;
    return false;
}

/* Fields that are an event themselves are not unwrapped, whatever one of them holds. */
static bool is_flat(const struct redisReply *fields)
{
    static const char *const types[] = {"type", "event_type", "event", "change", NULL};
    static const char *const nodes[] = {"node", "node_name", "host", "hostname", "key", NULL};

    return has_any(fields, types) && has_any(fields, nodes);
}

static bool is_json(struct span name, struct span value)
{
    char first = first_of(value);

    return (span_is(name, "payload") || span_is(name, "details") || span_is(name, "data")) &&
           (first == '{' || first == '[') && json_check(value.p, value.n, DEPTH_MAX) == JSON_OK;
}

/* A name that is there twice is for the event's reader to find. */
static const char *write_flat(const struct redisReply *fields, struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out);
    json_write_object(&w, NULL);
    for (size_t i = 0; i < fields->elements; i += 2) {
        struct span name = text_of(fields, i), value = text_of(fields, i + 1);
        if (!utf8_is_text(name) || !utf8_is_text(value))
            return "not_utf8";
        json_write_span(&w, NULL, name);
        buf_char(out, ':');
        w.comma = false;
        if (is_json(name, value))
            json_write_raw(&w, NULL, value);
        else
            json_write_span(&w, NULL, value);
    }
    json_write_end_object(&w);
    return buf_done(out) == 0 ? NULL : "too_large";
}

/* 1: one of the fields is the document; 0: none is; -1: two fields have its name. */
static int find_document(const struct redisReply *fields, struct span *document)
{
    static const char *const names[] = {"event", "data", "payload"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int found = find(fields, names[i], document);
        if (found < 0 || (found > 0 && first_of(*document) == '{'))
            return found;
    }
    return 0;
}

const char *stream_document(const struct redisReply *fields, struct buf *out, struct span *document)
{
    int found = is_flat(fields) ? 0 : find_document(fields, document);

    if (found != 0)
        return found > 0 ? NULL : "duplicate";
    buf_reset(out);
    const char *wrong = write_flat(fields, out);
    *document = buf_view(out);
    return wrong;
}
