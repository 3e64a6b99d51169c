#include "quant_source.h"

#include "files/weights.h"

static int open_config(struct quant_source *s)
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

/* The engine's own check; an architecture or feature of another engine is none of its business. */
static int check_fit(const struct quant_source *s)
{
    if (weights_check(s->pack) == 0)
        return 0;
    return err_code() == EXIT_NODEVICE ? 0 : -1;
}

int source_open(struct quant_source *s, const char *path)
{
    *s = (struct quant_source){ 0 };
    if (pack_open(&s->pack, path) == 0 && open_config(s) == 0 && check_fit(s) == 0 &&
        tensors_open(&s->tensors, s->pack, "model") == 0)
        return 0;
    source_close(s);
    return -1;
}

void source_close(struct quant_source *s)
{
    tensors_close(s->tensors);
    cJSON_Delete(s->config);
    pack_close(s->pack);
    *s = (struct quant_source){ 0 };
}

const char *source_dtype(const struct quant_source *s)
{
    static const char *const keys[] = { "dtype", "torch_dtype" };

    for (int i = 0; i < 2; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(s->config, keys[i]);

        if (cJSON_IsString(v))
            return v->valuestring;
    }
    return "float32";
}
