# BearSSL as a static library: $(MAKE) -f vendor/bearssl.mk LIB=... CC=... AR=... CFLAGS=...
# Every object is in it; the linker takes what is called.
sources := $(wildcard build/vendor/bearssl/src/*.c build/vendor/bearssl/src/*/*.c)
objects := $(sources:build/vendor/bearssl/src/%.c=$(LIB:.a=)/%.o)

$(LIB): $(objects)
	rm -f $@
	$(AR) rcsD $@ $^

$(LIB:.a=)/%.o: build/vendor/bearssl/src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -w -Ibuild/vendor/bearssl/src -Ibuild/vendor/bearssl/inc -c $< -o $@
