/*
 * The patterns that are matched by hand give the words that PCRE2 gives, on random texts: 20,000,
 * or as many as WORDS says.
 */
#include "random_text.h"
#include "tokenizer_impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint32_t dense[] = { 'a',    'S',     'T',     'e',     'L',     'v',    'D',   0x17F,
                                  0x212A, 0xE9,    0x4E00,  '\'',    '\'',    '\'',   ' ',   ' ',
                                  ' ',    '\t',    '\n',    '\r',    '\n',    0x85,   0xA0,  0x2028,
                                  0x3000, 0x180E,  0x200B,  '0',     '7',     '9',    0x660, 0xB2,
                                  0x2167, 0x11DE0, 0x16FF4, 0x10D40, '!',     '.',    '/',   0x301,
                                  0x2581, 0x1F600, 0x105C0, 0x1C89,  0x31350, 0xE000, 0 };

static uint8_t *classes;
static struct pattern_scratch *scratch;
static struct buf room;

/* Text I: every other one of few characters that the patterns tell apart. */
static void one_text(struct buf *b, uint32_t i)
{
    uint64_t g = UINT64_C(0xA11) + i;

    if (i % 2) {
        random_text(b, i);
        return;
    }
    buf_clear(b);
    for (uint32_t n = below(&g, 40); n--;)
        put(b, PICK(&g, dense));
}

static void fail_at(const struct buf *b, size_t at, size_t got, size_t want)
{
    struct buf shown = BUF_INIT;

    utf8_show(&shown, b->p, b->n);
    fail_msg("%s: a word from byte %zu ends at %zu, by PCRE2 at %zu", shown.p, at, got, want);
}

/* The words of [FROM, TO) of B by P and by NEXT, which sees as much as END. */
static void words_are(const struct pattern *p, word_fn *next, const struct buf *b, size_t from,
                      size_t to, size_t end)
{
    const uint8_t *text = (const uint8_t *)b->p;
    const uint8_t *subject = pattern_subject(classes, &room, text + from, text + to);
    struct match m;

    for (size_t at = from; at < to; at = from + m.end) {
        assert_int_equal(pattern_find(p, scratch, subject, to - from, at - from, &m), 1);
        const size_t got = (size_t)(next(classes, text + at, text + end) - text);

        if (from + m.start != at || from + m.end != got)
            fail_at(b, at, got, from + m.end);
    }
}

static void each_text(const char *pattern, word_fn *next, bool digits)
{
    const char *n = getenv("WORDS");
    struct buf b = BUF_INIT;
    struct pattern *p;

    assert_int_equal(pattern_compile(&p, pattern, strlen(pattern)), 0);
    for (uint32_t i = 0; i < (n ? (uint32_t)atol(n) : 20000); i++) {
        one_text(&b, i);
        const uint8_t *text = (const uint8_t *)b.p;
        size_t from = 0;
        int len;

        for (size_t at = 0; digits && at < b.n; at += (size_t)len) {
            if (!(class_at(classes, text + at, &len) & (UC_NUMBER | UC_NUMERIC)))
                continue;
            words_are(p, next, &b, from, at, b.n);
            from = at + (size_t)len;
            if (next(classes, text + at, text + b.n) != text + from)
                fail_at(&b, at, 0, from);
        }
        words_are(p, next, &b, from, b.n, b.n);
    }
    pattern_free(p);
    buf_free(&b);
}

static void gpt_2(void **state)
{
    (void)state;
    assert_ptr_equal(known_pattern(PATTERN_GPT2), next_word);
    each_text(PATTERN_GPT2, next_word, false);
}

static void qwen2(void **state)
{
    (void)state;
    assert_ptr_equal(known_pattern(PATTERN_QWEN2), next_word_qwen2);
    each_text(PATTERN_QWEN2, next_word_qwen2, false);
}

static void llama_3(void **state)
{
    (void)state;
    assert_ptr_equal(known_pattern(PATTERN_LLAMA3), next_word_llama3);
    each_text(PATTERN_LLAMA3, next_word_llama3, false);
}

static void smollm_digits_then_gpt_2(void **state)
{
    (void)state;
    each_text(PATTERN_GPT2, next_word_digits, true);
}

static void others_are_not_known(void **state)
{
    (void)state;
    assert_null(known_pattern("\\s+"));
    assert_null(known_pattern(PATTERN_GPT2 "|x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt_2),
        cmocka_unit_test(qwen2),
        cmocka_unit_test(llama_3),
        cmocka_unit_test(smollm_digits_then_gpt_2),
        cmocka_unit_test(others_are_not_known),
    };

    classes = unicode_classes();
    unicode_add_new(classes);
    scratch = pattern_scratch_new();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
