/* Label smoothing behind the head's loss: the mean logit is the logit of the mean row, which is made
 * once for a model. Bound by memory: h once, dh in and out, and a row of the weight for each target. */
#include "elements_cuda.h"

/* A column a thread; once for a model. */
static __global__ void mean_rows(float *mean, struct values w, int64_t V, int64_t C)
{
    const int64_t c = thread_of_all();
    double sum = 0;

    if (c >= C)
        return;
    for (int64_t v = 0; v < V; v++)
        sum += weight_value(w, v * C + c);
    mean[c] = (float)(sum / (double)V);
}

static __global__ void mean_of(double *mean, const float *x, int64_t n)
{
    SHARED(double, warps);
    double sum = 0;

    for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
        sum += x[i];
    sum = block_all(sum, add(), warps);
    if (threadIdx.x == 0)
        *mean = sum / (double)n;
}

/* A row a block. MEAN_BIAS and BIAS: NULL together. */
template <class T>
static __global__ void smooth(float *nll, T *dh, const T *h, struct values w, const float *bias,
                              const double *mean_bias, const float *mean, const int32_t *target,
                              const float *weight, float share, int64_t C)
{
    SHARED(double, warps);
    const int64_t row = blockIdx.x, t = target[row];
    double sum = 0;

    if (t < 0) /* all threads alike */
        return;
    for (int64_t c = threadIdx.x; c < C; c += blockDim.x) {
        const float far = weight_value(w, t * C + c) - mean[c];

        sum += (double)f32_rounded(load(h + row * C + c), w.round) * far;
        if (dh)
            store(dh + row * C + c, load(dh + row * C + c) + weight[row] * share * far);
    }
    sum = block_all(sum, add(), warps);
    if (threadIdx.x == 0)
        nll[row] += (float)(share * (sum + (bias ? bias[t] - *mean_bias : 0)));
}

static int mean_row(struct dev *mean, const struct weight *w)
{
    return LAUNCH(mean_rows, blocks_for(w->cols, WARP), WARP, 0, f32(mean), values_of(w), w->rows, w->cols);
}

template <class T>
static int head_smooth(struct dev *nll, struct dev *dh, const struct dev *h, const struct weight *w,
                       const struct dev *bias, const struct dev *mean, const struct dev *target,
                       const struct dev *weight, float share, int64_t M)
{
    double *const mean_bias = (double *)cuda_scratch(SCRATCH_SUMS, 1024 * sizeof(double));

    if (!mean_bias || (bias && LAUNCH(mean_of, 1, THREADS, WARP * sizeof(double), mean_bias, f32(bias),
                                      w->rows) < 0))
        return -1;
    return LAUNCH(smooth<T>, (unsigned)M, THREADS, WARP * sizeof(double), f32(nll), act<T>(dh), act<T>(h),
                  values_of(w), f32(bias), mean_bias, f32(mean), i32(target), f32(weight), share, w->cols);
}

template <class T> static void fill(struct ops *o)
{
    o->head_smooth = head_smooth<T>;
}

void cuda_smooth_ops(struct ops *o)
{
    o->mean_row = mean_row;
    FILL_FOR_ACT(fill, o);
}
