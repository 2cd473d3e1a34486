#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static void need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

void scratch_open(struct tree *tree)
{
    char path[256];
    const char *base = getenv("TMPDIR");
    int n = snprintf(path, sizeof(path), "%s/planner-XXXXXX", base != NULL ? base : "/tmp");

    need(n > 0 && (size_t)n < sizeof(path), "TMPDIR");
    need(mkdtemp(path) != NULL, path);
    need(chmod(path, 0755) == 0, path);
    need(tree_init(tree, path) == 0, path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int allow_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    if (type == FTW_D || type == FTW_DNR)
        (void)chmod(path, 0700);
    return 0;
}

void scratch_close(struct tree *tree)
{
    need(nftw(tree->path, allow_one, 16, FTW_PHYS) == 0, tree->path);
    need(nftw(tree->path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, tree->path);
}

const char *scratch_path(const struct tree *tree, const char *path)
{
    static char paths[4][2048];
    static size_t turn;
    char *out = paths[turn++ % 4];
    int n = snprintf(out, sizeof(paths[0]), "%s/%s", tree->path, path);

    need(n > 0 && (size_t)n < sizeof(paths[0]), path);
    return out;
}

void scratch_dirs(const struct tree *tree, const char *path)
{
    char part[1024];

    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        need(i < sizeof(part), path);
        memcpy(part, path, i);
        part[i] = '\0';
        need(mkdir(scratch_path(tree, part), 0755) == 0 || errno == EEXIST, part);
    }
}

void scratch_put_bytes(const struct tree *tree, const char *path, const void *data, size_t n)
{
    char dir[1024] = "";
    const char *slash = strrchr(path, '/');

    if (slash != NULL) {
        memcpy(dir, path, (size_t)(slash - path));
        dir[slash - path] = '\0';
        scratch_dirs(tree, dir);
    }
    int fd = open(scratch_path(tree, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    need(fd >= 0, path);
    need(write(fd, data, n) == (ssize_t)n, path);
    need(close(fd) == 0, path);
}

void scratch_put(const struct tree *tree, const char *path, const char *text)
{
    scratch_put_bytes(tree, path, text, strlen(text));
}

const char *scratch_get(const struct tree *tree, const char *path)
{
    static char data[1 << 20];
    int fd = open(scratch_path(tree, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, data, sizeof(data) - 1);
    need(n >= 0, path);
    data[n] = '\0';
    need(close(fd) == 0, path);
    return data;
}

bool scratch_has(const struct tree *tree, const char *path)
{
    struct stat st;

    return lstat(scratch_path(tree, path), &st) == 0;
}

mode_t scratch_mode(const struct tree *tree, const char *path)
{
    struct stat st;

    need(lstat(scratch_path(tree, path), &st) == 0, path);
    return st.st_mode & 07777;
}

static int counted;

static int count_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)st;
    (void)type;
    if (at->level == 1)
        counted++;
    return 0;
}

int scratch_count(const struct tree *tree, const char *path)
{
    counted = 0;
    if (nftw(scratch_path(tree, path), count_one, 16, FTW_PHYS) != 0)
        need(errno == ENOENT, path);
    return counted;
}

static int run(int (*body)(const struct tree *tree), const struct tree *tree, bool as_user)
{
    int status;
    pid_t pid = fork();

    need(pid >= 0, "fork");
    if (pid == 0) {
        if (as_user && geteuid() == 0 &&
            (setgroups(0, NULL) != 0 || setegid(NOBODY) != 0 || seteuid(NOBODY) != 0))
            _exit(255);
        _exit(body(tree));
    }
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    need(WIFEXITED(status), "a child was killed");
    return WEXITSTATUS(status);
}

int scratch_as_user(int (*body)(const struct tree *tree), const struct tree *tree)
{
    return run(body, tree, true);
}

int scratch_in_child(int (*body)(const struct tree *tree), const struct tree *tree)
{
    return run(body, tree, false);
}
