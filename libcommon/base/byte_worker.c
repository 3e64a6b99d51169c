#include "byte_worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct byte_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    void (*take)(void *user, const void *bytes, size_t n);
    void *user;
    struct buf chunk; /* the thread's while FULL */
    bool full, end;
};

bool byte_worker_helps(int64_t threads)
{
    return threads != 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

static void *run(void *worker)
{
    struct byte_worker *w = worker;

    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->full && !w->end)
            (void)pthread_cond_wait(&w->change, &w->lock);
        if (!w->full)
            break;
        (void)pthread_mutex_unlock(&w->lock);
        w->take(w->user, w->chunk.p, w->chunk.n);
        (void)pthread_mutex_lock(&w->lock);
        w->full = false;
        (void)pthread_cond_signal(&w->change);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct byte_worker *byte_worker_new(void (*take)(void *user, const void *bytes, size_t n),
                                    void *user)
{
    struct byte_worker *w = xcalloc(1, sizeof *w);

    w->take = take;
    w->user = user;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->change, NULL);
    if (pthread_create(&w->thread, NULL, run, w) == 0)
        return w;
    free(w);
    return NULL;
}

void byte_worker_give(struct byte_worker *w, struct buf *chunk)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->full)
        (void)pthread_cond_wait(&w->change, &w->lock);
    const struct buf empty = w->chunk;

    w->chunk = *chunk;
    *chunk = empty;
    buf_clear(chunk);
    w->full = true;
    (void)pthread_cond_signal(&w->change);
    (void)pthread_mutex_unlock(&w->lock);
}

void byte_worker_free(struct byte_worker *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->end = true;
    (void)pthread_cond_signal(&w->change);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    buf_free(&w->chunk);
    free(w);
}
