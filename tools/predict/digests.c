#include "digests.h"

#include "byte_worker.h"
#include "mem.h"

#include <stdlib.h>

struct digests {
    struct pack *const *pack;
    int n;
    struct byte_worker *worker; /* NULL: there is none, or it has ended */
    bool known;
    uint8_t digest[][SHA256_BYTES];
};

/* All at once: there is nothing to hand over but the order to begin. */
static void compute(void *digests, const void *nothing, size_t n)
{
    struct digests *d = digests;

    (void)nothing;
    (void)n;
    for (int i = 0; i < d->n; i++)
        pack_digest(d->pack[i], d->digest[i]);
    d->known = true;
}

struct digests *digests_new(struct pack *const *p, int n, int64_t threads)
{
    struct digests *d = xcalloc(1, sizeof *d + (size_t)n * SHA256_BYTES);
    struct buf none = BUF_INIT;

    d->pack = p;
    d->n = n;
    d->worker = byte_worker_helps(threads) ? byte_worker_new(compute, d) : NULL;
    if (d->worker)
        byte_worker_give(d->worker, &none);
    return d;
}

static void wait_for_all(struct digests *d)
{
    byte_worker_free(d->worker);
    d->worker = NULL;
}

const uint8_t *digests_at(struct digests *d, int i)
{
    wait_for_all(d);
    if (!d->known)
        compute(d, NULL, 0);
    return d->digest[i];
}

void digests_free(struct digests *d)
{
    wait_for_all(d);
    free(d);
}
