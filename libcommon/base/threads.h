/*
 * threads.h - how many threads OpenMP works with.
 *
 * libgomp takes any number it is told and ends the process when the system refuses one of them. So
 * whoever is about to compute asks here, once, what can be had.
 */
#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>

enum { THREADS_PER_PROCESSOR = 8 }; /* more only wait for each other, each with memory of its own */

/* Has OpenMP work with WANTED threads (0: as many as the environment says, else as there are
 * processors), or with as many of them as there can be. Their number. */
int threads_use(int64_t wanted);

#endif
