/* Kernels on the CPU: see cuda_runtime.h. */
#include "streams.h"

#include <deque>
#include <map>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

enum { WARP = 32, BLOCK_MAX = 1024, STACK = 128 << 10, SHARED_MAX = 227 << 10, SHARED_PLAIN = 48 << 10 };

dim3 gridDim, blockDim, blockIdx, threadIdx;

void emulate_fail(const char *what)
{
    (void)fprintf(stderr, "emulated CUDA: %s\n", what);
    abort();
}

/* ---- fibres ---- */

enum state { RUNS, AT_WARP, AT_BLOCK, DONE };

static struct fibre {
    enum state state;
    const char *file; /* of the barrier where it waits */
    int line;
    int meets; /* how many exchanges it has been in, modulo 2 */
    ucontext_t first;
    jmp_buf at;
    bool begun;
    char *stack;
    void *fake;
} fibre[BLOCK_MAX];

static struct {
    jmp_buf at;
    ucontext_t first;
    void *fake;
    const void *stack;
    size_t stack_size;
} scheduler;

static int current;
static const char *kernel_name;
static const std::function<void()> *job;
static unsigned char slot[2][BLOCK_MAX][16];
static char *shared_memory;
static size_t shared_bytes;
static void copies_end(void);

/* The sanitizer must know whose stack is used; else two jumps do. */
#ifdef __SANITIZE_ADDRESS__
static void to_scheduler(void)
{
    __sanitizer_start_switch_fiber(&fibre[current].fake, scheduler.stack, scheduler.stack_size);
    (void)swapcontext(&fibre[current].first, &scheduler.first);
    __sanitizer_finish_switch_fiber(fibre[current].fake, &scheduler.stack, &scheduler.stack_size);
}

static void to_fibre(struct fibre *f)
{
    __sanitizer_start_switch_fiber(&scheduler.fake, f->stack, STACK);
    (void)swapcontext(&scheduler.first, &f->first);
    __sanitizer_finish_switch_fiber(scheduler.fake, NULL, NULL);
}
#else
static void to_scheduler(void)
{
    if (_setjmp(fibre[current].at) == 0)
        _longjmp(scheduler.at, 1);
}

static void to_fibre(struct fibre *f)
{
    if (_setjmp(scheduler.at))
        return;
    if (f->begun)
        _longjmp(f->at, 1);
    f->begun = true;
    (void)setcontext(&f->first);
}
#endif

static void fibre_main(void)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, &scheduler.stack, &scheduler.stack_size);
#endif
    for (;;) {
        (*job)();
        copies_end();
        fibre[current].state = DONE;
        to_scheduler();
    }
}

static void make_fibre(struct fibre *f)
{
    if (f->stack)
        return;
    f->stack = (char *)mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f->stack == MAP_FAILED)
        emulate_fail("no memory for a thread");
    (void)getcontext(&f->first);
    f->first.uc_stack.ss_sp = f->stack;
    f->first.uc_stack.ss_size = STACK;
    f->first.uc_link = NULL;
    makecontext(&f->first, fibre_main, 0);
}

static void wait_at(enum state where, const char *file, int line)
{
    struct fibre *const f = &fibre[current];

    f->state = where;
    f->file = file;
    f->line = line;
    to_scheduler();
}

void emulate_block_barrier(const char *file, int line)
{
    wait_at(AT_BLOCK, file, line);
}

void emulate_warp_barrier(const char *file, int line)
{
    wait_at(AT_WARP, file, line);
}

int emulate_lane(void)
{
    return current % WARP;
}

/* Puts SIZE bytes into the lane's slot, waits for the warp, and gives its first slot. Two sets of slots in
 * turn: none is written before all have read what stood there. */
static unsigned char (*meet(const void *mine, size_t size, const char *file, int line))[16]
{
    const int set = fibre[current].meets;

    if (size > sizeof slot[0][0])
        emulate_fail("a shuffle of more than 16 bytes");
    memcpy(slot[set][current], mine, size);
    fibre[current].meets = !set;
    emulate_warp_barrier(file, line);
    return &slot[set][current / WARP * WARP];
}

void emulate_exchange(void *theirs, const void *mine, size_t size, int from, const char *file, int line)
{
    memcpy(theirs, meet(mine, size, file, line)[from], size);
}

void emulate_gather(void *all, const void *mine, size_t size, const char *file, int line)
{
    const unsigned char(*const slots)[16] = meet(mine, size, file, line);

    for (int i = 0; i < WARP; i++)
        memcpy((char *)all + i * size, slots[i], size);
}

/* ---- copies that a thread queues ---- */

struct copy {
    char *to;
    const void *from;
    size_t bytes, have;
};

static bool copies_come_at_once;
static std::vector<copy> open_group[BLOCK_MAX];
static std::deque<std::vector<copy>> closed_groups[BLOCK_MAX]; /* the oldest first */

static void come(const struct copy &c)
{
    if (c.have)
        memcpy(c.to, c.from, c.have);
    memset(c.to + c.have, 0, c.bytes - c.have);
}

void emulate_copy(void *to, const void *from, size_t bytes, size_t have)
{
    const struct copy c = { (char *)to, from, bytes, have };

    if (((uintptr_t)to | (uintptr_t)from) % bytes)
        emulate_fail("cp.async of an address that is no multiple of its bytes");
    if (c.to < shared_memory || c.to + bytes > shared_memory + shared_bytes)
        emulate_fail("cp.async to what is not shared memory");
    memset(to, 0xff, bytes);
    if (copies_come_at_once)
        come(c);
    else
        open_group[current].push_back(c);
}

void emulate_copy_commit(void)
{
    closed_groups[current].push_back(open_group[current]);
    open_group[current].clear();
}

void emulate_copy_wait(size_t newest)
{
    auto &groups = closed_groups[current];

    for (; groups.size() > newest; groups.pop_front())
        for (const copy &c : groups.front())
            come(c);
}

static void copies_end(void)
{
    bool left = !open_group[current].empty();

    for (const auto &group : closed_groups[current])
        left |= !group.empty();
    if (left)
        emulate_fail("a thread ends while its copies are on their way");
    closed_groups[current].clear();
}

/* ---- a block ---- */

static void stuck(const char *what, const struct fibre *a, const struct fibre *b)
{
    char text[512];

    (void)snprintf(text, sizeof text, "%s, block %u: %s (%s:%d, %s:%d)", kernel_name, blockIdx.x, what,
                   a->file ? a->file : "the end", a->line, b->file ? b->file : "the end", b->line);
    emulate_fail(text);
}

/* Whether all of the N fibres from FIRST on wait for each other; they go on then. */
static bool release(int first, int n, enum state where)
{
    for (int i = first; i < first + n; i++)
        if (fibre[i].state != where)
            return false;
    for (int i = first; i < first + n; i++) {
        if (fibre[i].line != fibre[first].line || fibre[i].file != fibre[first].file)
            stuck("threads meet at different places", &fibre[first], &fibre[i]);
        fibre[i].state = RUNS;
    }
    return true;
}

static void run_warp(int first, const int *lane)
{
    bool again = true;

    while (again) {
        for (int i = 0; i < WARP; i++) {
            const int t = first + lane[i];

            if (fibre[t].state != RUNS)
                continue;
            current = t;
            threadIdx = dim3((unsigned)t, 0, 0);
            to_fibre(&fibre[t]);
        }
        again = release(first, WARP, AT_WARP);
    }
}

/* ORDER of N things: 0 forward, 1 reverse, else shuffled by it. */
static void make_order(int *to, int n, unsigned order)
{
    for (int i = 0; i < n; i++)
        to[i] = order == 1 ? n - 1 - i : i;
    for (int i = n - 1; order > 1 && i > 0; i--) {
        order = order * 1664525u + 1013904223u;
        const int j = (int)((order >> 8) % (unsigned)(i + 1)), kept = to[i];

        to[i] = to[j];
        to[j] = kept;
    }
}

static void run_block(int n, const int *warp, const int *lane)
{
    for (int i = 0; i < n; i++)
        fibre[i].state = RUNS;
    for (;;) {
        int done = 0;

        for (int w = 0; w < n / WARP; w++)
            run_warp(warp[w] * WARP, lane);
        for (int i = 0; i < n; i++)
            done += fibre[i].state == DONE;
        if (done == n)
            return;
        if (!release(0, n, AT_BLOCK))
            for (int i = 1, first = 0; i < n; i++)
                if (fibre[i].state != fibre[first].state)
                    stuck("some threads wait where others do not come", &fibre[first], &fibre[i]);
    }
}

/* ---- the machine ---- */

static int64_t machine(const char *what, int64_t otherwise)
{
    const char *const all = getenv("SLMTOOLS_EMULATE"), *const at = all ? strstr(all, what) : NULL;

    return at ? strtoll(at + strlen(what), NULL, 10) : otherwise;
}

static cudaError_t last_error;
static int64_t launches;
static std::map<const void *, int> allowed;

cudaError_t emulate_allow_shared(const void *function, int bytes)
{
    if (bytes > SHARED_MAX)
        return cudaErrorInvalidValue;
    allowed[function] = bytes;
    return cudaSuccess;
}

bool emulate_launches(void)
{
    if (++launches != machine("fail=", 0))
        return true;
    last_error = cudaErrorLaunchFailure;
    return false;
}

bool emulate_captures(void)
{
    static int64_t made;

    return made++ < machine("captures=", INT64_MAX);
}

bool emulate_graphs(void)
{
    static int64_t made;

    return made++ < machine("graphs=", INT64_MAX);
}

static bool launch_is_valid(const void *function, dim3 grid, dim3 block, size_t shared)
{
    const auto more = allowed.find(function);
    const size_t most = more == allowed.end() ? (size_t)SHARED_PLAIN : (size_t)more->second;

    return grid.x && grid.y && grid.z && grid.x < 1u << 31 && grid.y < 65536 && grid.z < 65536 &&
           block.y == 1 && block.z == 1 && block.x && block.x <= BLOCK_MAX && shared <= most;
}

/* CALL as every thread of the grid. */
static void run_grid(const char *kernel, dim3 grid, dim3 block, size_t shared, const std::function<void()> &call)
{
    const char *const said = getenv("SLMTOOLS_EMULATE_ORDER");
    const unsigned order = !said ? 0 : !strcmp(said, "reverse") ? 1 : (unsigned)atoi(said);
    int warp[WARP], lane[WARP];

    make_order(warp, (int)block.x / WARP, order);
    make_order(lane, WARP, order);
    for (unsigned i = 0; i < block.x; i++)
        make_fibre(&fibre[i]);
    copies_come_at_once = order == 1;
    kernel_name = kernel;
    job = &call;
    gridDim = grid;
    blockDim = block;
    shared_memory = (char *)malloc(shared ? shared : 1);
    shared_bytes = shared;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = dim3(x, y, z);
                memset(shared_memory, 0xff, shared);
                run_block((int)block.x, warp, lane);
            }
    free(shared_memory);
}

void emulate_run(const char *kernel, const void *function, dim3 grid, dim3 block, size_t shared,
                 cudaStream_t stream, std::function<void()> call)
{
    if (!emulate_launches())
        return;
    if (!launch_is_valid(function, grid, block, shared)) {
        last_error = cudaErrorInvalidConfiguration;
        return;
    }
    if (block.x % WARP)
        emulate_fail("a block of other than whole warps");
    emulate_queue(stream, [=] { run_grid(kernel, grid, block, shared, call); });
}

void *emulate_shared(void)
{
    return shared_memory;
}

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = (int)machine("devices=", 1);
    if (machine("driver=", 13000) < CUDART_VERSION)
        return cudaErrorInsufficientDriver;
    return *n ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = (int)machine("driver=", 13000);
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int)
{
    memset(p, 0, sizeof *p);
    (void)snprintf(p->name, sizeof p->name, "emulated");
    p->major = (int)machine("major=", 9);
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int)
{
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    const cudaError_t e = last_error;

    last_error = cudaSuccess;
    return e;
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorLaunchFailure          ? "unspecified launch failure"
           : e >= 900                           ? "operation not permitted when stream is capturing"
           : e == cudaErrorInvalidConfiguration ? "invalid configuration argument"
                                                : "invalid argument";
}

struct allocation {
    size_t bytes;
    int64_t number;
};
static std::map<void *, allocation> allocated;
static size_t taken;

int64_t emulate_allocation_at(const void *p)
{
    auto it = allocated.upper_bound((void *)p);

    if (it == allocated.begin())
        return 0;
    --it;
    return (const char *)p < (const char *)it->first + it->second.bytes ? it->second.number : 0;
}

bool emulate_allocation_lives(int64_t number)
{
    for (const auto &one : allocated)
        if (one.second.number == number)
            return true;
    return false;
}

static size_t memory(void)
{
    return (size_t)machine("memory=", (int64_t)8 << 30);
}

static void trace(const char *what)
{
    if (machine("trace=", 0))
        (void)fprintf(stderr, "emulated CUDA: %s\n", what);
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    static int64_t number;

    if (emulate_not_captured())
        return last_error = cudaErrorStreamCaptureUnsupported;
    if (memory() < taken || bytes > memory() - taken || posix_memalign(p, 256, bytes))
        return last_error = cudaErrorMemoryAllocation;
    memset(*p, 0xff, bytes);
    allocated[*p] = { bytes, ++number };
    taken += bytes;
    trace("cudaMalloc");
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    const auto it = allocated.find(p);

    if (!p)
        return cudaSuccess;
    if (it == allocated.end())
        emulate_fail("a release of what was never allocated");
    if (emulate_not_captured())
        return last_error = cudaErrorStreamCaptureUnsupported;
    if (!emulate_idle())
        emulate_fail("a release while something is queued, which may read it");
    trace("cudaFree");
    taken -= it->second.bytes;
    allocated.erase(it);
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    *total = memory();
    *free = memory() < taken ? 0 : memory() - taken;
    return cudaSuccess;
}

static std::map<void *, size_t> pinned;

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned)
{
    size_t all = bytes;

    if (emulate_not_captured())
        return last_error = cudaErrorStreamCaptureUnsupported;
    for (const auto &one : pinned)
        all += one.second;
    if ((int64_t)all > machine("pinned=", (int64_t)8 << 30) || !(*p = malloc(bytes)))
        return last_error = cudaErrorMemoryAllocation;
    pinned[*p] = bytes;
    return cudaSuccess;
}

/* Waits for nothing. */
cudaError_t cudaFreeHost(void *p)
{
    const auto it = pinned.find(p);

    if (it == pinned.end())
        emulate_fail("a release of what was never pinned");
    if (emulate_not_captured())
        return last_error = cudaErrorStreamCaptureUnsupported;
    memset(p, 0xff, it->second);
    pinned.erase(it);
    free(p);
    return cudaSuccess;
}

static bool is_pinned(const void *p)
{
    auto it = pinned.upper_bound((void *)p);

    if (it == pinned.begin())
        return false;
    --it;
    return (const char *)p < (const char *)it->first + it->second;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s)
{
    const void *const host = kind == cudaMemcpyHostToDevice ? from : to;

    if (kind != cudaMemcpyDeviceToDevice && emulate_capture_of(s) && !is_pinned(host)) {
        (void)emulate_not_captured();
        return last_error = cudaErrorStreamCaptureUnsupported;
    }
    emulate_given(s, &to, sizeof to);
    emulate_given(s, &from, sizeof from);
    emulate_queue(s, [=] { memmove(to, from, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s)
{
    emulate_given(s, &p, sizeof p);
    emulate_queue(s, [=] { memset(p, value, bytes); });
    return cudaSuccess;
}
