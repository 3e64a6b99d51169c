#include "failure.h"

#include <stdio.h>

void failure_none(struct failure *f, int64_t n)
{
    *f = (struct failure){ .at = n };
}

bool failure_before(struct failure *f, int64_t i)
{
    int64_t at;

#pragma omp atomic read
    at = f->at;
    return at < i;
}

void failure_note(struct failure *f, int64_t i)
{
#pragma omp critical(failure)
    if (i < f->at) {
        f->code = err_code();
        (void)snprintf(f->line, sizeof f->line, "%s", err_text());
#pragma omp atomic write
        f->at = i;
    }
}

int failure_raise(const struct failure *f, int64_t n)
{
    return f->at < n ? err_set(f->code, "%s", f->line) : 0;
}
