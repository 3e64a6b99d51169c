/* A tokenizer.json; one that is taken encodes a text and gives it back. */
#include "fuzz.h"
#include "tokenizer.h"
#include "tokenizer_impl.h"

static void use(const struct tokenizer *t)
{
    static const char text[] =
        "It's  a test: caf\xC3\xA9 \xE6\x97\xA5 <|endoftext|>\n\t 12 aaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct tokenizer_scratch *s = tokenizer_scratch_new();
    struct buf back = BUF_INIT;
    const uint32_t *ids;
    size_t n;

    if (says_why(tokenizer_encode(t, s, text, sizeof text - 1, &ids, &n)) < 0)
        n = 0; /* a regular expression that gives up */
    for (size_t i = 0; i < n; i++)
        must_hold(ids[i] < tokenizer_vocab_size(t), "an id of the vocabulary");
    tokenizer_decode(t, ids, n, false, &back);
    (void)tokenizer_cut(t, text, sizeof text - 1);
    buf_free(&back);
    tokenizer_scratch_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokenizer *t;

    if (says_why(tokenizer_open_path(&t, fuzz_file("tokenizer.json", data, size))) < 0)
        return 0;
    use(t);
    tokenizer_close(t);
    return 0;
}
