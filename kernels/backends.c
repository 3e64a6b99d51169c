/* Which backends this build has, and how a --device names them. */
#include "cpu/cpu.h"
#include "kernels.h"
#include "ref/ref.h"
#include "threads.h"

#include <string.h>

static bool is_cuda(const char *device)
{
    if (strncmp(device, "cuda:", 5) == 0)
        return device[5] && device[5 + strspn(device + 5, "0123456789")] == '\0';
    return strcmp(device, "cuda") == 0;
}

const struct ops *ops_find(const char *device, int threads)
{
    static struct ops table;

    (void)threads_use(threads);
    if (strcmp(device, "cpu") == 0 || strcmp(device, "auto") == 0)
        return cpu_ops(&table) < 0 ? NULL : &table;
    if (strcmp(device, "ref") == 0)
        ref_ops(&table);
    else if (is_cuda(device)) {
        err_set(EXIT_NODEVICE, "device '%s' is not built in; use --device cpu", device);
        return NULL;
    } else {
        err_set(EXIT_USAGE, "device '%s' is not known; use auto, cpu, cuda, cuda:N or ref", device);
        return NULL;
    }
    return &table;
}

size_t ops_scratch_bytes(const struct ops *ops, int64_t max_tokens, int64_t max_width,
                         int64_t vocab)
{
    return ops->scratch_bytes(max_tokens, max_width, vocab);
}
