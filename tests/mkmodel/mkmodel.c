/*
 * mkmodel - make a model folder with random weights, for tests and benchmarks.
 *
 * The weights depend on seed, tensor name and place only: the same for any number of threads, and
 * the first layers of a model are the same whatever the number of layers.
 */
#include "cli.h"
#include "err.h"
#include "mem.h"
#include "pack.h"
#include "shape.h"
#include "shards.h"
#include "threads.h"

#include <stdlib.h>
#include <string.h>

static int put_configs(struct pack_writer *out, struct buf *config, const struct shape *m)
{
    const int rc = pack_put(out, "config.json", config->p, config->n);

    buf_clear(config);
    shape_put_generation_config(config, m);
    return rc < 0 ? rc : pack_put(out, "generation_config.json", config->p, config->n);
}

static int put_weights(struct pack_writer *out, const struct config *c,
                       const struct cli_common *common)
{
    int n;
    struct drawn *t = drawn_list(c, &n);
    const int rc = shards_write(out, t, n, c->dtype, common);

    free(t);
    return rc;
}

/* What a folder may hold that is made again; the numbers of shards differ. */
static const char *const written[] = {
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    NULL,
};

static int copy_tokenizer(struct pack_writer *out, const char *path)
{
    const char *const *name = written + 4; /* what is behind the model's own */
    struct pack *from;
    int rc = 0, found = 0;

    if (pack_open(&from, path) < 0)
        return -1;
    for (; *name && !rc; name++) {
        const struct pack_file *f = pack_find(from, *name);

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
    struct shape m = { .partial_rotary = -1, .resid_pdrop = -1 };
    const char *arch = "phi", *like = NULL, *dtype = NULL, *tokenizer = NULL;
    const struct cli_opt opts[] = {
        { 0, "arch", CLI_TEXT, &arch, "NAME", .help = "family: the model_type of its config.json" },
        { 0, "like", CLI_CHOICE, &like, "phi-2",
          .help = "the shape and config of a published model" },
        { 0, "hidden", CLI_INT, &m.hidden, "N", .help = "width; 128 if not given", .min = 1,
          .max = 1 << 20 },
        { 0, "layers", CLI_INT, &m.layers, "N", .help = "3 if not given", .min = 1, .max = 1000 },
        { 0, "heads", CLI_INT, &m.heads, "N", .help = "query heads; 4 if not given", .min = 1,
          .max = 1 << 16 },
        { 0, "kv-heads", CLI_INT, &m.kv_heads, "N", .help = "key heads; as --heads if not given",
          .min = 1, .max = 1 << 16 },
        { 0, "head-dim", CLI_INT, &m.head_dim, "N",
          .help = "size of a head; hidden / heads if not given", .min = 2, .max = 1024 },
        { 0, "intermediate", CLI_INT, &m.inner, "N", .help = "4 times --hidden if not given",
          .min = 1, .max = 1 << 22 },
        { 0, "vocab", CLI_INT, &m.vocab, "N", .help = "512 if not given", .min = 2,
          .max = 1 << 24 },
        { 0, "max-positions", CLI_INT, &m.positions, "N", .help = "2048 if not given", .min = 1,
          .max = 1 << 24 },
        { 0, "partial-rotary-factor", CLI_FLOAT, &m.partial_rotary, "X",
          .help = "0.4 if not given (phi)", .min = 0, .max = 1 },
        { 0, "resid-pdrop", CLI_FLOAT, &m.resid_pdrop, "X",
          .help = "residual dropout in the config; 0 if not given, 0.1 like phi-2", .min = 0,
          .max = 0.9 },
        { 0, "sliding-window", CLI_INT, &m.window, "N",
          .help = "tokens that attention sees (mistral, phi3); all if not given", .min = 1,
          .max = 1 << 24 },
        { 0, "tied", CLI_FLAG, &m.tied, .help = "the head is the embedding" },
        { 0, "dtype", CLI_CHOICE, &dtype, "float16|bfloat16|float32",
          .help = "float32 if not given, float16 like phi-2" },
        { 0, "tokenizer", CLI_FILE, &tokenizer, "DIR", .help = "copy the tokenizer of this model" },
        { .type = CLI_END },
    };
    const struct cli cli = { "mkmodel",
                             "[options] -o DIR",
                             "Makes a model with random weights: the same bytes for the same seed.",
                             opts,
                             &common,
                             0 };
    static struct config c;
    struct buf config = BUF_INIT;
    struct pack_writer *out;

    (void)cli_parse(argc, argv, &cli);
    if (common.only.n || common.limit >= 0 || common.limit_per)
        die(EXIT_USAGE,
            "--only, --limit and --limit-per choose records; there are none in a model");
    if (like && strcmp(arch, "phi"))
        die(EXIT_USAGE, "--like phi-2 is of --arch phi");
    (void)threads_use(common.threads);
    m.dtype = dtype ? dtype_of(dtype) : DT_NONE;
    if (shape_family(&m, arch) < 0)
        die_err();
    shape_complete(&m, like);
    if (shape_put_config(&config, &c, &m) < 0)
        die_err();
    char *path = folder_of(common.output);

    if (pack_create(&out, path, common.force, (int)common.level, written) < 0)
        die_err();
    if (put_configs(out, &config, &m) < 0 || (tokenizer && copy_tokenizer(out, tokenizer) < 0) ||
        put_weights(out, &c, &common) < 0) {
        pack_abort(out);
        die_err();
    }
    if (pack_commit(out) < 0)
        die_err();
    buf_free(&config);
    free(path);
    return 0;
}
