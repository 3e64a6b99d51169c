/* Products of dense matrices: cuBLASLt's where it is there, else by plain tiles. */
#include "elements_cuda.h"

enum { TILE = 32, STEP = 16, EACH = 4, ACROSS = TILE / EACH };

struct tiles {
    float a[STEP][TILE + 1], b[STEP][TILE + 1];
};

template <enum dtype T> __device__ static float element(const void *p, int64_t i)
{
    if (T == DT_F32)
        return ((const float *)p)[i];
    return T == DT_F16 ? f32_of_f16(((const uint16_t *)p)[i]) : f32_of_bf16(((const uint16_t *)p)[i]);
}

/* Element (row, col) of M; zero outside of its ROWS and COLS. */
template <enum dtype T>
__device__ static float at(const struct matrix &m, int64_t row, int64_t col, int64_t rows, int64_t cols)
{
    if (row >= rows || col >= cols)
        return 0;
    return element<T>(m.p, m.turned ? col * m.ld + row : row * m.ld + col);
}

/* A block for each TILE x TILE of c, EACH x EACH a thread. Sums of STEP products are added in order. */
template <enum dtype T, class C>
static __global__ void by_tiles(C *c, int64_t ldc, float beta, struct matrix a, struct matrix b, int64_t M,
                                int64_t N, int64_t K, float alpha)
{
    SHARED(struct tiles, t);
    const int64_t row = (int64_t)blockIdx.y * TILE, col = (int64_t)blockIdx.x * TILE;
    const int x = threadIdx.x % ACROSS * EACH, y = threadIdx.x / ACROSS * EACH;
    float sum[EACH][EACH] = { { 0 } };

    for (int64_t from = 0; from < K; from += STEP) {
        float part[EACH][EACH] = { { 0 } };

        for (int i = threadIdx.x; i < TILE * STEP; i += blockDim.x) {
            const int k = i % STEP, j = i / STEP;

            t->a[k][j] = at<T>(a, row + j, from + k, M, K);
            t->b[k][j] = at<T>(b, from + k, col + j, K, N);
        }
        __syncthreads();
        for (int k = 0; k < STEP; k++)
            for (int i = 0; i < EACH; i++)
                for (int j = 0; j < EACH; j++)
                    part[i][j] = madd(t->a[k][y + i], t->b[k][x + j], part[i][j]);
        __syncthreads();
        for (int i = 0; i < EACH; i++)
            for (int j = 0; j < EACH; j++)
                sum[i][j] += part[i][j];
    }
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++)
            if (row + y + i < M && col + x + j < N) {
                C *const to = c + (row + y + i) * ldc + col + x + j;

                store(to, beta == 0 ? alpha * sum[i][j] : alpha * sum[i][j] + beta * load(to));
            }
}

template <enum dtype T>
static int by_tiles_of(const struct product_to *c, const struct matrix *a, const struct matrix *b, int64_t M,
                       int64_t N, int64_t K, float alpha)
{
    const dim3 grid(blocks_for(N, TILE), blocks_for(M, TILE));
    const int block = ACROSS * ACROSS;

    if (c->type == DT_BF16)
        return LAUNCH((by_tiles<T, bf16>), grid, block, sizeof(struct tiles), (bf16 *)c->p, c->ld, c->beta, *a,
                      *b, M, N, K, alpha);
    return LAUNCH((by_tiles<T, float>), grid, block, sizeof(struct tiles), (float *)c->p, c->ld, c->beta, *a, *b,
                  M, N, K, alpha);
}

int gemm(struct product_to c, struct matrix a, struct matrix b, enum dtype t, int64_t M, int64_t N, int64_t K,
         float alpha)
{
    const int rc = M > 0 && N > 0 ? blaslt_gemm(c, a, b, t, M, N, K, alpha) : 0;

    if (rc <= 0)
        return rc;
    return t == DT_F16    ? by_tiles_of<DT_F16>(&c, &a, &b, M, N, K, alpha)
           : t == DT_BF16 ? by_tiles_of<DT_BF16>(&c, &a, &b, M, N, K, alpha)
                          : by_tiles_of<DT_F32>(&c, &a, &b, M, N, K, alpha);
}
