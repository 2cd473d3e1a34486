# x86-64, the level every such machine has.
TRIPLE := x86_64-linux-gnu
# Comparisons for a switch take 1 KB less than tables here, and no more time. What is constant in a
# loop is computed in the loop, 1.5 KB less, but for what the Makefile calls hot.
TARGET_CFLAGS := -fcf-protection=none -malign-data=abi -fno-jump-tables -fno-move-loop-invariants
TARGET_LDFLAGS :=
BYTES_MAX := 409600
EMULATOR := qemu-x86_64-static
