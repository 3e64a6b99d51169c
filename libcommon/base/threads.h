/*
 * threads.h - how many threads OpenMP works with.
 *
 * libgomp takes any number it is told and ends the process when the system refuses one of them. So
 * whoever is about to compute asks here, once, what can be had.
 *
 * In a program with this file threads that wait sleep after some microseconds instead of milliseconds, unless the
 * environment says how (OMP_WAIT_POLICY, GOMP_SPINCOUNT). A pass of a small model waits ten thousand
 * times a second; on a busy machine each wait would take the processor from the very thread that is
 * waited for. libgomp reads the environment before main, so it is part of the program, where its
 * constructor comes after ours (Makefile).
 */
#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>

enum { THREADS_PER_PROCESSOR = 8 }; /* more only wait for each other, each with memory of its own */

/* Has OpenMP work with WANTED threads (0: as many as the environment says, else as there are
 * processors), or with as many of them as there can be. Their number. */
int threads_use(int64_t wanted);

#endif
