#ifndef CMD_COLUMNS_H
#define CMD_COLUMNS_H
/* A table for a terminal. The last column is text that may be cut; where too little room is left
 * for it, it goes on a line of its own below its row. Widths count characters. Pure. */

#include "base/buf.h"

#define COLUMNS_MAX_COUNT 8
#define COLUMNS_GAP 2       /* blanks between columns */
#define COLUMNS_LAST_MIN 28 /* with less room the last column goes below */

struct columns {
    unsigned count;
    const char *title[COLUMNS_MAX_COUNT];
    bool right[COLUMNS_MAX_COUNT];   /* numbers */
    size_t most[COLUMNS_MAX_COUNT];  /* cut to this; 0 = never cut */
    size_t least[COLUMNS_MAX_COUNT]; /* narrowed to this on a small terminal; 0 = never */
    size_t width[COLUMNS_MAX_COUNT]; /* measured, then fitted */
    bool below;
};

/* Takes the title's width; the last column's title too. Before the first row is measured. */
void columns_init(struct columns *c);
/* A row's cells (printable already), as many as there are columns. */
void columns_measure(struct columns *c, const struct span *cells);
/* Fits the table to the terminal's width; 0 = no limit. */
void columns_fit(struct columns *c, size_t terminal);
/* One row with its newline; cells NULL: the titles. */
void columns_row(const struct columns *c, const struct span *cells, struct buf *out);

/* Characters of s. */
size_t columns_length(struct span s);

#endif
