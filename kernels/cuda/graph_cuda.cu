/*
 * Passes that are recorded and played again: one launch in the place of hundreds, which take longer than
 * the work of a few rows. A pass whose key is new runs as it is, so that all memory is there and all is
 * chosen that is chosen once. When the key comes again it is captured, and from then on played.
 *
 * A recording names device memory, so all are forgotten when any is released. What cannot be captured
 * (memory that is asked for after all, a failure) ends in a pass that is made again, op by op: until then
 * nothing of it was done.
 */
#include "cuda_impl.h"

#include <stdlib.h>

enum { RECORDINGS = 32, TRIES = 3 };

static struct recording {
    uint64_t key;  /* 0: none */
    int64_t used;  /* the number of the last pass that did */
    int failures;
    bool plain; /* the next pass is one that could not be captured, made again */
    cudaGraphExec_t graph; /* NULL: not recorded */
} table[RECORDINGS];
static int64_t passes;
static struct recording *now; /* the present pass is one of them */
static bool captures;
static const char *spoilt; /* why the present capture is of no use */
static bool off;

/* One that still runs is freed when it has. */
static void drop(struct recording *r)
{
    if (r->graph)
        (void)cudaGraphExecDestroy(r->graph);
    r->graph = NULL;
}

void graphs_forget(void)
{
    for (int i = 0; i < RECORDINGS; i++) {
        drop(&table[i]);
        if (&table[i] != now) /* what the present pass asks for is there when it ends */
            table[i].key = 0;
    }
}

int graphs_open(void)
{
    const char *const said = getenv("SLMTOOLS_CUDA");

    now = NULL;
    captures = false;
    off = said && !strcmp(said, "nograph");
    return !said || !*said || off
               ? 0
               : cuda_fail(EX_UNAVAILABLE, "SLMTOOLS_CUDA=%s is not known; unset it, or use nograph", said);
}

bool graph_spoils(const char *why)
{
    if (!captures)
        return false;
    spoilt = why;
    (void)cuda_fail(EX_OSERR, "%s", why);
    return true;
}

/* KEY's place, or that which was used least lately. */
static struct recording *place_of(uint64_t key)
{
    struct recording *r = &table[0];

    for (int i = 0; i < RECORDINGS; i++)
        if (table[i].key == key)
            return &table[i];
    for (int i = 0; i < RECORDINGS; i++)
        if (!table[i].key || (r->key && table[i].used < r->used))
            r = &table[i];
    return r;
}

/* 1, or 0 where it cannot be played, and must not be tried again. */
static int play(struct recording *r)
{
    if (ahead_settle() < 0)
        return -1;
    if (cudaGraphLaunch(r->graph, cuda_stream) == cudaSuccess)
        return 1;
    (void)cudaGetLastError(); /* the ops themselves will say what it is */
    drop(r);
    r->failures = TRIES;
    return 0;
}

static int capture(struct recording *r)
{
    if (ahead_settle() < 0)
        return -1;
    spoilt = NULL;
    captures = cudaStreamBeginCapture(cuda_stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
    if (!captures) {
        (void)cudaGetLastError();
        r->failures = TRIES;
    }
    return 0;
}

int graph_begin(uint64_t key)
{
    passes++;
    now = NULL;
    if (!key || off)
        return 0;
    now = place_of(key);
    now->used = passes;
    if (now->key != key) {
        drop(now);
        now->key = key;
        now->failures = 0;
        now->plain = false;
        return 0;
    }
    if (now->plain || now->failures == TRIES) {
        now->plain = false;
        return 0;
    }
    return now->graph ? play(now) : capture(now);
}

/* What was captured, ready to be played. */
static cudaError_t finish(struct recording *r, bool use)
{
    cudaGraph_t graph = NULL;
    const int joined = ahead_settle();
    cudaError_t e = cudaStreamEndCapture(cuda_stream, &graph);

    captures = false;
    if (e == cudaSuccess && joined == 0 && use)
        e = cudaGraphInstantiateWithFlags(&r->graph, graph, 0);
    if (graph)
        (void)cudaGraphDestroy(graph);
    return e;
}

int graph_end(bool done)
{
    struct recording *const r = now;

    now = NULL;
    if (!captures)
        return 0;
    const cudaError_t e = finish(r, done && !spoilt);

    if (r->graph && cudaGraphLaunch(r->graph, cuda_stream) == cudaSuccess)
        return 0;
    drop(r);
    r->failures++;
    r->plain = true;
    (void)cudaGetLastError();
    if (done || spoilt || e != cudaSuccess) /* else the op that failed has said why */
        (void)cuda_fail(EX_UNAVAILABLE, "it could not be recorded: %s",
                        spoilt ? spoilt : cudaGetErrorString(e));
    return 1;
}
