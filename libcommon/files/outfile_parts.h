/* outfile_parts.h - what outfile.c does for outdir.c. */
#ifndef OUTFILE_PARTS_H
#define OUTFILE_PARTS_H

#include "outfile.h"
#include "unfinished.h"

/* The new file FILE in FOLDER, which messages call NAME. */
MUST_USE int outfile_inside(struct outfile **f, struct unfinished *folder, const char *file,
                            const char *name);

#endif
