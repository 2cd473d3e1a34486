#include "store/state.h"

#include "store/tree.h"

#include "base/buf.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATE_VERSION 1

/* The first line of a file of this kind. */
static struct span first_line(struct buf *b, const char *name)
{
    struct json_write w;

    json_write_init(&w, b);
    json_write_object(&w, NULL);
    json_write_str(&w, "kind", name);
    json_write_int(&w, "version", STATE_VERSION);
    json_write_end_object(&w);
    return buf_view(b);
}

static struct span last_line(struct buf *b, int64_t lines)
{
    struct json_write w;

    json_write_init(&w, b);
    json_write_object(&w, NULL);
    json_write_int(&w, "lines", lines);
    json_write_end_object(&w);
    return buf_view(b);
}

/* ---- Saving ---- */

static void put_line(struct state_out *out, struct span text)
{
    file_out_write(&out->file, text);
    file_out_write(&out->file, (struct span){"\n", 1});
}

int state_begin(struct state_out *out, const struct tree *tree, const char *name)
{
    char storage[128];
    struct buf b;

    out->lines = 0;
    if (span_copy(out->name, sizeof(out->name), span_of(name)) != 0) {
        errno = EINVAL;
        return -1;
    }
    out->dir = tree_open(tree, TREE_STATE);
    if (out->dir < 0)
        return -1;
    if (file_out_open(&out->file, out->dir, name, 0600) != 0) {
        tree_close(out->dir);
        return -1;
    }
    buf_init(&b, storage, sizeof(storage));
    put_line(out, first_line(&b, name));
    return 0;
}

void state_line(struct state_out *out, struct span object)
{
    bool sound = object.n > 0 && object.n <= STATE_LINE_MAX && !span_has(object, '\n');

    if (!sound && out->file.error == 0)
        out->file.error = EINVAL;
    put_line(out, object);
    out->lines++;
}

int state_save(struct state_out *out)
{
    char storage[64];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    put_line(out, last_line(&b, out->lines));
    enum file_result result = file_out_commit(&out->file, out->name, true);
    tree_close(out->dir);
    return result == FILE_OK ? 0 : -1;
}

/* ---- Loading ---- */

struct reader {
    int fd;
    int64_t size; /* of the file when it was opened: no other process writes it */
    int64_t read; /* so many bytes went through the window */
    size_t at;    /* the window's bytes before this are used */
    size_t have;
};

/* A line and its newline always fit. */
static char window[STATE_LINE_MAX + 1];

/* The next line, without its newline, until the next call: 1; 0 where no whole line follows; -1
 * with errno. */
static int next_line(struct reader *r, struct span *line)
{
    for (;;) {
        char *from = window + r->at;
        char *end = memchr(from, '\n', r->have - r->at);
        if (end != NULL) {
            *line = (struct span){from, (size_t)(end - from)};
            r->at += line->n + 1;
            return 1;
        }
        r->have -= r->at;
        r->at = 0;
        memmove(window, from, r->have);
        ssize_t n = file_read_at(r->fd, window + r->have, sizeof(window) - r->have, r->read);
        if (n <= 0)
            return (int)n;
        r->have += (size_t)n;
        r->read += n;
    }
}

static bool at_end(const struct reader *r)
{
    return r->read == r->size && r->at == r->have;
}

static enum state_result walk(struct reader *r, const char *name,
                              int (*each)(void *arg, struct span object), void *arg)
{
    char storage[128];
    struct span line;
    struct buf b;

    int got = next_line(r, &line);
    buf_init(&b, storage, sizeof(storage));
    if (got > 0 && !span_eq(line, first_line(&b, name)))
        return STATE_DAMAGED;
    for (int64_t lines = 0; got > 0; lines++) {
        got = next_line(r, &line);
        if (got <= 0)
            break;
        if (at_end(r)) {
            buf_reset(&b);
            return span_eq(line, last_line(&b, lines)) ? STATE_LOADED : STATE_DAMAGED;
        }
        if (each(arg, line) != 0)
            return STATE_DAMAGED;
    }
    return got < 0 ? STATE_FAULT : STATE_DAMAGED;
}

/* The file is kept, for a person to look at, where it is not read again. */
static void put_aside(int dir, const char *name)
{
    char storage[64];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, name);
    buf_str(&b, ".damaged");
    const char *aside = buf_text(&b);
    if (aside == NULL)
        errno = ENAMETOOLONG;
    if (aside == NULL || renameat(dir, name, dir, aside) != 0 || tree_sync(dir) != 0)
        LOG(LOG_WARNING, "state_damaged", LOG_STR("file", name), LOG_ERRNO(errno));
    else
        LOG(LOG_WARNING, "state_damaged", LOG_STR("file", name), LOG_STR("kept_as", aside));
}

enum state_result state_load(const struct tree *tree, const char *name,
                             int (*each)(void *arg, struct span object), void *arg)
{
    struct reader r = {.fd = -1};
    enum state_result result = STATE_FAULT;
    struct stat st;
    int dir = tree_open(tree, TREE_STATE);

    if (dir < 0)
        return errno == ENOENT ? STATE_ABSENT : STATE_FAULT;
    switch (file_open(dir, name, &r.fd, &st)) {
    case FILE_OK:
        r.size = st.st_size;
        result = walk(&r, name, each, arg);
        tree_close(r.fd);
        break;
    case FILE_ABSENT:
        result = STATE_ABSENT;
        break;
    case FILE_IRREGULAR:
        result = STATE_DAMAGED;
        break;
    case FILE_EXISTS:
    case FILE_TOO_LARGE:
    case FILE_DENIED:
    case FILE_FAULT:
        break;
    }
    if (result == STATE_DAMAGED)
        put_aside(dir, name);
    tree_close(dir);
    return result;
}
