#include "pack_gguf.h"

#include "filetype.h"
#include "mem.h"
#include "pack_parts.h"

#include <stdlib.h>
#include <string.h>

/* What a GGUF file gives beside itself. */
struct pack_gguf {
    struct gguf *g;
    struct gguf_named *tensor;
    int tensors;
    struct buf config, generation, tokenizer, tokenizer_config;
};

/* ---- which packs are one ---- */

static bool is_weights(const char *name)
{
    return text_ends_with(name, ".safetensors") || !strcmp(name, "model.safetensors.index.json");
}

/* The place of the only GGUF file of a pack that has no other weights, -1: there is none; -2: the
 * error is set. */
static int find_gguf(const struct pack *p)
{
    int found = -1;

    for (int i = 0; i < p->n; i++)
        if (is_weights(p->file[i].name))
            return -1;
    for (int i = 0; i < p->n; i++) {
        if (!text_ends_with(p->file[i].name, ".gguf"))
            continue;
        if (found >= 0) {
            err_set(EXIT_DATA,
                    "holds several GGUF files, '%s' and '%s'; name the one that is meant",
                    p->file[found].name, p->file[i].name);
            return -2;
        }
        found = i;
    }
    return found;
}

/* Leaves the file at PLACE alone, under its name as a model's. */
static void keep_only(struct pack *p, int place)
{
    struct pack_file kept = p->file[place];

    for (int i = 0; i < p->n; i++)
        free((char *)(uintptr_t)p->file[i].name);
    p->n = 0;
    pack_add(p, PACK_GGUF_NAME, kept.data, kept.size);
}

/* ---- its files ---- */

static void add_text(struct pack *p, const char *name, const struct buf *b)
{
    if (b->n)
        pack_add(p, name, (const uint8_t *)b->p, b->n);
}

/* The tokenizer's file, the only large one, has no bytes until it is asked for. */
static int add_files(struct pack *p)
{
    struct pack_gguf *x = p->gguf;
    struct gguf_model m;

    if (gguf_model_read(&m, x->g) < 0 || gguf_put_config(&m, &x->config) < 0 ||
        gguf_put_generation(&m, &x->generation) < 0 ||
        gguf_name_tensors(&m, &x->tensor, &x->tensors) < 0)
        return -1;
    const int tokenizer = gguf_check_tokenizer(x->g);

    if (tokenizer < 0)
        return -1;
    if (tokenizer) {
        gguf_put_tokenizer_config(x->g, &x->tokenizer_config);
        pack_add(p, "tokenizer.json", NULL, 0);
    }
    add_text(p, "config.json", &x->config);
    add_text(p, "generation_config.json", &x->generation);
    add_text(p, "tokenizer_config.json", &x->tokenizer_config);
    return 0;
}

int pack_take_gguf(struct pack *p)
{
    const int place = find_gguf(p);

    if (place < 0)
        return place == -1 ? 0 : -1;
    if (!gguf_is(p->file[place].data, p->file[place].size) &&
        filetype_refuse(p->file[place].data, p->file[place].size) < 0)
        return err_in("%s", p->file[place].name);
    keep_only(p, place);
    p->gguf = xcalloc(1, sizeof *p->gguf);
    return gguf_parse(&p->gguf->g, p->file[0].data, p->file[0].size) < 0 ? -1 : add_files(p);
}

void pack_make(const struct pack *p, struct pack_file *f)
{
    struct pack_gguf *x = p->gguf;

    if (!x->tokenizer.n)
        gguf_put_tokenizer(x->g, &x->tokenizer);
    f->data = (const uint8_t *)x->tokenizer.p;
    f->size = x->tokenizer.n;
}

bool pack_is_gguf(const struct pack *p)
{
    return p->gguf != NULL;
}

const struct gguf_named *pack_gguf_tensors(const struct pack *p, int *n)
{
    *n = p->gguf ? p->gguf->tensors : 0;
    return p->gguf ? p->gguf->tensor : NULL;
}

void pack_gguf_free(struct pack_gguf *x)
{
    if (!x)
        return;
    gguf_free(x->g);
    gguf_named_free(x->tensor, x->tensors);
    buf_free(&x->config);
    buf_free(&x->generation);
    buf_free(&x->tokenizer);
    buf_free(&x->tokenizer_config);
    free(x);
}
