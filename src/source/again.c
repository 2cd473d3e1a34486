#include "source/again.h"

#include "base/dir.h"
#include "base/file.h"
#include "base/hash.h"
#include "source/feed.h"
#include "source/reach.h"
#include "store/tree.h"

#include <errno.h>
#include <string.h>

/* ---- Files ---- */

/* The same bytes make the same event. Others are another one, which a scan takes. */
static void again_file(struct feed *f, struct ref *ref)
{
    struct feed_dir dir;
    struct stat st;
    size_t n;

    if (!feed_find(f, &dir, ref, &st))
        return;
    enum file_result result =
        file_read(dir.fd, ref->place.name, f->bytes, EVENT_BYTES_MAX, &n, &st);
    int error = errno;
    tree_close(dir.fd);
    if (result == FILE_FAULT || result == FILE_DENIED) {
        feed_fault(f, &ref->place, error);
        ref->waits = true;
    } else if (result != FILE_OK || (ref->digest != 0 && ref->digest != hash_fixed(f->bytes, n))) {
        feed_gone(f, ref);
    } else {
        feed_offer_file(f, &dir, ref, n, &st, false);
    }
}

/* ---- Lines ---- */

/* Reads the line at the ref's offset of one log. 1 where it is that line, 0, or -1 with errno. */
static int read_again(struct feed *f, int dir, const char *name, const struct ref *ref,
                      struct span *line)
{
    struct stat st;
    int fd;

    enum file_result result = file_open(dir, name, &fd, &st);
    if (result != FILE_OK)
        return result == FILE_FAULT || result == FILE_DENIED ? -1 : 0;
    ssize_t n = file_read_at(fd, f->bytes, sizeof(f->bytes), ref->offset);
    tree_close(fd);
    if (n <= 0)
        return (int)n;
    char *end = memchr(f->bytes, '\n', (size_t)n);
    size_t length = end != NULL ? (size_t)(end - f->bytes) : (size_t)n;
    if (length > 0 && f->bytes[length - 1] == '\r')
        length--;
    *line = (struct span){f->bytes, length};
    return hash_fixed(line->p, line->n) == ref->digest;
}

/* The log may have been renamed, or copied and truncated: the line is the same at the same offset.
 * 1, 0 where it is nowhere, -1 with errno. */
static int find_again(struct feed *f, const struct ref *ref, struct span *line)
{
    struct dir_entry entry;
    struct dir dir;
    int error = 0;
    int found = 0;
    int listed = 0;

    int fd = reach_dir(f, &ref->place);
    if (fd < 0)
        return reach_is_absence(errno) ? 0 : -1;
    if (dir_open(&dir, fd, ".") != 0) {
        tree_close(fd);
        return -1;
    }
    tree_close(fd);
    while (found <= 0 && (listed = dir_next(&dir, &entry)) > 0) {
        if (!place_is_log(entry.name))
            continue;
        found = read_again(f, dir.fd, entry.name, ref, line);
        if (found < 0)
            error = errno;
    }
    if (listed < 0)
        error = errno;
    dir_close(&dir);
    errno = error;
    return found > 0 || error == 0 ? found : -1;
}

static void again_line(struct feed *f, struct ref *ref)
{
    struct span line;
    int found = find_again(f, ref, &line);

    if (found == 0) {
        feed_gone(f, ref);
        return;
    }
    if (found < 0)
        feed_fault(f, &ref->place, errno);
    if (found < 0 || feed_offer(f, ref, line, true) == FILES_NO_SLOT)
        ref->waits = true;
}

/* ---- All ---- */

void again_slice(struct feed *f, unsigned *budget)
{
    for (uint32_t i = 0; i < f->refs.top && f->refs.counts[REF_AGAIN] > 0 && *budget > 0; i++) {
        struct ref *ref = &f->refs.entries[i];
        if (ref->state != REF_AGAIN || ref->waits)
            continue;
        (*budget)--;
        if (ref->offset >= 0)
            again_line(f, ref);
        else
            again_file(f, ref);
    }
}

bool again_has(const struct feed *f)
{
    for (uint32_t i = 0; i < f->refs.top && f->refs.counts[REF_AGAIN] > 0; i++)
        if (f->refs.entries[i].state == REF_AGAIN && !f->refs.entries[i].waits)
            return true;
    return false;
}
