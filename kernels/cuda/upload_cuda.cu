/*
 * The upload of a model. What the host may page out has to be copied before the bus can have it: here
 * into two pinned buffers in turn, one being filled while the other leaves, so that a mapped file is read
 * from its disk while what was read before is on its way. Nothing of the host is read after the return.
 */
#include "cuda_impl.h"

#include <pthread.h>

enum { STAGES = 2, HANDS = 4 };
static const size_t STAGE = 16 << 20; /* bytes; long enough for the bus, short enough to be pinned soon */

static struct {
    char *p;
    cudaEvent_t left; /* what was copied into it last has left it */
} stage[STAGES];
static int turn;
static bool refused; /* the host pins no more */

static void close_stage(int i)
{
    if (stage[i].p)
        (void)cudaFreeHost(stage[i].p);
    if (stage[i].left)
        (void)cudaEventDestroy(stage[i].left);
    stage[i] = {};
}

static bool open_stage(int i)
{
    if (!stage[i].p && !refused)
        refused = cudaHostAlloc((void **)&stage[i].p, STAGE, cudaHostAllocDefault) != cudaSuccess ||
                  cudaEventCreateWithFlags(&stage[i].left, cudaEventDisableTiming) != cudaSuccess;
    if (!refused)
        return true;
    (void)cudaGetLastError(); /* the device goes on */
    return false;
}

struct part {
    char *to;
    const char *from;
    size_t bytes;
};

static void *copy_part(void *arg)
{
    const struct part *const p = (const struct part *)arg;

    memcpy(p->to, p->from, p->bytes);
    return NULL;
}

/* A copy by one thread is slower than the bus, the more where it meets a mapped file's pages first. */
static void copy_host(char *to, const char *from, size_t bytes)
{
    const size_t each = bytes / HANDS;
    struct part part[HANDS];
    pthread_t thread[HANDS];
    bool started[HANDS];

    for (int i = 0; i < HANDS; i++) {
        const size_t at = (size_t)i * each;

        part[i] = { to + at, from + at, i < HANDS - 1 ? each : bytes - at };
        started[i] = i < HANDS - 1 && each >= 1 << 16 &&
                     pthread_create(&thread[i], NULL, copy_part, &part[i]) == 0;
        if (!started[i])
            (void)copy_part(&part[i]);
    }
    for (int i = 0; i < HANDS; i++)
        if (started[i])
            (void)pthread_join(thread[i], NULL);
}

static int unstaged(void *to, const char *host, size_t bytes)
{
    if (cuda_check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, cuda_stream), "an upload") < 0)
        return -1;
    return cuda_check(cudaStreamSynchronize(cuda_stream), "an upload");
}

/* At most STAGE bytes. */
static int staged(void *to, const char *host, size_t bytes)
{
    const int i = turn;

    if (!open_stage(i))
        return unstaged(to, host, bytes);
    if (cuda_check(cudaEventSynchronize(stage[i].left), "an upload") < 0)
        return -1;
    copy_host(stage[i].p, host, bytes);
    turn = (turn + 1) % STAGES;
    if (cuda_check(cudaMemcpyAsync(to, stage[i].p, bytes, cudaMemcpyHostToDevice, cuda_stream),
                   "an upload") < 0)
        return -1;
    return cuda_check(cudaEventRecord(stage[i].left, cuda_stream), "an upload");
}

int upload(struct dev *to, const void *host, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += STAGE)
        if (staged((char *)to + at, (const char *)host + at, bytes - at < STAGE ? bytes - at : STAGE) < 0)
            return -1;
    return 0;
}

int upload_end(void)
{
    refused = false;
    if (!stage[0].p)
        return 0;
    const int rc = cuda_check(cudaStreamSynchronize(cuda_stream), "an upload");

    for (int i = 0; i < STAGES; i++)
        close_stage(i);
    return rc;
}
