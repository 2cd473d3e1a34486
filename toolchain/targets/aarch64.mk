# 64-bit ARM from Cortex-A53 on.
TRIPLE := aarch64-linux-gnu
TARGET_CFLAGS :=
TARGET_LDFLAGS :=
