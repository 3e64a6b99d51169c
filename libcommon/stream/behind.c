#include "behind.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct behind {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    int (*take)(void *user, const void *bytes, size_t n);
    void *user;
    struct buf chunk; /* the thread's while FULL */
    bool full, end;
    int code;   /* exit code of the first error; 0: none */
    char *text; /* and its line, which is per thread */
};

bool behind_helps(int64_t threads)
{
    return threads != 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

static void take_chunk(struct behind *b)
{
    if (b->code || b->take(b->user, b->chunk.p, b->chunk.n) == 0)
        return;
    b->code = err_code();
    b->text = xstrdup(err_text());
}

static void *run(void *arg)
{
    struct behind *b = arg;

    (void)pthread_mutex_lock(&b->lock);
    for (;;) {
        while (!b->full && !b->end)
            (void)pthread_cond_wait(&b->change, &b->lock);
        if (!b->full)
            break;
        (void)pthread_mutex_unlock(&b->lock);
        take_chunk(b);
        (void)pthread_mutex_lock(&b->lock);
        b->full = false;
        (void)pthread_cond_signal(&b->change);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return NULL;
}

struct behind *behind_new(int (*take)(void *user, const void *bytes, size_t n), void *user)
{
    struct behind *b = xcalloc(1, sizeof *b);

    b->take = take;
    b->user = user;
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_cond_init(&b->change, NULL);
    if (pthread_create(&b->thread, NULL, run, b) == 0)
        return b;
    free(b);
    return NULL;
}

/* With the lock. */
static int wait_for_it(struct behind *b)
{
    while (b->full)
        (void)pthread_cond_wait(&b->change, &b->lock);
    return b->code ? err_set(b->code, "%s", b->text) : 0;
}

int behind_give(struct behind *b, struct buf *chunk)
{
    (void)pthread_mutex_lock(&b->lock);
    const int rc = wait_for_it(b);

    if (rc == 0) {
        const struct buf empty = b->chunk;

        b->chunk = *chunk;
        *chunk = empty;
        buf_clear(chunk);
        b->full = true;
        (void)pthread_cond_signal(&b->change);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return rc;
}

int behind_wait(struct behind *b)
{
    (void)pthread_mutex_lock(&b->lock);
    const int rc = wait_for_it(b);

    (void)pthread_mutex_unlock(&b->lock);
    return rc;
}

void behind_free(struct behind *b)
{
    if (!b)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->end = true;
    (void)pthread_cond_signal(&b->change);
    (void)pthread_mutex_unlock(&b->lock);
    (void)pthread_join(b->thread, NULL);
    buf_free(&b->chunk);
    free(b->text);
    free(b);
}
