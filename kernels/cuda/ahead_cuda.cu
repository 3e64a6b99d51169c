/*
 * Weights that are not kept (kept_cuda.cu), expanded for each product: the next one on a stream of its
 * own while this one's product runs, in two buffers by turns. Which is next is what came next the last
 * time; a wrong guess costs an expansion more, and none has other bytes. Between the streams stand two
 * events: a buffer is written when all is done that was queued before the present product, the last
 * reader of that buffer among it, and is read when it is ready.
 */
#include "cuda_impl.h"

/* Rows FIRST.. of a loaded weight; NUMBER -1: of one that is none any more. */
struct part {
    int number;
    int64_t first, n;
};

static struct buffer {
    void *p;
    size_t bytes;
    bool ahead; /* PART is there, or on its way, and was not asked for yet */
    struct part part;
    cudaEvent_t ready;
} buffer[2];
static int now;     /* the buffer of the last product */
static bool narrow; /* there was no room for the second buffer */
static int last = -1; /* 2 * number + back of the last product */
static cudaStream_t side;
static cudaEvent_t passed;

static int open_side(void)
{
    if (side)
        return 0;
    for (int i = 0; i < 2; i++)
        if (cuda_check(cudaEventCreateWithFlags(&buffer[i].ready, cudaEventDisableTiming), "an event") < 0)
            return -1;
    if (cuda_check(cudaEventCreateWithFlags(&passed, cudaEventDisableTiming), "an event") < 0)
        return -1;
    return cuda_check(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking), "a stream");
}

static size_t part_bytes(const struct weight *w, int64_t n)
{
    return (size_t)(n * w->cols) * (operand_type(w) == DT_F32 ? 4 : 2);
}

bool ahead_give_back(void)
{
    if (!buffer[1].p)
        return false;
    cuda_release(buffer[1].p);
    buffer[1].p = NULL;
    buffer[1].bytes = 0;
    buffer[1].ahead = false;
    return narrow = true;
}

/* The second buffer with room for BYTES; false where the device has none. */
static bool second(size_t bytes)
{
    if (narrow || buffer[1].bytes >= bytes)
        return !narrow;
    if (graph_spoils("a buffer of expanded weights is to grow"))
        return false;
    (void)ahead_give_back();
    narrow = cudaMalloc(&buffer[1].p, bytes) != cudaSuccess;
    if (narrow) {
        (void)cudaGetLastError(); /* the device goes on */
        buffer[1].p = NULL;
        return false;
    }
    buffer[1].bytes = bytes;
    return true;
}

/* The first one, which must be there. */
static int first_of(size_t bytes)
{
    if (buffer[0].bytes >= bytes)
        return 0;
    buffer[0].ahead = false;
    buffer[0].bytes = 0;
    buffer[0].p = cuda_scratch(SCRATCH_WEIGHT, bytes);
    if (!buffer[0].p)
        return -1;
    buffer[0].bytes = bytes;
    return 0;
}

int ahead_reserve(size_t bytes)
{
    if (bytes > 0 && first_of(bytes) < 0)
        return -1;
    (void)second(bytes);
    return 0;
}

/* What is queued from now on finds in buffer I what was expanded ahead, or may write there. */
static int wait_for(int i)
{
    if (!buffer[i].ahead)
        return 0;
    buffer[i].ahead = false;
    return cuda_check(cudaStreamWaitEvent(cuda_stream, buffer[i].ready, 0), "a wait");
}

/* Expanded now, as nobody saw it coming: the buffer's number, or -1. */
static int fill(const struct weight *w, const struct part *p)
{
    const size_t bytes = part_bytes(w, p->n);
    const int i = now == 0 && second(bytes) ? 1 : 0;

    if ((i == 0 && first_of(bytes) < 0) || wait_for(i) < 0 ||
        expand_to(buffer[i].p, operand_type(w), w, p->first * w->cols, p->n * w->cols, cuda_stream) < 0)
        return -1;
    return i;
}

/* What comes behind P, as far as is known; NULL where it is not, or is kept. */
static const struct weight *guess(struct part *next, const struct part *p, bool back)
{
    const struct weight *w = kept_at(p->number);

    *next = { p->number, p->first + p->n, 0 };
    if (w && next->first == w->rows) {
        const int code = kept_next(p->number)[back];

        *next = { code / 2, 0, 0 };
        w = code < 0 ? NULL : kept_at(next->number);
    }
    if (w)
        next->n = least(strip_rows(w), w->rows - next->first);
    return w;
}

static int expand_next(const struct part *p, bool back)
{
    struct part next;
    const struct weight *const w = guess(&next, p, back);
    const int i = !now;

    if (!w || (i == 1 ? !second(part_bytes(w, next.n)) : buffer[0].bytes < part_bytes(w, next.n)))
        return 0;
    if (open_side() < 0 || cuda_check(cudaEventRecord(passed, cuda_stream), "an event") < 0 ||
        cuda_check(cudaStreamWaitEvent(side, passed, 0), "a wait") < 0 ||
        expand_to(buffer[i].p, operand_type(w), w, next.first * w->cols, next.n * w->cols, side) < 0)
        return -1;
    buffer[i].part = next;
    buffer[i].ahead = true;
    return cuda_check(cudaEventRecord(buffer[i].ready, side), "an event");
}

static bool holds(int i, const struct part *p)
{
    const struct part *const has = &buffer[i].part;

    return buffer[i].ahead && p->number >= 0 && has->number == p->number && has->first == p->first &&
           has->n == p->n;
}

static void remember(const struct part *p, bool back)
{
    const int code = p->number < 0 ? -1 : 2 * p->number + back;

    if (p->first == 0 && last >= 0)
        kept_next(last / 2)[last % 2] = code;
    last = code;
}

const void *expanded_rows(const struct weight *w, int64_t first, int64_t n, bool back)
{
    const struct part p = { kept_number(w), first, n };
    const int at = holds(0, &p) ? 0 : holds(1, &p) ? 1 : fill(w, &p);

    if (at < 0 || wait_for(at) < 0)
        return NULL;
    now = at;
    remember(&p, back);
    return p.number >= 0 && expand_next(&p, back) < 0 ? NULL : buffer[at].p;
}

int ahead_settle(void)
{
    last = -1;
    if (buffer[1].p && open_side() < 0)
        return -1;
    return wait_for(0) < 0 || wait_for(1) < 0 ? -1 : 0;
}

void ahead_forget(void)
{
    last = -1;
    for (int i = 0; i < 2; i++)
        buffer[i].part.number = -1;
}

size_t ahead_bytes(void)
{
    return buffer[1].bytes;
}

void ahead_close(void)
{
    (void)ahead_give_back();
    if (side)
        (void)cudaStreamDestroy(side);
    if (passed)
        (void)cudaEventDestroy(passed);
    for (int i = 0; i < 2; i++)
        if (buffer[i].ready)
            (void)cudaEventDestroy(buffer[i].ready);
    memset(buffer, 0, sizeof buffer);
    side = NULL;
    passed = NULL;
    now = 0;
    last = -1;
    narrow = false;
}
