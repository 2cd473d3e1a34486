#include "source/place.h"

#include <string.h>

static const char live_log[] = PLACE_LIVE_LOG;
static const char event_suffix[] = ".json";
static const char digits[] = "0123456789ABCDEF";

int place_set(struct place *place, const char *day, const char *node, const char *name)
{
    if (span_copy(place->day, sizeof(place->day), span_of(day)) != 0 ||
        span_copy(place->node, sizeof(place->node), span_of(node)) != 0 ||
        span_copy(place->name, sizeof(place->name), span_of(name)) != 0)
        return -1;
    return 0;
}

bool place_same_dir(const struct place *a, const struct place *b)
{
    return strcmp(a->day, b->day) == 0 && strcmp(a->node, b->node) == 0;
}

static void put_parts(struct buf *out, const struct place *place,
                      void (*put)(struct buf *out, const char *text))
{
    put(out, place->day);
    if (place->node[0] != '\0') {
        buf_char(out, '/');
        put(out, place->node);
    }
    if (place->name[0] != '\0') {
        buf_char(out, '/');
        put(out, place->name);
    }
}

void place_text(struct buf *out, const struct place *place)
{
    put_parts(out, place, buf_str);
}

/* ---- Saved ---- */

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '%' && c != '"' && c != '\\';
}

static void put_saved(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_plain(c)) {
            buf_char(out, *text);
            continue;
        }
        buf_char(out, '%');
        buf_char(out, digits[c >> 4]);
        buf_char(out, digits[c & 15]);
    }
}

void place_save(struct buf *out, const struct place *place)
{
    put_parts(out, place, put_saved);
}

static int digit_of(char c)
{
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* One name of it. */
static int load_name(char *dst, size_t cap, struct span text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.n - i > 2 ? digit_of(text.p[i + 1]) : -1;
            int low = text.n - i > 2 ? digit_of(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || c == '/' || n == cap - 1)
            return -1;
        dst[n++] = c;
    }
    dst[n] = '\0';
    return n == 0 || strcmp(dst, ".") == 0 || strcmp(dst, "..") == 0 ? -1 : 0;
}

int place_load(struct place *place, struct span text)
{
    struct span day = span_split(&text, '/');
    struct span node = span_split(&text, '/');
    int64_t ms;

    *place = (struct place){.day = ""};
    if (timestamp_parse_date(day, &ms) != 0 || span_copy(place->day, sizeof(place->day), day) != 0)
        return -1;
    if (node.n > 0 && load_name(place->node, sizeof(place->node), node) != 0)
        return -1;
    if (text.n > 0 && load_name(place->name, sizeof(place->name), text) != 0)
        return -1;
    return 0;
}

/* ---- Names ---- */

bool place_is_event(const char *name)
{
    size_t n = strlen(name);
    size_t suffix = sizeof(event_suffix) - 1;

    return name[0] != '.' && n > suffix && strcmp(name + n - suffix, event_suffix) == 0;
}

bool place_is_live_log(const char *name)
{
    return strcmp(name, live_log) == 0;
}

bool place_is_log(const char *name)
{
    size_t n = sizeof(live_log) - 1;

    if (strncmp(name, live_log, n) != 0)
        return false;
    if (name[n] == '\0')
        return true;
    if (name[n] != '.' && name[n] != '-')
        return false;
    return name[n + 1] != '\0' && strspn(name + n + 1, "0123456789") == strlen(name + n + 1);
}
