#include "source.h"

#include "model/arch.h"
#include "model/weights.h"

static int open_config(struct source *s)
{
    const struct pack_file *f = pack_find(s->pack, "config.json");

    if (!f)
        return pack_no_model(s->pack);
    s->config = json_parse_any((const char *)f->data, f->size);
    if (s->config && !cJSON_IsObject(s->config)) {
        cJSON_Delete(s->config);
        s->config = NULL;
        err_set(EXIT_DATA, "not a JSON object");
    }
    if (!s->config)
        return err_in("%s: config.json", pack_name(s->pack));
    const cJSON *q = cJSON_GetObjectItemCaseSensitive(s->config, "quantization_config");

    s->quantised = q && !cJSON_IsNull(q);
    return 0;
}

static int nothing_is_wrong(int64_t *bad, const struct dev *x, enum dtype dtype, int64_t n)
{
    (void)x;
    (void)dtype;
    (void)n;
    *bad = -1;
    return 0;
}

/* The engine's own loader, told not to read the values: they are checked when they are quantised.
 */
static int check_fit(const struct source *s, const struct ops *ops)
{
    struct ops without_values = *ops;
    struct module_info modules[ARCH_MODULES_MAX];
    struct config c;
    struct weights w;

    if (config_load(&c, s->pack) < 0)
        return err_code() == EXIT_NODEVICE ? 0
                                           : -1; /* an architecture or feature of another engine */
    without_values.find_nonfinite = nothing_is_wrong;
    if (weights_load(&w, s->pack, &c, modules, c.arch->modules(modules, &c), &without_values,
                     DT_F32) < 0)
        return -1;
    weights_free(&w);
    return 0;
}

int source_open(struct source *s, const char *path, const struct ops *ops)
{
    *s = (struct source){ 0 };
    if (pack_open(&s->pack, path) == 0 && open_config(s) == 0 && check_fit(s, ops) == 0 &&
        tensors_open(&s->tensors, s->pack, "model") == 0)
        return 0;
    source_close(s);
    return -1;
}

void source_close(struct source *s)
{
    tensors_close(s->tensors);
    cJSON_Delete(s->config);
    pack_close(s->pack);
    *s = (struct source){ 0 };
}

const char *source_dtype(const struct source *s)
{
    static const char *const keys[] = { "dtype", "torch_dtype" };

    for (int i = 0; i < 2; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(s->config, keys[i]);

        if (cJSON_IsString(v))
            return v->valuestring;
    }
    return "float32";
}
