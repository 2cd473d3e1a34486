/* What is constant once it is relocated is made read-only, before main: musl's start code relocates
 * a static PIE, but leaves that to a dynamic linker, and there is none. */

#include <stdint.h>
#include <sys/mman.h>

/* From toolchain/static-pie.ld. No other segment has a byte in these pages. */
extern unsigned char relro_begin[] __attribute__((visibility("hidden")));
extern unsigned char relro_end[] __attribute__((visibility("hidden")));

__attribute__((constructor)) static void protect(void)
{
    if (mprotect(relro_begin, (uintptr_t)relro_end - (uintptr_t)relro_begin, PROT_READ) != 0)
        __builtin_trap();
}
