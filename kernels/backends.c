/* Which backends there are, and how a --device names them. */
#include "cpu/cpu.h"
#include "kernels.h"
#include "plugin.h"
#include "ref/ref.h"
#include "threads.h"

#include <stdlib.h>
#include <string.h>

/* The number of "cuda" (0) or "cuda:N"; -1 when DEVICE is neither. */
static int cuda_number(const char *device)
{
    if (strcmp(device, "cuda") == 0)
        return 0;
    if (strncmp(device, "cuda:", 5) != 0 || !device[5] || strlen(device) > 8 ||
        device[5 + strspn(device + 5, "0123456789")] != '\0')
        return -1;
    return atoi(device + 5);
}

/* The first card where there is a plug-in and a card that it can use. */
static bool any_card(struct ops *o, enum dtype act)
{
    if (!plugin_is_there("cuda"))
        return false;
    if (plugin_ops(o, "cuda", 0, act) == 0)
        return true;
    note("on the cpu: %s", err_text());
    return false;
}

const struct ops *ops_find(const char *device, int threads, enum dtype compute, enum dtype act)
{
    static struct ops table;
    const int number = cuda_number(device);

    (void)threads_use(threads);
    if (number >= 0) {
        if (plugin_ops(&table, "cuda", number, act) == 0)
            return &table;
        (void)err_in("device '%s'", device);
        return NULL;
    }
    if (strcmp(device, "auto") == 0 && any_card(&table, act))
        return &table;
    if (strcmp(device, "cpu") == 0 || strcmp(device, "auto") == 0)
        return cpu_ops(&table, compute) < 0 ? NULL : &table;
    if (strcmp(device, "ref") == 0) {
        ref_ops(&table);
        return &table;
    }
    err_set(EXIT_USAGE, "device '%s' is not known; use auto, cpu, cuda, cuda:N or ref", device);
    return NULL;
}
