#include "random_weights.h"

#include "fill.h"
#include "mem.h"
#include "progress.h"
#include "tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t shard_bytes = 5000000000; /* where transformers begins the next file */

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

int weights_write(struct pack_writer *out, const struct phi *m, const struct cli_common *common)
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
