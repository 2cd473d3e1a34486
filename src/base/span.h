#ifndef BASE_SPAN_H
#define BASE_SPAN_H
/* A view of bytes that somebody else owns; never NUL-terminated by promise. */

#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *p;
    size_t n;
};

/* A view of a NUL-terminated string, without its NUL; of a NULL pointer: empty. */
struct span span_of(const char *text);

/* 'A' to 'Z' in small, any other byte as it is. */
char span_lower(char c);

bool span_eq(struct span a, struct span b);
bool span_has(struct span s, char c);
bool span_is(struct span a, const char *text);
/* ASCII case is ignored; other bytes must be equal. */
bool span_is_nocase(struct span a, const char *text);

/* Takes the prefix off the start of *s, where it is there; ASCII case is ignored. */
bool span_take_nocase(struct span *s, const char *prefix);

/* Copies all of s and a NUL to dst, which has room for cap bytes.
 * 0, or -1 (and dst = "") where it does not fit or holds a NUL. */
int span_copy(char *dst, size_t cap, struct span s);

/* Copies what fits and a NUL, cut at a UTF-8 character's border, with "..." in place of what was
 * cut. cap is at least 4. Returns the length without that NUL. */
size_t span_cut(char *dst, size_t cap, struct span s);
/* The same of a C string; NULL is none. */
size_t span_cut_text(char *dst, size_t cap, const char *text);

/* Makes a name fit for a file name and a key part: everything outside [A-Za-z0-9._-] becomes '_',
 * a leading dot or dash too. dst has room for name.n + 2 bytes: an empty name becomes "_".
 * Returns its end, where the NUL is. */
char *span_safe_name(char *dst, struct span name);

/* Takes the part before the first sep off *rest (all of it where there is none). */
struct span span_split(struct span *rest, char sep);

/* Without the spaces and tabs at both ends. */
struct span span_trim(struct span s);

#endif
