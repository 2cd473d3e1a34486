# hiredis without its TLS part: $(MAKE) -f vendor/hiredis.mk LIB=... CC=... AR=... CFLAGS=...
objects := $(patsubst %,$(LIB:.a=)/%.o,alloc async hiredis net read sds sockcompat)

$(LIB): $(objects)
	rm -f $@
	$(AR) rcsD $@ $^

$(LIB:.a=)/%.o: build/vendor/hiredis/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -w -D_GNU_SOURCE -c $< -o $@
