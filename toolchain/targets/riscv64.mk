# 64-bit RISC-V with what every Linux distribution for it asks for; registers are saved by calls.
TRIPLE := riscv64-linux-gnu
TARGET_CFLAGS := -march=rv64gc -mabi=lp64d -msave-restore -mstack-protector-guard=tls \
                 -mstack-protector-guard-reg=tp -mstack-protector-guard-offset=-16
TARGET_LDFLAGS :=
BYTES_MAX := 409600
EMULATOR := qemu-riscv64-static
