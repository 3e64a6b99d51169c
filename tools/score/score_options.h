/* score_options.h - what the command line says, and whether it makes sense. */
#ifndef SCORE_OPTIONS_H
#define SCORE_OPTIONS_H

#include "cli.h"
#include "page_file.h"

struct score_options {
    struct cli_common common;
    bool json, tsv, summary;
    const char *report, *by, *best;
    int64_t digits;
    int64_t bootstrap; /* 0: not given */
    bool digits_given;
    bool best_given;
    struct cli_list require, labels, names, over;
    struct page_files page;
};

/* The files; ends the process where cli_parse does, and with one line where options do not go together. */
const char *const *score_parse(struct score_options *o, int argc, char **argv);

#endif
