/*
 * fuzz.h - what the targets of libFuzzer share. Each parser of bytes from outside has a target, a file
 * fuzz_NAME.c of this folder with LLVMFuzzerTestOneInput; seeds come from tests/fuzz/seeds.
 *
 *   make fuzz TIME=600 [TARGET=table]     each target so many seconds; a finding stops it
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "err.h"
#include "mem.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file NAME with these bytes, in a folder of this process that goes away at its end;
 * good until the next call. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);
/* That folder. */
const char *fuzz_folder(void);

/* What must hold, whatever the input is. */
static inline void must_hold(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* Results of a parser: below 0 with a line that says why, or not below 0. */
static inline int says_why(int rc)
{
    must_hold(rc >= 0 || *err_text(), "an error has a text");
    must_hold(rc >= 0 || err_code() != EXIT_MEMORY, "an input is not out of memory");
    return rc;
}

#endif
