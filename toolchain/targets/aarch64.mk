# 64-bit ARM from Cortex-A53 on, with pages of 4 or 16 KiB (a Pi 5 has 16): room for larger ones
# would be padding in the file.
TRIPLE := aarch64-linux-gnu
TARGET_CFLAGS :=
TARGET_LDFLAGS := -Wl,-z,max-page-size=16384
