#include "shards.h"

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

struct writing {
    const struct drawn *t;
    int n;
    enum dtype dtype;
    uint64_t seed;
};

static uint64_t bytes_of(const struct writing *w, int i)
{
    return (uint64_t)w->t[i].n * dtype_size(w->dtype);
}

static struct shards plan_shards(const struct writing *w)
{
    struct shards s = { .first = xcalloc((size_t)w->n + 1, sizeof(int)), .n = 1 };
    uint64_t in_file = 0;

    for (int i = 0; i < w->n; i++) {
        if (in_file && in_file + bytes_of(w, i) > shard_bytes) {
            s.first[s.n++] = i;
            in_file = 0;
        }
        in_file += bytes_of(w, i);
        s.total += bytes_of(w, i);
    }
    s.first[s.n] = w->n;
    return s;
}

static void shard_name(char *name, size_t size, const struct shards *s, int i)
{
    if (s->n == 1)
        (void)snprintf(name, size, "model.safetensors");
    else
        (void)snprintf(name, size, "model-%05d-of-%05d.safetensors", i + 1, s->n);
}

static int write_tensor(struct tensors_writer *out, const struct writing *w, const struct drawn *t,
                        void *room)
{
    for (int64_t from = 0; from < t->n; from += FILL_STEP) {
        const int64_t n = t->n - from < FILL_STEP ? t->n - from : FILL_STEP;

        fill(room, w->dtype, t, from, n, w->seed);
        if (tensors_write_data(out, room, (size_t)n * dtype_size(w->dtype)) < 0)
            return -1;
    }
    return 0;
}

/* The tensors FIRST..END-1 as one file. */
static int write_shard(struct pack_writer *pack, const char *name, const struct writing *w,
                       int first, int end, struct progress *progress)
{
    struct tensors_writer *out = tensors_writer_new();
    void *room = xaligned(FILL_STEP * sizeof(float));
    int rc;

    for (int i = first; i < end; i++)
        (void)tensors_declare(out, w->t[i].name, w->dtype, w->t[i].rank, w->t[i].shape);
    rc = tensors_write_begin(out, pack, name);
    for (int i = 0; i < end - first && !rc; i++) {
        rc = write_tensor(out, w, &w->t[first + tensors_write_order(out)[i]], room);
        progress_to(progress, first + i + 1);
    }
    free(room);
    if (!rc)
        return tensors_write_end(out);
    tensors_writer_free(out);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* model.safetensors.index.json, its map sorted by tensor name. */
static int write_index(struct pack_writer *out, const struct writing *w, const struct shards *s)
{
    char **line = xnmalloc((size_t)w->n, sizeof *line), file[64];
    struct buf b = BUF_INIT;

    for (int i = 0, shard = 0; i < w->n; i++) {
        struct buf l = BUF_INIT;

        shard += i == s->first[shard + 1];
        shard_name(file, sizeof file, s, shard);
        buf_printf(&l, "    \"%s\": \"%s\"", w->t[i].name, file);
        line[i] = l.p;
    }
    qsort(line, (size_t)w->n, sizeof *line, by_name);
    buf_printf(&b, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {\n",
               (unsigned long long)s->total);
    for (int i = 0; i < w->n; i++) {
        buf_printf(&b, "%s%s\n", line[i], i + 1 < w->n ? "," : "");
        free(line[i]);
    }
    buf_puts(&b, "  }\n}\n");
    const int rc = pack_put(out, "model.safetensors.index.json", b.p, b.n);

    buf_free(&b);
    free(line);
    return rc;
}

int shards_write(struct pack_writer *out, const struct drawn *t, int n, enum dtype dtype,
                 const struct cli_common *common)
{
    const struct writing w = { t, n, dtype, (uint64_t)common->seed };
    struct shards s = plan_shards(&w);
    struct progress *progress = progress_open(common, "tensors", n);
    char name[64];
    int rc = 0;

    for (int i = 0; i < s.n && !rc; i++) {
        shard_name(name, sizeof name, &s, i);
        rc = write_shard(out, name, &w, s.first[i], s.first[i + 1], progress);
    }
    if (!rc && s.n > 1)
        rc = write_index(out, &w, &s);
    progress_close(progress);
    free(s.first);
    return rc;
}
