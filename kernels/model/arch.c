/* arch.c - the architectures this build knows. */
#include "arch.h"

#include <string.h>

static const struct arch *const archs[] = { &arch_phi };

const struct arch *arch_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (!strcmp(archs[i]->name, model_type))
            return archs[i];
    err_set(EXIT_NODEVICE,
            "model type '%s' is not supported; this build knows 'phi' (Phi-1, 1.5 and 2)",
            model_type);
    return NULL;
}
