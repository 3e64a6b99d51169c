/*
 * mkmodel - make a model folder with random weights, for tests and benchmarks.
 *
 * The weights depend on seed, tensor name and place only: the same for any number of threads, and
 * the first layers of a model are the same whatever the number of layers.
 */
#include "cli.h"
#include "err.h"
#include "fill.h"
#include "mem.h"
#include "pack.h"
#include "phi.h"
#include "progress.h"
#include "tensors.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t shard_bytes = 5000000000; /* where transformers begins the next file */

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

/* One file after another, each of at most shard_bytes, in the order of the state dict. */
struct shards {
    int *first; /* (n + 1) index of each file's first tensor */
    int n;
    uint64_t total;
};

static uint64_t bytes_of(const struct phi *m, const struct phi_tensor *t)
{
    return (uint64_t)t->n * dtype_size(m->dtype);
}

static struct shards plan_shards(const struct phi *m)
{
    struct shards s = { .first = xcalloc((size_t)phi_tensors(m) + 1, sizeof(int)), .n = 1 };
    uint64_t in_file = 0;

    for (int i = 0; i < phi_tensors(m); i++) {
        const struct phi_tensor t = phi_tensor(m, i);

        if (in_file && in_file + bytes_of(m, &t) > shard_bytes) {
            s.first[s.n++] = i;
            in_file = 0;
        }
        in_file += bytes_of(m, &t);
        s.total += bytes_of(m, &t);
    }
    s.first[s.n] = phi_tensors(m);
    return s;
}

static void shard_name(char *name, size_t size, const struct shards *s, int i)
{
    if (s->n == 1)
        (void)snprintf(name, size, "model.safetensors");
    else
        (void)snprintf(name, size, "model-%05d-of-%05d.safetensors", i + 1, s->n);
}

static int write_tensor(struct tensors_writer *w, const struct phi *m, const struct phi_tensor *t,
                        void *room, uint64_t seed)
{
    for (int64_t from = 0; from < t->n; from += FILL_STEP) {
        const int64_t n = t->n - from < FILL_STEP ? t->n - from : FILL_STEP;

        fill(room, m->dtype, t, from, n, seed);
        if (tensors_write_data(w, room, (size_t)n * dtype_size(m->dtype)) < 0)
            return -1;
    }
    return 0;
}

/* The tensors FIRST..END-1 as one file. */
static int write_shard(struct pack_writer *out, const char *name, const struct phi *m, int first,
                       int end, uint64_t seed, struct progress *progress)
{
    struct tensors_writer *w = tensors_writer_new();
    void *room = xaligned(FILL_STEP * sizeof(float));
    int rc;

    for (int i = first; i < end; i++) {
        const struct phi_tensor t = phi_tensor(m, i);

        (void)tensors_declare(w, t.name, m->dtype, t.rank, t.shape);
    }
    rc = tensors_write_begin(w, out, name);
    for (int i = 0; i < end - first && !rc; i++) {
        const struct phi_tensor t = phi_tensor(m, first + tensors_write_order(w)[i]);

        rc = write_tensor(w, m, &t, room, seed);
        progress_to(progress, first + i + 1);
    }
    free(room);
    if (!rc)
        return tensors_write_end(w);
    tensors_writer_free(w);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* model.safetensors.index.json, its map sorted by tensor name. */
static int write_index(struct pack_writer *out, const struct phi *m, const struct shards *s)
{
    const int n = phi_tensors(m);
    char **line = xnmalloc((size_t)n, sizeof *line), file[64];
    struct buf b = BUF_INIT;

    for (int i = 0, shard = 0; i < n; i++) {
        struct buf l = BUF_INIT;

        shard += i == s->first[shard + 1];
        shard_name(file, sizeof file, s, shard);
        buf_printf(&l, "    \"%s\": \"%s\"", phi_tensor(m, i).name, file);
        line[i] = l.p;
    }
    qsort(line, (size_t)n, sizeof *line, by_name);
    buf_printf(&b, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {\n",
               (unsigned long long)s->total);
    for (int i = 0; i < n; i++) {
        buf_printf(&b, "%s%s\n", line[i], i + 1 < n ? "," : "");
        free(line[i]);
    }
    buf_puts(&b, "  }\n}\n");
    const int rc = pack_put(out, "model.safetensors.index.json", b.p, b.n);

    buf_free(&b);
    free(line);
    return rc;
}

static int write_weights(struct pack_writer *out, const struct phi *m,
                         const struct cli_common *common)
{
    struct shards s = plan_shards(m);
    struct progress *progress = progress_open(common, "tensors", phi_tensors(m));
    char name[64];
    int rc = 0;

    for (int i = 0; i < s.n && !rc; i++) {
        shard_name(name, sizeof name, &s, i);
        rc =
            write_shard(out, name, m, s.first[i], s.first[i + 1], (uint64_t)common->seed, progress);
    }
    if (!rc && s.n > 1)
        rc = write_index(out, m, &s);
    progress_close(progress);
    free(s.first);
    return rc;
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
        rc = err_set(EXIT_NOINPUT, "%s: there is no tokenizer in it", path);
    pack_close(from);
    return rc;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

/* A folder unless the name says archive. */
static char *folder_of(const char *output)
{
    struct buf b = BUF_INIT;

    buf_puts(&b, output);
    if (strcmp(output, "-") != 0 && !ends_with(output, ".tar") && !ends_with(output, ".tar.zst"))
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
    if (strcmp(o.arch, "phi"))
        die(EXIT_NODEVICE, "architecture '%s' is not there yet; use --arch phi", o.arch);
    if (common.threads)
        omp_set_num_threads((int)common.threads);
    const struct phi m = shape_of(&o);

    check_shape(&m);
    char *path = folder_of(common.output);

    if (pack_create(&out, path, common.force, (int)common.level) < 0)
        die_err();
    if (write_configs(out, &m) < 0 || (o.tokenizer && copy_tokenizer(out, o.tokenizer) < 0) ||
        write_weights(out, &m, &common) < 0) {
        pack_abort(out);
        die_err();
    }
    if (pack_commit(out) < 0)
        die_err();
    free(path);
    return 0;
}
