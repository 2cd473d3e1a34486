#include "store/status.h"

#include "store/tree.h"

#include "base/file.h"
#include "base/json_read.h"
#include "base/sha256.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define STATUS_BLOCK 4096 /* bytes that flash is written in, at least */

_Static_assert(STATUS_SIZE % STATUS_BLOCK == 0, "whole blocks");

static const char name[] = "status.json";

/* The object and the spaces up to n bytes, in one call: who reads sees little of it. The spaces are
 * one piece of memory, written several times: a whole image would take eight of it. */
static int write_whole(int fd, struct span object, size_t n)
{
    static char blank[STATUS_BLOCK];
    struct iovec parts[STATUS_SIZE / STATUS_BLOCK + 1] = {{(void *)(uintptr_t)object.p, object.n}};
    int count = 1;

    memset(blank, ' ', sizeof(blank));
    for (size_t rest = n - object.n; rest > 0; count++) {
        size_t piece = rest < sizeof(blank) ? rest : sizeof(blank);
        parts[count] = (struct iovec){blank, piece};
        rest -= piece;
    }
    ssize_t written = pwritev(fd, parts, count, 0);
    file_wrote(written);
    if (written >= 0 && (size_t)written < n)
        errno = ENOSPC;
    return written == (ssize_t)n ? 0 : -1;
}

/* So many bytes of the file may not be blank. */
static size_t used = STATUS_SIZE;

/* What of the image is to be written: whole blocks, as far as it is not blank or was not. */
static size_t to_write(const struct stat *st, size_t n)
{
    size_t before = st->st_size == STATUS_SIZE ? used : STATUS_SIZE;
    size_t both = before > n ? before : n;

    used = STATUS_SIZE; /* until all of it was written */
    return (both + STATUS_BLOCK - 1) / STATUS_BLOCK * STATUS_BLOCK;
}

int status_write(const struct tree *tree, struct span object)
{
    struct stat st;

    if (object.n > STATUS_SIZE) {
        errno = EFBIG;
        return -1;
    }
    int dir = tree_open(tree, TREE_STATE);
    if (dir < 0)
        return -1;
    int fd = tree_file(dir, name, 0600);
    tree_close(dir);
    if (fd < 0)
        return -1;
    int result = fstat(fd, &st);
    if (result == 0)
        result = write_whole(fd, object, to_write(&st, object.n));
    if (result == 0)
        used = object.n;
    if (result == 0 && st.st_size > STATUS_SIZE)
        result = ftruncate(fd, STATUS_SIZE);
    tree_close(fd);
    return result;
}

static int read_once(const struct tree *tree, char data[STATUS_SIZE], size_t *n)
{
    int dir = tree_open(tree, TREE_STATE);

    if (dir < 0)
        return -1;
    enum file_result result = file_read(dir, name, data, STATUS_SIZE, n, NULL);
    if (result == FILE_IRREGULAR)
        errno = EINVAL;
    if (result == FILE_TOO_LARGE)
        errno = EFBIG;
    tree_close(dir);
    return result == FILE_OK ? 0 : -1;
}

static bool is_json(struct span text)
{
    static jsmntok_t tokens[STATUS_SIZE / 2 + 2];
    struct json doc;

    return json_read(&doc, text.p, text.n, tokens, sizeof(tokens) / sizeof(tokens[0]),
                     STATUS_DEPTH_MAX) == JSON_OK;
}

/* A torn read may still be JSON, made of two states: only what was read twice alike counts. */
int status_read(const struct tree *tree, char data[STATUS_SIZE], struct span *object)
{
    const struct timespec pause = {.tv_nsec = STATUS_READ_PAUSE_MS * 1000000L};
    uint8_t digest[SHA256_BYTES];
    uint8_t before[SHA256_BYTES];

    for (int i = 0; i < STATUS_READ_TRIES; i++) {
        size_t n;
        if (read_once(tree, data, &n) != 0)
            return -1;
        *object = span_trim((struct span){data, n});
        sha256_parts(digest, object, 1);
        if (i > 0 && memcmp(digest, before, sizeof(digest)) == 0 && is_json(*object))
            return 0;
        memcpy(before, digest, sizeof(before));
        /* Woken early by a signal: the next look comes sooner, that is all. */
        (void)nanosleep(&pause, NULL);
    }
    errno = EBADMSG;
    return -1;
}
