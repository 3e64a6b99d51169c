#include "output.h"

#include "config_edit.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* A list of ours replaces the default of transformers, so that the head has to be in it. */
static void put_skipped(struct buf *b, const char *names)
{
    bool head = false;

    if (!names) {
        buf_puts(b, "null");
        return;
    }
    buf_putc(b, '[');
    for (size_t n; n = strcspn(names, ","), *names; names += n + (names[n] == ',')) {
        if (!n)
            continue;
        json_put_text(b, names, n);
        buf_puts(b, ", ");
        head |= n == strlen("lm_head") && !memcmp(names, "lm_head", n);
    }
    if (head)
        b->n -= strlen(", ");
    else
        buf_puts(b, "\"lm_head\"");
    buf_putc(b, ']');
}

/* The keys that bitsandbytes' own files have. */
static void put_quantization(struct buf *b, const struct quantization *q)
{
    buf_puts(b, "{\"_load_in_4bit\": true, \"_load_in_8bit\": false, \"bnb_4bit_compute_dtype\": ");
    json_put_text(b, q->compute, strlen(q->compute));
    buf_puts(b, ", \"bnb_4bit_quant_storage\": \"uint8\", \"bnb_4bit_quant_type\": \"nf4\"");
    buf_printf(b, ", \"bnb_4bit_use_double_quant\": %s", q->nested ? "true" : "false");
    buf_puts(b,
             ", \"llm_int8_enable_fp32_cpu_offload\": false, \"llm_int8_has_fp16_weight\": false");
    buf_puts(b, ", \"llm_int8_skip_modules\": ");
    put_skipped(b, q->skip);
    buf_puts(b, ", \"llm_int8_threshold\": 6.0, \"load_in_4bit\": true, \"load_in_8bit\": false");
    buf_puts(b, ", \"quant_method\": \"bitsandbytes\"}");
}

static int put_config(struct pack_writer *out, const struct pack *from,
                      const struct quantization *q, const char *dtype)
{
    const struct pack_file *f = pack_find(from, "config.json");
    const size_t mark = utf8_mark((const char *)f->data, f->size);
    struct buf text = BUF_INIT, member = BUF_INIT, type = BUF_INIT;

    if (q)
        put_quantization(&member, q);
    if (dtype)
        json_put_text(&type, dtype, strlen(dtype));
    config_edit(&text, (const char *)f->data + mark, member.p, type.p);
    const int rc = pack_put(out, f->name, text.p, text.n);

    buf_free(&text);
    buf_free(&member);
    buf_free(&type);
    return rc;
}

/* Weights, in this form or another: what is written replaces them all. */
static bool is_weights(const char *name)
{
    static const char *const ends[] = {
        ".safetensors", ".safetensors.index.json",
        ".bin",         ".bin.index.json",
        ".pt",          ".pth",
        ".ckpt",        ".pkl",
        ".gguf",        ".h5",
        ".msgpack",     ".onnx",
    };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (text_ends_with(name, ends[i]))
            return true;
    return false;
}

static int copy_others(struct pack_writer *out, const struct pack *from)
{
    for (int i = 0; i < pack_count(from); i++) {
        const struct pack_file *f = pack_at(from, i);

        if (strcmp(f->name, "config.json") && !is_weights(f->name) &&
            pack_put(out, f->name, f->data, f->size) < 0)
            return -1;
    }
    return 0;
}

/* Of models that this tool wrote: the files themselves, and what is copied for their users. */
static const char *const written[] = {
    "config.json",
    "model.safetensors",
    "generation_config.json",
    "preprocessor_config.json",
    "chat_template.*",
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "configuration_*.py",
    "modeling_*.py",
    "tokenization_*.py",
    "README.md",
    "LICENSE*",
    "NOTICE*",
};

/* The above and the names of what will be copied from FROM; the caller frees the list. */
static const char **list_names(const struct pack *from)
{
    size_t n = sizeof written / sizeof *written;
    const char **names = xnmalloc(n + (size_t)pack_count(from) + 1, sizeof *names);

    memcpy(names, written, sizeof written);
    for (int i = 0; i < pack_count(from); i++) {
        const char *name = pack_at(from, i)->name;

        if (!is_weights(name) && !strpbrk(name, "*?[\\")) /* not a pattern */
            names[n++] = name;
    }
    names[n] = NULL;
    return names;
}

int output_begin(struct pack_writer **out, const struct quant_source *s,
                 const struct quantization *q, const char *dtype, const struct cli_common *common)
{
    const char **names = list_names(s->pack);
    const int rc = pack_create(out, common->output, common->force, (int)common->level, names);

    free(names);
    if (rc < 0)
        return -1;
    if (put_config(*out, s->pack, q, dtype) == 0 && copy_others(*out, s->pack) == 0)
        return 0;
    pack_abort(*out);
    return -1;
}
