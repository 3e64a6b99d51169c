/* fit.h - whether records have prompts such as an adapter has learned, as far as their chains say. */
#ifndef FIT_H
#define FIT_H

#include "stream.h"

/* Warns, naming ADAPTER, when a promptify that made records of R had another template or verbalizer
 * than any that CHAIN, of the adapter (chain.h), names. Silent where one of them names no promptify.
 * -1 (EXIT_DATA): a chain is none. */
MUST_USE int fit_warn(const char *adapter, const struct buf *chain, const struct reader *r);

#endif
