/*
 * LoRA beside a linear. Where activations are f32 its products are too. In bf16 they are on tensor cores,
 * with sums in f32: A, B, u and its gradient, f32 in memory, are rounded as operands; dropout only takes
 * elements of x away, its factor is put to the sum. The products that read x are thin_cuda.cu's. What is
 * added to y and to dx is made by a kernel of its own in one pass over them, with the bias, or through the
 * mask: 4 bytes an element beside 4 R operations, for u and its gradient come as two halves there, rounded
 * and what that leaves.
 */
#include "elements_cuda.h"
#include "mma_cuda.h"

/* A block has ROWS x COLS of the result, a warp MINE rows of it, and goes over STEP of the rank at a time.
 * Rows of operands stand STEP + PAD or COLS + PAD apart, so that ldmatrix meets each bank once. */
enum { WARPS = THREADS / WARP, MINE = 16, ROWS = WARPS * MINE, COLS = 128, STEP = 32, PAD = 8, PART = 32 };

struct low_rank {
    bf16 *to; /* (N, O) += (what is DRAWN of) times left right + bias */
    const float *left, *right, *bias; /* left (N, R); right (O, R), or (R, O); bias (O) or NULL */
    int64_t N, O, R;
    float times;
    struct choices drawn;
};

struct low_rank_room {
    uint16_t left[2][ROWS * (STEP + PAD)]; /* rounded, and what that leaves */
    uint16_t right[COLS * (STEP + PAD)]; /* or STEP rows of COLS + PAD, which is less */
    float sum[WARPS][MINE * (PART + 4)];
};

/* to = rows FIRST.. of from (N, C), channels AT.. of them, rounded: HIGH rows of WIDE, LD apart; zeros
 * outside of it. rest = what that leaves, rounded; NULL: not wanted. */
__device__ static void round_tile(uint16_t *to, uint16_t *rest, int ld, int high, int wide, const float *from,
                                  int64_t first, int64_t N, int64_t at, int64_t C)
{
    for (int i = threadIdx.x; i < high * wide / GROUP; i += THREADS) {
        const int row = i / (wide / GROUP), col = i % (wide / GROUP) * GROUP;
        float v[GROUP];

        load_group(v, from + (first + row) * C + at + col, first + row < N ? C - at - col : 0);
        store_whole((bf16 *)to + row * ld + col, v);
        if (!rest)
            continue;
        for (int j = 0; j < GROUP; j++)
            v[j] -= f32_rounded(v[j], DT_BF16);
        store_whole((bf16 *)rest + row * ld + col, v);
    }
}

/* sum (MINE, COLS) += the warp's rows of left times right. */
template <bool TURNED>
__device__ static void multiply(float sum[COLS / 8][4], const struct low_rank_room *room)
{
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int mine = (warp * MINE + lane % 16) * (STEP + PAD) + lane / 16 * 8;
    const uint16_t *const right = room->right + (TURNED ? lane % 16 * (COLS + PAD) + lane / 16 * 8
                                                        : (lane / 16 * 8 + lane % 8) * (STEP + PAD) + lane / 8 % 2 * 8);

    for (int k = 0; k < STEP; k += 16) {
        uint32_t a[4], rest[4], b[4];

        load_matrices(a, room->left[0] + mine + k);
        load_matrices(rest, room->left[1] + mine + k);
        for (int n = 0; n < COLS / 8; n += 2) {
            if (TURNED)
                load_turned(b, right + k * (COLS + PAD) + 8 * n);
            else
                load_matrices(b, right + 8 * n * (STEP + PAD) + k);
            mma<DT_BF16>(sum[n], a, b);
            mma<DT_BF16>(sum[n], rest, b);
            mma<DT_BF16>(sum[n + 1], a, b + 2);
            mma<DT_BF16>(sum[n + 1], rest, b + 2);
        }
    }
}

/* What the lanes have of PART columns from COL on to shared memory, and from there in whole groups to
 * where it belongs. */
__device__ static void add_part(const struct low_rank &p, float *shared, const float sum[PART / 8][4],
                                int64_t row, int64_t col)
{
    const int lane = threadIdx.x % WARP, ld = PART + 4;

    for (int n = 0; n < PART / 8; n++)
        for (int i = 0; i < 4; i++)
            shared[(lane / 4 + i / 2 * 8) * ld + 8 * n + lane % 4 * 2 + i % 2] = sum[n][i];
    __syncwarp();
    for (int i = lane; i < MINE * PART / GROUP; i += WARP) {
        const int64_t r = row + i / (PART / GROUP), c = col + i % (PART / GROUP) * GROUP;
        float v[GROUP], old[GROUP], bias[GROUP] = { 0 };

        if (r >= p.N || c >= p.O)
            continue;
        load_whole(v, shared + i / (PART / GROUP) * ld + i % (PART / GROUP) * GROUP);
        load_group(old, p.to + r * p.O + c, p.O - c);
        if (p.bias)
            load_group(bias, p.bias + c, p.O - c);
        if (p.drawn.bits)
            keep_group(v, drawn_group(p.drawn, r, c), p.drawn.scale);
        for (int j = 0; j < GROUP; j++)
            old[j] += p.times * v[j] + bias[j];
        store_group(p.to + r * p.O + c, old, p.O - c);
    }
    __syncwarp();
}

template <bool TURNED> static __global__ void __launch_bounds__(THREADS) add_low_rank(struct low_rank p)
{
    SHARED(struct low_rank_room, room);
    const int64_t row = (int64_t)blockIdx.y * ROWS, col = (int64_t)blockIdx.x * COLS;
    float sum[COLS / 8][4] = { { 0 } };

    for (int64_t k = 0; k < p.R; k += STEP) {
        __syncthreads();
        round_tile(room->left[0], room->left[1], STEP + PAD, ROWS, STEP, p.left, row, p.N, k, p.R);
        if (TURNED)
            round_tile(room->right, NULL, COLS + PAD, STEP, COLS, p.right, k, p.R, col, p.O);
        else
            round_tile(room->right, NULL, STEP + PAD, COLS, STEP, p.right, col, p.O, k, p.R);
        __syncthreads();
        multiply<TURNED>(sum, room);
    }
    UNROLL for (int n = 0; n < COLS / PART; n++)
        add_part(p, room->sum[threadIdx.x / WARP], sum + n * (PART / 8), row + threadIdx.x / WARP * MINE,
                 col + n * PART);
}

template <bool TURNED> static int run_low_rank(const struct low_rank *p)
{
    const dim3 grid(blocks_for(p->O, COLS), blocks_for(p->N, ROWS));

    return LAUNCH(add_low_rank<TURNED>, grid, THREADS, sizeof(struct low_rank_room), *p);
}

/* ---- in f32 ---- */

static struct dev *room_for_kept(int64_t N, int64_t C)
{
    return (struct dev *)cuda_scratch(SCRATCH_KEPT, (size_t)(N * C) * sizeof(float));
}

/* out = what is kept of x; added to it when MORE. */
static __global__ void keep(float *out, const float *x, struct choices k, int64_t N, int64_t C, bool more)
{
    const struct place p = place_in_rows(C);
    const int64_t at = p.row * C + p.at;
    float v[GROUP], old[GROUP] = { 0 };

    if (p.row >= N)
        return;
    load_group(v, x + at, p.left);
    if (more)
        load_group(old, out + at, p.left);
    keep_group(v, drawn_group(k, p.row, p.at), k.scale);
    for (int i = 0; i < GROUP; i++)
        v[i] += old[i];
    store_group(out + at, v, p.left);
}

static int keep_rows(struct dev *out, const struct dev *x, const struct choices *k, int64_t N, int64_t C, bool more)
{
    return LAUNCH(keep, blocks_for_rows(N, C), THREADS, 0, f32(out), f32(x), *k, N, C, more);
}

/* drop(x): x itself where nothing is dropped; NULL: no room. */
static const struct dev *dropped(const struct dev *x, const struct mask *m, int64_t N, int64_t C)
{
    if (!m->on)
        return x;
    struct dev *const to = room_for_kept(N, C);

    return to && drop_rows(to, x, m, N, C) == 0 ? to : NULL;
}

/* The same once more. */
static const struct dev *dropped_before(const struct dev *x, const struct choices *k, int64_t N, int64_t C)
{
    if (!k->bits)
        return x;
    struct dev *const to = room_for_kept(N, C);

    return to && keep_rows(to, x, k, N, C, false) == 0 ? to : NULL;
}

static int forward_f32(struct dev *y, struct dev *u, const struct dev *x, const struct lora *lora,
                       const struct mask *m, int64_t N, int64_t O, int64_t C)
{
    const int64_t R = lora->rank;
    const struct dev *const kept = dropped(x, m, N, C);

    if (!kept || gemm({ u, DT_F32, R, 0 }, { kept, C, false }, { lora->a, C, true }, DT_F32, N, R, C, 1) < 0)
        return -1;
    return gemm({ y, DT_F32, O, 1 }, { u, R, false }, { lora->b, R, true }, DT_F32, N, O, R, lora->scale);
}

/* dx += drop'(down A): dropout's gradient is the same mask. */
static int to_input_f32(struct dev *dx, const struct dev *down, const struct lora *lora, const struct choices *k,
                        int64_t N, int64_t C)
{
    const struct matrix left = { down, lora->rank, false }, right = { lora->a, C, false };

    if (!k->bits)
        return gemm({ dx, DT_F32, C, 1 }, left, right, DT_F32, N, C, lora->rank, 1);
    struct dev *const part = room_for_kept(N, C);

    if (!part || gemm({ part, DT_F32, C, 0 }, left, right, DT_F32, N, C, lora->rank, 1) < 0)
        return -1;
    return keep_rows(dx, part, k, N, C, true);
}

static int backward_f32(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                        const struct dev *x, const struct dev *u, struct dev *down, const struct lora *lora,
                        const struct choices *k, int64_t N, int64_t O, int64_t C)
{
    const int64_t R = lora->rank;

    if (gemm({ down, DT_F32, R, 0 }, { dy, O, false }, { lora->b, R, false }, DT_F32, N, R, O, lora->scale) < 0 ||
        gemm({ db, DT_F32, R, 1 }, { dy, O, true }, { u, R, false }, DT_F32, O, R, N, lora->scale) < 0 ||
        (dx && to_input_f32(dx, down, lora, k, N, C) < 0))
        return -1;
    const struct dev *const kept = dropped_before(x, k, N, C);

    return kept ? gemm({ da, DT_F32, C, 1 }, { down, R, true }, { kept, C, false }, DT_F32, R, C, N, 1) : -1;
}

/* ---- in bf16 ---- */

static size_t halves_bytes(int64_t n)
{
    return ((size_t)n * sizeof(bf16) + 255) / 256 * 256;
}

static int forward_bf16(struct dev *y, struct dev *u, const struct dev *x, const struct dev *bias,
                        const struct lora *lora, const struct mask *m, int64_t N, int64_t O, int64_t C)
{
    const struct low_rank more = { (bf16 *)y,   f32(u), f32(lora->b), f32(bias), N, O, lora->rank,
                                   lora->scale, {} };

    return thin_project(u, x, lora->a, m, N, lora->rank, C) < 0 ? -1 : run_low_rank<false>(&more);
}

static int backward_bf16(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                         const struct dev *x, const struct dev *u, struct dev *down, const struct lora *lora,
                         const struct choices *k, int64_t N, int64_t O, int64_t C)
{
    const int64_t R = lora->rank;
    char *const b = (char *)cuda_scratch(SCRATCH_LOW, halves_bytes(O * R) + halves_bytes(N * R));
    char *const low = b + halves_bytes(O * R); /* u */
    const struct low_rank more = { (bf16 *)dx, f32(down), f32(lora->a), NULL, N, C, R, 1, *k };

    if (!b || round_all(b, f32(lora->b), O * R, DT_BF16) < 0 || round_all(low, f32(u), N * R, DT_BF16) < 0 ||
        gemm({ down, DT_F32, R, 0 }, { dy, O, false }, { b, R, false }, DT_BF16, N, R, O, lora->scale) < 0 ||
        gemm({ db, DT_F32, R, 1 }, { dy, O, true }, { low, R, false }, DT_BF16, O, R, N, lora->scale) < 0 ||
        (dx && run_low_rank<true>(&more) < 0))
        return -1;
    return thin_gradient(da, x, down, k, N, R, C);
}

/* ---- either ---- */

int lora_forward(struct dev *y, struct dev *u, const struct dev *x, const struct weight *w,
                 const struct dev *bias, const struct lora *lora, const struct packed *rows, int64_t N)
{
    struct mask m = mask_of(&lora->drop, rows);

    m.bits = (uint8_t *)lora->kept;
    m.ld = (int64_t)lora_kept_bytes(1, w->cols);
    if (cuda_act == DT_BF16)
        return forward_bf16(y, u, x, bias, lora, &m, N, w->rows, w->cols);
    return add_bias(y, DT_F32, bias, N, w->rows) < 0 ? -1 : forward_f32(y, u, x, lora, &m, N, w->rows, w->cols);
}

int lora_backward(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy, const struct dev *x,
                  const struct dev *u, struct dev *scratch, const struct weight *w, const struct lora *lora,
                  const struct packed *rows, int64_t N)
{
    const struct mask m = mask_of(&lora->drop, rows);
    const struct choices k = { m.on ? (const uint8_t *)lora->kept : NULL, (int64_t)lora_kept_bytes(1, w->cols),
                            m.on ? m.scale : 1 };

    return cuda_act == DT_BF16
               ? backward_bf16(dx, da, db, dy, x, u, scratch, lora, &k, N, w->rows, w->cols)
               : backward_f32(dx, da, db, dy, x, u, scratch, lora, &k, N, w->rows, w->cols);
}
