/* cli_chain.h - what the parser tells of its options to who writes them down; used by cli.c only. */
#ifndef CLI_CHAIN_H
#define CLI_CHAIN_H

#include "cli.h"

/* What the parser knows of one option. */
struct cli_row {
    const struct cli_opt *opt;
    struct cli_list list; /* of CLI_LIST and CLI_FILES */
    bool given;
};

/* Makes cli_chain_options now: the table and the variables may be gone when a writer asks for them.
 * ROW (ROWS of them, lent until exit) has been read; ONLY is --only, whose order must not show. */
void cli_chain_make(const struct cli_row *row, int rows, const struct cli_list *only);

#endif
