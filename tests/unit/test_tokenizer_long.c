/*
 * Words that are longer than what is merged at a time: the same ids as merging the best pair of the
 * whole word again and again gives, for random merges in any order, and sizes of a piece so small
 * that the pieces often do not fit together at first.
 */
#include "json.h"
#include "random_text.h"
#include "tokenizer.h"
#include "tokenizer_impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { LETTERS = 3, MERGES = 60, IDS = 256 + MERGES, WORD = 1500 };

static uint32_t rank_of[IDS][IDS], made[IDS][IDS]; /* by the ids of a pair */

struct source { /* what a tokenizer is made of */
    char content[IDS][32];
    uint32_t left[MERGES], right[MERGES];
};

static bool is_there(const struct source *s, int n, const char *content)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(s->content[i], content))
            return true;
    return false;
}

/* A letter, or one of the N tokens that were made. */
static uint32_t some_id(uint64_t *g, int n)
{
    const uint32_t i = below(g, LETTERS + (uint32_t)n);

    return i < LETTERS ? 'a' + i : 256 + i - LETTERS;
}

/* All bytes, and MERGES tokens that are made of two before them. */
static void make_tokens(struct source *s, uint64_t *g)
{
    for (int b = 0; b < 256; b++)
        s->content[b][byte_level_char((uint8_t)b, s->content[b])] = 0;
    for (int n = 0; n < MERGES;) {
        const uint32_t a = some_id(g, n), b = some_id(g, n);
        char *both = s->content[256 + n];

        if (strlen(s->content[a]) + strlen(s->content[b]) > 24)
            continue;
        strcpy(both, s->content[a]);
        strcat(both, s->content[b]);
        if (is_there(s, 256 + n, both))
            continue;
        s->left[n] = a;
        s->right[n++] = b;
    }
}

/* The tokenizer as JSON and in the tables above. SHUFFLED: a token's merge may come before those of
 * its parts. */
static void make(struct buf *json, uint64_t *g, bool shuffled)
{
    struct source s;
    uint32_t order[MERGES];

    make_tokens(&s, g);
    memset(rank_of, 255, sizeof rank_of);
    for (uint32_t i = 0; i < MERGES; i++) {
        const uint32_t k = shuffled ? below(g, i + 1) : i;

        order[i] = order[k];
        order[k] = i;
    }
    buf_clear(json);
    buf_puts(json, "{\"pre_tokenizer\": {\"type\": \"ByteLevel\"}, \"decoder\": {\"type\": "
                   "\"ByteLevel\"}, \"model\": {\"type\": \"BPE\", \"vocab\": {");
    for (int i = 0; i < IDS; i++) {
        buf_puts(json, i ? ", " : "");
        json_put_text(json, s.content[i], strlen(s.content[i]));
        buf_printf(json, ": %d", i);
    }
    buf_puts(json, "}, \"merges\": [");
    for (uint32_t i = 0; i < MERGES; i++) {
        const uint32_t m = order[i], a = s.left[m], b = s.right[m];

        buf_printf(json, "%s\"%s %s\"", i ? ", " : "", s.content[a], s.content[b]);
        rank_of[a][b] = i;
        made[a][b] = 256 + m;
    }
    buf_puts(json, "]}}");
}

/* The definition: the pair of the best rank, the first of them, until there is none. */
static size_t naive(const char *word, size_t n, uint32_t *ids)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint8_t)word[i];
    for (;;) {
        size_t best = n;

        for (size_t i = 0; i + 1 < n; i++)
            if (rank_of[ids[i]][ids[i + 1]] < UINT32_MAX &&
                (best == n || rank_of[ids[i]][ids[i + 1]] < rank_of[ids[best]][ids[best + 1]]))
                best = i;
        if (best == n)
            return n;
        ids[best] = made[ids[best]][ids[best + 1]];
        memmove(ids + best + 1, ids + best + 2, (n - best - 2) * sizeof *ids);
        n--;
    }
}

static void word_is(const struct tokenizer *t, struct tokenizer_scratch *s, const char *word,
                    const char *json)
{
    static uint32_t want[WORD];
    const size_t n_want = naive(word, WORD, want);

    for (s->piece = 8; s->piece < WORD; s->piece *= 3) {
        const uint32_t *ids;
        size_t n;

        assert_int_equal(tokenizer_encode(t, s, word, WORD, &ids, &n), 0);
        if (n != n_want || memcmp(ids, want, n * sizeof *ids))
            fail_msg("pieces of %zu: %zu ids, not %zu, or others: %.*s\n%s", s->piece, n, n_want,
                     WORD, word, json);
    }
}

static struct tokenizer *open_text(const struct buf *json)
{
    char path[] = "/tmp/test-tokenizer-XXXXXX.json";
    const int fd = mkstemps(path, 5);
    struct tokenizer *t;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, json->p, json->n), json->n);
    close(fd);
    if (tokenizer_open_path(&t, path) < 0)
        fail_msg("%s", err_text());
    unlink(path);
    return t;
}

static void random_words(bool shuffled)
{
    struct buf json = BUF_INIT;
    uint64_t g = 7 + shuffled;

    for (int i = 0; i < 40; i++) {
        struct tokenizer_scratch *s = tokenizer_scratch_new();
        char word[WORD];

        make(&json, &g, shuffled);
        struct tokenizer *t = open_text(&json);

        for (int k = 0; k < 3; k++) {
            const uint32_t letters = 1 + below(&g, LETTERS), run = few(&g, 40);

            for (int c = 0; c < WORD; c++)
                word[c] = c && below(&g, run) ? word[c - 1] : (char)('a' + below(&g, letters));
            word_is(t, s, word, json.p);
        }
        tokenizer_close(t);
        tokenizer_scratch_free(s);
    }
    buf_free(&json);
}

static void merges_as_they_are_learned(void **state)
{
    (void)state;
    random_words(false);
}

static void merges_in_any_order(void **state)
{
    (void)state;
    random_words(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_as_they_are_learned),
        cmocka_unit_test(merges_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
