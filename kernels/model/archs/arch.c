/* arch.c - the families this build knows. */
#include "archs/arch.h"

#include <string.h>

static const struct arch *const archs[] = {
    &arch_phi,   &arch_llama, &arch_mistral,  &arch_qwen2,
    &arch_qwen3, &arch_phi3,  &arch_phi_msft, &arch_mixformer,
};

const struct arch *arch_find(const char *model_type)
{
    struct buf names = BUF_INIT;

    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        if (!strcmp(archs[i]->name, model_type)) {
            buf_free(&names);
            return archs[i];
        }
        buf_printf(&names, "%s%s", i ? ", " : "", archs[i]->name);
    }
    err_set(EXIT_NODEVICE, "model type '%.100s' is not supported; this build knows %s", model_type,
            names.p);
    buf_free(&names);
    return NULL;
}

const char *arch_key(const struct arch *arch, const char *common)
{
    for (const struct key_name *k = arch->keys; k && k->common; k++)
        if (!strcmp(k->common, common))
            return k->own;
    return common;
}

void arch_modules(struct modules *out, const struct config *c)
{
    const struct arch *arch = c->arch;

    *out = (struct modules){ .layer_prefix =
                                 arch->adapter_prefix ? arch->adapter_prefix : arch->layer_prefix,
                             .layers = (int)c->layers };
    out->n = arch->modules(out->at, c);
    for (int i = 0; i < ROLES; i++)
        out->place[i] = -1;
    for (int i = 0; i < out->n; i++)
        out->place[out->at[i].role] = i;
}

void arch_stored(struct stored_rows *out, const struct arch *arch, const struct module_info *m,
                 int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (struct stored_rows){ m[i].path, 0, m[i].rows };
    if (arch->stored)
        arch->stored(out, m);
}
