#include "base/file.h"

#include "base/buf.h"
#include "base/dir.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- System calls that fail as told ---- */

static struct {
    const ssize_t *writes; /* results to come, ended by 0: so many bytes, or -errno */
    int fsync_file, fsync_dir, close, rename_new, link, rename, unlink, chown; /* errno, or 0 */
    int fsyncs_file, fsyncs_dir, links, unlinks, chown_calls, chmod_calls;     /* calls seen */
    int interrupted_reads, kill;
    bool made_by_another; /* the directory, just before our mkdirat() */
} fault;

static int told(int error)
{
    errno = error;
    return -1;
}

/* renameat2() that does not replace is called by its number. */
long syscall(long number, ...)
{
    static long (*real)(long, ...);
    va_list list;
    long args[5]; /* as many as come in registers, whatever the call has */

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    va_start(list, number);
    for (size_t i = 0; i < COUNT(args); i++)
        args[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_renameat2 && (unsigned)args[4] != 0 && fault.rename_new != 0)
        return told(fault.rename_new);
    return real(number, args[0], args[1], args[2], args[3], args[4]);
}

ssize_t write(int fd, const void *data, size_t n)
{
    if (fault.writes != NULL && *fault.writes != 0) {
        ssize_t result = *fault.writes++;
        if (result < 0)
            return told((int)-result);
        n = (size_t)result < n ? (size_t)result : n;
    }
    return syscall(SYS_write, fd, data, n);
}

ssize_t pread(int fd, void *data, size_t n, off_t offset)
{
    if (fault.interrupted_reads > 0) {
        fault.interrupted_reads--;
        return told(EINTR);
    }
    /* In parts, as a signal would cut it. */
    return syscall(SYS_pread64, fd, data, n > 3 ? 3 : n, offset);
}

int fsync(int fd)
{
    struct stat st;
    bool directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

    *(directory ? &fault.fsyncs_dir : &fault.fsyncs_file) += 1;
    int error = directory ? fault.fsync_dir : fault.fsync_file;
    return error != 0 ? told(error) : (int)syscall(SYS_fsync, fd);
}

int close(int fd)
{
    int result = (int)syscall(SYS_close, fd);

    return fault.close != 0 ? told(fault.close) : result;
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    fault.links++;
    if (fault.link != 0)
        return told(fault.link);
    return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (fault.rename != 0)
        return told(fault.rename);
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int unlinkat(int dir, const char *name, int flags)
{
    fault.unlinks++;
    if (fault.unlink != 0)
        return told(fault.unlink);
    return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int fchown(int fd, uid_t owner, gid_t group)
{
    fault.chown_calls++;
    return fault.chown != 0 ? told(fault.chown) : (int)syscall(SYS_fchown, fd, owner, group);
}

int fchmod(int fd, mode_t mode)
{
    fault.chmod_calls++;
    return (int)syscall(SYS_fchmod, fd, mode);
}

int kill(pid_t pid, int signal)
{
    return fault.kill != 0 ? told(fault.kill) : (int)syscall(SYS_kill, pid, signal);
}

int mkdirat(int parent, const char *name, mode_t mode)
{
    int result = (int)syscall(SYS_mkdirat, parent, name, mode);

    return fault.made_by_another ? told(EEXIST) : result;
}

/* ---- A directory for each test ---- */

static char root[64];
static int dir;

static int setup(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof(fault));
    (void)umask(077);
    strncpy(root, "/tmp/test-file-XXXXXX", sizeof(root) - 1);
    if (mkdtemp(root) == NULL)
        return -1;
    dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir >= 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof(fault));
    (void)close(dir);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Names in the directory, "." and ".." aside. */
static int entries(void)
{
    struct dir d;
    struct dir_entry entry;
    int count = 0;

    assert_int_equal(dir_open(&d, dir, "."), 0);
    while (dir_next(&d, &entry) == 1)
        count++;
    dir_close(&d);
    return count;
}

static void assert_content(const char *name, const char *expected)
{
    char data[64];
    size_t n = 0;
    struct stat st;

    assert_int_equal(file_read(dir, name, data, sizeof(data), &n, &st), FILE_OK);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(data, expected, n);
    assert_int_equal(st.st_size, n);
}

static enum file_result put(const char *name, const char *text, bool replace)
{
    return file_put(dir, name, span_of(text), 0640, replace);
}

/* A name of each kind that is no regular file. */
static const char *const irregular[] = {"directory", "symlink", "dangling", "fifo", "socket"};

static void make_irregular(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct buf b;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    buf_init(&b, address.sun_path, sizeof(address.sun_path));
    buf_str(&b, root);
    buf_str(&b, "/socket");
    assert_non_null(buf_text(&b));
    assert_int_equal(put("target", "target", false), FILE_OK);
    assert_int_equal(mkdirat(dir, "directory", 0700), 0);
    assert_int_equal(symlinkat("target", dir, "symlink"), 0);
    assert_int_equal(symlinkat("nothing", dir, "dangling"), 0);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(close(fd), 0);
}

/* ---- Reading ---- */

static void test_read(void **state)
{
    char data[8];
    size_t n = 4711;

    (void)state;
    assert_int_equal(file_read(dir, "none", data, sizeof(data), &n, NULL), FILE_ABSENT);
    assert_int_equal(put("f", "12345678", false), FILE_OK);
    assert_int_equal(file_read(dir, "f/below", data, sizeof(data), &n, NULL), FILE_ABSENT);
    assert_int_equal(file_read(dir, "f", data, 7, &n, NULL), FILE_TOO_LARGE);
    assert_int_equal(n, 4711);
    fault.interrupted_reads = 2;
    assert_int_equal(file_read(dir, "f", data, 8, &n, NULL), FILE_OK);
    assert_int_equal(n, 8);
    assert_memory_equal(data, "12345678", 8);
    assert_int_equal(put("empty", "", false), FILE_OK);
    assert_int_equal(file_read(dir, "empty", data, 0, &n, NULL), FILE_OK);
    assert_int_equal(n, 0);
    make_irregular();
    (void)alarm(10); /* the FIFO must not hold us */
    for (size_t i = 0; i < COUNT(irregular); i++) {
        struct stat st;
        int fd = -1;
        assert_int_equal(file_open(dir, irregular[i], &fd, &st), FILE_IRREGULAR);
        assert_int_equal(fd, -1);
    }
    (void)alarm(0);
}

static void test_read_at(void **state)
{
    char data[8];
    struct stat st;
    int fd;

    (void)state;
    assert_int_equal(put("f", "0123456789", false), FILE_OK);
    assert_int_equal(file_open(dir, "f", &fd, &st), FILE_OK);
    assert_int_equal(st.st_size, 10);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(file_read_at(fd, data, 8, 1), 8);
    assert_memory_equal(data, "12345678", 8);
    assert_int_equal(file_read_at(fd, data, 8, 7), 3);
    assert_memory_equal(data, "789", 3);
    assert_int_equal(file_read_at(fd, data, 8, 10), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(file_read_at(fd, data, 8, 0), -1);
    assert_int_equal(errno, EBADF);
}

/* Root may do all: it gives that up in a child. */
static void test_denied(void **state)
{
    char data[8];
    size_t n;
    int status = -1;

    (void)state;
    assert_int_equal(put("f", "x", false), FILE_OK);
    assert_int_equal(fchmodat(dir, "f", 0, 0), 0);
    assert_int_equal(fchmod(dir, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
            _exit(1);
        if (file_read(dir, "f", data, sizeof(data), &n, NULL) != FILE_DENIED)
            _exit(2);
        if (put("g", "x", false) != FILE_DENIED || put("f", "x", true) != FILE_DENIED)
            _exit(3);
        _exit(file_make_dirs(dir, "sub", 0755) == -1 && errno == EACCES ? 0 : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(fchmod(dir, 0755), 0);
    assert_int_equal(entries(), 1);
}

/* ---- Writing ---- */

static void test_put(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(put("f", "one", false), FILE_OK);
    assert_content("f", "one");
    assert_int_equal(fstatat(dir, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640); /* whatever the umask */
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(put("f", "two", false), FILE_EXISTS);
    assert_content("f", "one");
    assert_int_equal(put("f", "three", true), FILE_OK);
    assert_content("f", "three");
    assert_int_equal(put("g", "new", true), FILE_OK);
    assert_content("g", "new");
    assert_int_equal(put("", "x", false), FILE_ABSENT);
    assert_int_equal(put("a/b", "x", false), FILE_FAULT);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(entries(), 2);
    assert_int_equal(fault.fsyncs_file, 5); /* each commit that had a file: durable, then named */
    assert_int_equal(fault.fsyncs_dir, 3);
    assert_int_equal(fault.links, 0);   /* one change of the directory */
    assert_int_equal(fault.unlinks, 2); /* of the two that were not named */
}

/* The mode is the one asked for, whatever the umask; one that is so from the start is let be. */
static void test_mode(void **state)
{
    static const struct {
        mode_t umask, mode;
        int calls;
    } cases[] = {
        {077, 0600, 0}, {077, 0640, 1},  {027, 0640, 0}, {027, 0644, 1},
        {0, 0666, 0},   {0777, 0600, 1}, {0, 0, 0},      {022, 0420, 1},
    };
    struct stat st;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)umask(cases[i].umask);
        fault.chmod_calls = 0;
        assert_int_equal(file_put(dir, "f", span_of("x"), cases[i].mode, true), FILE_OK);
        assert_int_equal(fstatat(dir, "f", &st, 0), 0);
        assert_int_equal(st.st_mode, S_IFREG | cases[i].mode);
        assert_int_equal(fault.chmod_calls, cases[i].calls);
    }
    /* A directory that passes its group on: what is made in it does so, too. */
    (void)umask(0);
    assert_int_equal(fchmod(dir, 02755), 0);
    assert_int_equal(file_make_dirs(dir, "d", 0700), 0);
    assert_int_equal(fstatat(dir, "d", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 02700);
}

/* Without a mode: the parent's. The daemon's filter takes no chmod of the bit that passes a group
 * on, nor does systemd's: under its umask none is needed. */
static void test_mode_of_the_parent(void **state)
{
    static const struct {
        mode_t parent, made;
    } cases[] = {
        {0755, 0755},   {0700, 0700}, {0750, 0750}, {02775, 02775}, {02770, 02770},
        {01777, 01775}, {0777, 0775}, {0770, 0770}, {03777, 03775}, {06775, 02775},
    };
    static const mode_t umasks[] = {002, 022, 077};
    char path[32];
    struct stat st;

    (void)state;
    for (size_t i = 0; i < COUNT(cases) * COUNT(umasks); i++) {
        mode_t made = S_IFDIR | cases[i % COUNT(cases)].made;
        (void)umask(umasks[i / COUNT(cases)]);
        (void)snprintf(path, sizeof(path), "d%zu/e", i);
        assert_int_equal(fchmod(dir, cases[i % COUNT(cases)].parent), 0);
        fault.chmod_calls = 0;
        assert_int_equal(file_make_dirs(dir, path, 0), 0);
        assert_true(fault.chmod_calls == 0 || i >= COUNT(cases));
        assert_int_equal(fstatat(dir, path, &st, 0), 0);
        assert_int_equal(st.st_mode, made);
        *strchr(path, '/') = '\0';
        assert_int_equal(fstatat(dir, path, &st, 0), 0);
        assert_int_equal(st.st_mode, made);
    }
    assert_int_equal(fchmod(dir, 0755), 0);
}

static void test_put_on_irregular(void **state)
{
    (void)state;
    make_irregular();
    int before = entries();
    for (size_t i = 0; i < COUNT(irregular); i++) {
        struct stat st;
        assert_int_equal(put(irregular[i], "x", false), FILE_EXISTS);
        assert_int_equal(fstatat(dir, irregular[i], &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_false(S_ISREG(st.st_mode));
    }
    assert_int_equal(put("directory", "x", true), FILE_IRREGULAR);
    assert_int_equal(put("symlink", "x", true), FILE_OK);
    assert_content("symlink", "x"); /* in its place, not through it */
    assert_content("target", "target");
    assert_int_equal(entries(), before);
}

static void test_out(void **state)
{
    static char large[10000];
    struct file_out out, other;
    struct stat st;

    (void)state;
    memset(large, 'l', sizeof(large));
    assert_int_equal(file_out_open(&out, dir, "f", 0600), 0);
    assert_int_equal(file_out_open(&other, dir, "f", 0600), 0); /* two of one name */
    assert_memory_equal(out.temp, ".tmp-", 5);
    assert_int_equal(fcntl(out.fd, F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 3000; i++)
        file_out_write(&out, span_of("abc"));
    file_out_write(&out, (struct span){large, sizeof(large)});
    file_out_write(&out, (struct span){NULL, 0});
    file_out_write(&out, span_of("end"));
    assert_int_equal(fstatat(dir, "f", &st, 0), -1); /* not before the commit */
    assert_int_equal(file_out_commit(&out, "f", false), FILE_OK);
    assert_int_equal(fstatat(dir, "f", &st, 0), 0);
    assert_int_equal(st.st_size, 9000 + sizeof(large) + 3);
    static char all[20000];
    size_t n;
    assert_int_equal(file_read(dir, "f", all, sizeof(all), &n, NULL), FILE_OK);
    assert_memory_equal(all, "abcabc", 6);
    assert_memory_equal(all + 8997, "abcl", 4);
    assert_memory_equal(all + n - 4, "lend", 4);
    file_out_abort(&other);
    file_out_abort(&other);
    assert_int_equal(file_out_commit(&other, "f", true), FILE_FAULT);
    assert_int_equal(entries(), 1);
}

static void test_write_in_parts(void **state)
{
    (void)state;
    fault.writes = (const ssize_t[]){-EINTR, 1, 2, -EINTR, 0};
    assert_int_equal(put("f", "abcdef", false), FILE_OK);
    assert_content("f", "abcdef");
}

/* Each fault leaves no name, no temporary file, and its errno. */
static void test_faults(void **state)
{
    static const ssize_t full[] = {2, -ENOSPC, 0};
    static const struct {
        const ssize_t *writes;
        int *at;
        int error;
        bool replace;
        enum file_result result;
        bool named;
    } cases[] = {
        {full, NULL, ENOSPC, false, FILE_FAULT, false},
        {full, NULL, ENOSPC, true, FILE_FAULT, false},
        {NULL, &fault.fsync_file, EIO, false, FILE_FAULT, false},
        {NULL, &fault.fsync_file, EIO, true, FILE_FAULT, false},
        {NULL, &fault.close, EDQUOT, false, FILE_FAULT, false},
        {NULL, &fault.close, EINTR, false, FILE_OK, true},
        {NULL, &fault.rename_new, EIO, false, FILE_FAULT, false},
        {NULL, &fault.rename_new, EACCES, false, FILE_DENIED, false},
        {NULL, &fault.rename_new, ENOSPC, false, FILE_FAULT, false},
        {NULL, &fault.link, EIO, false, FILE_FAULT, false},
        {NULL, &fault.link, EACCES, false, FILE_DENIED, false},
        {NULL, &fault.link, EPERM, false, FILE_DENIED, false},
        {NULL, &fault.link, EMLINK, false, FILE_FAULT, false},
        {NULL, &fault.rename, EROFS, true, FILE_FAULT, false},
        {NULL, &fault.fsync_dir, EIO, false, FILE_FAULT, true},
        {NULL, &fault.fsync_dir, EIO, true, FILE_FAULT, true},
        {NULL, &fault.fsync_dir, EINVAL, true, FILE_OK, true},
        {NULL, &fault.chown, EPERM, true, FILE_OK, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fault.writes = cases[i].writes;
        fault.rename_new = cases[i].at == &fault.link ? EINVAL : 0;
        if (cases[i].at != NULL)
            *cases[i].at = cases[i].error;
        struct file_out out;
        assert_int_equal(file_out_open(&out, dir, "f", 0644), 0);
        file_out_write(&out, span_of("abc"));
        enum file_result result = file_out_commit(&out, "f", cases[i].replace);
        int error = errno;
        memset(&fault, 0, sizeof(fault));
        if (result != cases[i].result || out.named != cases[i].named ||
            (result != FILE_OK && error != cases[i].error))
            fail_msg("case %zu: %s, errno %d", i, file_result_text(result), error);
        assert_int_equal(entries(), cases[i].named);
        if (cases[i].named)
            assert_int_equal(unlinkat(dir, "f", 0), 0);
    }
}

/* The first fault is the one that is told. */
static void test_two_faults(void **state)
{
    (void)state;
    fault.writes = (const ssize_t[]){-ENOSPC, 0};
    fault.unlink = EIO;
    assert_int_equal(put("f", "abc", true), FILE_FAULT);
    assert_int_equal(errno, ENOSPC);
}

/* The name stands, but so does the temporary one. */
static void test_temp_stays(void **state)
{
    (void)state;
    fault.rename_new = EINVAL;
    fault.unlink = EIO;
    assert_int_equal(put("f", "abc", false), FILE_FAULT);
    assert_int_equal(errno, EIO);
    assert_int_equal(fault.fsyncs_dir, 1);
    fault.unlink = 0;
    assert_content("f", "abc");
    assert_int_equal(entries(), 2);
    assert_int_equal(file_sweep(dir), 1);
    assert_int_equal(entries(), 1);
}

/* A file system that cannot rename without replacing, or a container that forbids it. */
static void test_by_link(void **state)
{
    static const int errors[] = {EINVAL, ENOSYS, EOPNOTSUPP, EPERM};
    struct stat st;

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        fault.rename_new = errors[i];
        fault.links = 0;
        assert_int_equal(put("f", "one", false), FILE_OK);
        assert_int_equal(fault.links, 1);
        assert_content("f", "one");
        assert_int_equal(fstatat(dir, "f", &st, 0), 0);
        assert_int_equal(st.st_nlink, 1);
        assert_int_equal(put("f", "two", false), FILE_EXISTS);
        assert_content("f", "one");
        assert_int_equal(entries(), 1);
        assert_int_equal(unlinkat(dir, "f", 0), 0);
    }
}

static void test_owner(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(put("mine", "x", false), FILE_OK);
    assert_int_equal(fault.chown_calls, 0); /* the same owner: nothing to do */
    if (geteuid() != 0)
        skip();
    assert_int_equal(fchown(dir, 4711, 4712), 0);
    assert_int_equal(put("f", "x", false), FILE_OK);
    assert_int_equal(fstatat(dir, "f", &st, 0), 0);
    assert_int_equal(st.st_uid, 4711);
    assert_int_equal(st.st_gid, 4712);
    assert_int_equal(file_make_dirs(dir, "a/b", 0750), 0);
    assert_int_equal(fstatat(dir, "a/b", &st, 0), 0);
    assert_int_equal(st.st_uid, 4711);
    assert_int_equal(st.st_gid, 4712);
    fault.chown_calls = 0;
    fault.chown = EPERM;
    assert_int_equal(put("g", "x", false), FILE_OK);
    assert_int_equal(fault.chown_calls, 2); /* owner and group, then the group alone */
    fault.chown = EIO;
    assert_int_equal(put("h", "x", false), FILE_FAULT);
    assert_int_equal(entries(), 4);
}

/* ---- Directories ---- */

static void test_sweep(void **state)
{
    static const char *const kept[] = {
        ".tmp-",
        ".tmp-x",
        ".tmp-0-",
        ".tmp-0-1x",
        ".tmp-0--1",
        ".tmp-0-0",
        "tmp-0-999999999",
        ".tmp-0-1", /* init is alive */
        ".tmp-0-99999999999999999999",
        ".hidden",
        "evt-1.json",
    };
    char own[64];
    struct buf b;
    pid_t gone = fork();

    (void)state;
    if (gone == 0)
        _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_int_equal(put(kept[i], "", false), FILE_OK);
    assert_int_equal(mkdirat(dir, ".tmp-dir-2147483647", 0700), 0);
    assert_int_equal(put(".tmp-00ff-2147483647", "", false), FILE_OK);
    assert_int_equal(symlinkat("evt-1.json", dir, ".tmp-link-3-2147483647"), 0);
    buf_init(&b, own, sizeof(own));
    buf_str(&b, ".tmp-1-");
    buf_int(&b, gone);
    assert_int_equal(put(buf_text(&b), "", false), FILE_OK);
    struct file_out out;
    assert_int_equal(file_out_open(&out, dir, "f", 0600), 0); /* ours: at start nothing is */
    assert_int_equal(file_sweep(dir), 4);
    assert_int_equal(entries(), COUNT(kept) + 1);
    assert_int_equal(close(out.fd), 0);
    assert_int_equal(file_sweep(dir), 0);
    assert_int_equal(put(".tmp-00ff-2147483647", "", false), FILE_OK);
    fault.kill = EPERM; /* alive, another user's */
    assert_int_equal(file_sweep(dir), 0);
    fault.kill = 0;
    fault.unlink = EIO;
    assert_int_equal(file_sweep(dir), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(file_sweep(-1), -1);
}

static void test_make_dirs(void **state)
{
    static const char *const bad[] = {"/abs", "a//b", "..", "a/../b", ".", "a/."};
    char longest[300];
    struct stat st;

    (void)state;
    int before = fault.fsyncs_dir;
    assert_int_equal(file_make_dirs(dir, "events/2026-01-02/node", 0755), 0);
    assert_int_equal(fault.fsyncs_dir - before, 3);
    assert_int_equal(fstatat(dir, "events/2026-01-02/node", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    assert_int_equal(file_make_dirs(dir, "events/2026-01-02/node", 0700), 0);
    assert_int_equal(fault.fsyncs_dir - before, 3);
    assert_int_equal(file_make_dirs(dir, "events/2026-01-03/", 0700), 0);
    assert_int_equal(fstatat(dir, "events/2026-01-02", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0755); /* what was there stays as it was */
    assert_int_equal(file_make_dirs(dir, "", 0700), 0);
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(file_make_dirs(dir, bad[i], 0700), -1);
        assert_int_equal(errno, EINVAL);
    }
    memset(longest, 'n', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(file_make_dirs(dir, longest, 0700), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(put("file", "x", false), FILE_OK);
    assert_int_equal(file_make_dirs(dir, "file/below", 0700), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(symlinkat("events", dir, "link"), 0);
    assert_int_equal(file_make_dirs(dir, "link/2026-01-04", 0700), -1);
    assert_int_equal(fstatat(dir, "events/2026-01-04", &st, 0), -1);
    fault.made_by_another = true;
    assert_int_equal(file_make_dirs(dir, "race", 0755), 0);
    fault.made_by_another = false;
    assert_int_equal(fstatat(dir, "race", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700); /* theirs: not ours to change */
    /* No descriptor is left open. */
    int next = dup(dir);
    assert_int_equal(close(next), 0);
    for (int i = 0; i < 100; i++)
        (void)file_make_dirs(dir, i % 2 == 0 ? "events/x/y" : "events/../y", 0700);
    assert_int_equal(dup(dir), next);
    assert_int_equal(close(next), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_read),       TEST(test_read_at),
        TEST(test_denied),     TEST(test_put),
        TEST(test_mode),       TEST(test_put_on_irregular),
        TEST(test_out),        TEST(test_write_in_parts),
        TEST(test_faults),     TEST(test_two_faults),
        TEST(test_temp_stays), TEST(test_by_link),
        TEST(test_owner),      TEST(test_sweep),
        TEST(test_make_dirs),  TEST(test_mode_of_the_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
