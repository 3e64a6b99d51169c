/*
 * kernels.h - every numeric operation this project knows, and the backends that provide them.
 *
 * The model calls ops through this table and never names a backend. Tables: ref (plain C, double
 * sums, slow: the definition), cpu (ref with its hot entries replaced). tests/ops compares every op
 * of every table with ref.
 *
 * Letters: N tokens of a packed batch, S sequences in it, C channels in, O channels out, H query
 * heads, K key heads, D head size, V vocabulary, R LoRA rank. Row-major, last letter contiguous.
 *
 * Memory of a device is a `struct dev *`: a handle that only the backend may look behind. Parts of
 * it are made with slice, never by arithmetic. Activations (x, y, q, dy ... and the cache of keys
 * and values) are of the type ACT, f32 in ref and cpu. On a device they may be bf16: ops compute
 * with them in f32 and round what they store, once where nothing else is said, to nearest even.
 * What is called f32, f64, i32 or u32 here is that on every device. Unless an op says otherwise,
 * outputs are overwritten whole and must not overlap the inputs.
 *
 * Some activations are read and written in rows that stand LD elements apart (at least their
 * width), so that queries, keys and values, or gate and up, may be column ranges of one product's
 * output.
 *
 * Ops are queued: only get, find_nonfinite and sum_squares wait for what was asked before them, and
 * what an op reads may be changed or released when it has returned (put copies). A failure of the
 * device may be reported by a later op.
 *
 * Every element of a result is computed in an order that depends on the shape of its own row and of
 * the weights alone: not on the thread count, and for forward ops of ref and cpu not on the other
 * rows of the batch, so a record's result does not depend on its neighbours. On cuda products of a
 * few rows add in another order than those of many, so there it does not beyond that rounding.
 *
 * Ops return 0, or -1 with err_set when the device fails. Arguments are the caller's promise
 * (asserted, not reported). Source of every formula: NUMERICS A.2, A.4, B.2, C, D and J.
 */
#ifndef KERNELS_H
#define KERNELS_H

#include "dtype.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dev; /* device memory; incomplete on purpose */

/* A weight matrix (O, C), row-major, y = x W^T. In a product with it (linear, head) both operands,
 * its own elements and what they are multiplied with (x, dy; LoRA's products are none), are each
 * rounded once to ROUND, to nearest even, and the products are added in f32. Where activations are
 * bf16, so is ROUND. */
struct weight {
    enum dtype dtype; /* DT_F32, DT_F16, DT_BF16 dense; DT_NF4 packed; or a block format */
    /* Dense: O*C elements. NF4: (O*C+1)/2 bytes, the first element in the high nibble. Blocks: rows
     * of whole ones with their scales, dtype_bytes(dtype, C) apart. */
    const struct dev *data;
    /* NF4: f32 scale of each block, already un-nested; (O*C+block-1)/block. Else NULL. */
    const struct dev *absmax;
    int64_t rows, cols; /* O, C */
    int block;          /* NF4: elements per scale; blocks run over the flattened matrix */
    /* DT_F16 or DT_BF16; all else: not rounded. DT_BF16X3: nor is it here, but the cpu may multiply
     * the three bfloat16 that each operand is the sum of (bf16.h): as near as f32, in another
     * order. */
    enum dtype round;
};

/* Dropout drawn from Philox: element (token, channel) is kept when word channel%4 of
 * philox4x32({channel/4, pos, sample, site}, seed) >= p * 2^32, and is then scaled by 1/(1-p). pos
 * and sample are those of the token's sequence (struct seq), so that a mask does not depend on
 * packing. p 0: nothing is drawn. */
struct dropout {
    float p;
    uint64_t seed;
    uint32_t site; /* which call of which layer: layer * 16 + module */
};

/* LoRA on one linear: y += scale * (drop(x) A^T) B^T. Where activations are bf16, a device may
 * round A, B, u and the gradient of u to it as operands; sums stay in f32. */
struct lora {
    const struct dev *a; /* (R, C) f32 */
    const struct dev *b; /* (O, R) f32 */
    int64_t rank;
    float scale;
    struct dropout drop;
    /* lora_kept_bytes for x (N, C) where linear_forward leaves dropout's choices, and
     * linear_backward finds them: what they look like is the table's own. NULL where p is 0. */
    struct dev *kept;
};

/* A bit for each element, rows of whole 8 bytes. */
static inline size_t lora_kept_bytes(int64_t N, int64_t C)
{
    return (size_t)N * (size_t)((C + 63) / 64 * 8);
}

/* One linear of several that read the same x (N, C): y (N, O) = x W^T + bias (O f32, or NULL) +
 * LoRA (NULL: none). u (N, R) f32 = drop(x) A^T, one for each, is written for the backward pass;
 * scratch otherwise, must be there whenever LORA is. */
struct linear {
    struct dev *y, *u;
    const struct weight *w;
    const struct dev *bias;
    const struct lora *lora;
};

enum { LINEARS_MAX = 3 }; /* queries, keys and values */

/* One sequence of a packed batch: its query rows, and the rows of k and v that these may see. */
struct seq {
    int32_t q_start, q_len; /* rows of q (and of every other activation) */
    /* Own rows of k and v, the newest last: query i sees the first k_len - q_len + i + 1 of them.
     * Training: k_start = q_start, k_len = q_len. */
    int32_t k_start, k_len;
    /* Rows that stand before the own ones and every query sees; 0 long: none. */
    int32_t shared_start, shared_len;
    uint32_t sample; /* names the sequence to dropout: the how-manieth record of the run */
};

/* A packed batch as ops see it; the model makes it once per batch. */
struct packed {
    int64_t tokens;            /* N */
    int64_t seqs;              /* S */
    const struct seq *seq;     /* (S) host */
    const struct dev *seq_dev; /* (S) the same on the device */
    const struct dev *pos;     /* (N) i32: position of each token in its own sequence, from 0 */
    const struct dev *sample;  /* (N) u32: struct seq's sample of each token */
};

enum norm { NORM_LAYER, NORM_RMS };
enum activation { ACT_GELU_NEW, ACT_SILU };

/* What attention is computed over. A token's H query heads of D, and its K key heads, follow one
 * another; query head h reads key head h / (H/K). */
struct attention {
    int64_t heads, kv_heads, head_dim; /* H, K, D */
    int64_t q_ld, kv_ld;               /* elements from one row of q, of k and v, to the next */
    int64_t window; /* a query sees at most so many keys, its own the last; 0: all */
    float scale;    /* multiplies q k^T */
    /* DT_F16, DT_BF16: a device may round q, k, v and the softmax to it, where activations are f32
     * also to f16, each once; sums stay in f32. All else: not rounded. */
    enum dtype round;
};

enum optim { OPTIM_ADAMW_BNB, OPTIM_ADAMW_TORCH, OPTIM_SGD };

/* One optimiser update; t counts from 1. NUMERICS D.4: bnb decays after the update, torch before.
 * SGD is torch's without momentum: the decay is part of the gradient. */
struct optim_step {
    enum optim kind;
    double lr, beta1, beta2, eps, weight_decay;
    double clip; /* gradients are multiplied by this first; 1: not clipped */
    int64_t t;
};

/* Bytes of a device's memory by use. TOTAL 0: the device has none of its own, and all else is 0. */
struct memory_use {
    size_t stored;      /* adopted: weights as their files have them */
    size_t expanded;    /* copies of loaded weights that the device keeps for its products */
    size_t asked;       /* alloc */
    size_t scratch;     /* of the ops themselves */
    size_t free, total; /* other programs take the rest */
};

/* What decides how much memory the ops of a pass take by themselves. */
struct op_sizes {
    int64_t tokens; /* of a batch, at most */
    int64_t width;  /* of the widest row that a product inside a layer reads or makes */
    int64_t vocab, kv_heads;
    int64_t rank;     /* the largest of LoRA; 0: none */
    enum dtype round; /* of struct weight, in all products */
    bool train;       /* passes go backward too */
};

struct ops {
    const char *name; /* "ref", "cpu", "cuda" */
    enum dtype act;   /* of an activation's elements: DT_F32, or DT_BF16 */
    size_t act_bytes; /* of one of them */
    size_t callers;   /* threads that may call ops at a time; 1 on a device */

    /* ---- one pass of a batch ---- */

    /*
     * Around all ops of a pass, so that a device may record them and play them again. Passes with
     * the same KEY queue the very same ops with the same arguments: what differs stands in device
     * memory, and of struct packed's SEQ on the host only the longest q_len is looked at. Between
     * the two nothing is allocated, released, put or fetched then. KEY 0: a pass that may do so.
     *
     * begin gives 0, or 1 where all is queued already and no op is to be asked for. end gives 1
     * with err_set where nothing of the pass was done and it must be begun again, which it does a
     * few times for a key at most. DONE: no op failed.
     */
    int (*begin)(uint64_t key);
    int (*end)(bool done);

    /* ---- memory ---- */

    /* 256-byte aligned, not cleared; NULL and err_set when there is no room. */
    struct dev *(*alloc)(size_t bytes);
    void (*release)(struct dev *d); /* what alloc gave; NULL is fine */
    /* A view of constant host memory that outlives it: no copy on the CPU, an upload else. */
    const struct dev *(*adopt)(const void *host, size_t bytes);
    void (*disown)(const struct dev *d);
    /* The bytes from OFFSET on, where an element begins; not released. */
    struct dev *(*slice)(struct dev *d, size_t offset);
    const struct dev *(*slice_const)(const struct dev *d, size_t offset);
    int (*put)(struct dev *to, const void *host, size_t bytes);
    int (*get)(void *host, const struct dev *from, size_t bytes);
    int (*copy)(struct dev *to, const struct dev *from, size_t bytes);
    int (*zero)(struct dev *d, size_t bytes);

    /* ---- weights ---- */

    /* Once for each weight of products, its fields set: a device may keep it in an order of its own
     * and change the handles. weight_free forgets it, and passes over one that was never loaded. */
    int (*weight_load)(struct weight *w);
    void (*weight_free)(struct weight *w);

    /* Quantises N elements of dtype F32, F16 or BF16: codes ((N+1)/2 bytes; NULL: only the scales
     * are wanted), absmax f32 ((N+block-1)/block); BLOCK even, at most 4096. NUMERICS B.2, as
     * bitsandbytes computes it on the CPU (zero_code 7) or on CUDA (0). They differ in an all-zero
     * block (codes 7 or 0), and in a short last block, which the CPU divides by its scale, at least
     * 1e-38, instead of multiplying by the reciprocal. A block with a value that is not finite has
     * such a scale, and any codes. */
    int (*nf4_quantize)(struct dev *codes, struct dev *absmax, const struct dev *w,
                        enum dtype dtype, int64_t n, int block, int zero_code);
    /* out (O*C) f32 = the weight expanded and rounded; any dtype of struct weight. */
    int (*expand)(struct dev *out, const struct weight *w);
    /* First i with x[i] not finite, or -1, in *BAD; dtype F32, F16, BF16. */
    int (*find_nonfinite)(int64_t *bad, const struct dev *x, enum dtype dtype, int64_t n);

    /* ---- forward ---- */

    /* out (N, C) = rows ids (N) i32 of the table w (V, C). */
    int (*embed)(struct dev *out, const struct weight *w, const struct dev *ids, int64_t N);
    /* out (M, C) = rows rows (M) i32 of x. */
    int (*gather_rows)(struct dev *out, const struct dev *x, const struct dev *rows, int64_t M,
                       int64_t C);
    /* out[rows[i]] (C values each) = row i of x (LD apart), i < M, no row twice: new keys and
     * values into their cache. */
    int (*scatter_rows)(struct dev *out, const struct dev *x, int64_t ld, const struct dev *rows,
                        int64_t M, int64_t C);

    /* NORM_LAYER: y (N, C) = (x - mean) * rstd * gain + bias, biased variance. NORM_RMS: y = x
     * times rstd times gain, rstd of the mean square; mean and bias are not looked at. eps inside
     * the root. mean, rstd (N) f32 are kept for the backward pass (NULL: not wanted). gain, bias
     * (C) f32. A kind that is not known is an error, here and of activations. */
    int (*norm_forward)(struct dev *y, struct dev *mean, struct dev *rstd, const struct dev *x,
                        const struct dev *gain, const struct dev *bias, enum norm kind, int64_t N,
                        int64_t C, float eps);

    /* The N_LINEARS (1 .. LINEARS_MAX) linears L of x (N, C), whose weights round alike. ROWS names
     * the tokens for dropout; NULL is fine without LoRA. Each y is what it would be alone. */
    int (*linear_forward)(const struct linear *l, int n_linears, const struct dev *x,
                          const struct packed *rows, int64_t N);

    /* x (N, H, D), rows LD apart, in place: pair (j, j + rot/2), j < rot/2, of every head turns by
     * the angle whose cosine and sine stand in cos, sin (positions, rot/2) f32 at the token's
     * position; dir 1 forward, -1 backward. Values rot..D-1 are left alone. */
    int (*rope)(struct dev *x, int64_t ld, const struct dev *cos, const struct dev *sin,
                const struct packed *rows, int64_t N, int64_t H, int64_t D, int64_t rot, int dir);

    /* out (N, H, D) in one piece; q (N, H, D); k, v (rows, K, D). Causal by struct seq. lse (N, H)
     * f32 = log of the sum of exponentials, kept for the backward pass (NULL: not wanted). Scores
     * and softmax in f32 or better. */
    int (*attention_forward)(struct dev *out, struct dev *lse, const struct dev *q,
                             const struct dev *k, const struct dev *v, const struct packed *rows,
                             const struct attention *shape);

    /* y (N*C) = act(x); y may be x. */
    int (*act_forward)(struct dev *y, const struct dev *x, enum activation act, int64_t n);
    /* y (N, I) in one piece = act(gate) * up; gate, up (N, I) in rows LD apart. y may be gate or up
     * where LD is I. */
    int (*gate_forward)(struct dev *y, const struct dev *gate, const struct dev *up, int64_t ld,
                        enum activation act, int64_t N, int64_t I);

    /* out (N, C) = drop(a) + drop(m) + x, in this order; out may be x. Two masks: da, dm. M NULL:
     * it and dm are left out. */
    int (*residual_forward)(struct dev *out, const struct dev *x, const struct dev *a,
                            const struct dev *m, const struct dropout *da, const struct dropout *dm,
                            const struct packed *rows, int64_t N, int64_t C);

    /* ---- head ---- */

    /* For M rows h (M, C): logits = h W^T + bias (V f32 or NULL), as f32, are made in chunks, never
     * whole. nll (M) f32 = -log softmax(logits)[target], 0 where target (M) i32 is negative. dh (M,
     * C) = sum over the vocabulary of weight[i] * d nll[i] / d h[i]; NULL: forward only. Where w
     * rounds, so is the softmax (before the target's 1 is taken off), at any scale. best (M) i32 =
     * first index of the largest logit; NULL: not wanted. Rows with a negative target cost nothing
     * when best is NULL. weight (M) f32, NULL without dh. */
    int (*head_loss)(struct dev *nll, struct dev *dh, struct dev *best, const struct dev *h,
                     const struct weight *w, const struct dev *bias, const struct dev *target,
                     const struct dev *weight, int64_t M);
    /* mean (C) f32 = the mean of w's rows, rounded as its elements are in products. */
    int (*mean_row)(struct dev *mean, const struct weight *w);
    /* Label smoothing: turns what head_loss made of the same arguments into nll (M) = (1 - share)
     * nll + share times the mean of -log softmax over the vocabulary, and dh (M, C) (NULL: forward
     * only) into its gradient. That adds share times the target's logit less the mean of all V,
     * which is the logit of mean, from mean_row. Rows with a negative target stay as they are. */
    int (*head_smooth)(struct dev *nll, struct dev *dh, const struct dev *h, const struct weight *w,
                       const struct dev *bias, const struct dev *mean, const struct dev *target,
                       const struct dev *weight, float share, int64_t M);
    /* logits (M, V) f32 = h (M, C) W^T + bias (V f32, or NULL). */
    int (*head_logits)(struct dev *logits, const struct dev *h, const struct weight *w,
                       const struct dev *bias, int64_t M);
    /* What is asked of the logits of M rows h (M, C), without a row of them leaving the device:
     * logp (M, n) f64 = log softmax(logits)[ids], ids (M, n) i32, 0 where the id is negative (n 0:
     * logp and ids NULL); best (M) i32 = first index of the largest logit (NULL: not wanted). A row
     * with a logit that is not finite has NaN for every logp and best -1. On the CPU a logit is
     * what head_logits would make of the row, and with top the largest of them logp is
     * logit - (top + log(sum of exp(logit - top))), in double, added in order of the vocabulary. */
    int (*head_select)(struct dev *logp, struct dev *best, const struct dev *h,
                       const struct weight *w, const struct dev *bias, const struct dev *ids,
                       int64_t M, int64_t n);

    /* ---- backward ---- */

    /* dx (N, C) = dy through norm_forward; added to dx when ADD. The gains are frozen. dx may be dy
     * without ADD. */
    int (*norm_backward)(struct dev *dx, const struct dev *dy, const struct dev *x,
                         const struct dev *mean, const struct dev *rstd, const struct dev *gain,
                         enum norm kind, int64_t N, int64_t C, bool add);
    /* dx (N, C) = dy (N, O) W + LoRA's part; added to dx when ADD; dx NULL: not wanted (first
     * layer). da (R, C) and db (O, R) f32 are added to. u is what linear_forward left. scratch (N,
     * R) f32. */
    int (*linear_backward)(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                           const struct dev *x, const struct dev *u, struct dev *scratch,
                           const struct weight *w, const struct lora *lora,
                           const struct packed *rows, int64_t N, bool add);
    /* dq, dk, dv from dout, in rows as far apart as those of q, k and v; only for sequences that
     * see just their own rows, all of them queries. out and lse are what attention_forward left.
     * scratch: (N, H) f32. */
    int (*attention_backward)(struct dev *dq, struct dev *dk, struct dev *dv, struct dev *scratch,
                              const struct dev *dout, const struct dev *out, const struct dev *lse,
                              const struct dev *q, const struct dev *k, const struct dev *v,
                              const struct packed *rows, const struct attention *shape);
    /* dx (n) = dy * act'(x); dx may be dy. */
    int (*act_backward)(struct dev *dx, const struct dev *dy, const struct dev *x,
                        enum activation act, int64_t n);
    /* dgate and dup (rows LD apart) from dy (N, I) in one piece; they may be gate and up. */
    int (*gate_backward)(struct dev *dgate, struct dev *dup, const struct dev *dy,
                         const struct dev *gate, const struct dev *up, int64_t ld,
                         enum activation act, int64_t N, int64_t I);
    /* da and dm = mask * dout / (1 - p) of residual_forward; dx = dout is the caller's. Either may
     * be dout itself when its p is 0 (then nothing is done). dm NULL: left out. */
    int (*residual_backward)(struct dev *da, struct dev *dm, const struct dev *dout,
                             const struct dropout *drop_a, const struct dropout *drop_m,
                             const struct packed *rows, int64_t N, int64_t C);

    /* ---- optimiser, over one flat array of n f32 ---- */

    int (*sum_squares)(double *sum, const struct dev *x, int64_t n); /* fixed order, double */
    int (*optim)(struct dev *p, struct dev *m, struct dev *v, const struct dev *g, int64_t n,
                 const struct optim_step *step); /* SGD: m and v may be NULL */

    /* ---- plans ---- */

    /* Bytes that ops take by themselves beyond their arguments in passes within S, at most; copies
     * of weights that a device keeps are not among them. */
    size_t (*scratch_bytes)(const struct op_sizes *s);
    /* Takes them, and expands what the device keeps of weights into the room that is left: once all
     * else has its memory, and before the first pass. No pass within S asks for more then. */
    int (*reserve)(const struct op_sizes *s);
    /* What there is at this moment. */
    void (*memory_use)(struct memory_use *use);
};

/* "auto", "cpu", "ref", "cuda", "cuda:N"; THREADS 0: all. "auto" is the first card where there is a
 * plug-in for it and it can be used, else the cpu. COMPUTE: what the weights of products will round
 * to, for plans of memory. ACT: DT_BF16, where COMPUTE is it, has a device keep its activations in
 * it; all else, in f32. NULL and err_set when the backend's plug-in or such a device is not there
 * (EXIT_NODEVICE), or DEVICE is none of these (EXIT_USAGE). One backend is open at a time: the next
 * call replaces the table.
 */
const struct ops *ops_find(const char *device, int threads, enum dtype compute, enum dtype act);

#endif
