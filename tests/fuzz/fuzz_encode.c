/* Texts: pieces of any size give the same ids, counting the same number, and without added tokens
 * that take white space with them the ids give the text back. */
#include "fuzz.h"
#include "tokenizer.h"
#include "tokenizer_impl.h"

static struct tokenizer *t;
static struct tokenizer_scratch *whole, *pieces;

static void start(void)
{
    if (tokenizer_open_path(&t, "tests/parity/tokenizer-odd.json") < 0)
        abort();
    whole = tokenizer_scratch_new();
    pieces = tokenizer_scratch_new();
    pieces->piece = 16;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const uint32_t *ids, *other;
    size_t n, n_other, cut;
    struct buf back = BUF_INIT;

    if (!t)
        start();
    if (says_why(tokenizer_encode(t, whole, text, size, &ids, &n)) < 0)
        return 0;
    must_hold(tokenizer_encode(t, pieces, text, size, &other, &n_other) == 0 && n == n_other &&
                  (!n || !memcmp(ids, other, n * sizeof *ids)),
              "the same ids from pieces");
    must_hold(tokenizer_count(t, pieces, text, size, &n_other) == 0 && n == n_other, "as many");
    cut = tokenizer_cut(t, text, size);
    must_hold(cut <= size, "a cut inside the text");
    tokenizer_decode(t, ids, n, false, &back);
    buf_free(&back);
    return 0;
}
