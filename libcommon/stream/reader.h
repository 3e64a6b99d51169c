/* reader.h - what the writer takes over from the reader it follows; used by writer.c and chain.c only. */
#ifndef READER_H
#define READER_H

#include "stream_header.h"

/* Kind, labels and chain of all files together; lent until reader_close. */
const struct stream_header *reader_joined(const struct reader *r);
/* Of what is made of R's records (NULL: none), once they are read to the end: the N inputs OWN, and
 * behind them R's files. *ALL is the caller's to free; their number. */
int reader_inputs(const struct reader *r, const struct stream_input *own, int n,
                  struct stream_input **all);

#endif
