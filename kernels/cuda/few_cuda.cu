/*
 * Products of few rows: the weight is read once, where it lies, and expanded in registers. Where it rounds
 * to halves that is for tensor cores: a weight's 16 rows times up to 8 rows of x, the warps of a block each
 * going over their part of the columns. Bound by memory, 0.56 bytes an element in NF4, and on an
 * H200 by the five instructions that one takes there: a shift and a mask for its code, its value from a
 * table in shared memory, the scale, half a conversion.
 *
 * Which columns a tensor core takes for the same is free, as long as both operands agree: a lane has 32
 * neighbouring ones of its row, 16 bytes of NF4, and no lane needs another's.
 */
#include "elements_cuda.h"
#include "mma_cuda.h"

/* Columns of a lane at a time and of the four that share a row; rows of a block. */
enum { EACH = 32, CHUNK = 4 * EACH, ROWS = 16, WARPS = 8, SIDE = 8, CODES = 16 };

static_assert((int)FEW_ROWS <= (int)SIDE, "a tensor core takes no more rows of x");

#ifdef __CUDACC__
#define TWICE _Pragma("unroll 2")
#else
#define TWICE
#endif

/* How a weight is stored: NF4, halves of the products' own type, or of the other one. */
enum kind { NF4, HALVES, OTHER_HALVES };

__device__ static void copy_words(uint32_t to[EACH / 2], const void *from)
{
    for (int k = 0; k < EACH / 8; k++) {
        const uint4 four = ((const uint4 *)from)[k];

        to[4 * k] = four.x, to[4 * k + 1] = four.y, to[4 * k + 2] = four.z, to[4 * k + 3] = four.w;
    }
}

/* EACH elements of a weight from I on, as halves. SHIFT: a block has 2^SHIFT elements. */
template <enum dtype T, enum kind KIND>
__device__ static void load_weight(uint32_t to[EACH / 2], const struct values &w, int shift, const float *table,
                                   int64_t i)
{
    constexpr enum dtype FROM = T == DT_F16 ? DT_BF16 : DT_F16; /* OTHER_HALVES */

    if (KIND != NF4) {
        copy_words(to, (const uint16_t *)w.data + i);
        for (int k = 0; k < EACH / 2 && KIND == OTHER_HALVES; k++)
            to[k] = halves<T>(half_of<FROM>(to[k], 0), half_of<FROM>(to[k], 1));
    } else {
        const uint4 four = *(const uint4 *)((const uint8_t *)w.data + i / 2);
        const uint32_t codes[4] = { four.x, four.y, four.z, four.w };
        const float scale = w.absmax[i >> shift];

        for (int k = 0; k < EACH / 2; k++) { /* the first of a byte is the high half */
            const uint32_t byte = codes[k / 4] >> 8 * (k % 4);

            to[k] = halves<T>(table[byte >> 4 & 15] * scale, table[byte & 15] * scale);
        }
    }
}

/* The same of activations. */
template <enum dtype T, class X> __device__ static void load_x(uint32_t to[EACH / 2], const X *x)
{
    if (T == DT_BF16 && sizeof *x == sizeof(bf16) && at_16_bytes(x)) {
        copy_words(to, x);
        return;
    }
    for (int k = 0; k < EACH; k += GROUP) {
        float v[GROUP];

        load_group(v, x + k, GROUP);
        for (int j = 0; j < GROUP; j += 2)
            to[(k + j) / 2] = halves<T>(v[j], v[j + 1]);
    }
}

__device__ static void no_elements(uint32_t to[EACH / 2])
{
    for (int k = 0; k < EACH / 2; k++)
        to[k] = 0;
}

/* What the warps of a block sum, by row of the weight and row of x. */
struct few_room {
    float table[CODES];
    float sum[WARPS][ROWS][SIDE];
};

template <enum dtype T, enum kind KIND, class Y, class X>
static __global__ void __launch_bounds__(WARPS *WARP)
    few_halves(Y *y, const X *x, struct values w, int shift, const float *bias, int N, int64_t O, int64_t C)
{
    SHARED(struct few_room, room);
    const int warp = threadIdx.x / WARP, warps = blockDim.x / WARP, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const int64_t first = (int64_t)blockIdx.x * ROWS;
    float d[4] = { 0 };

    if (threadIdx.x < CODES)
        room->table[threadIdx.x] = nf4_value(threadIdx.x);
    __syncthreads();
    TWICE for (int64_t at = warp * CHUNK; at < C; at += warps * CHUNK) {
        const int64_t c = at + t * EACH;
        uint32_t upper[EACH / 2], lower[EACH / 2], in[EACH / 2];

        no_elements(upper);
        no_elements(lower);
        no_elements(in);
        if (c < C && first + g < O)
            load_weight<T, KIND>(upper, w, shift, room->table, (first + g) * C + c);
        if (c < C && first + g + 8 < O)
            load_weight<T, KIND>(lower, w, shift, room->table, (first + g + 8) * C + c);
        if (c < C && g < N)
            load_x<T>(in, x + g * C + c);
        for (int k = 0; k < EACH / 2; k += 2) {
            const uint32_t a[4] = { upper[k], lower[k], upper[k + 1], lower[k + 1] };

            mma<T>(d, a, in + k);
        }
    }
    for (int i = 0; i < 4; i++)
        room->sum[warp][g + i / 2 * 8][2 * t + i % 2] = d[i];
    __syncthreads();
    for (int i = threadIdx.x; i < ROWS * N; i += blockDim.x) {
        const int row = i % ROWS;
        const int64_t o = first + row;
        float all = 0;

        for (int k = 0; k < warps; k++)
            all += room->sum[k][row][i / ROWS];
        if (o < O)
            store(y + i / ROWS * O + o, all + (bias ? bias[o] : 0));
    }
}

/* ---- all else: a warp for each row of the weight ---- */

/* Writes what the lanes of a warp have of N sums, for row O of the weight. */
template <class Y>
__device__ static void finish(Y *y, const float sum[FEW_ROWS], const float *bias, int N, int64_t o, int64_t O)
{
    for (int r = 0; r < FEW_ROWS; r++) {
        const float all = warp_all(sum[r], add());

        if (threadIdx.x % WARP == 0 && r < N)
            store(y + r * O + o, all + (bias ? bias[o] : 0));
    }
}

template <class Y, class X>
static __global__ void few_rows(Y *y, const X *x, struct values w, const float *bias, int N, int64_t O, int64_t C)
{
    const int64_t o = thread_of_all() / WARP;
    float sum[FEW_ROWS] = { 0 };

    if (o >= O)
        return;
    for (int64_t c = threadIdx.x % WARP; c < C; c += WARP) {
        const float v = weight_value(w, o * C + c);

        for (int r = 0; r < FEW_ROWS; r++) /* as many as N; a fixed number stays in registers */
            if (r < N)
                sum[r] = madd(f32_rounded(load(x + r * C + c), w.round), v, sum[r]);
    }
    finish(y, sum, bias, N, o, O);
}

/* The same of NF4 with whole words of eight codes in a row and in a block. */
template <class Y, class X>
static __global__ void few_rows_nf4(Y *y, const X *x, struct values w, const float *bias, int N, int64_t O,
                                    int64_t C)
{
    const int64_t o = thread_of_all() / WARP;
    float sum[FEW_ROWS] = { 0 };

    if (o >= O)
        return;
    for (int64_t c = GROUP * (threadIdx.x % WARP); c < C; c += GROUP * WARP) {
        const uint32_t word = ((const uint32_t *)w.data)[(o * C + c) / GROUP];
        const float scale = w.absmax[(o * C + c) / w.block];
        float v[GROUP], in[GROUP];

        for (int j = 0; j < GROUP; j++)
            v[j] = f32_rounded(nf4_value(word >> (8 * (j / 2) + (j % 2 ? 0 : 4)) & 15) * scale, w.round);
        UNROLL for (int r = 0; r < FEW_ROWS; r++) {
            if (r >= N)
                continue;
            load_group(in, x + r * C + c, GROUP);
            for (int j = 0; j < GROUP; j++)
                sum[r] = madd(f32_rounded(in[j], w.round), v[j], sum[r]);
        }
    }
    finish(y, sum, bias, N, o, O);
}

/* ---- launches ---- */

template <class Y, class X> struct product_of {
    Y *y;
    const X *x;
    const struct weight *w;
    const float *bias;
    int N;
};

template <enum dtype T, enum kind KIND, class Y, class X> static int by_halves(const struct product_of<Y, X> &p)
{
    const int64_t O = p.w->rows, C = p.w->cols;
    const unsigned warps = (unsigned)least(blocks_for(C, CHUNK), WARPS);
    int shift = 0;

    while (1 << shift < p.w->block)
        shift++;
    return LAUNCH((few_halves<T, KIND, Y, X>), blocks_for(O, ROWS), warps * WARP, sizeof(struct few_room), p.y,
                  p.x, values_of(p.w), shift, p.bias, p.N, O, C);
}

template <enum dtype T, class Y, class X> static int by_kind(const struct product_of<Y, X> &p)
{
    if (p.w->dtype == DT_NF4)
        return by_halves<T, NF4>(p);
    return p.w->dtype == T ? by_halves<T, HALVES>(p) : by_halves<T, OTHER_HALVES>(p);
}

/* Whether tensor cores take it: a lane's columns lie in one row and one block of a power of two, by 16 bytes. */
static bool fits(const struct weight *w)
{
    const bool blocks = w->block % EACH == 0 && (w->block & (w->block - 1)) == 0;
    const bool whole = w->dtype == DT_NF4 ? blocks : w->dtype == DT_F16 || w->dtype == DT_BF16;

    return operand_type(w) != DT_F32 && w->cols % EACH == 0 && whole && (uintptr_t)w->data % sizeof(uint4) == 0;
}

template <class Y, class X> static int few(const struct product_of<Y, X> &p)
{
    const struct weight *const w = p.w;
    const int64_t O = w->rows, C = w->cols;
    const unsigned grid = blocks_for(O, THREADS / WARP);

    if (fits(w))
        return operand_type(w) == DT_F16 ? by_kind<DT_F16>(p) : by_kind<DT_BF16>(p);
    if (w->dtype == DT_NF4 && C % GROUP == 0 && w->block % GROUP == 0 && (uintptr_t)w->data % 4 == 0)
        return LAUNCH((few_rows_nf4<Y, X>), grid, THREADS, 0, p.y, p.x, values_of(w), p.bias, p.N, O, C);
    return LAUNCH((few_rows<Y, X>), grid, THREADS, 0, p.y, p.x, values_of(w), p.bias, p.N, O, C);
}

template <class Y, class X>
static int few_as(void *y, const struct dev *x, const struct weight *w, const struct dev *bias, int64_t N)
{
    return few<Y, X>({ (Y *)y, act<X>(x), w, f32(bias), (int)N });
}

int few_product(void *y, enum dtype type, const struct dev *x, const struct weight *w, const struct dev *bias,
                int64_t N)
{
    return cuda_act == DT_F32 ? few_as<float, float>(y, x, w, bias, N)
           : type == DT_F32   ? few_as<float, bf16>(y, x, w, bias, N)
                              : few_as<bf16, bf16>(y, x, w, bias, N);
}
