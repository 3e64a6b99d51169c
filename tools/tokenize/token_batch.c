#include "token_batch.h"

#include "item.h"

#include <omp.h>
#include <stdlib.h>

enum {
    BATCH_RECORDS = 1024,
    BATCH_BYTES = 2 << 20,
    MANY_BYTES = 8 * BATCH_BYTES, /* more are given back */
    KEEP_BYTES = 1 << 16, /* so is a larger record's memory: each place would grow so large */
    SHARE = 16,           /* records in one task */
};

void token_batch_init(struct token_batch *b)
{
    *b = (struct token_batch){ .cap = BATCH_RECORDS };
    b->item = xcalloc((size_t)b->cap, sizeof *b->item);
}

void token_batch_free(struct token_batch *b)
{
    for (int i = 0; i < b->cap; i++)
        record_free(b->item[i].rec);
    free(b->item);
    buf_free(&b->bytes);
}

void token_batch_clear(struct token_batch *b)
{
    for (int i = 0; i < b->n; i++)
        if (b->item[i].len > KEEP_BYTES) {
            record_free(b->item[i].rec);
            b->item[i].rec = NULL;
        }
    b->n = 0;
    buf_clear(&b->bytes);
    if (b->bytes.cap > MANY_BYTES)
        buf_free(&b->bytes);
}

bool token_batch_full(const struct token_batch *b)
{
    return b->n == b->cap || b->bytes.n >= BATCH_BYTES;
}

/* The next place, for bytes that are put behind those of the others. */
static struct entry *begin_item(struct token_batch *b, int64_t position, const char *file)
{
    struct entry *item = b->item + b->n++;

    if (!item->rec)
        item->rec = record_new();
    item->at = b->bytes.n;
    item->position = position;
    item->file = file;
    item->row = 0;
    return item;
}

void token_batch_add(struct token_batch *b, struct record *rec, int64_t position, const char *file)
{
    struct entry *item = begin_item(b, position, file);

    record_append(rec, &b->bytes);
    item->len = b->bytes.n - item->at;
}

void token_batch_add_line(struct token_batch *b, const char *text, size_t n, int64_t id,
                          const char *file)
{
    struct entry *item = begin_item(b, id, file);

    item_put(&b->bytes, ITEM_MAP, 2);
    item_put_key(&b->bytes, "id");
    item_put(&b->bytes, ITEM_UINT, (uint64_t)id);
    item_put_key(&b->bytes, "text");
    item_put_text(&b->bytes, text, n);
    item->len = b->bytes.n - item->at;
    item->row = id + 1;
}

static int run_item(struct token_batch *b, const struct work *work, struct worker *me,
                    struct entry *item)
{
    const uint8_t *bytes = (const uint8_t *)b->bytes.p + item->at;
    size_t len;

    record_clear(item->rec);
    if (record_parse(item->rec, bytes, item->len, &len, item->position) < 0)
        return -1;
    return work_record(work, me, item->rec, &item->done);
}

static void run_share(struct token_batch *b, const struct work *work, struct worker *me, int from)
{
    for (int i = from; i < b->n && i < from + SHARE; i++)
        b->item[i].failed = run_item(b, work, me, b->item + i) < 0;
}

void token_batch_begin(struct token_batch *b, const struct work *work, struct worker *workers)
{
    for (int from = 0; from < b->n; from += SHARE) {
#pragma omp task firstprivate(b, work, workers, from)
        run_share(b, work, workers + omp_get_thread_num(), from);
    }
}

void token_batch_wait(void)
{
#pragma omp taskwait
}

int token_batch_check(struct token_batch *b, const struct work *work, struct worker *me)
{
    for (int i = 0; i < b->n; i++) {
        struct entry *item = b->item + i;

        /* its line stayed with the thread that met it: have it said here once more */
        if (item->failed && run_item(b, work, me, item) < 0)
            return item->row ? err_in("%s:%lld", item->file, (long long)item->row)
                             : err_in("%s:%s", item->file, record_name(item->rec));
    }
    return 0;
}
