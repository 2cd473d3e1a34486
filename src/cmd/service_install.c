#include "cmd/service_install.h"

#include "cmd/print.h"
#include "cmd/service.h"
#include "cmd/service_text.h"

#include "base/file.h"
#include "base/log.h"
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define ITEMS_MAX 10                      /* the binary, five files of s6, the env-file: seven */
#define MADE_MAX 16                       /* directories made on the way */
#define MARK "# By planner-agent service" /* in the files that can have a comment */
#define BLOCK 65536                       /* bytes that are copied at a time */

/* A file to be put in place. */
struct item {
    char path[PATH_LEN_MAX];
    const char *name; /* in path */
    int dir;
    bool was_there;
    bool kept; /* what is there stays: the same, or an env-file */
    struct file_out out;
    char old[sizeof(((struct file_out *)NULL)->temp)]; /* until all is done: what was there */
};

/* The descriptors in here are closed by the end of the command. */
static struct {
    struct item item[ITEMS_MAX];
    struct item *last;
    int old_fd; /* of what is there in its place, or -1 */
    unsigned directories;
    struct {
        int above;
        char *name; /* in an item's path */
    } made[MADE_MAX];
} work;

/* With --root before it; the longest of both fit. */
static const char *whole(const struct service *s, const char *path)
{
    static char text[RUNTIME_PATH_MAX + PATH_LEN_MAX];
    size_t n = strlen(s->root);

    memcpy(text, s->root, n);
    (void)span_copy(text + n, PATH_LEN_MAX, span_of(path));
    return text;
}

static int fail(const struct service *s, const char *path, const char *why, int code)
{
    return command_fail(s->self, code, whole(s, path), why);
}

static int fail_errno(const struct service *s, const char *path)
{
    return fail(s, path, log_errno(errno), command_code(errno));
}

static void say(const struct service *s, const char *what, const char *path)
{
    print_str(what);
    print_safe(span_of(whole(s, path)));
    print_str("\n");
}

/* ---- The table of the files: the text that `service list` prints ---- */

struct row {
    struct span name;
    char path[PATH_LEN_MAX];
    char trace[PATH_LEN_MAX]; /* of the init system, where it is in use; may be "" */
};

static struct span word(struct span *line)
{
    *line = span_trim(*line);
    return span_split(line, ' ');
}

/* The next line that has a path; false at the end. */
static bool next_row(struct span *rest, struct row *row)
{
    while (rest->n > 0) {
        struct span line = span_split(rest, '\n');
        row->name = word(&line);
        if (span_copy(row->path, PATH_LEN_MAX, word(&line)) == 0 && row->path[0] == '/' &&
            span_copy(row->trace, PATH_LEN_MAX, word(&line)) == 0)
            return true;
    }
    return false;
}

/* Of this init system: its name, or its name and "/anything". */
static bool is_of(const struct service *s, struct span name)
{
    return span_eq(span_split(&name, '/'), s->init);
}

static bool is_there(const struct service *s, const char *path)
{
    int fd = service_open(s, path);

    tree_close(fd);
    return fd >= 0;
}

static int find_init(struct service *s)
{
    struct span rest = service_text_find(span_of("list"));
    static struct row row;

    while (next_row(&rest, &row)) {
        if (s->init.n == 0 && row.trace[0] != '\0' && is_there(s, row.trace))
            s->init = row.name;
        if (is_of(s, row.name))
            return 0;
    }
    return command_fail(s->self, s->init.n > 0 ? EX_USAGE : EX_UNAVAILABLE,
                        "no such init system for --init; see", "planner-agent service list");
}

/* The commands to type: the lines of "next" for this init system that have the mark. */
static int say_next(const struct service *s, const char *when, const char *mark, int code)
{
    struct span rest = service_text_make(s, span_of("next"));

    if (rest.p == NULL)
        return EX_USAGE;
    print_str(when);
    while (rest.n > 0) {
        struct span line = span_split(&rest, '\n');
        struct span of = word(&line);
        if (!span_is(word(&line), mark) || !(span_eq(of, s->init) || span_is(of, "all")))
            continue;
        print_str("  ");
        print_span(line);
        print_str("\n");
    }
    return print_end(code);
}

/* ---- Putting in place ---- */

/* Opens the directory of a path; each that is missing is made, and noted. -1: errno. */
static int open_directory(const struct service *s, char *path)
{
    int dir = s->top_fd;

    for (char *at = path, *slash; dir >= 0 && (slash = strchr(at + 1, '/')) != NULL; at = slash) {
        *slash = '\0';
        int next = service_open(s, path);
        if (next < 0 && errno == ENOENT && work.directories < MADE_MAX &&
            mkdirat(dir, at + 1, 0755) == 0) {
            work.made[work.directories].above = dir;
            work.made[work.directories++].name = at + 1;
            next = service_open(s, path);
        }
        *slash = '/';
        dir = next;
    }
    return dir;
}

/* Opens the next item's file under a temporary name. */
static int stage(const struct service *s, const char *path, mode_t mode)
{
    struct item *item = work.last != NULL ? work.last + 1 : work.item;
    static struct stat st;

    errno = ENAMETOOLONG;
    if (span_copy(item->path, PATH_LEN_MAX, span_of(path)) != 0 ||
        (item->dir = open_directory(s, item->path)) < 0)
        return fail_errno(s, path);
    item->name = strrchr(item->path, '/') + 1;
    item->was_there = fstatat(item->dir, item->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    item->kept = item->was_there && !s->force && st.st_mode == (S_IFREG | mode);
    work.old_fd = openat(item->dir, item->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file_out_open(&item->out, item->dir, item->name, mode) != 0)
        return fail_errno(s, path);
    memcpy(item->old, item->out.temp, sizeof(item->old));
    memcpy(item->old + 1, "old", 3);
    work.last = item;
    return 0;
}

/* The last item's bytes from this offset on, up to a block of them. */
static void put(struct span piece, int64_t at)
{
    static char old[BLOCK];

    file_out_write(&work.last->out, piece);
    if (file_read_at(work.old_fd, old, BLOCK, at) != (ssize_t)piece.n ||
        memcmp(old, piece.p, piece.n) != 0)
        work.last->kept = false;
}

static int stage_text(const struct service *s, struct span name, const char *path)
{
    struct span text = service_text_make(s, name);

    if (text.p == NULL)
        return EX_USAGE;
    bool is_script = text.p[0] == '#' && text.p[1] == '!';
    int code = stage(s, path, is_script ? 0755 : 0644);
    if (code == 0)
        put(text, 0);
    return code;
}

/* Never replaced: it may have keys. The planner reads it, its group does, nobody else. */
static int stage_env(const struct service *s)
{
    const char *path = s->fact[SERVICE_ENV];

    int code = stage_text(s, span_of("env"), path);
    if (code != 0)
        return code;
    work.last->kept = work.last->was_there;
    int fd = work.last->out.fd;
    if (fchmod(fd, 0640) != 0 || (geteuid() == 0 && fchown(fd, 0, s->gid) != 0))
        return fail_errno(s, path);
    return 0;
}

static int stage_binary(const struct service *s)
{
    static char block[BLOCK];
    int64_t at = 0;
    ssize_t n = -1;

    int code = stage(s, s->fact[SERVICE_BINARY], 0755);
    if (code != 0)
        return code;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    for (; fd >= 0 && (n = file_read_at(fd, block, BLOCK, at)) >= 0; at += n) {
        put((struct span){block, (size_t)n}, at);
        if (n == 0)
            break;
    }
    code = n < 0 ? fail_errno(s, "/proc/self/exe") : 0;
    tree_close(fd);
    return code;
}

static int stage_all(const struct service *s)
{
    struct span rest = service_text_find(span_of("list"));
    int code = s->copy ? stage_binary(s) : 0;
    static struct row row;

    while (code == 0 && next_row(&rest, &row))
        if (is_of(s, row.name))
            code = stage_text(s, row.name, row.path);
    return code != 0 ? code : stage_env(s);
}

/* Gives every file its name. */
static int commit_all(const struct service *s)
{
    const char *failed;

    for (struct item *item = work.item; item <= work.last; item++)
        if (item->was_there && !item->kept && !s->force)
            return fail(s, item->path, "is there already; --force replaces it", EXIT_FAILURE);
    /* What the daemon would make itself, if its cage let it. */
    if (tree_prepare(&s->tree, &failed) != 0)
        return fail_errno(s, s->fact[SERVICE_TREE]);
    for (struct item *item = work.item; item <= work.last; item++) {
        if (item->kept) {
            file_out_abort(&item->out);
            continue;
        }
        if (item->was_there && linkat(item->dir, item->name, item->dir, item->old, 0) != 0)
            return fail_errno(s, item->path);
        if (file_out_commit(&item->out, item->name, item->was_there) != FILE_OK)
            return fail_errno(s, item->path);
    }
    return 0;
}

static void drop_old(const struct item *item)
{
    (void)unlinkat(item->dir, item->old, 0);
}

static void take_back(void)
{
    for (struct item *item = work.item; item <= work.last; item++) {
        file_out_abort(&item->out);
        if (item->was_there) {
            if (renameat(item->dir, item->old, item->dir, item->name) == 0)
                drop_old(item); /* where both were names of one file, rename(2) left both */
        } else if (item->out.named) {
            (void)unlinkat(item->dir, item->name, 0);
        }
    }
    for (unsigned i = work.directories; i-- > 0;) {
        *strchr(work.made[i].name, '/') = '\0';
        (void)unlinkat(work.made[i].above, work.made[i].name, AT_REMOVEDIR);
    }
}

int service_install_put(struct service *s)
{
    (void)umask(022);
    if (!s->has_tree)
        return fail(s, s->fact[SERVICE_TREE], "is not there; make it first: install -d -o USER",
                    EX_UNAVAILABLE);
    if (!s->has_user)
        return command_fail(s->self, EX_USAGE, "no such user", s->fact[SERVICE_USER]);
    int code = find_init(s);
    if (code != 0)
        return code;
    if ((code = stage_all(s)) != 0 || (code = commit_all(s)) != 0) {
        take_back();
        return code;
    }
    for (struct item *item = work.item; item <= work.last; item++) {
        drop_old(item);
        say(s, item->kept ? "left as it is: " : "wrote ", item->path);
    }
    return say_next(s, "Next:\n", "+", EX_OK);
}

/* ---- Taking away ---- */

static bool is_running(const struct service *s)
{
    long holder;
    int lock = lock_take(&s->tree, &holder);

    if (lock < 0)
        return errno == EWOULDBLOCK;
    tree_close(lock);
    return false;
}

/* A file that this or another version wrote, and the directories above it that were made for it
 * alone, once they are empty. What is open is closed by the end of the command. */
static int remove_file(const struct service *s, struct span text_name, char *path, bool *removed)
{
    static char found[SERVICE_TEXT_MAX + 1];
    struct span text = service_text_make(s, text_name);
    static size_t n;
    int flags = 0;

    n = 0;
    if (text.p == NULL)
        return EX_USAGE;
    do {
        char *name = strrchr(path, '/') + 1;
        char first = *name;
        *name = '\0';
        int dir = service_open(s, path);
        *name = first;
        if (flags == 0) {
            if (dir < 0 || file_read(dir, name, found, SERVICE_TEXT_MAX, &n, NULL) == FILE_ABSENT)
                return 0;
            found[n] = '\0';
            if (strstr(found, MARK) == NULL && !span_is(text, found)) {
                say(s, "left, it was changed: ", path);
                return 0;
            }
        }
        if (unlinkat(dir, name, flags) != 0)
            return flags == 0 ? fail_errno(s, path) : 0;
        if (flags == 0)
            say(s, "removed ", path);
        flags = AT_REMOVEDIR;
        *removed = true;
        name[-1] = '\0';
    } while (strstr(path, "/planner-agent") != NULL);
    return 0;
}

int service_install_remove(struct service *s)
{
    struct span rest = service_text_find(span_of("list"));
    bool removed = false;
    static struct row row;

    int code = find_init(s);
    if (code == 0 && !s->force && s->root[0] == '\0' && is_running(s)) {
        code = command_fail(s->self, EX_TEMPFAIL, "it still runs, stop it first", NULL);
        return say_next(s, "First:\n", "!", code);
    }
    while (code == 0 && next_row(&rest, &row))
        if (is_of(s, row.name))
            code = remove_file(s, row.name, row.path, &removed);
    if (code == 0 && !removed)
        code = command_fail(s->self, EXIT_FAILURE, "nothing of it is installed here", NULL);
    if (code == 0 && span_copy(row.path, PATH_LEN_MAX, span_of(s->fact[SERVICE_ENV])) == 0)
        code = remove_file(s, span_of("env"), row.path, &removed);
    return code != 0 ? print_end(code) : say_next(s, "Next:\n", "-", EX_OK);
}
