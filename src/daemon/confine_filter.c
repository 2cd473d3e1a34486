#include "daemon/confine_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* ---- The kernel's numbers: linux/filter.h, linux/seccomp.h, linux/audit.h ---- */

struct instruction {
    uint16_t code;
    uint8_t jump_true;
    uint8_t jump_false;
    uint32_t k;
};

struct program {
    unsigned short length;
    const struct instruction *code;
};

enum { /* BPF */
       LOAD_WORD = 0x20,
       LOAD_NUMBER = 0x00,
       COPY_TO_X = 0x07,
       SHIFT_BY_X = 0x6c,
       JUMP_EQUAL = 0x15,
       JUMP_AT_LEAST = 0x35,
       JUMP_BITS = 0x45,
       RETURN = 0x06,
};

#define MODE_FILTER 2
#define KILL UINT32_C(0x80000000)
#define ALLOW UINT32_C(0x7fff0000)
#define FAIL(error) (UINT32_C(0x00050000) | (error))

#define AT_NUMBER 0
#define AT_ARCHITECTURE 4
#define AT_ARGUMENT(n) (16U + 8U * (n)) /* its lower half, on a little-endian machine */

#if defined(__x86_64__)
#define ARCHITECTURE UINT32_C(0xc000003e)
#elif defined(__aarch64__)
#define ARCHITECTURE UINT32_C(0xc00000b7)
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE UINT32_C(0xc00000f3)
#elif defined(__arm__)
#define ARCHITECTURE UINT32_C(0x40000028)
#else
#error "which AUDIT_ARCH is it?"
#endif
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "AT_ARGUMENT");

#ifdef SYS_fork
#define OLD_CALLS /* that newer architectures do not have */
#endif
#if defined(SYS_clock_gettime64) && !defined(SYS_clock_gettime32) /* musl's names */
#define SYS_clock_gettime32 SYS_clock_gettime
#define SYS_clock_nanosleep_time32 SYS_clock_nanosleep
#endif

#define FAST_OPEN 0x20000000 /* MSG_FASTOPEN: it connects, and Landlock would not be asked */

/* ---- What is allowed ---- */

/* Only with these arguments. IS: this value; EITHER: its lower or its upper half; AMONG: one of the
 * bits of the set, by its number; WITHOUT: none of these bits. Checks of one call stand together,
 * and all must hold. */
static const struct check {
    uint16_t call;
    uint8_t argument;
    enum { IS, EITHER, AMONG, WITHOUT } kind;
    uint32_t value;
} checks[] = {
#define BIT(n) (UINT32_C(1) << (n))
    {SYS_openat, 2, WITHOUT, O_TRUNC}, /* Landlock before ABI 3 does not know of truncation */
#ifdef OLD_CALLS
    {SYS_open, 1, WITHOUT, O_TRUNC},
#else
    {SYS_clone, 0, IS, SIGCHLD}, /* fork(3) */
#endif
    {SYS_sendto, 3, WITHOUT, FAST_OPEN},
    {SYS_sendmsg, 2, WITHOUT, FAST_OPEN},
    {SYS_socket, 0, AMONG, BIT(AF_INET) | BIT(AF_INET6)},
    {SYS_socket, 1, WITHOUT, ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC | SOCK_STREAM | SOCK_DGRAM)},
    {SYS_socket, 2, AMONG, BIT(0) | BIT(6) | BIT(17)}, /* TCP, UDP; others Landlock does not see */
    {SYS_fchmod, 1, WITHOUT, ~UINT32_C(0777)},
    {SYS_ioctl, 1, EITHER,
     TIOCGWINSZ | (uint32_t)SIOCGIFINDEX << 16}, /* isatty(3), if_nametoindex(3) */
    {SYS_kill, 1, AMONG, BIT(0) | BIT(SIGKILL)},
    {SYS_prctl, 0, IS, PR_SET_PDEATHSIG},
};

static const uint16_t fatal[] = {SYS_execve, SYS_execveat, SYS_ptrace};

/* The frequent ones first. Where a machine has two for the same, the C library tries both. */
static const uint16_t allowed[] = {
#ifdef OLD_CALLS
    SYS_poll,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_fork,
#endif
    SYS_ppoll,
    SYS_read,
    SYS_write,
    SYS_close,
#ifdef SYS_fstatat64
    SYS_fstatat64,
    SYS_fstat64,
    SYS_stat64,
    SYS_lstat64,
    SYS__llseek,
    SYS_fcntl64,
    SYS_ftruncate64,
    SYS_fchown32,
    SYS_clock_gettime64,
    SYS_clock_gettime32,
    SYS_clock_nanosleep_time64,
    SYS_clock_nanosleep_time32,
    SYS_utimensat_time64,
    SYS_ppoll_time64,
    SYS_sigreturn,
#else
    SYS_newfstatat,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
#endif
    SYS_nanosleep,
    SYS_utimensat,
    SYS_setitimer,
    /* Files. */
    SYS_fstat,
    SYS_statx,
    SYS_getdents64,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_pwritev,
    SYS_lseek,
    SYS_fcntl,
    SYS_fsync,
    SYS_ftruncate,
    SYS_fchown,
    SYS_flock,
#ifdef SYS_renameat
    SYS_renameat,
#endif
    SYS_renameat2,
    SYS_linkat,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_faccessat,
    SYS_readlinkat,
    SYS_getcwd,
    SYS_uname,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    /* Sockets. */
    SYS_connect,
    SYS_bind,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_getsockname,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getrandom,
    /* The child that looks a name up, and signals. */
    SYS_pipe2,
    SYS_close_range,
    SYS_wait4,
    SYS_getpid,
    SYS_getppid,
    SYS_set_tid_address,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- The program ---- */

#define HEAD 4
#define CHECK_MAX 9 /* instructions of one check */

struct filter {
    struct instruction
        code[HEAD + COUNT(fatal) * 2 + COUNT(checks) * CHECK_MAX + COUNT(allowed) + 2];
    unsigned n;
};

_Static_assert(COUNT(allowed) < UINT8_MAX, "a jump reaches over all of them");

static void put(struct filter *f, uint16_t code, uint32_t k, size_t jump_true, size_t jump_false)
{
    f->code[f->n++] = (struct instruction){code, (uint8_t)jump_true, (uint8_t)jump_false, k};
}

static void put_check(struct filter *f, const struct check *c, bool local)
{
    uint32_t set = c->value;

    if (local && c->call == SYS_socket && c->argument == 0)
        set |= BIT(AF_UNIX);
    put(f, LOAD_WORD, AT_ARGUMENT(c->argument), 0, 0);
    switch (c->kind) {
    case IS:
        put(f, JUMP_EQUAL, c->value, 1, 0);
        break;
    case EITHER:
        put(f, JUMP_EQUAL, c->value & 0xffff, 2, 0);
        put(f, JUMP_EQUAL, c->value >> 16, 1, 0);
        break;
    case WITHOUT:
        put(f, JUMP_BITS, c->value, 0, 1);
        break;
    case AMONG:
        put(f, JUMP_AT_LEAST, 32, 4, 0);
        put(f, COPY_TO_X, 0, 0, 0);
        put(f, LOAD_NUMBER, 1, 0, 0);
        put(f, SHIFT_BY_X, 0, 0, 0);
        put(f, JUMP_BITS, set, 1, 0);
        break;
    }
    put(f, RETURN, FAIL(EPERM), 0, 0);
}

static void build(struct filter *f, bool local)
{
    f->n = 0;
    put(f, LOAD_WORD, AT_ARCHITECTURE, 0, 0);
    put(f, JUMP_EQUAL, ARCHITECTURE, 1, 0);
    put(f, RETURN, KILL, 0, 0);
    put(f, LOAD_WORD, AT_NUMBER, 0, 0);
    for (size_t i = 0; i < COUNT(fatal); i++) {
        put(f, JUMP_EQUAL, fatal[i], 0, 1);
        put(f, RETURN, KILL, 0, 0);
    }
    for (size_t i = 0; i < COUNT(checks);) {
        unsigned call = checks[i].call;
        unsigned jump = f->n;
        put(f, JUMP_EQUAL, call, 0, 0);
        while (i < COUNT(checks) && checks[i].call == call)
            put_check(f, &checks[i++], local);
        put(f, RETURN, ALLOW, 0, 0);
        f->code[jump].jump_false = (uint8_t)(f->n - jump - 1);
    }
    for (size_t i = 0; i < COUNT(allowed); i++)
        put(f, JUMP_EQUAL, allowed[i], COUNT(allowed) - i, 0);
    put(f, RETURN, FAIL(ENOSYS), 0, 0);
    put(f, RETURN, ALLOW, 0, 0);
}

bool confine_filter_exists(void)
{
    /* Where there is such a mode, it is the missing program that is wrong. */
    return prctl(PR_SET_SECCOMP, MODE_FILTER, NULL) != 0 && errno == EFAULT;
}

int confine_filter_set(bool local)
{
    struct filter f;

    build(&f, local);
    const struct program program = {(unsigned short)f.n, f.code};
    return prctl(PR_SET_SECCOMP, MODE_FILTER, &program);
}
