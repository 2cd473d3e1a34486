# hiredis without its TLS part and its sockets: $(MAKE) -f vendor/hiredis.mk LIB=... CC=... AR=... CFLAGS=...
# Where sanitizers look on it asserts what it likes, and has all of the C library.
objects := $(patsubst %,$(LIB:.a=)/%.o,alloc async hiredis hiredis_net read sds)
flags := -w -D_GNU_SOURCE -Ibuild/vendor/hiredis \
         $(if $(findstring -fsanitize,$(CFLAGS)),,-DNDEBUG -include vendor/hiredis_less.h)

$(LIB): $(objects)
	rm -f $@
	$(AR) rcsD $@ $^

$(LIB:.a=)/hiredis_net.o: vendor/hiredis_net.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(flags) -c $< -o $@

$(LIB:.a=)/%.o: build/vendor/hiredis/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(flags) -c $< -o $@
