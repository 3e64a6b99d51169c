#include "shards.h"

#include "mem.h"
#include "progress.h"
#include "tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t shard_bytes = 5000000000; /* where transformers begins the next file */

struct writing {
    struct pack_writer *out;
    enum dtype dtype;
    uint64_t seed;
    int shards, done;
    struct progress *progress;
    void *room; /* DRAWN_STEP values */
};

/* One file after another, each of at most shard_bytes, in the order of the state dict. Gives how
 * many; TOTAL bytes are in all. */
static int share_out(struct drawn *t, int n, size_t size, uint64_t *total)
{
    uint64_t in_file = 0;
    int shard = 0;

    for (int i = 0; i < n; i++) {
        const uint64_t bytes = (uint64_t)t[i].n * size;

        if (in_file && in_file + bytes > shard_bytes) {
            shard++;
            in_file = 0;
        }
        t[i].shard = shard;
        in_file += bytes;
        *total += bytes;
    }
    return shard + 1;
}

static void shard_name(char name[64], const struct writing *w, int shard)
{
    if (w->shards == 1)
        (void)snprintf(name, 64, "model.safetensors");
    else
        (void)snprintf(name, 64, "model-%05d-of-%05d.safetensors", shard + 1, w->shards);
}

static int write_tensor(struct tensors_writer *file, const struct writing *w, const struct drawn *t)
{
    for (int64_t from = 0; from < t->n; from += DRAWN_STEP) {
        const int64_t n = t->n - from < DRAWN_STEP ? t->n - from : DRAWN_STEP;

        drawn_fill(w->room, w->dtype, t, from, n, w->seed);
        if (tensors_write_data(file, w->room, (size_t)n * dtype_size(w->dtype)) < 0)
            return -1;
    }
    return 0;
}

/* The N tensors T as one file. */
static int write_shard(struct writing *w, const struct drawn *t, int n)
{
    struct tensors_writer *file = tensors_writer_new();
    char name[64];

    for (int i = 0; i < n; i++)
        (void)tensors_declare(file, t[i].name, w->dtype, t[i].rank, t[i].shape);
    shard_name(name, w, t->shard);
    int rc = tensors_write_begin(file, w->out, name);

    for (int i = 0; i < n && !rc; i++) {
        rc = write_tensor(file, w, &t[tensors_write_order(file)[i]]);
        progress_to(w->progress, ++w->done);
    }
    if (!rc)
        return tensors_write_end(file);
    tensors_writer_free(file);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct drawn *)a)->name, ((const struct drawn *)b)->name);
}

/* model.safetensors.index.json, its map sorted by tensor name. */
static int write_index(const struct writing *w, struct drawn *t, int n, uint64_t total)
{
    struct buf b = BUF_INIT;
    char file[64];

    qsort(t, (size_t)n, sizeof *t, by_name);
    buf_printf(&b, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {\n",
               (unsigned long long)total);
    for (int i = 0; i < n; i++) {
        shard_name(file, w, t[i].shard);
        buf_printf(&b, "    \"%s\": \"%s\"%s\n", t[i].name, file, i + 1 < n ? "," : "");
    }
    buf_puts(&b, "  }\n}\n");
    const int rc = pack_put(w->out, "model.safetensors.index.json", b.p, b.n);

    buf_free(&b);
    return rc;
}

int shards_write(struct pack_writer *out, struct drawn *t, int n, enum dtype dtype,
                 const struct cli_common *common)
{
    uint64_t total = 0;
    struct writing w = { .out = out,
                         .dtype = dtype,
                         .seed = (uint64_t)common->seed,
                         .shards = share_out(t, n, dtype_size(dtype), &total),
                         .progress = progress_open(common, "tensors", n),
                         .room = xaligned(DRAWN_STEP * sizeof(float)) };
    int rc = 0;

    for (int first = 0, end; first < n && !rc; first = end) {
        for (end = first; end < n && t[end].shard == t[first].shard; end++)
            continue;
        rc = write_shard(&w, &t[first], end - first);
    }
    if (!rc && w.shards > 1)
        rc = write_index(&w, t, n, total);
    progress_close(w.progress);
    free(w.room);
    return rc;
}
