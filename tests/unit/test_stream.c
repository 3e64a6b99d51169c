/* Streams: what is written is read again; any changed bit and any cut is found. */
#include "stream.h"

#include "claim.h"
#include "mem.h"
#include "rng.h"
#include "share.h"
#include "stream_header.h"
#include "zstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

/* In memory where that is there: thousands of files are written. */
static char folder[] = "/dev/shm/test_stream.XXXXXX";
static char path[64], path2[64];

static int make_folder(void **unused)
{
    (void)unused;
    if (!mkdtemp(folder)) {
        (void)strcpy(folder, "/tmp/test_stream.XXXXXX");
        if (!mkdtemp(folder))
            return -1;
    }
    (void)snprintf(path, sizeof path, "%s/a.zst", folder);
    (void)snprintf(path2, sizeof path2, "%s/b.zst", folder);
    return 0;
}

static int remove_folder(void **unused)
{
    (void)unused;
    (void)unlink(path);
    (void)unlink(path2);
    return rmdir(folder);
}

static void write_stream(const char *to, enum stream_kind kind, int records, int level)
{
    struct cli_common c = CLI_COMMON_INIT;
    struct labels labels = { 0 };
    struct writer *w;
    struct record *r = record_new();

    c.output = to;
    c.force = true;
    c.level = level;
    labels_add(&labels, "good", 4);
    labels_add(&labels, "bad", 3);
    claim_spare(to); /* read in an earlier test */
    assert_int_equal(writer_open(&w, &c, kind, &labels, NULL, NULL), 0);
    for (int i = 0; i < records; i++) {
        record_clear(r);
        record_set_uint(r, "id", (uint64_t)i);
        record_set_text(r, "text", "Profit rose sharply", (size_t)(i % 20));
        record_set_text(r, "split", i % 3 ? "train" : "test", i % 3 ? 5 : 4);
        assert_int_equal(writer_put(w, r), 0);
    }
    assert_int_equal(writer_commit(w), 0);
    record_free(r);
    labels_free(&labels);
}

/* Reads every value in every way there is. */
static void touch(struct record *rec)
{
    for (int i = 0; i < record_count(rec); i++) {
        char key[128];
        const struct field *f = record_at(rec, i);
        const uint32_t *ids;
        const float *floats;
        const char *text;
        uint64_t u;
        size_t n;

        (void)snprintf(key, sizeof key, "%.*s", (int)f->key_len, f->key);
        if (record_get_ids(rec, key, &ids, &n) < 0 && record_get_f32(rec, key, &floats, &n) < 0 &&
            record_get_text(rec, key, &text, &n) < 0 && record_get_uint(rec, key, &u) < 0)
            assert_true(f->type != ITEM_TEXT);
    }
    struct buf b = BUF_INIT;

    record_append(rec, &b);
    if (record_count(rec) > 0)
        assert_int_equal(record_end_of(rec, record_at(rec, record_count(rec) - 1)), b.n);
    buf_free(&b);
}

/* Number of records that PATHS gives, -1 on failure. */
static int64_t read_all(const char *const *paths, int kinds, const struct cli_common *c)
{
    struct reader *r;
    struct record *rec;
    int64_t n = 0;
    int rc;

    if (reader_open(&r, paths, kinds, c) < 0)
        return -1;
    while ((rc = reader_next(r, &rec)) > 0) {
        touch(rec);
        n++;
    }
    reader_close(r);
    return rc < 0 ? -1 : n;
}

static int64_t count(const char *from)
{
    const char *const paths[] = { from, NULL };
    struct cli_common c = CLI_COMMON_INIT;

    return read_all(paths, KIND_ANY, &c);
}

static void round_trip(void **unused)
{
    (void)unused;
    write_stream(path, KIND_EXAMPLES, 0, 3);
    assert_int_equal(count(path), 0);
    write_stream(path, KIND_EXAMPLES, 30000, 1);
    assert_int_equal(count(path), 30000);
}

static void filter_and_limit(void **unused)
{
    const char *only[] = { "split=test", "id=9" };
    const char *const paths[] = { path, path2, NULL };
    struct cli_common c = CLI_COMMON_INIT;

    (void)unused;
    write_stream(path, KIND_EXAMPLES, 30, 3);
    write_stream(path2, KIND_EXAMPLES, 12, 3);
    c.limit = 7;
    assert_int_equal(read_all(paths, KIND_ANY, &c), 7);
    c.limit = -1;
    c.only.v = only;
    c.only.n = 1;
    assert_int_equal(read_all(paths, KIND_ANY, &c), 14);
    c.only.n = 2;
    assert_int_equal(read_all(paths, KIND_ANY, &c), 2);
    only[0] = "text=Profit ro";
    only[1] = "text=Profit ro";
    assert_int_equal(read_all(paths, KIND_ANY, &c), 3);
}

static void kinds_are_checked(void **unused)
{
    const char *const paths[] = { path, path2, NULL };
    struct cli_common c = CLI_COMMON_INIT;
    char want[256];

    (void)unused;
    err_set_tool("predict");
    write_stream(path, KIND_PROMPTS, 3, 3);
    write_stream(path2, KIND_TOKENS, 3, 3);
    assert_int_equal(read_all(paths, KIND_TOKENS, &c), -1);
    (void)snprintf(want, sizeof want,
                   "%s: this is a stream of prompts; predict wants tokens: put tokenize in between",
                   path);
    assert_string_equal(err_text(), want);
    assert_int_equal(read_all(paths + 1, KIND_EXAMPLES | KIND_PROMPTS, &c), -1);
    (void)snprintf(want, sizeof want,
                   "%s: this is a stream of tokens; predict wants prompts: give it the one that "
                   "tokenize read",
                   path2);
    assert_string_equal(err_text(), want);
    assert_int_equal(read_all(paths, KIND_ANY, &c), -1);
    (void)snprintf(
        want, sizeof want,
        "%s: this is a stream of tokens, the file before it one of prompts; give one kind", path2);
    assert_string_equal(err_text(), want);
}

static void put_file(const char *to, const char *p, size_t n)
{
    const int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    (void)close(fd);
}

static void every_flip_and_cut_is_found(void **unused)
{
    struct buf good = BUF_INIT;

    (void)unused;
    write_stream(path, KIND_EXAMPLES, 40, 3);
    assert_int_equal(read_file(&good, path, 1 << 20), 0);
    for (size_t bit = 0; bit < 8 * good.n; bit++) {
        good.p[bit / 8] ^= (char)(1 << bit % 8);
        put_file(path2, good.p, good.n);
        if (count(path2) >= 0)
            fail_msg("flip of bit %zu of byte %zu of %zu was not found", bit % 8, bit / 8, good.n);
        good.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t n = 0; n < good.n; n++) {
        put_file(path2, good.p, n);
        if (count(path2) >= 0)
            fail_msg("cut after %zu of %zu bytes was not found", n, good.n);
        assert_int_equal(err_code(), n ? EXIT_DATA : EXIT_NOINPUT);
    }
    buf_putc(&good, 'x');
    put_file(path2, good.p, good.n);
    assert_int_equal(count(path2), -1);
    good.n--;
    put_file(path2, good.p, good.n);
    assert_int_equal(count(path2), 40);
    buf_free(&good);
}

/* The content of a stream with records of all types, as the format has it, without zstd. */
static void make_content(struct buf *b, size_t *header)
{
    struct record *r = record_new();
    struct stream_header h = { .kind = KIND_TOKENS, .chain_n = 1 };

    stream_entry_put(&h.chain, &(struct stream_entry){ 0 });
    stream_header_put(b, &h);
    stream_header_free(&h);
    *header = b->n;
    for (uint32_t i = 0; i < 5; i++) {
        const uint32_t ids[] = { 1, 2, 70000 + i };
        const float scores[] = { 0.5f, 0.25f };

        record_clear(r);
        record_set_uint(r, "id", i);
        record_set_text(r, "text", "T\xc3\xa4glich", 8);
        record_set_ids(r, "ids", ids, 3, true);
        record_set_ids(r, "output_ids", ids, 2, false);
        record_set_f32(r, "scores", scores, 2);
        record_set_float(r, "loss", 0.1 * i);
        record_set_raw(r, "least", 5, (const uint8_t *)"\x39\x01\x2b", 3);
        record_set_raw(r, "deep", 4,
                       (const uint8_t *)"\x82\xa1\x61x\x81\xf6\xc1\x1a\x51\x4b\x67\xb0", 12);
        record_append(r, b);
    }
    record_free(r);
}

/* Content and an end map that is right about it, in one frame. */
static void put_stream(const char *to, const struct buf *content)
{
    struct stream_end e = { .records = 5 };
    struct buf all = BUF_INIT;
    struct outfile *f;

    buf_add(&all, content->p, content->n);
    sha256_of(content->p, content->n, e.digest);
    stream_end_put(&all, &e, NULL, 0);
    claim_spare(to);
    assert_int_equal(outfile_open(&f, to, true, true), 0);
    struct zout *z = zout_new(f, 1, 2);

    assert_int_equal(zout_write(z, all.p, all.n), 0);
    assert_int_equal(zout_end(z), 0);
    assert_int_equal(outfile_commit(f), 0);
    zout_free(z);
    buf_free(&all);
}

/* Bytes change where no checksum tells: whatever comes of it, no memory is touched that is not ours
 * (the sanitizers look), and what is refused is called bad data. */
static void changed_content_is_survived(void **unused)
{
    const char *const said = getenv("FUZZ"); /* "" where make runs without its fuzzers */
    const int rounds = said && *said ? atoi(said) : 1500;
    struct buf good = BUF_INIT;
    struct mt19937 g;
    size_t header;
    int taken = 0;

    (void)unused;
    make_content(&good, &header);
    put_stream(path, &good);
    assert_int_equal(count(path), 5);
    mt19937_seed(&g, 1);
    for (int i = 0; i < rounds; i++) {
        struct buf bad = BUF_INIT;

        buf_add(&bad, good.p, good.n);
        for (uint32_t k = 1 + mt19937_u32(&g) % 3; k; k--) {
            const size_t from = i % 4 ? header : 0;
            char *at = bad.p + from + mt19937_u32(&g) % (bad.n - from);

            *at = mt19937_u32(&g) % 2 ? (char)mt19937_u32(&g)
                                      : (char)(*at ^ 1 << mt19937_u32(&g) % 8);
        }
        put_stream(path, &bad);
        if (count(path) >= 0)
            taken++;
        else
            assert_int_equal(err_code(), EXIT_DATA);
        buf_free(&bad);
    }
    assert_true(taken > rounds / 20 && taken < rounds * 19 / 20);
    buf_free(&good);
}

/* The seal is missed at every level, so every level begins with the block that promises it. */
static void a_missing_seal_is_found(void **unused)
{
    (void)unused;
    for (int level = 1; level <= 22; level += level < 3 ? 1 : 4) {
        struct buf b = BUF_INIT;

        write_stream(path, KIND_EXAMPLES, 3, level);
        assert_int_equal(read_file(&b, path, 1 << 20), 0);
        put_file(path2, b.p, b.n - 40);
        assert_int_equal(count(path2), -1);
        assert_non_null(strstr(err_text(), "the seal is missing"));
        buf_free(&b);
    }
}

static void a_stream_is_told_from_other_files(void **unused)
{
    struct buf b = BUF_INIT;

    (void)unused;
    write_stream(path, KIND_EXAMPLES, 30000, 3);
    assert_int_equal(read_file(&b, path, 1 << 30), 0);
    assert_int_equal(stream_is_at(path), 1);
    put_file(path2, b.p, 512);
    assert_int_equal(stream_is_at(path2), 1);
    put_file(path2, b.p, 8);
    assert_int_equal(stream_is_at(path2), 0);
    put_file(path2, "text,label\n", 11);
    assert_int_equal(stream_is_at(path2), 0);
    assert_int_equal(remove(path2), 0);
    assert_int_equal(stream_is_at(path2), -1);
    buf_free(&b);
}

static void the_same_bytes_again(void **unused)
{
    struct buf a = BUF_INIT, b = BUF_INIT;

    (void)unused;
    write_stream(path, KIND_EXAMPLES, 5000, 3);
    write_stream(path2, KIND_EXAMPLES, 5000, 3);
    assert_int_equal(read_file(&a, path, 1 << 20), 0);
    assert_int_equal(read_file(&b, path2, 1 << 20), 0);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    buf_free(&a);
    buf_free(&b);
}

/* Records that are given encoded, so many at a time, and written by THREADS. */
static void write_encoded(const char *to, int records, int at_once, int threads)
{
    struct cli_common c = CLI_COMMON_INIT;
    struct record *r = record_new();
    struct buf b = BUF_INIT;
    struct writer *w;

    c.output = to;
    c.force = true;
    c.threads = threads;
    claim_spare(c.output);
    assert_int_equal(writer_open(&w, &c, KIND_EXAMPLES, NULL, NULL, NULL), 0);
    for (int i = 0; i < records; i++) {
        record_clear(r);
        record_set_uint(r, "id", (uint64_t)i);
        record_set_text(r, "text", "Profit rose sharply, and so did sales", (size_t)(i % 38));
        if (at_once) {
            record_append(r, &b);
        } else {
            assert_int_equal(writer_put(w, r), 0);
        }
        if (at_once && ((i + 1) % at_once == 0 || i + 1 == records)) {
            assert_int_equal(writer_put_encoded(w, &b, i % at_once + 1), 0);
            assert_int_equal(b.n, 0);
        }
    }
    assert_int_equal(writer_commit(w), 0);
    buf_free(&b);
    record_free(r);
}

static void encoded_records_are_the_same(void **unused)
{
    static const int at_once[] = { 0, 1, 777, 20000, 90000 };
    static const int threads[] = { 1, 2, 3, 8 };
    struct buf want = BUF_INIT;

    (void)unused;
    write_encoded(path, 90000, 0, 1);
    assert_int_equal(read_file(&want, path, 1 << 24), 0);
    for (size_t i = 0; i < sizeof at_once / sizeof *at_once; i++)
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            struct buf got = BUF_INIT;

            write_encoded(path2, 90000, at_once[i], threads[t]);
            assert_int_equal(read_file(&got, path2, 1 << 24), 0);
            assert_int_equal(got.n, want.n);
            assert_memory_equal(got.p, want.p, want.n);
            buf_free(&got);
        }
    buf_free(&want);
}

/* Much content, made by several threads: one frame and the seal, which cannot go missing. */
static void frame_and_seal(void **unused)
{
    enum { SEAL = 40 };
    struct buf b = BUF_INIT;

    (void)unused;
    write_encoded(path, 90000, 0, 3);
    assert_int_equal(count(path), 90000);
    assert_int_equal(read_file(&b, path, 1 << 24), 0);
    assert_int_equal(ZSTD_findFrameCompressedSize(b.p, b.n), b.n - SEAL);
    put_file(path2, b.p, b.n - SEAL);
    assert_int_equal(count(path2), -1);
    assert_non_null(strstr(err_text(), "the seal is missing"));
    buf_free(&b);
}

/* What --labels with these values gives: the labels with '|' between them; "!" and what is wrong.
 */
static void labels_are(const char *want, int n, const char **values)
{
    const struct cli_list given = { values, n };
    struct labels l;
    struct buf got = BUF_INIT;

    if (labels_load(&l, &given) < 0)
        buf_printf(&got, "!%s", err_text());
    for (int i = 0; i < l.n; i++)
        buf_printf(&got, "%s%s", i ? "|" : "", l.name[i]);
    assert_string_equal(got.p, want);
    labels_free(&l);
    buf_free(&got);
}
#define LABELS(want, ...)                                                                          \
    labels_are(want, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)),              \
               (const char *[]){ __VA_ARGS__ })

static void label_lists(void **unused)
{
    (void)unused;
    LABELS("b|a|c", "b,a,c");
    LABELS("x", "x");
    LABELS("a,b|c", "a,b", "c");
    LABELS("positive|neutral|negative", "financial-sentiment");
    LABELS("financial-sentiment|x", "financial-sentiment", "x");
    LABELS("!labels: a label is empty; leave it out", "a,");
    LABELS("!labels: a label is empty; leave it out", "a", "");
    LABELS("!labels: the label 'a' is there twice; leave one out", "a,b,a");
    LABELS("!labels: the label 'a' is there twice; leave one out", "a", "a");
}

/* No set of that name is one thing, no way to know is another. */
static void label_sets(void **unused)
{
    struct labels l;
    char *was = xstrdup(getenv("SLMTOOLS_SHARE") ? getenv("SLMTOOLS_SHARE") : "");

    (void)unused;
    assert_int_equal(labels_of_set(&l, "financial-sentiment"), 1);
    assert_string_equal(l.name[1], "neutral");
    labels_free(&l);
    assert_int_equal(labels_of_set(&l, "no-such-set"), 0);
    assert_non_null(strstr(err_text(), "there are: financial-sentiment"));
    assert_int_equal(setenv("SLMTOOLS_SHARE", "/nonexistent/share", 1), 0);
    assert_int_equal(labels_of_set(&l, "financial-sentiment"), -1);
    assert_int_equal(labels_of_set(&l, "no-such-set"), -1);
    assert_int_equal(err_code(), EXIT_NOINPUT);
    assert_int_equal(setenv("SLMTOOLS_SHARE", was, 1), 0);
    free(was);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(filter_and_limit),
        cmocka_unit_test(kinds_are_checked),
        cmocka_unit_test(every_flip_and_cut_is_found),
        cmocka_unit_test(changed_content_is_survived),
        cmocka_unit_test(a_missing_seal_is_found),
        cmocka_unit_test(a_stream_is_told_from_other_files),
        cmocka_unit_test(the_same_bytes_again),
        cmocka_unit_test(encoded_records_are_the_same),
        cmocka_unit_test(frame_and_seal),
        cmocka_unit_test(label_lists),
        cmocka_unit_test(label_sets),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
