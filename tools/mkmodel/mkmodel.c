/*
 * mkmodel - make a model folder with random weights, for tests and benchmarks.
 *
 * The weights depend on seed, tensor name and place only: the same for any number of threads, and
 * the first layers of a model are the same whatever the number of layers.
 */
#include "cli.h"
#include "err.h"
#include "files/config_load.h"
#include "json.h"
#include "mem.h"
#include "pack.h"
#include "shape.h"
#include "shards.h"
#include "threads.h"

#include <stdlib.h>
#include <string.h>

struct options {
    const char *arch, *like, *dtype, *tokenizer;
    int64_t hidden, layers, heads, kv_heads, head_dim, inner, vocab, positions, window;
    double partial_rotary, resid_pdrop;
    bool tied;
};

static void choose(int64_t *to, int64_t given)
{
    if (given > 0)
        *to = given;
}

/* The shape asked for: that of --like, or small defaults, with what was given in place. */
static struct shape shape_of(const struct options *o)
{
    const struct shape small = { .family = family_find(o->arch),
                                 .hidden = 128,
                                 .layers = 3,
                                 .heads = 4,
                                 .vocab = 512,
                                 .positions = 2048,
                                 .partial_rotary = strcmp(o->arch, "phi") ? 1 : 0.4,
                                 .dtype = DT_F32 };
    struct shape m = o->like ? shape_phi_2 : small;

    choose(&m.hidden, o->hidden);
    choose(&m.layers, o->layers);
    choose(&m.heads, o->heads);
    choose(&m.vocab, o->vocab);
    choose(&m.positions, o->positions);
    choose(&m.head_dim, o->head_dim);
    choose(&m.window, o->window);
    if (!m.inner || o->hidden)
        m.inner = 4 * m.hidden;
    choose(&m.inner, o->inner);
    if (!m.kv_heads || o->heads)
        m.kv_heads = m.heads;
    choose(&m.kv_heads, o->kv_heads);
    if (!m.eos || o->vocab)
        m.bos = m.eos = m.vocab - 1;
    if (o->dtype)
        m.dtype = dtype_of(o->dtype);
    if (o->partial_rotary >= 0)
        m.partial_rotary = o->partial_rotary;
    if (o->resid_pdrop >= 0)
        m.resid_pdrop = o->resid_pdrop;
    m.tied = o->tied;
    return m;
}

/* Writes both configs; C is the model that the first one describes. */
static int write_configs(struct pack_writer *out, struct config *c, const struct shape *m)
{
    struct buf b = BUF_INIT;

    shape_put_config(&b, m);
    cJSON *json = json_parse(b.p, b.n);
    int rc = json && config_read(c, json) == 0 ? pack_put(out, "config.json", b.p, b.n) : -1;

    cJSON_Delete(json);
    buf_clear(&b);
    shape_put_generation_config(&b, m);
    if (!rc)
        rc = pack_put(out, "generation_config.json", b.p, b.n);
    buf_free(&b);
    return rc;
}

static int write_weights(struct pack_writer *out, const struct config *c,
                         const struct cli_common *common)
{
    int n;
    struct drawn *t = drawn_list(c, &n);
    const int rc = shards_write(out, t, n, c->dtype, common);

    free(t);
    return rc;
}

static int copy_tokenizer(struct pack_writer *out, const char *path)
{
    static const char *const names[] = {
        "added_tokens.json",     "merges.txt", "special_tokens_map.json", "tokenizer.json",
        "tokenizer_config.json", "vocab.json",
    };
    struct pack *from;
    int rc = 0, found = 0;

    if (pack_open(&from, path) < 0)
        return -1;
    for (size_t i = 0; i < sizeof names / sizeof *names && !rc; i++) {
        const struct pack_file *f = pack_find(from, names[i]);

        found += f != NULL;
        rc = f ? pack_put(out, f->name, f->data, f->size) : 0;
    }
    if (!rc && !found)
        rc = err_set(EXIT_NOINPUT,
                     "%s: there is no tokenizer in it; name a folder that holds tokenizer.json",
                     path);
    pack_close(from);
    return rc;
}

/* What a folder may hold that is made again; the numbers of shards differ. */
static const char *const written[] = {
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    NULL,
};

/* A folder unless the name says archive. */
static char *folder_of(const char *output)
{
    struct buf b = BUF_INIT;

    buf_puts(&b, output);
    if (strcmp(output, "-") != 0 && !text_ends_with(output, ".tar") &&
        !text_ends_with(output, ".tar.zst"))
        buf_putc(&b, '/');
    return b.p;
}

int main(int argc, char **argv)
{
    struct cli_common common = CLI_COMMON_INIT;
    struct options o = { .arch = "phi", .partial_rotary = -1, .resid_pdrop = -1 };
    const struct cli_opt opts[] = {
        { 0, "arch", CLI_CHOICE, &o.arch, "phi|llama|mistral|qwen2|qwen3|phi3",
          .help = "family of models" },
        { 0, "like", CLI_CHOICE, &o.like, "phi-2",
          .help = "the shape and config of a published model" },
        { 0, "hidden", CLI_INT, &o.hidden, "N", .help = "width; 128 if not given", .min = 1,
          .max = 1 << 20 },
        { 0, "layers", CLI_INT, &o.layers, "N", .help = "3 if not given", .min = 1, .max = 1000 },
        { 0, "heads", CLI_INT, &o.heads, "N", .help = "query heads; 4 if not given", .min = 1,
          .max = 1 << 16 },
        { 0, "kv-heads", CLI_INT, &o.kv_heads, "N", .help = "key heads; as --heads if not given",
          .min = 1, .max = 1 << 16 },
        { 0, "head-dim", CLI_INT, &o.head_dim, "N",
          .help = "size of a head; hidden / heads if not given (llama, mistral, qwen3)", .min = 2,
          .max = 1024 },
        { 0, "intermediate", CLI_INT, &o.inner, "N", .help = "4 times --hidden if not given",
          .min = 1, .max = 1 << 22 },
        { 0, "vocab", CLI_INT, &o.vocab, "N", .help = "512 if not given", .min = 2,
          .max = 1 << 24 },
        { 0, "max-positions", CLI_INT, &o.positions, "N", .help = "2048 if not given", .min = 1,
          .max = 1 << 24 },
        { 0, "partial-rotary-factor", CLI_FLOAT, &o.partial_rotary, "X", .help = "0.4 if not given",
          .min = 0, .max = 1 },
        { 0, "resid-pdrop", CLI_FLOAT, &o.resid_pdrop, "X",
          .help = "residual dropout in the config; 0 if not given, 0.1 like phi-2", .min = 0,
          .max = 0.9 },
        { 0, "sliding-window", CLI_INT, &o.window, "N",
          .help = "tokens that attention sees (mistral, phi3); all if not given", .min = 1,
          .max = 1 << 24 },
        { 0, "tied", CLI_FLAG, &o.tied, .help = "the head is the embedding" },
        { 0, "dtype", CLI_CHOICE, &o.dtype, "float16|bfloat16|float32",
          .help = "float32 if not given, float16 like phi-2" },
        { 0, "tokenizer", CLI_FILE, &o.tokenizer, "DIR",
          .help = "copy the tokenizer of this model" },
        { .type = CLI_END },
    };
    const struct cli cli = { "mkmodel",
                             "[options] -o DIR",
                             "Makes a model with random weights: the same bytes for the same seed.",
                             opts,
                             &common,
                             0,
                             0 };
    struct pack_writer *out;

    (void)cli_parse(argc, argv, &cli);
    if (common.only.n || common.limit >= 0 || common.limit_per)
        die(EXIT_USAGE,
            "--only, --limit and --limit-per choose records; there are none in a model");
    if (o.like && strcmp(o.arch, "phi"))
        die(EXIT_USAGE, "--like phi-2 is of --arch phi");
    (void)threads_use(common.threads);
    const struct shape m = shape_of(&o);
    static struct config c;

    if (shape_check(&m) < 0)
        die_err();
    char *path = folder_of(common.output);

    if (pack_create(&out, path, common.force, (int)common.level, written) < 0)
        die_err();
    if (write_configs(out, &c, &m) < 0 || (o.tokenizer && copy_tokenizer(out, o.tokenizer) < 0) ||
        write_weights(out, &c, &common) < 0) {
        pack_abort(out);
        die_err();
    }
    if (pack_commit(out) < 0)
        die_err();
    free(path);
    return 0;
}
