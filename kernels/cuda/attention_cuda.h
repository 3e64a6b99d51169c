/* attention_cuda.h - what the forms of attention share: which keys a query sees, and a call. */
#ifndef ATTENTION_CUDA_H
#define ATTENTION_CUDA_H

#include "elements_cuda.h"

/* The first key behind those that query i of S sees, and the first that it sees. */
__device__ static inline int64_t visible(const struct seq &s, int64_t i)
{
    return (int64_t)s.shared_len + s.k_len - s.q_len + i + 1;
}

__device__ static inline int64_t first_visible(const struct seq &s, const struct attention &a, int64_t i)
{
    const int64_t end = visible(s, i);

    return a.window && end > a.window ? end - a.window : 0;
}

/* Row of k and v that key j of S is. */
__device__ static inline int64_t key_row(const struct seq &s, int64_t j)
{
    return j < s.shared_len ? s.shared_start + j : s.k_start + j - s.shared_len;
}

/* Lets KERNEL have more shared memory than every card has. */
template <class F> static int allow(F *kernel, size_t bytes)
{
    if (bytes <= 48 << 10)
        return 0;
    return cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes),
                      "asking for shared memory");
}

/* One call of attention, whichever, with activations of type X. */
template <class X> struct call {
    X *out, *dq, *dk, *dv;
    const X *dout, *y, *q, *k, *v; /* y: what forward gave */
    float *lse_out, *along, *times;
    const float *lse;
    const struct seq *seqs;
    struct attention a; /* round: what this call rounds to, DT_F32 where not */
    int64_t n_seqs, longest; /* of their queries */
};

/* On tensor cores, in bf16 where X is, else in f16, which holds more of a float. Backward gives C's times a place and
 * fills it and along. For float and bf16. */
template <class X> int attention_by_mma(const struct call<X> *c);
template <class X> int attention_back_by_mma(struct call<X> *c);
/* Forward, of one query a sequence; in f32, where all forms have the same bytes, it does not fit. */
template <class X> int attention_of_one(const struct call<X> *c);
template <class X> bool attention_of_one_fits(const struct call<X> *c);
/* Whether the shapes and addresses of C allow it. */
template <class X> bool attention_mma_fits(const struct call<X> *c);

#endif
