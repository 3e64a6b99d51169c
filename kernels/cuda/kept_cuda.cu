/*
 * Weights as products want them, expanded once and kept where the device has room, so that a product
 * reads 2 bytes an element (4 in f32) instead of expanding them each time. Weights are expanded before the
 * first pass, when what a model needs besides has been allocated, or else when the first product of many
 * rows asks for them. Room is what leaves an eighth of the device free. If it is wanted later all the
 * same, copies are given back, the newest first, and no more are kept (ahead_cuda.cu has those that are
 * not). Results are the same bytes either way.
 */
#include "cuda_impl.h"

#include <stdlib.h>

enum { RESERVE = 8 }; /* a part of so many stays free */

/* A weight that was loaded, known by where its elements lie and what they are expanded to. */
struct kept {
    struct weight w;
    void *copy;  /* NULL: not expanded */
    bool refused; /* there was no room */
    int next[2];
};

static struct kept *kept;
static int n_kept, room_kept;
static bool full; /* copies were given back */

static struct kept *find(const struct weight *w)
{
    for (int i = 0; i < n_kept; i++)
        if (kept[i].w.data == w->data && operand_type(&kept[i].w) == operand_type(w) &&
            kept[i].w.rows == w->rows && kept[i].w.cols == w->cols)
            return &kept[i];
    return NULL;
}

static int load(struct weight *w)
{
    const struct kept k = { *w, NULL, false, { -1, -1 } };

    if (w->dtype == operand_type(w))
        return 0;
    if (n_kept == room_kept) {
        const int more = room_kept ? 2 * room_kept : 256;
        void *const p = realloc(kept, (size_t)more * sizeof *kept);

        if (!p)
            return cuda_fail(EX_OSERR, "out of memory");
        kept = (struct kept *)p;
        room_kept = more;
    }
    kept[n_kept++] = k;
    return 0;
}

static void forget(struct weight *w)
{
    struct kept *const k = find(w);

    if (!k)
        return;
    cuda_release(k->copy);
    memmove(k, k + 1, (size_t)(kept + --n_kept - k) * sizeof *k);
    for (int i = 0; i < n_kept; i++)
        kept[i].next[0] = kept[i].next[1] = -1;
    ahead_forget();
    full = full && n_kept > 0;
}

static size_t copy_bytes(const struct weight *w)
{
    return (size_t)(w->rows * w->cols) * (operand_type(w) == DT_F32 ? 4 : 2);
}

/* K's copy made, or K refused. */
static int expand_all(struct kept *k)
{
    const size_t bytes = copy_bytes(&k->w);
    size_t free = 0, total = 0;

    if (graph_spoils("a weight is to be expanded"))
        return -1;
    k->refused = cudaMemGetInfo(&free, &total) != cudaSuccess || free < total / RESERVE + bytes ||
                 cudaMalloc(&k->copy, bytes) != cudaSuccess;
    if (!k->refused)
        return expand_to(k->copy, operand_type(&k->w), &k->w, 0, k->w.rows * k->w.cols, cuda_stream);
    (void)cudaGetLastError(); /* the device goes on */
    k->copy = NULL;
    return 0;
}

int kept_weight(const void **copy, const struct weight *w)
{
    struct kept *const k = find(w);

    if (k && !k->copy && !k->refused && !full && expand_all(k) < 0)
        return -1;
    *copy = k ? k->copy : NULL;
    return 0;
}

int kept_all(void)
{
    for (int i = 0; i < n_kept && !full; i++)
        if (!kept[i].copy && !kept[i].refused && expand_all(&kept[i]) < 0)
            return -1;
    return 0;
}

size_t kept_strip_bytes(void)
{
    size_t most = 0;

    for (int i = 0; i < n_kept; i++) {
        const struct weight *const w = &kept[i].w;
        const size_t bytes = copy_bytes(w) / w->rows * least(strip_rows(w), w->rows);

        most = kept[i].copy || bytes < most ? most : bytes;
    }
    return most;
}

bool kept_give_back(void)
{
    int i = n_kept;

    while (i > 0 && !kept[i - 1].copy)
        i--;
    if (i == 0)
        return false;
    cuda_release(kept[i - 1].copy);
    kept[i - 1].copy = NULL;
    return full = true;
}

int kept_number(const struct weight *w)
{
    const struct kept *const k = find(w);

    return k ? (int)(k - kept) : -1;
}

const struct weight *kept_at(int number)
{
    return number >= 0 && !kept[number].copy ? &kept[number].w : NULL;
}

int *kept_next(int number)
{
    return kept[number].next;
}

size_t kept_bytes(void)
{
    size_t bytes = 0;

    for (int i = 0; i < n_kept; i++)
        bytes += kept[i].copy ? copy_bytes(&kept[i].w) : 0;
    return bytes;
}

void kept_close(void)
{
    while (kept_give_back())
        ;
    free(kept);
    kept = NULL;
    n_kept = room_kept = 0;
    full = false;
}

void cuda_kept_ops(struct ops *o)
{
    o->weight_load = load;
    o->weight_free = forget;
}
