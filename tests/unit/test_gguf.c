/* GGUF files whose bytes were changed: opened as a whole model, or refused with a line and a code;
 * no memory is touched that is not ours (the sanitizers look), and what is made of the keys is
 * valid JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gguf.h"
#include "json.h"
#include "mem.h"
#include "rng.h"
#include "tensors.h"

/* ---- a file ---- */

struct making {
    struct buf keys, infos, data;
    uint64_t n_keys, n_infos;
};

static void put(struct buf *b, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_putc(b, (char)(v >> 8 * i));
}

static void put_text(struct buf *b, const char *text)
{
    put(b, strlen(text), 8);
    buf_puts(b, text);
}

static void key(struct making *m, const char *name, enum gguf_type type)
{
    m->n_keys++;
    put_text(&m->keys, name);
    put(&m->keys, type, 4);
}

static void key_int(struct making *m, const char *name, uint32_t v)
{
    key(m, name, GGUF_U32);
    put(&m->keys, v, 4);
}

static void key_float(struct making *m, const char *name, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    key(m, name, GGUF_F32);
    put(&m->keys, bits, 4);
}

static void key_text(struct making *m, const char *name, const char *text)
{
    key(m, name, GGUF_TEXT);
    put_text(&m->keys, text);
}

/* WORDS with commas between them. */
static void key_texts(struct making *m, const char *name, const char *words)
{
    struct buf texts = BUF_INIT;
    uint64_t n = 0;

    while (*words) {
        const size_t len = strcspn(words, ",");

        put(&texts, len, 8);
        buf_add(&texts, words, len);
        words += len + (words[len] == ',');
        n++;
    }
    key(m, name, GGUF_ARRAY);
    put(&m->keys, GGUF_TEXT, 4);
    put(&m->keys, n, 8);
    buf_add(&m->keys, texts.p, texts.n);
    buf_free(&texts);
}

static void key_numbers(struct making *m, const char *name, enum gguf_type type, const uint32_t *v,
                        size_t n)
{
    key(m, name, GGUF_ARRAY);
    put(&m->keys, type, 4);
    put(&m->keys, n, 8);
    for (size_t i = 0; i < n; i++)
        put(&m->keys, v[i], 4);
}

/* Of TYPE (its number in a file), BYTES in all; COLS 0: a vector. */
static void tensor(struct making *m, const char *name, uint32_t type, uint64_t rows, uint64_t cols,
                   size_t bytes)
{
    m->n_infos++;
    put_text(&m->infos, name);
    put(&m->infos, cols ? 2 : 1, 4);
    if (cols)
        put(&m->infos, cols, 8);
    put(&m->infos, rows, 8);
    put(&m->infos, type, 4);
    put(&m->infos, m->data.n, 8);
    for (size_t i = 0; i < bytes; i++)
        buf_putc(&m->data, (char)i);
    while (m->data.n % 32)
        buf_putc(&m->data, 0);
}

static void finish(struct making *m, struct buf *file)
{
    buf_puts(file, "GGUF");
    put(file, 3, 4);
    put(file, m->n_infos, 8);
    put(file, m->n_keys, 8);
    buf_add(file, m->keys.p, m->keys.n);
    buf_add(file, m->infos.p, m->infos.n);
    while (file->n % 32)
        buf_putc(file, 0);
    buf_add(file, m->data.p, m->data.n);
    buf_free(&m->keys);
    buf_free(&m->infos);
    buf_free(&m->data);
}

/* Keys that all have: 4 heads of 8, and 2 for keys and values. */
static void common(struct making *m, const char *arch)
{
    static const struct {
        const char *name;
        uint32_t v;
    } sizes[] = { { "context_length", 64 },      { "embedding_length", 32 },
                  { "block_count", 1 },          { "feed_forward_length", 32 },
                  { "attention.head_count", 4 }, { "attention.head_count_kv", 2 },
                  { "rope.dimension_count", 8 } };
    char name[96];

    key_text(m, "general.architecture", arch);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", arch, sizes[i].name);
        key_int(m, name, sizes[i].v);
    }
    (void)snprintf(name, sizeof name, "%s.attention.layer_norm_%s", arch,
                   strcmp(arch, "phi2") ? "rms_epsilon" : "epsilon");
    key_float(m, name, 1e-5F);
    tensor(m, "token_embd.weight", 8, 6, 32, 6 * 34);
    tensor(m, "output_norm.weight", 0, 32, 0, 128);
    tensor(m, "blk.0.attn_norm.weight", 0, 32, 0, 128);
}

static void make_llama(struct buf *file)
{
    struct making m = { 0 };
    const uint32_t types[] = { 3, 1, 1, 1, 4, 1 };

    common(&m, "llama");
    key_text(&m, "tokenizer.ggml.model", "gpt2");
    key_text(&m, "tokenizer.ggml.pre", "smollm");
    key_texts(&m, "tokenizer.ggml.tokens", "<s>,a,b,ab,<\"x\">,abab");
    key_numbers(&m, "tokenizer.ggml.token_type", GGUF_I32, types, 6);
    key_texts(&m, "tokenizer.ggml.merges", "a b,ab ab");
    key_int(&m, "tokenizer.ggml.bos_token_id", 0);
    key_int(&m, "tokenizer.ggml.eot_token_id", 4);
    key_int(&m, "general.alignment", 32);
    key_text(&m, "tokenizer.chat_template", "{{ '\n' }}");
    tensor(&m, "blk.0.attn_q.weight", 2, 32, 32, 32 * 18);
    tensor(&m, "blk.0.attn_k.weight", 1, 16, 32, 16 * 64);
    tensor(&m, "blk.0.attn_v.weight", 3, 16, 32, 16 * 20);
    tensor(&m, "blk.0.attn_output.weight", 20, 32, 32, 32 * 18);
    tensor(&m, "rope_freqs.weight", 0, 4, 0, 16);
    finish(&m, file);
}

/* Its rotary factors are what the bytes 0, 1, 2, ... are as floats; they are positive. */
static void make_phi3(struct buf *file)
{
    struct making m = { 0 };
    const uint32_t scores[] = { 0, 0, 0xbf800000, 0xc0000000, 0xc0400000, 0xc0800000 };
    const uint32_t types[] = { 2, 3, 1, 1, 1, 6 };

    common(&m, "phi3");
    key_text(&m, "tokenizer.ggml.model", "llama");
    key_texts(&m, "tokenizer.ggml.tokens", "<unk>,<s>,a,aa,aaa,<0x00>");
    key_numbers(&m, "tokenizer.ggml.scores", GGUF_F32, scores, 6);
    key_numbers(&m, "tokenizer.ggml.token_type", GGUF_I32, types, 6);
    key_int(&m, "phi3.rope.scaling.original_context_length", 32);
    tensor(&m, "rope_factors_long.weight", 0, 4, 0, 16);
    tensor(&m, "rope_factors_short.weight", 0, 4, 0, 16);
    tensor(&m, "blk.0.attn_qkv.weight", 30, 64, 32, 64 * 64);
    tensor(&m, "blk.0.ffn_up.weight", 6, 64, 32, 64 * 22);
    finish(&m, file);
}

static void make_phi2(struct buf *file)
{
    struct making m = { 0 };

    common(&m, "phi2");
    key_float(&m, "phi2.rope.scaling.factor", 2);
    tensor(&m, "blk.0.attn_qkv.weight", 7, 64, 32, 64 * 24);
    tensor(&m, "blk.0.attn_qkv.bias", 0, 64, 0, 256);
    tensor(&m, "output.weight", 0, 6, 32, 6 * 128);
    finish(&m, file);
}

/* ---- opening ---- */

static char path[64];

static void write_file(const struct buf *file)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(file->p, 1, file->n, f), file->n);
    assert_int_equal(fclose(f), 0);
}

static void look_at_files(const struct pack *p)
{
    for (int i = 0; i < pack_count(p); i++) {
        const struct pack_file *f = pack_at(p, i);

        if (text_ends_with(f->name, ".json"))
            assert_int_equal(json_check((const char *)f->data, f->size), 0);
    }
}

static void look_at_tensors(const struct tensors *t)
{
    volatile uint8_t sum = 0;

    for (int i = 0; i < tensors_count(t); i++) {
        const struct tensor *x = tensors_at(t, i);
        int64_t n = 1;

        for (int k = 0; k < x->rank; k++)
            n *= x->shape[k];
        assert_true(n == x->n && x->bytes == dtype_bytes(x->dtype, (size_t)n));
        for (size_t b = 0; b < x->bytes; b++)
            sum = (uint8_t)(sum ^ x->data[b]);
    }
}

/* Whether the file is taken. */
static bool opens(const struct buf *file)
{
    struct pack *p;
    struct tensors *t;

    write_file(file);
    if (pack_open(&p, path) < 0) {
        if (err_code() != EXIT_DATA && err_code() != EXIT_NODEVICE)
            fail_msg("code %d: %s", err_code(), err_text());
        assert_true(*err_text() && !strchr(err_text(), '\n'));
        return false;
    }
    look_at_files(p);
    if (pack_find(p, "model.gguf")) {
        assert_int_equal(tensors_open(&t, p, "model"), 0);
        look_at_tensors(t);
        tensors_close(t);
    }
    pack_close(p);
    return true;
}

static void whole_files_are_taken(void **state)
{
    void (*const make[])(struct buf *) = { make_phi3, make_phi2 };
    struct buf file = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof make / sizeof *make; i++) {
        make[i](&file);
        if (!opens(&file))
            fail_msg("%s", err_text());
        buf_clear(&file);
    }
    make_llama(&file); /* its rotary factors are nobody's */
    assert_false(opens(&file));
    assert_int_equal(err_code(), EXIT_NODEVICE);
    assert_non_null(strstr(err_text(), "rope_freqs.weight"));
    buf_free(&file);
}

/* ---- changes ---- */

static size_t below(struct mt19937 *g, size_t n)
{
    return mt19937_u32(g) % n;
}

/* A count, a length, a dimension or a place becomes one that is not likely. */
static void change_number(struct buf *b, struct mt19937 *g)
{
    static const uint64_t values[] = { 0,          1,          2,          7,
                                       31,         0x7fffffff, 0xffffffff, 1ull << 32,
                                       1ull << 40, INT64_MAX,  1ull << 63, UINT64_MAX };
    const size_t at = below(g, b->n - 8), bytes = below(g, 2) ? 4 : 8;
    const uint64_t v = values[below(g, sizeof values / sizeof *values)];

    for (size_t i = 0; i < bytes; i++)
        b->p[at + i] = (char)(v >> 8 * i);
}

static void change(struct buf *b, struct mt19937 *g)
{
    const size_t head = b->n < 2500 ? b->n : 2500; /* where the keys are */
    const size_t at = below(g, below(g, 8) ? head : b->n), from = below(g, head);
    const size_t n = 1 + below(g, 40);

    switch (below(g, 8)) {
    case 0:
        change_number(b, g);
        break;
    case 1:
        if (at + n < b->n && from + n < b->n)
            memmove(b->p + at, b->p + from, n);
        break;
    case 2:
        if (!below(g, 8))
            b->n = at + 1;
        break;
    case 3:
        if (at + n < b->n && !below(g, 4)) {
            memmove(b->p + at, b->p + at + n, b->n - at - n);
            b->n -= n;
        }
        break;
    case 4:
        b->p[at] = (char)(b->p[at] + (below(g, 2) ? 1 : -1));
        break;
    default:
        b->p[at] = below(g, 2) ? (char)mt19937_u32(g) : (char)(b->p[at] ^ 1 << below(g, 8));
    }
}

static void changed_files_do_no_harm(void **state)
{
    void (*const make[])(struct buf *) = { make_llama, make_phi3, make_phi2 };
    const char *const said = getenv("FUZZ"); /* "" where make runs without its fuzzers */
    const int rounds = said && *said ? atoi(said) : 600;
    struct buf good[3] = { BUF_INIT, BUF_INIT, BUF_INIT }, bad = BUF_INIT;
    struct mt19937 g;
    int taken = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        make[i](&good[i]);
    mt19937_seed(&g, 11);
    for (int i = 0; i < rounds; i++) {
        buf_clear(&bad);
        buf_add(&bad, good[i % 3].p, good[i % 3].n);
        for (size_t k = 1 + below(&g, 3); k; k--)
            change(&bad, &g);
        taken += opens(&bad);
    }
    assert_true(taken > rounds / 50 && taken < rounds * 9 / 10);
    for (int i = 0; i < 3; i++)
        buf_free(&good[i]);
    buf_free(&bad);
}

static int make_path(void **state)
{
    (void)state;
    (void)strcpy(path, "/dev/shm/test_gguf-XXXXXX"); /* in memory, where the system has that */
    int fd = mkstemp(path);

    if (fd < 0) {
        (void)strcpy(path, "/tmp/test_gguf-XXXXXX");
        fd = mkstemp(path);
    }

    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files_are_taken),
        cmocka_unit_test(changed_files_do_no_harm),
    };

    err_set_talk(0);
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
