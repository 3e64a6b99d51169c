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
#include "phi.h"
#include "threads.h"
#include "random_weights.h"

#include <stdlib.h>
#include <string.h>

struct options {
    const char *arch, *like, *dtype, *tokenizer;
    int64_t hidden, layers, heads, kv_heads, inner, vocab, positions;
    double partial_rotary, resid_pdrop;
};

static void choose(int64_t *to, int64_t given)
{
    if (given > 0)
        *to = given;
}

/* The shape asked for: that of --like, or small defaults, with what was given in place. */
static struct phi shape_of(const struct options *o)
{
    const struct phi small = { .hidden = 128,
                               .layers = 3,
                               .heads = 4,
                               .vocab = 512,
                               .positions = 2048,
                               .partial_rotary = 0.4,
                               .dtype = DT_F32 };
    struct phi m = o->like ? phi_2 : small;

    choose(&m.hidden, o->hidden);
    choose(&m.layers, o->layers);
    choose(&m.heads, o->heads);
    choose(&m.vocab, o->vocab);
    choose(&m.positions, o->positions);
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
    return m;
}

static void check_shape(const struct phi *m)
{
    if (m->hidden % m->heads)
        die(EXIT_USAGE, "--hidden %lld is not a multiple of --heads %lld", (long long)m->hidden,
            (long long)m->heads);
    if (m->kv_heads > m->heads || m->heads % m->kv_heads)
        die(EXIT_USAGE, "--heads %lld is not a multiple of --kv-heads %lld", (long long)m->heads,
            (long long)m->kv_heads);
    const int64_t head_dim = m->hidden / m->heads,
                  rot = (int64_t)((double)head_dim * m->partial_rotary);

    if (rot < 2 || rot % 2)
        die(EXIT_USAGE,
            "a head of %lld turns %lld dimensions; --partial-rotary-factor must make that even and "
            "at least 2",
            (long long)head_dim, (long long)rot);
}

static int write_configs(struct pack_writer *out, const struct phi *m)
{
    struct buf b = BUF_INIT;
    int rc;

    phi_put_config(&b, m);
    rc = pack_put(out, "config.json", b.p, b.n);
    buf_clear(&b);
    phi_put_generation_config(&b, m);
    if (!rc)
        rc = pack_put(out, "generation_config.json", b.p, b.n);
    buf_free(&b);
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
        { 0, "arch", CLI_CHOICE, &o.arch, "phi|phi3|llama|mistral|qwen2",
          .help = "architecture; only phi is there" },
        { 0, "like", CLI_CHOICE, &o.like, "phi-2",
          .help = "the shape and config of a published model" },
        { 0, "hidden", CLI_INT, &o.hidden, "N", .help = "width; 128 if not given", .min = 1,
          .max = 1 << 20 },
        { 0, "layers", CLI_INT, &o.layers, "N", .help = "3 if not given", .min = 1, .max = 1000 },
        { 0, "heads", CLI_INT, &o.heads, "N", .help = "query heads; 4 if not given", .min = 1,
          .max = 1 << 16 },
        { 0, "kv-heads", CLI_INT, &o.kv_heads, "N", .help = "key heads; as --heads if not given",
          .min = 1, .max = 1 << 16 },
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
    if (strcmp(o.arch, "phi"))
        die(EXIT_NODEVICE, "architecture '%s' is not there yet; use --arch phi", o.arch);
    (void)threads_use(common.threads);
    const struct phi m = shape_of(&o);

    check_shape(&m);
    char *path = folder_of(common.output);

    if (pack_create(&out, path, common.force, (int)common.level, written) < 0)
        die_err();
    if (write_configs(out, &m) < 0 || (o.tokenizer && copy_tokenizer(out, o.tokenizer) < 0) ||
        weights_write(out, &m, &common) < 0) {
        pack_abort(out);
        die_err();
    }
    if (pack_commit(out) < 0)
        die_err();
    free(path);
    return 0;
}
