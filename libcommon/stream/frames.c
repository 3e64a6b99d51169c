#include "frames.h"

#include "zframe.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    THREADS_MAX = 8,
    SLOTS_MAX = THREADS_MAX + 2, /* one is filled, and one waits */
};

/* A frame on its way. Only its place in the ring says whose it is. */
struct slot {
    struct buf content, packed;
    size_t error; /* a code of zstd's */
    bool made;    /* it is in PACKED, or ERROR says why not */
};

struct frames {
    int level, threads, slots, helpers;
    struct slot slot[SLOTS_MAX]; /* a ring: frame number N is in slot N % slots */
    struct slot *lent;           /* its frame was taken last; free with the next call */
    uint64_t first, filled;      /* [first, filled) are whole, and filled is being filled */
    uint64_t begun;              /* [first, begun) are made, or somebody is at it */
    bool end;
    ZSTD_CCtx *own; /* the caller's; each helper has another */
    pthread_t helper[THREADS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t work, made;
};

static int threads_for(int64_t wanted)
{
    const int64_t n = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (int)n;
}

ZSTD_CCtx *frames_context(int level)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();

    if (!zstd || ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)))
        die(EXIT_MEMORY, "out of memory: zstd cannot start");
    return zstd;
}

struct frames *frames_new(int level, int64_t threads)
{
    struct frames *f = xcalloc(1, sizeof *f);

    f->level = level;
    f->threads = threads_for(threads);
    f->slots = f->threads > 1 ? f->threads + 2 : 1;
    f->own = frames_context(level);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->work, NULL);
    (void)pthread_cond_init(&f->made, NULL);
    return f;
}

static struct slot *slot_of(struct frames *f, uint64_t frame)
{
    return &f->slot[frame % (uint64_t)f->slots];
}

static void compress(struct slot *s, ZSTD_CCtx *zstd)
{
    buf_clear(&s->packed);
    buf_reserve(&s->packed, ZSTD_compressBound(s->content.n));
    const size_t n = ZSTD_compress2(zstd, s->packed.p, s->packed.cap, s->content.p, s->content.n);

    s->error = ZSTD_isError(n) ? n : 0;
    s->packed.n = s->error ? 0 : n;
}

/* Makes the next frame that nobody is at. With the lock, which is open meanwhile. */
static void make_next(struct frames *f, ZSTD_CCtx *zstd)
{
    struct slot *s = slot_of(f, f->begun++);

    (void)pthread_mutex_unlock(&f->lock);
    compress(s, zstd);
    (void)pthread_mutex_lock(&f->lock);
    s->made = true;
    (void)pthread_cond_signal(&f->made);
}

static void *help(void *arg)
{
    struct frames *f = arg;
    ZSTD_CCtx *zstd = frames_context(f->level);

    (void)pthread_mutex_lock(&f->lock);
    for (;;) {
        while (f->begun == f->filled && !f->end)
            (void)pthread_cond_wait(&f->work, &f->lock);
        if (f->end)
            break;
        make_next(f, zstd);
    }
    (void)pthread_mutex_unlock(&f->lock);
    (void)ZSTD_freeCCtx(zstd);
    return NULL;
}

static void give_back(struct frames *f)
{
    if (!f->lent)
        return;
    buf_clear(&f->lent->content);
    f->lent->made = false;
    f->lent = NULL;
}

/* Where no thread can be had, the caller does it all. */
static void start_helpers(struct frames *f)
{
    while (f->helpers < f->threads - 1 &&
           pthread_create(&f->helper[f->helpers], NULL, help, f) == 0)
        f->helpers++;
}

/* The slot that is filled goes to whoever is free. */
static void pass(struct frames *f)
{
    (void)pthread_mutex_lock(&f->lock);
    f->filled++;
    (void)pthread_cond_signal(&f->work);
    (void)pthread_mutex_unlock(&f->lock);
}

size_t frames_add(struct frames *f, const void *p, size_t n)
{
    struct buf *content = &slot_of(f, f->filled)->content;

    give_back(f);
    const size_t room = FRAME_BYTES - content->n, take = n < room ? n : room;

    if (!content->cap)
        buf_reserve(content, FRAME_BYTES);
    buf_add(content, p, take);
    if (content->n == FRAME_BYTES) {
        start_helpers(f);
        pass(f);
    }
    return take;
}

void frames_end(struct frames *f)
{
    give_back(f);
    if (slot_of(f, f->filled)->content.n)
        pass(f);
}

/* Whether the oldest frame is made now: without waiting where there is room for another one. With
 * the lock. */
static bool wait_for(struct frames *f, const struct slot *oldest, bool all)
{
    while (!oldest->made) {
        if (!all && f->filled - f->first < (uint64_t)f->slots)
            return false;
        if (f->begun < f->filled)
            make_next(f, f->own);
        else
            (void)pthread_cond_wait(&f->made, &f->lock);
    }
    return true;
}

int frames_take(struct frames *f, bool all, const struct buf **frame)
{
    struct slot *s = slot_of(f, f->first);

    give_back(f);
    (void)pthread_mutex_lock(&f->lock);
    const bool made = f->first < f->filled && wait_for(f, s, all);

    (void)pthread_mutex_unlock(&f->lock);
    if (!made)
        return 0;
    f->first++;
    f->lent = s;
    *frame = &s->packed;
    return s->error ? zframe_fail(s->error) : 1;
}

void frames_free(struct frames *f)
{
    if (!f)
        return;
    (void)pthread_mutex_lock(&f->lock);
    f->end = true;
    (void)pthread_cond_broadcast(&f->work);
    (void)pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < f->helpers; i++)
        (void)pthread_join(f->helper[i], NULL);
    for (int i = 0; i < f->slots; i++) {
        buf_free(&f->slot[i].content);
        buf_free(&f->slot[i].packed);
    }
    (void)ZSTD_freeCCtx(f->own);
    free(f);
}
