/* Which cards there are, which of them can be used, and the table for one. */
#include "cuda_impl.h"

cudaStream_t cuda_stream;
plugin_fail *cuda_fail;
enum dtype cuda_act;

enum { OLDEST = 80 }; /* compute capability 8.0: bfloat16 */

int cuda_check(cudaError_t e, const char *where)
{
    if (e == cudaSuccess)
        return 0;
    if (e == cudaErrorMemoryAllocation)
        return cuda_fail(EX_OSERR, "the device has no room left for %s; use a smaller batch or model",
                         where);
    return cuda_fail(EX_UNAVAILABLE,
                     "the device failed in %s: %s; see whether other programs run on it, or use "
                     "--device cpu",
                     where, cudaGetErrorString(e));
}

static int count(plugin_fail *fail)
{
    int n = 0, driver = 0;
    const cudaError_t e = cudaGetDeviceCount(&n);

    if (e == cudaSuccess && n > 0)
        return n;
    if (e == cudaSuccess || e == cudaErrorNoDevice)
        return fail(EX_UNAVAILABLE, "there is no NVIDIA GPU that this process may use; use --device cpu");
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
        return fail(EX_UNAVAILABLE,
                    "there is no NVIDIA driver on this machine; install it, or use --device cpu");
    if (e == cudaErrorInsufficientDriver)
        return fail(EX_UNAVAILABLE,
                    "the NVIDIA driver is made for CUDA %d.%d, the plug-in for %d.%d; update the driver, "
                    "or use --device cpu",
                    driver / 1000, driver % 100 / 10, CUDART_VERSION / 1000,
                    CUDART_VERSION % 100 / 10);
    return fail(EX_UNAVAILABLE, "the NVIDIA driver says: %s; mend it, or use --device cpu",
                cudaGetErrorString(e));
}

/* -1 where the plug-in has no code for the card. */
static int check_card(const struct cudaDeviceProp *p, plugin_fail *fail)
{
    if (10 * p->major + p->minor >= OLDEST)
        return 0;
    return fail(EX_UNAVAILABLE,
                "%s has compute capability %d.%d and at least %d.%d is needed; use another device, or "
                "--device cpu",
                p->name, p->major, p->minor, OLDEST / 10, OLDEST % 10);
}

static int describe(char *text, size_t size, int number, plugin_fail *fail)
{
    struct cudaDeviceProp p;
    size_t free = 0, total = 0;

    cuda_fail = fail;
    if (cuda_check(cudaGetDeviceProperties(&p, number), "asking for a device") < 0 ||
        check_card(&p, fail) < 0 || cuda_check(cudaSetDevice(number), "opening it") < 0 ||
        cuda_check(cudaMemGetInfo(&free, &total), "opening it") < 0)
        return -1;
    const char *const missing = blaslt_missing();

    (void)snprintf(text, size, "%s, compute capability %d.%d, %zu of %zu MiB free%s%s", p.name, p.major, p.minor,
                   free >> 20, total >> 20, missing ? ", slow without " : "", missing ? missing : "");
    return 0;
}

/* The first pass finds the model on the device. */
static int begin(uint64_t key)
{
    return upload_end() < 0 ? -1 : graph_begin(key);
}

static int open_device(struct ops *o, int number, enum dtype act, plugin_fail *fail)
{
    struct cudaDeviceProp p;

    cuda_fail = fail;
    if (cuda_check(cudaGetDeviceProperties(&p, number), "asking for a device") < 0 ||
        check_card(&p, fail) < 0 || cuda_check(cudaSetDevice(number), "opening it") < 0)
        return -1;
    if (cuda_stream) {
        graphs_forget();
        (void)upload_end();
        stage_close();
        cuda_scratch_free();
        ahead_close();
        kept_close();
        blaslt_close();
        (void)cudaStreamDestroy(cuda_stream);
        cuda_stream = NULL;
    }
    if (cuda_check(cudaStreamCreateWithFlags(&cuda_stream, cudaStreamNonBlocking), "opening it") < 0 ||
        graphs_open() < 0)
        return -1;
    o->name = "cuda";
    o->act = cuda_act = act == DT_BF16 ? DT_BF16 : DT_F32;
    o->act_bytes = cuda_act == DT_BF16 ? 2 : 4;
    o->callers = 1;
    o->begin = begin;
    o->end = graph_end;
    cuda_memory_ops(o);
    cuda_weight_ops(o);
    cuda_kept_ops(o);
    cuda_nf4_ops(o);
    cuda_rows_ops(o);
    cuda_norm_ops(o);
    cuda_linear_ops(o);
    cuda_rope_ops(o);
    cuda_attention_ops(o);
    cuda_act_ops(o);
    cuda_residual_ops(o);
    cuda_head_ops(o);
    cuda_smooth_ops(o);
    cuda_optim_ops(o);
    return 0;
}

extern "C" {
extern __attribute__((visibility("default"))) const struct plugin slmtools_plugin;

const struct plugin slmtools_plugin = { PLUGIN_VERSION, sizeof(struct ops), count, describe,
                                        open_device };
}
