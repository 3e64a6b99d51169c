#include "batch.h"

#include <omp.h>
#include <stdlib.h>

enum { BATCH_RECORDS = 1024, BATCH_BYTES = 4 << 20 };

void batch_init(struct batch *b, int64_t threads)
{
    *b = (struct batch){ .threads = threads ? (int)threads : omp_get_max_threads() };
    b->cap = BATCH_RECORDS;
    b->item = xcalloc((size_t)b->cap, sizeof *b->item);
    b->worker = xcalloc((size_t)b->threads, sizeof *b->worker);
}

void batch_free(struct batch *b)
{
    for (int i = 0; i < b->cap; i++)
        record_free(b->item[i].rec);
    free(b->item);
    buf_free(&b->bytes);
    for (int i = 0; i < b->threads; i++)
        worker_free(b->worker + i);
    free(b->worker);
}

void batch_clear(struct batch *b)
{
    b->n = 0;
    buf_clear(&b->bytes);
}

bool batch_full(const struct batch *b)
{
    return b->n == b->cap || b->bytes.n >= BATCH_BYTES;
}

void batch_add(struct batch *b, struct record *rec, const char *file, int64_t position)
{
    struct item *item = b->item + b->n++;
    size_t len;
    const uint8_t *bytes = record_encode(rec, &len);

    if (!item->rec)
        item->rec = record_new();
    item->at = b->bytes.n;
    item->len = len;
    item->position = position;
    item->file = file;
    buf_add(&b->bytes, bytes, len);
}

static int run_item(struct batch *b, const struct work *work, struct worker *me, struct item *item)
{
    size_t len;

    record_clear(item->rec);
    if (record_parse(item->rec, (const uint8_t *)b->bytes.p + item->at, item->len, &len,
                     item->position) < 0)
        return -1;
    return work_record(work, me, item->rec, &item->done);
}

int batch_run(struct batch *b, const struct work *work)
{
    const int threads = b->n > b->threads ? b->threads : b->n > 1 ? b->n : 1;

#pragma omp parallel for schedule(dynamic, 16) num_threads(threads) if (threads > 1)
    for (int i = 0; i < b->n; i++)
        b->item[i].failed = run_item(b, work, b->worker + omp_get_thread_num(), b->item + i) < 0;
    for (int i = 0; i < b->n; i++) {
        struct item *item = b->item + i;

        /* its line stayed with the thread that met it: have it said here once more */
        if (item->failed && run_item(b, work, b->worker, item) < 0)
            return err_in("%s:%s", item->file, record_name(item->rec));
    }
    return 0;
}
