/*
 * Words of characters that are merged piece by piece: the same ids as at once, with the bytes and
 * unknown characters of a real vocabulary among them. Texts of Llama 2's tokenizer are one word
 * where they have no spaces.
 */
#include "random_text.h"
#include "skip.h"
#include "tokenizer_impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct tokenizer *t;

static int open_shared(void **state)
{
    const char *root = getenv("SHARED");
    struct buf path = BUF_INIT;

    (void)state;
    buf_printf(&path, "%s/data/models/tinyllama-1.1b-chat/tokenizer.json",
               root ? root : "../shared");
    const bool there = access(path.p, R_OK) == 0;
    const int rc = there ? tokenizer_open_path(&t, path.p) : 0;

    buf_free(&path);
    return rc;
}

static int close_shared(void **state)
{
    (void)state;
    tokenizer_close(t);
    return 0;
}

/* Text I without its spaces, long enough for the heap. */
static void one_word(struct buf *b, uint32_t i)
{
    struct buf part = BUF_INIT;

    buf_clear(b);
    for (uint32_t k = 0; k < 4; k++) {
        random_text(&part, 10000000 + 4 * i + k);
        for (size_t at = 0; at < part.n; at++)
            if (part.p[at] != ' ')
                buf_putc(b, part.p[at]);
    }
    buf_free(&part);
}

static void pieces_give_the_same_ids(void **state)
{
    struct tokenizer_scratch *whole = tokenizer_scratch_new(), *pieces = tokenizer_scratch_new();
    struct buf b = BUF_INIT;
    const uint32_t *want, *got;
    size_t n_want, n_got;

    (void)state;
    if (!t)
        SKIP("no ../shared/data/models beside the project");
    pieces->piece = 16;
    for (uint32_t i = 0; i < 3000; i++) {
        one_word(&b, i);
        assert_int_equal(tokenizer_encode(t, whole, b.p, b.n, &want, &n_want), 0);
        assert_int_equal(tokenizer_encode(t, pieces, b.p, b.n, &got, &n_got), 0);
        assert_int_equal(n_got, n_want);
        if (n_want)
            assert_memory_equal(got, want, n_want * sizeof *want);
        assert_int_equal(tokenizer_count(t, pieces, b.p, b.n, &n_got), 0);
        assert_int_equal(n_got, n_want);
    }
    buf_free(&b);
    tokenizer_scratch_free(whole);
    tokenizer_scratch_free(pieces);
}

/* Minutes if any step were quadratic. */
static void long_words_take_linear_time(void **state)
{
    struct tokenizer_scratch *s = tokenizer_scratch_new();
    struct buf b = BUF_INIT, back = BUF_INIT;
    const uint32_t *ids;
    size_t n;

    (void)state;
    if (!t)
        SKIP("no ../shared/data/models beside the project");
    for (int i = 0; i < 200000; i++)
        buf_puts(&b, i % 3 ? "ab" : "\xF0\x9F\x98\x80");
    assert_int_equal(tokenizer_encode(t, s, b.p, b.n, &ids, &n), 0);
    tokenizer_decode(t, ids, n, false, &back);
    assert_int_equal(back.n, b.n);
    assert_memory_equal(back.p, b.p, b.n);
    buf_free(&b);
    buf_free(&back);
    tokenizer_scratch_free(s);
}

/* Marks in an order that NFC turns round, as many as a text may have. */
static void marks_take_linear_time(void **state)
{
    struct buf b = BUF_INIT, out = BUF_INIT;
    uint8_t *classes = unicode_classes();

    (void)state;
    unicode_add_nfc(classes);
    buf_putc(&b, 'a');
    for (int i = 0; i < 1000000; i++)
        buf_puts(&b, i % 2 ? "\xCC\xA3" : "\xCC\x81"); /* U+0323, U+0301 */
    put_nfc(classes, &out, (const uint8_t *)b.p, (const uint8_t *)b.p + b.n);
    assert_int_equal(out.n, b.n); /* a and the first U+0323 become U+1EA1, which has three bytes */
    assert_memory_equal(out.p, "\xE1\xBA\xA1\xCC\xA3", 5);
    free(classes);
    buf_free(&b);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_give_the_same_ids),
        cmocka_unit_test(long_words_take_linear_time),
        cmocka_unit_test(marks_take_linear_time),
    };

    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
