#include "base/glob.h"

bool glob_match(struct span pattern, struct span text)
{
    size_t p = 0, t = 0;
    size_t star = pattern.n; /* the last * seen; pattern.n: none */
    size_t star_text = 0;    /* where the text goes on after what that * has taken */

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.n &&
                   (pattern.p[p] == '?' || span_lower(pattern.p[p]) == span_lower(text.p[t]))) {
            p++;
            t++;
        } else if (star < pattern.n) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

bool glob_list_match(struct span list, struct span text)
{
    while (list.n > 0) {
        struct span pattern = span_trim(span_split(&list, ','));
        if (pattern.n > 0 && glob_match(pattern, text))
            return true;
    }
    return false;
}
