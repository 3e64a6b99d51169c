/*
 * isa_list.h - every vector kernel: its type, its name and what it takes. isa.h makes the members
 * of struct isa of it, isa_table.h the table of the instruction set it is compiled for, of the
 * functions called so in vec_*.h. A new kernel is a line here and a function there. No guard: it is
 * included with a meaning of KERNEL each time.
 */

/* c (mr, nr) = base + sum over k < kc of a[k][i] * b[k][j], one chain of multiply-adds from 0
 * and then added to base: init (nr), or c itself when ADD, or nothing. a (kc, mr), b (kc, nr).
 */
KERNEL(void, tile,
       (int mr, int64_t kc, const float *a, const float *b, float *c, int64_t ldc,
        const float *init, bool add))
/* As tile with ADD or nothing for the first n <= nr columns, and what is left of a vector: a (m,
 * kc) in rows ROW_LD apart. What SOON says (NULL: nothing) is asked for on the way. */
KERNEL(void, tile_unpacked,
       (int m, int n, int64_t kc, const float *a, const float *b, float *c, int64_t ldc, bool add,
        const struct wanted *soon))
/* As tile for mr <= FEW, with what pack_b would make of W's rows n0.. and columns k0..; only
 * if few_can_read(w, kc) and W is not rounded. */
KERNEL(void, tile_few,
       (int mr, int64_t kc, const float *a, const struct weight *w, int64_t k0, int64_t n0,
        float *c, int64_t ldc, const float *init, bool add))
/* to (kc, m) = the m <= isa.mr rows transposed. */
KERNEL(void, pack_a, (float *to, const float *const *row, int m, int64_t kc))
/* dst (kc, nr) = columns n0.. of the matrix B, rows k0..: B is w transposed (trans) or w, whose
 * rows are LD apart (NF4: LD is its width). Columns from w's end on hold anything finite. */
KERNEL(void, pack_b,
       (float *dst, const struct weight *w, int64_t ld, bool trans, int64_t k0, int64_t kc,
        int64_t n0))
/* out[i] = what TO can hold of x[i], i < n, as f32_rounded; nothing where TO is neither DT_F16 nor
 * DT_BF16. out may be x. */
KERNEL(void, round_run, (float *out, const float *x, int64_t n, enum dtype to))
/* out (n) = elements FIRST.. of the flattened weight. */
KERNEL(void, span, (float *out, const struct weight *w, int64_t first, int64_t n))
/* out[i] = x[i] / (1 - p) where channel FIRST + i of TOKEN is kept, else 0, i < n: the bytes of
 * ref_dropout. FIRST is a multiple of 4, p is not 0, out may be x. */
KERNEL(void, dropout,
       (float *out, const float *x, int64_t n, int64_t first, const struct mask *m, int64_t token))

/* Its choices for a whole row of n channels as bits, one a channel in order, up to whole sixteens.
 */
KERNEL(void, draw, (uint8_t * bits, int64_t n, const struct mask *m, int64_t token))
/* out[i] = x[i] * scale where bit i says so (BITS NULL: everywhere), else 0. */
KERNEL(void, keep, (float *out, const float *x, int64_t n, const uint8_t *bits, float scale))
/* Rows of n into c: base + x, base NULL: x. Where BITS (rows of LDB bytes) are not NULL, x is what
 * keep makes of it. LDBASE may be 0; base may be c. */
KERNEL(void, put_rows,
       (float *c, int64_t ldc, int64_t rows, int64_t n, const float *x, int64_t ldx,
        const float *base, int64_t ldbase, const uint8_t *bits, int64_t ldb, float scale))
/* c (r, n) += one chain of multiply-adds from 0 over k < kc <= KC of d[k][i] * x[k][j], x first
 * multiplied with SCALE and, where BITS (rows of LDB bytes) are not NULL, 0 without its bit.
 * r <= OUTER_ROWS. */
KERNEL(void, outer,
       (int64_t r, int64_t kc, const float *d, int64_t ldd, const float *x, int64_t ldx, int64_t n,
        const uint8_t *bits, int64_t ldb, float scale, float *c, int64_t ldc))

/* One tile of a softmax over many: s (n) becomes exp(s - m) where the first VALID count, 0 from
 * there on. *MOST grows to m, the largest so far, *SUM to the sum of all exp(s - m) so far.
 * Returns what earlier tiles' values must be multiplied with. Start with -infinity and 0. */
KERNEL(float, softmax_tile, (float *s, int64_t n, int64_t valid, float *most, float *sum))
/* s (n) becomes p = exp(s - lse) where valid, else 0; g (n) becomes scale * p * (g - along). */
KERNEL(void, softmax_slope,
       (float *s, float *g, int64_t n, int64_t valid, float lse, float along, float scale))
KERNEL(int64_t, first_largest, (const float *x, int64_t n))
/* out[i * STEP] = row i of a times row i of b, i < ROWS, rows of n, LD apart: what a product's
 * element is (gemm.h), so that equal operands give an equal number here and there. */
KERNEL(void, row_dots,
       (float *out, int64_t step, const float *a, const float *b, int64_t ld, int64_t rows,
        int64_t n))
KERNEL(void, scale, (float *x, float by, int64_t n))

/* y = act(x); dx = dy * act'(x). */
KERNEL(void, act, (float *y, const float *x, int64_t n, enum activation kind))
KERNEL(void, act_slope,
       (float *dx, const float *dy, const float *x, int64_t n, enum activation kind))
/* y = act(gate) * up, and what that makes of dy. Results may lie in the place of operands. */
KERNEL(void, gate, (float *y, const float *gate, const float *up, int64_t n, enum activation kind))
KERNEL(void, gate_slope,
       (float *dgate, float *dup, const float *dy, const float *gate, const float *up, int64_t n,
        enum activation kind))

/* One row of norm_forward and norm_backward; sums in double. */
KERNEL(void, norm,
       (float *y, float *mean, float *rstd, const float *x, const float *gain, const float *bias,
        int64_t n, float eps))
KERNEL(void, norm_slope,
       (float *dx, const float *dy, const float *x, float mean, float rstd, const float *gain,
        int64_t n, bool add))
/* The same by the mean square, without mean and bias. */
KERNEL(void, rms, (float *y, float *rstd, const float *x, const float *gain, int64_t n, float eps))
KERNEL(void, rms_slope,
       (float *dx, const float *dy, const float *x, float rstd, const float *gain, int64_t n,
        bool add))
/* One head of rope: pairs (j, j + half); the bytes of the reference. */
KERNEL(void, turn, (float *head, const float *cos, const float *sin, int64_t half, int dir))
/* out (n) = a + x. */
KERNEL(void, add2, (float *out, const float *a, const float *x, int64_t n))
/* out (n) = a + b + x, in this order; out may be x. */
KERNEL(void, add3, (float *out, const float *a, const float *b, const float *x, int64_t n))
KERNEL(double, sum_squares, (const float *x, int64_t n))

/* Elements FIRST.. (n) of the flattened dense weight, where a block of w->block begins, into
 * their places among its codes (NULL: not wanted) and scales; as nf4_quantize says. */
KERNEL(void, nf4_blocks,
       (uint8_t * codes, float *absmax, const struct weight *w, int64_t first, int64_t n,
        int zero_code))
