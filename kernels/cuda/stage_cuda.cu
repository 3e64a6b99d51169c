/*
 * What goes to the device and comes back in each pass, through pinned memory where it is small: what the
 * host may page out is copied by the driver, which waits for it. One buffer after the other, so that an
 * upload waits only for the one so many before it.
 */
#include "cuda_impl.h"

enum { BUFFERS = 8 };
static const size_t BYTES = 64 << 10; /* of each */

static char *pinned;
static cudaEvent_t left[BUFFERS]; /* what was copied into it last has left it */
static int turn;
static bool refused; /* the host pins nothing */

static bool open_stage(void)
{
    if (pinned || refused)
        return !refused;
    refused = cudaHostAlloc((void **)&pinned, BUFFERS * BYTES, cudaHostAllocDefault) != cudaSuccess;
    for (int i = 0; i < BUFFERS && !refused; i++)
        refused = cudaEventCreateWithFlags(&left[i], cudaEventDisableTiming) != cudaSuccess;
    if (refused)
        (void)cudaGetLastError(); /* the device goes on */
    return !refused;
}

static bool fits(size_t bytes)
{
    return bytes <= BYTES && open_stage();
}

int stage_put(void *to, const void *host, size_t bytes)
{
    const int i = turn;

    if (!fits(bytes)) {
        if (cuda_check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, cuda_stream), "an upload") < 0)
            return -1;
        return cuda_check(cudaStreamSynchronize(cuda_stream), "an upload"); /* HOST may change now */
    }
    char *const p = pinned + (size_t)i * BYTES;

    turn = (turn + 1) % BUFFERS;
    if (cuda_check(cudaEventSynchronize(left[i]), "what was queued before an upload") < 0)
        return -1;
    memcpy(p, host, bytes);
    if (cuda_check(cudaMemcpyAsync(to, p, bytes, cudaMemcpyHostToDevice, cuda_stream), "an upload") < 0)
        return -1;
    return cuda_check(cudaEventRecord(left[i], cuda_stream), "an upload");
}

int stage_get(void *host, const void *from, size_t bytes)
{
    const bool small = fits(bytes);
    void *const p = small ? pinned + (size_t)turn * BYTES : host; /* its last copy stands before this one */

    if (cuda_check(cudaMemcpyAsync(p, from, bytes, cudaMemcpyDeviceToHost, cuda_stream), "a download") < 0 ||
        cuda_check(cudaStreamSynchronize(cuda_stream), "what was queued before a download") < 0)
        return -1;
    if (small)
        memcpy(host, p, bytes);
    return 0;
}

void stage_close(void)
{
    if (pinned)
        (void)cudaStreamSynchronize(cuda_stream);
    for (int i = 0; i < BUFFERS; i++) {
        if (left[i])
            (void)cudaEventDestroy(left[i]);
        left[i] = NULL;
    }
    if (pinned)
        (void)cudaFreeHost(pinned);
    pinned = NULL;
    refused = false;
}
