# BearSSL as a static library: $(MAKE) -f vendor/bearssl.mk LIB=... CC=... AR=... CFLAGS=... SPEED=...
# Every object is in it; the linker takes what is called. Random numbers and the time are given to
# it: it opens no file and reads no clock.
sources := $(wildcard build/vendor/bearssl/src/*.c build/vendor/bearssl/src/*/*.c)
objects := $(sources:build/vendor/bearssl/src/%.c=$(LIB:.a=)/%.o)

$(LIB): $(objects)
	rm -f $@
	$(AR) rcsD $@ $^

$(LIB:.a=)/%.o: build/vendor/bearssl/src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -DBR_RDRAND=0 -DBR_USE_URANDOM=0 -DBR_USE_UNIX_TIME=0 -w -Ibuild/vendor/bearssl/src -Ibuild/vendor/bearssl/inc -c $< -o $@

# A bundle of roots goes through these two at every start, and they interpret code byte by byte.
$(LIB:.a=)/codec/pemdec.o $(LIB:.a=)/x509/x509_decoder.o: override CFLAGS += $(SPEED)
