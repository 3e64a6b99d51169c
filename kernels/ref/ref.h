/*
 * ref.h - the reference backend: every op in plain C, the definition the others are compared with.
 *
 * Sums run in double and are rounded to float once, when a result is stored. Work is spread over
 * threads by elements of the result only, so any number of threads gives the same bytes. Device
 * memory is host memory: a struct dev * is the address of the bytes.
 */
#ifndef REF_H
#define REF_H

#include "kernels.h"

/* Fills O with the reference ops. */
void ref_ops(struct ops *o);

/*
 * Dropout of one token's row: out[i] = x[i] / (1 - p) where channel FIRST + i is kept, else 0, for
 * i < n. FIRST is a multiple of 4. p 0 copies; out may be x.
 */
void ref_dropout(float *out, const float *x, int64_t n, int64_t first, const struct dropout *d,
                 const struct packed *rows, int64_t token);

/* -1 and an error that says its number when this build does not know the kind. */
MUST_USE int ref_check_act(enum activation act);
MUST_USE int ref_check_norm(enum norm kind);

/* Whether an op over N elements is worth more than the calling thread. Others take microseconds to
 * start (threads.h), and milliseconds where the machine is busy and one of them has to wait
 * for its turn. */
static inline bool worth_threads(int64_t n)
{
    return n >= 1 << 15;
}

#endif
