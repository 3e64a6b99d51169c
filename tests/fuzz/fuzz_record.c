/* One record: what is read and written again is read as the same. */
#include "fuzz.h"
#include "record.h"

static void same_fields(const struct record *a, const struct record *b)
{
    must_hold(record_count(a) == record_count(b), "as many fields");
    for (int i = 0; i < record_count(a); i++) {
        const struct field *f = record_at(a, i), *g = record_at(b, i);

        must_hold(f->type == g->type && f->key_len == g->key_len && f->raw_len == g->raw_len &&
                      !memcmp(f->key, g->key, f->key_len) && !memcmp(f->raw, g->raw, f->raw_len),
                  "the same fields");
    }
}

static void get_all(struct record *r)
{
    for (int i = 0; i < record_count(r); i++) {
        const struct field *f = record_at(r, i);
        struct buf key = BUF_INIT;
        const uint32_t *ids;
        const float *v;
        size_t n;

        buf_add(&key, f->key, f->key_len);
        (void)record_get_ids(r, key.p, &ids, &n);
        (void)record_get_f32(r, key.p, &v, &n);
        buf_free(&key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record *r = record_new(), *again = record_new();
    size_t len, used;

    if (says_why(record_parse(r, data, size, &len, 0)) > 0) {
        must_hold(len <= size, "no more than there is");
        struct buf b = BUF_INIT;

        record_append(r, &b);
        must_hold(record_parse(again, (const uint8_t *)b.p, b.n, &used, 0) == 1 && used == b.n,
                  "its own encoding");
        same_fields(r, again);
        get_all(r);
        (void)record_name(r);
        buf_free(&b);
    }
    record_free(r);
    record_free(again);
    return 0;
}
