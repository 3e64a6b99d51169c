/*
 * Random Unicode texts and random ids: the same result as Hugging Face's tokenizers, by digests
 * that tests/parity/make-tokens recorded with the real library. That script gets its inputs from
 * here: test_tokens_random.test --texts FIRST N      each text: u32 length, bytes
 *   test_tokens_random.test --ids FIRST N VOCAB  each sequence: u32 length, u32 ids
 */
#include "random_text.h"
#include "sha256.h"
#include "skip.h"
#include "tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const char recorded[] = "tests/parity/tokens-random.txt";
static const char models[] = "tests/parity/tokens-models.txt"; /* by make-tokens-models */

/* Sequence I: ids up to a little beyond the vocabulary, some runs of single bytes among them so
 * that broken UTF-8 comes about. */
static size_t random_ids(uint32_t i, uint32_t vocab, uint32_t out[64])
{
    uint64_t g = UINT64_C(0x1D5) + i;
    const size_t n = below(&g, 64);

    for (size_t k = 0; k < n; k++)
        out[k] = below(&g, 3) ? below(&g, 256) : below(&g, vocab + 8);
    return n;
}

static void add_u32(struct sha256 *sha, uint32_t v)
{
    const uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

    sha256_add(sha, b, sizeof b);
}

static void digest_is(struct sha256 *sha, const char *want, const char *what, int first)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];

    sha256_done(sha, digest);
    sha256_hex(digest, hex);
    if (strncmp(hex, want, strlen(want)))
        fail_msg("%s from %d on: %s, recorded %s", what, first, hex, want);
}

static void texts_are(int first, int n, const char *want)
{
    struct sha256 *sha = sha256_new();
    struct buf text = BUF_INIT;

    for (int i = first; i < first + n; i++) {
        random_text(&text, (uint32_t)i);
        add_u32(sha, (uint32_t)text.n);
        sha256_add(sha, text.p, text.n);
    }
    buf_free(&text);
    digest_is(sha, want, "texts", first);
}

/* The N ids WANT of TEXT also come of its parts. */
static void parts_are(const struct tokenizer *t, struct tokenizer_scratch *s,
                      const struct buf *text, const uint32_t *want, size_t n)
{
    const size_t cut = tokenizer_cut(t, text->p, text->n);
    const uint32_t *ids;
    size_t head, tail;

    assert_int_equal(tokenizer_encode(t, s, text->p, cut, &ids, &head), 0);
    assert_true(head <= n);
    assert_memory_equal(ids, want, head * sizeof *ids);
    assert_int_equal(tokenizer_encode(t, s, text->p + cut, text->n - cut, &ids, &tail), 0);
    assert_int_equal(head + tail, n);
    assert_memory_equal(ids, want + head, tail * sizeof *ids);
}

static void encoding_is(const struct tokenizer *t, struct tokenizer_scratch *s, int first, int n,
                        const char *want)
{
    struct sha256 *sha = sha256_new();
    struct tokenizer_scratch *other = tokenizer_scratch_new();
    struct buf text = BUF_INIT;

    for (int i = first; i < first + n; i++) {
        const uint32_t *ids;
        size_t n_ids;

        random_text(&text, (uint32_t)i);
        assert_int_equal(tokenizer_encode(t, s, text.p, text.n, &ids, &n_ids), 0);
        add_u32(sha, (uint32_t)n_ids);
        for (size_t k = 0; k < n_ids; k++)
            add_u32(sha, ids[k]);
        if (tokenizer_cut(t, text.p, text.n))
            parts_are(t, other, &text, ids, n_ids);
    }
    buf_free(&text);
    tokenizer_scratch_free(other);
    digest_is(sha, want, "ids of texts", first);
}

/* Each sequence is decoded with its special tokens and without. */
static void decoding_is(const struct tokenizer *t, int first, int n, const char *want)
{
    struct sha256 *sha = sha256_new();
    struct buf text = BUF_INIT;

    for (int i = first; i < first + n; i++)
        for (int skip = 0; skip < 2; skip++) {
            uint32_t ids[64];
            const size_t n_ids = random_ids((uint32_t)i, (uint32_t)tokenizer_vocab_size(t), ids);

            buf_clear(&text);
            tokenizer_decode(t, ids, n_ids, skip, &text);
            add_u32(sha, (uint32_t)text.n);
            sha256_add(sha, text.p, text.n);
        }
    buf_free(&text);
    digest_is(sha, want, "texts of ids", first);
}

/* Compares every line "NAME WHAT FIRST N DIGEST" of FILE that is of tokenizer NAME. */
static void equals_recorded(const char *file, const char *name, const char *path)
{
    FILE *f = fopen(file, "r");
    struct tokenizer_scratch *s = tokenizer_scratch_new();
    struct tokenizer *t;
    char of[32], what[32], digest[80];
    int first, n, lines = 0;

    assert_non_null(f);
    if (tokenizer_open_path(&t, path) < 0)
        fail_msg("%s", err_text());
    while (fscanf(f, "%31s %31s %d %d %79s", of, what, &first, &n, digest) == 5) {
        if (!strcmp(of, "any") && !strcmp(what, "texts"))
            texts_are(first, n, digest);
        if (strcmp(of, name))
            continue;
        lines++;
        if (!strcmp(what, "encode"))
            encoding_is(t, s, first, n, digest);
        else
            decoding_is(t, first, n, digest);
    }
    fclose(f);
    tokenizer_close(t);
    tokenizer_scratch_free(s);
    assert_true(lines > 1);
}

static void equals_recorded_shared(const char *file, const char *name, const char *path)
{
    const char *root = getenv("SHARED");
    struct buf full = BUF_INIT;

    buf_printf(&full, "%s/%s", root ? root : "../shared", path);
    if (access(full.p, R_OK)) {
        buf_free(&full);
        SKIP("no ../shared beside the project");
    }
    equals_recorded(file, name, full.p);
    buf_free(&full);
}

static void phi_2(void **state)
{
    (void)state;
    equals_recorded_shared(recorded, "phi-2", "data/phi-2");
}

static void gpt_2_from_two_files(void **state)
{
    (void)state;
    equals_recorded_shared(recorded, "gpt-2", "data/tokenizers/gpt2");
}

static void every_flag_of_an_added_token(void **state)
{
    (void)state;
    equals_recorded(recorded, "odd", "tests/parity/tokenizer-odd.json");
}

static void merges_as_arrays_and_ignored(void **state)
{
    (void)state;
    equals_recorded(recorded, "whole", "tests/parity/tokenizer-whole.json");
}

static void tinyllama(void **state)
{
    (void)state;
    equals_recorded_shared(models, "tinyllama", "data/models/tinyllama-1.1b-chat");
}

static void phi_3(void **state)
{
    (void)state;
    equals_recorded_shared(models, "phi-3", "data/models/phi-3-mini-4k-derivative");
}

static void qwen_2_5_from_two_files(void **state)
{
    (void)state;
    equals_recorded_shared(models, "qwen2.5", "data/models/qwen2.5-0.5b-instruct");
}

/* What SMOLLM2 names (a file or a folder), or what pipelines/smollm2 has fetched. */
static void smollm2(void **state)
{
    const char *path = getenv("SMOLLM2"), *home = getenv("HOME");
    struct buf full = BUF_INIT;

    (void)state;
    if (path)
        buf_puts(&full, path);
    else
        buf_printf(&full, "%s/.cache/slmtools/SmolLM2-135M-Instruct.Q4_1.gguf", home ? home : "");
    if (access(full.p, R_OK)) {
        buf_free(&full);
        SKIP("SmolLM2 is not there: pipelines/smollm2/fetch gets it");
    }
    equals_recorded(models, "smollm2", full.p);
    buf_free(&full);
}

/* ---- for tests/parity/make-tokens ---- */

static int dump(char **argv)
{
    const int first = atoi(argv[2]), n = atoi(argv[3]);
    struct buf text = BUF_INIT;
    uint32_t ids[64];

    for (int i = first; i < first + n; i++) {
        if (!strcmp(argv[1], "--texts")) {
            random_text(&text, (uint32_t)i);
        } else {
            buf_clear(&text);
            buf_add(&text, ids, 4 * random_ids((uint32_t)i, (uint32_t)atoi(argv[4]), ids));
        }
        const uint32_t len = (uint32_t)text.n;

        fwrite(&len, 4, 1, stdout);
        fwrite(text.p, 1, text.n, stdout);
    }
    buf_free(&text);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flag_of_an_added_token),
        cmocka_unit_test(merges_as_arrays_and_ignored),
        cmocka_unit_test(phi_2),
        cmocka_unit_test(gpt_2_from_two_files),
        cmocka_unit_test(tinyllama),
        cmocka_unit_test(phi_3),
        cmocka_unit_test(qwen_2_5_from_two_files),
        cmocka_unit_test(smollm2),
    };

    if (argc > 3)
        return dump(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
