# 64-bit ARM from Cortex-A53 on, with pages of 4 or 16 KiB (a Pi 5 has 16). The stack protector's
# value is read where musl keeps it for the thread, which takes less code than a global variable.
TRIPLE := aarch64-linux-gnu
TARGET_CFLAGS := -mstack-protector-guard=sysreg -mstack-protector-guard-reg=tpidr_el0 \
                 -mstack-protector-guard-offset=-16
TARGET_LDFLAGS := -Wl,-z,max-page-size=16384
# It is not as small as it is to be; let it not grow.
BYTES_WANTED := 409600
BYTES_MAX := 440320
EMULATOR := qemu-aarch64-static -cpu cortex-a53
