/* cli_help.h - the help text of an option table; used by cli.c and cli_chain.c only. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli.h"

/* Appends the text of --help for CLI's rows in N TABLES, 80 columns wide, with the defaults that
 * the tables' variables hold now. */
void cli_help(struct buf *b, const struct cli *cli, const struct cli_opt *const *tables, int n);

/* Whether O has a value to write: for a number a default outside the option's range means "not set". Not
 * for lists; of flags those that can be taken back have one. */
bool cli_has_value(const struct cli_opt *o);
/* Appends the value of O as --help and the chain write it: numbers as short as they read back,
 * names without their folder. Not for flags and lists. */
void cli_put_value(struct buf *b, const struct cli_opt *o);

#endif
