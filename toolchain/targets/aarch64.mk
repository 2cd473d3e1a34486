# 64-bit ARM from Cortex-A53 on, with pages of 4 or 16 KiB (a Pi 5 has 16). The stack protector's
# value is read where musl keeps it for the thread, which takes less code than a global variable.
TRIPLE := aarch64-linux-gnu
TARGET_CFLAGS := -mstack-protector-guard=sysreg -mstack-protector-guard-reg=tpidr_el0 \
                 -mstack-protector-guard-offset=-16
# No frame pointer: 7 KB. One instruction an address: 12 KB; toolchain/aarch64/as does those that are
# too far for it.
TARGET_CFLAGS += -fomit-frame-pointer -mcmodel=tiny -fno-section-anchors $(SMALLER)
TARGET_SPEED := -Oz
# 1 KB less than a probe of each page of each frame. No frame is a page of the kernel's gap below the
# stack, 1 MiB, so nothing can step over it.
TARGET_STACK_GUARD := -Werror=frame-larger-than=65536
TARGET_LDFLAGS := -Wl,-z,max-page-size=16384 -B$(CURDIR)/toolchain/aarch64/
BYTES_MAX := 409600
EMULATOR := qemu-aarch64-static -cpu cortex-a53
