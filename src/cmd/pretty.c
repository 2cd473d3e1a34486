#include "cmd/pretty.h"

#include "base/buf.h"
#include "base/json_write.h"
#include "base/utf8.h"

#define INDENT 2 /* blanks a level */

struct pretty {
    struct span rest;
    size_t depth;
    void (*emit)(void *arg, struct span piece);
    void *arg;
};

static void put(const struct pretty *p, struct span piece)
{
    p->emit(p->arg, piece);
}

static struct span take(struct pretty *p, size_t n)
{
    struct span piece = {p->rest.p, n};

    p->rest.p += n;
    p->rest.n -= n;
    return piece;
}

static void skip_space(struct pretty *p)
{
    while (p->rest.n > 0 && (p->rest.p[0] == ' ' || p->rest.p[0] == '\t' || p->rest.p[0] == '\n' ||
                             p->rest.p[0] == '\r'))
        take(p, 1);
}

static void new_line(const struct pretty *p)
{
    put(p, span_of("\n"));
    for (size_t i = 0; i < p->depth * INDENT; i++)
        put(p, span_of(" "));
}

/* A hidden character as the JSON escape that stands for it. */
static void put_hidden(const struct pretty *p, struct span character)
{
    char storage[32];
    struct json_write w;
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    json_write_init(&w, &b);
    json_write_span(&w, NULL, character);
    struct span quoted = buf_view(&b);
    put(p, (struct span){quoted.p + 1, quoted.n - 2});
}

/* From the opening quote to behind the closing one. */
static void put_string(struct pretty *p)
{
    uint32_t cp;

    put(p, take(p, 1));
    while (p->rest.n > 0 && p->rest.p[0] != '"') {
        size_t n = utf8_next(p->rest, &cp);
        if (p->rest.p[0] == '\\' && p->rest.n > 1)
            put(p, take(p, 2));
        else if (n > 0 && utf8_hidden(cp))
            put_hidden(p, take(p, n));
        else
            put(p, take(p, n > 0 ? n : 1));
    }
    if (p->rest.n > 0)
        put(p, take(p, 1));
}

/* An empty container stays on its line. */
static void open_container(struct pretty *p)
{
    put(p, take(p, 1));
    skip_space(p);
    if (p->rest.n > 0 && (p->rest.p[0] == '}' || p->rest.p[0] == ']')) {
        put(p, take(p, 1));
        return;
    }
    p->depth++;
    new_line(p);
}

static void close_container(struct pretty *p)
{
    if (p->depth > 0)
        p->depth--;
    new_line(p);
    put(p, take(p, 1));
}

void pretty_json(struct span json, void (*emit)(void *arg, struct span piece), void *arg)
{
    struct pretty p = {.rest = json, .emit = emit, .arg = arg};

    for (skip_space(&p); p.rest.n > 0; skip_space(&p)) {
        switch (p.rest.p[0]) {
        case '"':
            put_string(&p);
            break;
        case '{':
        case '[':
            open_container(&p);
            break;
        case '}':
        case ']':
            close_container(&p);
            break;
        case ',':
            put(&p, take(&p, 1));
            new_line(&p);
            break;
        case ':':
            put(&p, take(&p, 1));
            put(&p, span_of(" "));
            break;
        default: /* a number or a literal */
            put(&p, take(&p, 1));
        }
    }
}
