# 32-bit ARM without hardware floating point: a Pi Zero and a Pi 1, whose ARM1176 has neither
# Thumb-2 nor what the hard-float compiler's own libraries are made for. Thumb-1, which is a quarter
# smaller; but musl's own assembly needs the other instructions.
TRIPLE := arm-linux-gnueabi
TARGET_CFLAGS := -march=armv6k -mthumb -mfloat-abi=soft
TARGET_MUSL_CFLAGS := -marm
# gcc probes each page of each frame here, or cannot (Thumb-1). No frame is a page of the kernel's
# gap below the stack, 1 MiB, so nothing can step over it.
TARGET_STACK_GUARD := -Werror=frame-larger-than=65536
TARGET_LDFLAGS :=
BYTES_MAX := 409600
EMULATOR := qemu-arm-static -cpu arm1176
