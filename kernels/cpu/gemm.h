/*
 * gemm.h - the one matrix product of the CPU backend: c (M, N) = base + A1 B1 (+ A2 B2).
 *
 * The A operands are activations, the B operands weights in any storage of struct weight, expanded
 * panel by panel into the first cache. A second term is LoRA's: its product joins the sum while the
 * tile of c is at hand, so it costs no pass of its own over c.
 *
 * What each element is, for any number of threads, any other rows and any instruction set: the
 * terms in order, each cut into chunks of KC along its k; a chunk is one chain of fused
 * multiply-adds from 0 in order of k; chunks are added one after another to base, which is the
 * bias, c itself (add), or nothing. (portable has no fused multiply-add on x86: its last bits
 * differ.)
 */
#ifndef GEMM_H
#define GEMM_H

#include "low_rank.h"

struct gemm_term {
    const float *a; /* (M, K), rows LDA apart */
    int64_t lda;
    const int32_t *a_rows;  /* row m of A is row a_rows[m] of a; NULL: row m */
    float a_scale;          /* A is a times this */
    const struct weight *b; /* b_trans: B is b's rows transposed */
    bool b_trans;
    int64_t b_first; /* first row of b that is used */
    int64_t b_ld;    /* dense b: its rows are so far apart; 0: b's width */
    int64_t K;
    const struct kept *out_kept; /* dropout on this term's product, chunk by chunk; NULL: none */
};

struct gemm {
    int64_t M, N;
    struct gemm_term term[2];
    int terms;
    float *c; /* element (m, n) at c[m * ldc + n] */
    int64_t ldc;
    const float *bias; /* (N), or NULL */
    bool add;          /* base is what stands in c; bias is NULL then */
};

/* Bytes of WORK for products of up to M rows whose first terms have K, and all second ones together
 * REST (0: there are none), with weights that round to ROUND. */
size_t gemm_work(int64_t M, int64_t K, int64_t rest, enum dtype round);
/* N_PRODUCTS (LINEARS_MAX at most) of one A: their first terms differ in b alone, and these round
 * alike. With all threads. WORK: 64-byte aligned. */
void gemm_run(const struct gemm *g, int n_products, float *work);

/* A product in f32 for those who make more of the sum than this: rows FIRST.. (ROWS of them) of A
 * are packed in pieces, each by any thread, at PACKED (gemm_packed bytes); then any columns of c
 * made. */
size_t gemm_packed(int64_t rows, int64_t K);
int64_t gemm_pieces(const struct gemm *g, int64_t rows);
void gemm_pack(const struct gemm *g, float *packed, int64_t first, int64_t rows, int64_t piece);
void gemm_columns(const struct gemm *g, float *packed, int64_t first, int64_t rows, int64_t n0,
                  int64_t n1);

#endif
