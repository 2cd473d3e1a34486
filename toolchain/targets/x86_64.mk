# x86-64, the level every such machine has.
TRIPLE := x86_64-linux-gnu
TARGET_CFLAGS := -fcf-protection=none -malign-data=abi
# Relative relocations packed: a static PIE then costs next to nothing in the file.
TARGET_LDFLAGS := -Wl,-z,pack-relative-relocs
