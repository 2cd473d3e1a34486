# 32-bit ARM with hardware floating point: a Pi 2 and all later ones. Thumb-2; the stack protector's
# value as for aarch64.
TRIPLE := arm-linux-gnueabihf
TARGET_CFLAGS := -march=armv7-a+fp -mthumb -mtp=cp15 -mstack-protector-guard=tls \
                 -mstack-protector-guard-offset=-8 $(SMALLER)
TARGET_SPEED := -Oz
# gcc probes each page of each frame here, or cannot (Thumb-1). No frame is a page of the kernel's
# gap below the stack, 1 MiB, so nothing can step over it.
TARGET_STACK_GUARD := -Werror=frame-larger-than=65536
TARGET_LDFLAGS :=
# It is not as small as it is to be; let it not grow.
BYTES_WANTED := 307200
BYTES_MAX := 350208
EMULATOR := qemu-arm-static -cpu cortex-a7
