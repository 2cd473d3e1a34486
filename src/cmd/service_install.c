#include "cmd/service_install.h"

#include "cmd/print.h"
#include "cmd/service.h"
#include "cmd/service_text.h"

#include "base/file.h"
#include "base/log.h"
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define ITEMS_MAX 10 /* an init system's files, the env-file, the binary */
#define MADE_MAX 16  /* directories made on the way */

/* A file to be put in place. */
struct item {
    char path[PATH_LEN_MAX];
    const char *name; /* in path */
    int dir;
    bool was_there;
    bool done;
    struct file_out out;
};

static struct {
    unsigned items;
    struct item item[ITEMS_MAX];
    unsigned made;
    char directory[MADE_MAX][PATH_LEN_MAX];
} work;

static int fail(const struct service *s, const char *path, const char *why, int code)
{
    static char storage[2 * PATH_LEN_MAX];
    struct buf b;

    buf_init(&b, storage, sizeof(storage));
    buf_str(&b, s->root);
    buf_str(&b, path);
    const char *whole = buf_text(&b);
    return command_fail(s->self, code, whole != NULL ? whole : path, why);
}

static int fail_errno(const struct service *s, const char *path)
{
    return fail(s, path, log_errno(errno), command_code(errno));
}

static void say(const struct service *s, const char *what, const char *path)
{
    print_str(what);
    print_safe(span_of(s->root));
    print_safe(span_of(path));
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

static int find_init(struct service *s)
{
    struct span rest = service_text_find(span_of("list"));
    static struct row row;

    while (next_row(&rest, &row)) {
        if (s->init.n == 0 && row.trace[0] != '\0' &&
            faccessat(s->root_fd, row.trace + 1, F_OK, 0) == 0)
            s->init = row.name;
        if (is_of(s, row.name))
            return 0;
    }
    return command_fail(s->self, s->init.n > 0 ? EX_USAGE : EX_UNAVAILABLE,
                        "no such init system; --init takes",
                        "systemd, procd, openrc, runit, s6, sysv");
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

/* The directories above a path, each that was made noted. */
static int make_directories(const struct service *s, char *path)
{
    int code = 0;

    for (char *at = path; code == 0 && (at = strchr(at + 1, '/')) != NULL; *at = '/') {
        *at = '\0';
        if (mkdirat(s->root_fd, path + 1, 0755) == 0 && work.made < MADE_MAX)
            memcpy(work.directory[work.made++], path, PATH_LEN_MAX);
        else if (errno != EEXIST)
            code = fail_errno(s, path);
    }
    return code;
}

/* Opens the next item's file under a temporary name. */
static int stage(const struct service *s, const char *path, mode_t mode)
{
    struct item *item = &work.item[work.items];
    struct stat st;

    if (work.items == ITEMS_MAX || span_copy(item->path, PATH_LEN_MAX, span_of(path)) != 0)
        return fail(s, path, "too long", EX_USAGE);
    item->was_there = fstatat(s->root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (item->was_there && !s->force)
        return fail(s, path, "is there already; --force replaces it", EXIT_FAILURE);
    int code = make_directories(s, item->path);
    if (code != 0)
        return code;
    char *slash = strrchr(item->path, '/');
    item->name = slash + 1;
    *slash = '\0';
    item->dir = openat(s->root_fd, slash == item->path ? "." : item->path + 1,
                       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (item->dir >= 0 && file_out_open(&item->out, item->dir, item->name, mode) == 0) {
        work.items++;
        return 0;
    }
    code = fail_errno(s, path);
    tree_close(item->dir);
    return code;
}

static int stage_text(const struct service *s, struct span name, const char *path)
{
    struct span text = service_text_make(s, name);

    if (text.p == NULL)
        return EX_USAGE;
    bool is_script = text.p[0] == '#' && text.p[1] == '!';
    int code = stage(s, path, is_script ? 0755 : 0644);
    if (code == 0)
        file_out_write(&work.item[work.items - 1].out, text);
    return code;
}

/* Never replaced: it may have keys. The planner reads it, its group does, nobody else. */
static int stage_env(const struct service *s)
{
    const char *path = s->fact[SERVICE_ENV];
    struct stat st;

    if (fstatat(s->root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        say(s, "left as it is: ", path);
        return 0;
    }
    int code = stage_text(s, span_of("env"), path);
    if (code != 0)
        return code;
    int fd = work.item[work.items - 1].out.fd;
    if (fchmod(fd, 0640) != 0 || (geteuid() == 0 && fchown(fd, 0, s->gid) != 0))
        return fail_errno(s, path);
    return 0;
}

static int stage_binary(const struct service *s)
{
    static char block[65536];
    ssize_t n = 0;

    int code = stage(s, s->fact[SERVICE_BINARY], 0755);
    if (code != 0)
        return code;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    for (int64_t at = 0; fd >= 0 && (n = file_read_at(fd, block, sizeof(block), at)) > 0; at += n)
        file_out_write(&work.item[work.items - 1].out, (struct span){block, (size_t)n});
    code = fd < 0 || n < 0 ? fail_errno(s, "/proc/self/exe") : 0;
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

    /* What the daemon would make itself, if its cage let it. */
    if (tree_prepare(&s->tree, &failed) != 0)
        return fail_errno(s, s->fact[SERVICE_TREE]);
    for (unsigned i = 0; i < work.items; i++) {
        struct item *item = &work.item[i];
        enum file_result result = file_out_commit(&item->out, item->name, s->force);
        if (result != FILE_OK)
            return fail(s, item->path, file_result_text(result), EX_TEMPFAIL);
        item->done = true;
    }
    return 0;
}

static void take_back(const struct service *s)
{
    for (unsigned i = 0; i < work.items; i++) {
        struct item *item = &work.item[i];
        if (!item->done)
            file_out_abort(&item->out);
        else if (!item->was_there)
            (void)unlinkat(item->dir, item->name, 0);
    }
    while (work.made > 0)
        (void)unlinkat(s->root_fd, work.directory[--work.made] + 1, AT_REMOVEDIR);
}

int service_install_put(struct service *s)
{
    (void)umask(022);
    if (!s->has_tree)
        return fail(s, s->fact[SERVICE_TREE], "is not there; make it first: install -d -o USER",
                    EX_UNAVAILABLE);
    int code = find_init(s);
    if (code != 0)
        return code;
    if ((code = stage_all(s)) != 0 || (code = commit_all(s)) != 0) {
        take_back(s);
        return code;
    }
    for (unsigned i = 0; i < work.items; i++)
        say(s, "wrote ", work.item[i].path);
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

/* A file, and the directories above it that were made for us alone, once they are empty. */
static int remove_file(const struct service *s, char *path, bool *removed)
{
    if (unlinkat(s->root_fd, path + 1, 0) != 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(s, path);
    say(s, "removed ", path);
    *removed = true;
    do
        *strrchr(path, '/') = '\0';
    while (strstr(path, "/planner-agent") != NULL &&
           unlinkat(s->root_fd, path + 1, AT_REMOVEDIR) == 0);
    return 0;
}

/* Goes where it says what we would write into it now. */
static int remove_env(const struct service *s)
{
    static char path[PATH_LEN_MAX], found[SERVICE_TEXT_MAX];
    struct span written = service_text_make(s, span_of("env"));
    bool removed;
    size_t n;

    if (written.p == NULL || span_copy(path, sizeof(path), span_of(s->fact[SERVICE_ENV])) != 0)
        return EX_USAGE;
    enum file_result result = file_read(s->root_fd, path + 1, found, sizeof(found), &n, NULL);
    if (result == FILE_OK && span_eq(written, (struct span){found, n}))
        return remove_file(s, path, &removed);
    if (result != FILE_ABSENT)
        say(s, "left, it was changed: ", path);
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
            code = remove_file(s, row.path, &removed);
    if (code == 0 && !removed)
        return command_fail(s->self, EXIT_FAILURE, "nothing of it is installed here", NULL);
    if (code == 0)
        code = remove_env(s);
    return code != 0 ? code : say_next(s, "Next:\n", "-", EX_OK);
}
