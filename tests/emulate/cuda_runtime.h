/*
 * cuda_runtime.h - stands for CUDA's header of this name in tests: the kernels' own files, compiled by
 * a C++ compiler, run on the CPU. A test tool: no program contains it.
 *
 * A block's threads are fibres that meet at barriers (emulate.cc). What is checked: all threads of a
 * block reach the same barrier, all lanes of a warp the same shuffle; device and shared memory begin as
 * NaN; with the address sanitizer, every access stays inside them. The fibres run in an order that the
 * environment chooses (SLMTOOLS_EMULATE_ORDER: forward, reverse, or a seed): where a barrier is missing,
 * another order gives other bytes. Not seen: how long anything takes, and what compilers and cards do
 * with memory between barriers; a shuffle is as good as one here, and is not there.
 *
 * What a thread copies without waiting (cp.async) comes when it waits for it, and is NaN until then; in the
 * order "reverse" it comes at once. A wait that is missing, or a barrier on either side, is seen in one of
 * them. A thread that ends while copies are on their way is an error.
 *
 * What is queued on a stream runs when somebody waits for it, not before (streams.cc): who reads what
 * nobody waited for, or writes what a copy still reads, gets other bytes. In the order "reverse" the
 * streams beside the first run as early as events let them instead, which finds the waits that are
 * missing on their side.
 *
 * A stream can be captured and played again (streams.cc). What CUDA does not take while it is captured is an
 * error that spoils the capture, as there; a graph that is launched when memory that its work was given has
 * been released ends the program.
 *
 * SLMTOOLS_EMULATE describes the machine: words of "devices=N driver=N major=N memory=BYTES pinned=BYTES
 * fail=N captures=N graphs=N trace=1" (the N-th launch fails; all but the first N captures, all but the first N
 * launches of graphs do; each cudaMalloc and cudaFree is said on standard error). What is not said: one device of 9.0 with 8 GiB, as much pinned, and nothing fails.
 */
#ifndef EMULATED_CUDA_RUNTIME_H
#define EMULATED_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

#define CUDART_VERSION 13000

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

struct float4 {
    float x, y, z, w;
};
struct uint4 {
    unsigned x, y, z, w;
};

extern dim3 gridDim, blockDim, blockIdx, threadIdx;

/* ---- between the threads of a block ---- */

void emulate_block_barrier(const char *file, int line);
void emulate_warp_barrier(const char *file, int line);
/* Puts SIZE bytes at MINE where the other lanes find them, waits for all, and gives those of lane FROM. */
void emulate_exchange(void *theirs, const void *mine, size_t size, int from, const char *file, int line);
/* The same, and gives what all lanes put there, lane after lane. */
void emulate_gather(void *all, const void *mine, size_t size, const char *file, int line);
int emulate_lane(void);

/* cp.async of a thread: BYTES, 4 or 16, of which the first HAVE come from global memory, the others are 0. */
void emulate_copy(void *to, const void *from, size_t bytes, size_t have);
void emulate_copy_commit(void);
void emulate_copy_wait(size_t newest);

#define __syncthreads() emulate_block_barrier(__FILE__, __LINE__)
#define __syncwarp() emulate_warp_barrier(__FILE__, __LINE__)
#define __shfl_xor_sync(mask, x, with) emulate_shuffle_xor((mask), (x), (with), __FILE__, __LINE__)

void emulate_fail(const char *what) __attribute__((noreturn));

template <class T> T emulate_shuffle_xor(unsigned mask, T x, int with, const char *file, int line)
{
    T theirs;

    if (mask != 0xffffffffu)
        emulate_fail("a shuffle of less than a warp");
    emulate_exchange(&theirs, &x, sizeof x, emulate_lane() ^ with, file, line);
    return theirs;
}

/* ---- launches ---- */

void *emulate_shared(void);
/* What is queued on STREAM next is given these BYTES, in which addresses of device memory may be. */
void emulate_given(struct emulated_stream *stream, const void *bytes, size_t n);
/* Queues CALL on STREAM, to be run as every thread of the grid. */
void emulate_run(const char *kernel, const void *function, dim3 grid, dim3 block, size_t shared,
                 struct emulated_stream *stream, std::function<void()> call);

template <class... P, class... A>
void emulate_launch(const char *name, dim3 grid, dim3 block, size_t shared, struct emulated_stream *stream,
                    void (*kernel)(P...), A... a)
{
    (emulate_given(stream, &a, sizeof a), ...);
    emulate_run(name, (const void *)kernel, grid, block, shared, stream, [=] { kernel(a...); });
}

#define RUN(kernel, grid, block, shared, stream, ...)                                              \
    emulate_launch(#kernel, grid, block, shared, stream, kernel, __VA_ARGS__)
#define SHARED(type, name) type *const name = (type *)emulate_shared()

/* ---- the runtime ---- */

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorStreamCaptureUnjoined = 904,
    cudaErrorStreamCaptureIsolation = 905,
    cudaErrorCapturedEvent = 907,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0 };
enum { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
typedef struct emulated_stream *cudaStream_t;
typedef struct emulated_event *cudaEvent_t;
typedef struct emulated_graph *cudaGraph_t;
typedef struct emulated_graph_exec *cudaGraphExec_t;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
struct cudaDeviceProp {
    char name[256];
    int major, minor;
};

cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int number);
cudaError_t cudaSetDevice(int number);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t e);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *g);
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t g, unsigned long long);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t);
cudaError_t cudaGraphDestroy(cudaGraph_t g);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t emulate_allow_shared(const void *function, int bytes);

template <class F> cudaError_t cudaFuncSetAttribute(F *kernel, int, int bytes)
{
    return emulate_allow_shared((const void *)kernel, bytes);
}

#endif
