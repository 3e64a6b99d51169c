#include "digests.h"

#include "behind.h"
#include "mem.h"

#include <pthread.h>
#include <stdlib.h>

struct digests {
    struct pack *const *pack;
    int n;
    bool running, known;
    pthread_t thread;
    uint8_t digest[][SHA256_BYTES];
};

static void *compute(void *digests)
{
    struct digests *d = digests;

    for (int i = 0; i < d->n; i++)
        pack_digest(d->pack[i], d->digest[i]);
    return NULL;
}

struct digests *digests_new(struct pack *const *p, int n, int64_t threads)
{
    struct digests *d = xcalloc(1, sizeof *d + (size_t)n * SHA256_BYTES);

    d->pack = p;
    d->n = n;
    d->running = behind_helps(threads) && pthread_create(&d->thread, NULL, compute, d) == 0;
    return d;
}

static void wait_for_all(struct digests *d)
{
    if (d->running)
        (void)pthread_join(d->thread, NULL);
    d->known = d->known || d->running;
    d->running = false;
}

const uint8_t *digests_at(struct digests *d, int i)
{
    wait_for_all(d);
    if (!d->known)
        (void)compute(d);
    d->known = true;
    return d->digest[i];
}

void digests_free(struct digests *d)
{
    wait_for_all(d);
    free(d);
}
