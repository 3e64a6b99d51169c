/* Streams: what is written is read again; any changed bit and any cut is found. */
#include "stream.h"

#include "mem.h"
#include "share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_stream.XXXXXX";
static char path[64], path2[64];

static int make_folder(void **unused)
{
    (void)unused;
    if (!mkdtemp(folder))
        return -1;
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
    assert_int_equal(writer_open(&w, &c, kind, &labels, NULL), 0);
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

/* Number of records that PATHS gives, -1 on failure. */
static int64_t read_all(const char *const *paths, int kinds, const struct cli_common *c)
{
    struct reader *r;
    struct record *rec;
    int64_t n = 0;
    int rc;

    if (reader_open(&r, paths, kinds, c) < 0)
        return -1;
    while ((rc = reader_next(r, &rec)) > 0)
        n++;
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
    (void)snprintf(
        want, sizeof want,
        "%s: this is a stream of tokens; predict wants examples, which split-stratified makes",
        path2);
    assert_string_equal(err_text(), want);
    assert_int_equal(read_all(paths, KIND_ANY, &c), -1);
    (void)snprintf(want, sizeof want,
                   "%s: this is a stream of tokens, the file before it one of prompts", path2);
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

static void a_stream_is_told_from_other_files(void **unused)
{
    struct buf b = BUF_INIT;

    (void)unused;
    write_stream(path, KIND_EXAMPLES, 30000, 3);
    assert_int_equal(read_file(&b, path, 1 << 30), 0);
    assert_true(stream_looks_like((uint8_t *)b.p, 512));
    assert_true(stream_looks_like((uint8_t *)b.p, b.n));
    assert_false(stream_looks_like((uint8_t *)b.p, 10));
    assert_false(stream_looks_like((const uint8_t *)"text,label\n", 11));
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

static void label_lists(void **unused)
{
    struct labels l;

    (void)unused;
    assert_int_equal(labels_load(&l, "b,a,c"), 0);
    assert_int_equal(l.n, 3);
    assert_int_equal(labels_find(&l, "a", 1), 1);
    assert_int_equal(labels_find(&l, "ab", 2), -1);
    labels_free(&l);
    assert_int_equal(labels_load(&l, "a,"), -1);
    assert_int_equal(labels_load(&l, "a,b,a"), -1);
    assert_int_equal(labels_load(&l, "no-such-set"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(filter_and_limit),
        cmocka_unit_test(kinds_are_checked),
        cmocka_unit_test(every_flip_and_cut_is_found),
        cmocka_unit_test(a_stream_is_told_from_other_files),
        cmocka_unit_test(the_same_bytes_again),
        cmocka_unit_test(label_lists),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
