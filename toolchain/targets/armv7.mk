# 32-bit ARM with hardware floating point.
TRIPLE := arm-linux-gnueabihf
TARGET_CFLAGS := -march=armv7-a+fp
TARGET_LDFLAGS :=
