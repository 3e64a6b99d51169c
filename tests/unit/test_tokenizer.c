/* What tokenizer.h promises beside equal ids: words, errors, refusals by name, hostile files. */
#include "random_text.h"
#include "share.h"
#include "tokenizer.h"
#include "tokenizer_impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test-tokenizer-XXXXXX";
static struct buf odd;      /* the bytes of tests/parity/tokenizer-odd.json */
static struct tokenizer *t; /* made of them */
static struct tokenizer_scratch *scratch;

static char *in_folder(const char *name)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, "%s/%s", folder, name);
    return path.p;
}

static void write_file(const char *name, const char *bytes, size_t n)
{
    char *path = in_folder(name);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    free(path);
}

static void remove_file(const char *name)
{
    char *path = in_folder(name);

    unlink(path);
    free(path);
}

static int open_bytes(struct tokenizer **out, const char *bytes, size_t n)
{
    char *path = in_folder("tokenizer.json");

    write_file("tokenizer.json", bytes, n);
    const int rc = tokenizer_open_path(out, path);

    free(path);
    return rc;
}

static int start(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(read_file(&odd, "tests/parity/tokenizer-odd.json", 1 << 20), 0);
    assert_int_equal(open_bytes(&t, odd.p, odd.n), 0);
    scratch = tokenizer_scratch_new();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tokenizer_close(t);
    tokenizer_scratch_free(scratch);
    buf_free(&odd);
    remove_file("tokenizer.json");
    return rmdir(folder);
}

/* ---- words ---- */

static void words_follow_the_pattern(void **state)
{
    static const char *const cases[] = {
        /* words are written with '|' between */
        "Hello| world",
        "a| | b",
        "I|'m| we|'re| he|'ll| it|'d| you|'ve| x|'s|t",
        "'|S|'s|'|r",
        "''|s| '|s",
        "x|1|y| 22| ½³|z",
        "a|,,|b| !!",
        "tab|\t|x|\n|y|\n\n|\n|z",
        "end|   ",
        "a|\xC2\xA0|b|\xE3\x80\x80|c",
        "\xC3\xA9t\xC3\xA9| \xE4\xB8\xAD\xE6\x96\x87|\xD9\xA3\xD9\xA4",
        "e|\xCC\x81|x",
        "\xF0\x9F\x98\x80\xE2\x80\x8D|x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = BUF_INIT, got = BUF_INIT;

        for (const char *c = cases[i]; *c; c++)
            if (*c != '|')
                buf_putc(&text, *c);
        const uint8_t *p = (const uint8_t *)text.p, *end = p + text.n;

        while (p < end) {
            const uint8_t *q = next_word(t->classes, p, end);

            if (got.n)
                buf_putc(&got, '|');
            buf_add(&got, p, (size_t)(q - p));
            p = q;
        }
        assert_string_equal(got.p, cases[i]);
        buf_free(&text);
        buf_free(&got);
    }
}

static void classes_are_those_of_unicode_16(void **state)
{
    static const struct {
        uint32_t cp;
        int classes;
    } facts[] = {
        { 'a', UC_LETTER | UC_WORD },
        { '7', UC_NUMBER | UC_WORD },
        { '_', UC_WORD },
        { '-', 0 },
        { 0x85, UC_SPACE },
        { 0xA0, UC_SPACE },
        { 0x200B, 0 },
        { 0x3000, UC_SPACE },
        { 0x0301, UC_WORD },
        { 0x1C89, UC_LETTER | UC_WORD },
        { 0x16D70, UC_NUMBER | UC_WORD },
        { 0xA7DC, UC_LETTER | UC_WORD },
        { 0x323B0, 0 },
        { 0x1F600, 0 },
    };
    int letters = 0, numbers = 0, spaces = 0;

    (void)state;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        assert_int_equal(t->classes[facts[i].cp], facts[i].classes);
    for (uint32_t cp = 0; cp < UC_CODE_POINTS; cp++) {
        letters += t->classes[cp] & UC_LETTER;
        numbers += (t->classes[cp] & UC_NUMBER) != 0;
        spaces += (t->classes[cp] & UC_SPACE) != 0;
    }
    assert_int_equal(letters, 141028); /* general categories L*, N* of Unicode 16.0 */
    assert_int_equal(numbers, 1911);
    assert_int_equal(spaces, 25);
}

/* ---- encode, decode ---- */

static size_t encode(const char *text, size_t len, const uint32_t **ids)
{
    size_t n;

    assert_int_equal(tokenizer_encode(t, scratch, text, len, ids, &n), 0);
    return n;
}

static void empty_text_has_no_ids(void **state)
{
    const uint32_t *ids;

    (void)state;
    assert_int_equal(encode("", 0, &ids), 0);
}

static void invalid_utf8_is_named_by_its_byte(void **state)
{
    const uint32_t *ids;
    size_t n;

    (void)state;
    assert_int_equal(tokenizer_encode(t, scratch, "abc\xFFz", 5, &ids, &n), -1);
    assert_int_equal(err_code(), EXIT_DATA);
    assert_non_null(strstr(err_text(), "byte 3 "));
    assert_int_equal(tokenizer_encode(t, scratch, "\xED\xA0\x80", 3, &ids, &n),
                     -1);                                                          /* a surrogate */
    assert_int_equal(tokenizer_encode(t, scratch, "ab\xE2\x82", 4, &ids, &n), -1); /* cut */
    assert_non_null(strstr(err_text(), "byte 2 "));
}

static void broken_utf8_decodes_to_one_mark_a_piece(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
#define MARK "\xEF\xBF\xBD"
        { "a\xFFz", "a" MARK "z" },
        { "\xE2\x82", MARK },
        { "\xE2\x82z", MARK "z" },
        { "\xF0\x9F\x98", MARK },
        { "\xED\xA0\x80", MARK MARK MARK },
        { "\xC0\x80", MARK MARK },
        { "\xF4\x90\x80\x80", MARK MARK MARK MARK },
        { "\xE0\x80", MARK MARK },
        { "\x80\xC3\xA9", MARK "\xC3\xA9" },
    };
    struct buf out = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t ids[8];
        size_t n = 0;

        for (const char *c = cases[i].bytes; *c; c++)
            ids[n++] = t->byte_id[(uint8_t)*c];
        buf_clear(&out);
        tokenizer_decode(t, ids, n, false, &out);
        assert_string_equal(out.p, cases[i].text);
    }
    buf_free(&out);
}

static void unknown_ids_decode_to_nothing(void **state)
{
    const uint32_t ids[] = { (uint32_t)tokenizer_vocab_size(t), UINT32_MAX };
    struct buf out = BUF_INIT;
    size_t len;

    (void)state;
    tokenizer_decode(t, ids, 2, false, &out);
    assert_int_equal(out.n, 0);
    assert_null(tokenizer_token(t, ids[0], &len));
    buf_free(&out);
}

static void tokens_are_found_by_content(void **state)
{
    const int64_t eot = tokenizer_id_of(t, "<|endoftext|>", 13);
    size_t len;

    (void)state;
    assert_true(eot > 255);
    assert_int_equal(tokenizer_eos(t), eot);
    assert_int_equal(tokenizer_id_of(t, "no such token", 13), -1);
    const char *the = tokenizer_token(t, (uint32_t)tokenizer_id_of(t, "\xC4\xA0the", 5), &len);

    assert_int_equal(len, 4);
    assert_memory_equal(the, " the", len);
}

/* A word of a million letters: minutes if any step were quadratic. */
static void long_words_take_linear_time(void **state)
{
    enum { N = 1000000 };
    char *text = xmalloc(N);
    const uint32_t *ids;
    struct buf back = BUF_INIT;

    (void)state;
    for (int i = 0; i < N; i++)
        text[i] = "abaabacd"[i % 8];
    const size_t n = encode(text, N, &ids);

    tokenizer_decode(t, ids, n, false, &back);
    assert_int_equal(back.n, N);
    assert_memory_equal(back.p, text, N);
    buf_free(&back);
    free(text);
}

/* The first of these tokens takes the white space behind it, which is all the others; each of those
 * then takes what is on both its sides, and nothing is left of it. */
static void stripping_tokens_take_linear_time(void **state)
{
    enum { N = 500000 };
    struct buf text = BUF_INIT;
    const uint32_t *ids;

    (void)state;
    for (int i = 0; i < N; i++)
        buf_puts(&text, "\xE3\x80\x80");
    assert_int_equal(encode(text.p, text.n, &ids), 1);
    buf_free(&text);
}

/* The same scratch with two tokenizers in turn: no id of the one comes from the other's words. */
static void one_scratch_serves_two_tokenizers(void **state)
{
    struct tokenizer *whole;
    const uint32_t *ids;
    size_t n;

    (void)state;
    assert_int_equal(tokenizer_open_path(&whole, "tests/parity/tokenizer-whole.json"), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(encode("sentiment", 9, &ids) > 1);
        assert_int_equal(tokenizer_encode(whole, scratch, "sentiment", 9, &ids, &n), 0);
        assert_int_equal(n, 1);
    }
    tokenizer_close(whole);
}

/* Opens the odd tokenizer with the first FROM replaced by TO. */
static int open_changed(struct tokenizer **out, const char *from, const char *to)
{
    const char *at = strstr(odd.p, from);
    struct buf text = BUF_INIT;

    if (!at)
        fail_msg("the file has no %s", from);
    buf_add(&text, odd.p, (size_t)(at - odd.p));
    buf_puts(&text, to);
    buf_puts(&text, at + strlen(from));
    const int rc = open_bytes(out, text.p, text.n);

    buf_free(&text);
    return rc;
}

/* Also where a text is shorter than the character: nothing in front of it is read. */
static void ends_are_stripped_of_a_wide_character(void **state)
{
    struct tokenizer *strips;
    struct buf out = BUF_INIT;

    (void)state;
    assert_int_equal(
        open_changed(&strips,
                     "\"decoder\": {\n  \"type\": \"ByteLevel\",\n  \"add_prefix_space\": false,\n"
                     "  \"trim_offsets\": true,\n  \"use_regex\": true",
                     "\"decoder\": {\"type\": \"Strip\", \"content\": \"\\u3000\", \"start\": 1, "
                     "\"stop\": 1"),
        0);
    const uint32_t ids[] = { (uint32_t)tokenizer_id_of(strips, "a", 1),
                             (uint32_t)tokenizer_id_of(strips, "\u3000", 3),
                             (uint32_t)tokenizer_id_of(strips, "b", 1) };

    tokenizer_decode(strips, ids, 3, false, &out);
    assert_string_equal(out.p, "ab");
    buf_free(&out);
    tokenizer_close(strips);
}

/* ---- refusals and hostile files ---- */

/* With the first FROM replaced by TO the odd tokenizer must fail with CODE and say SAID. */
static void check_refusal(const char *from, const char *to, int code, const char *said)
{
    struct tokenizer *out;

    if (open_changed(&out, from, to) == 0)
        fail_msg("%s was taken", to);
    if (err_code() != code || !strstr(err_text(), said) || strchr(err_text(), '\n'))
        fail_msg("%s gave %d %s", to, err_code(), err_text());
}

static void unknown_features_are_refused_by_name(void **state)
{
    enum { NO = EXIT_NODEVICE };

    (void)state;
    check_refusal("\"truncation\": null", "\"truncation\": {\"max_length\": 5}", NO, "truncation");
    check_refusal("\"padding\": null", "\"padding\": {\"pad_id\": 0}", NO, "padding");
    check_refusal("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFKC\"}", NO,
                  "normalizer NFKC");
    check_refusal("\"type\": \"ByteLevel\"", "\"type\": \"Whitespace\"", NO,
                  "pre_tokenizer Whitespace");
    check_refusal("\"use_regex\": true", "\"invert\": true", NO, "pre_tokenizer.invert");
    check_refusal("\"decoder\": {", "\"decoder\": null, \"version\": {", EXIT_DATA, "twice");
    check_refusal("\"type\": \"BPE\"", "\"type\": \"Unigram\"", NO, "model Unigram");
    check_refusal("\"dropout\": null", "\"dropout\": 0.1", NO, "model.dropout");
    check_refusal("\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"</w>\"", NO,
                  "model.end_of_word_suffix");
    check_refusal("\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"##\"",
                  NO, "continuing");
    check_refusal("\"fuse_unk\"", "\"new_thing\"", NO, "model.new_thing");
    check_refusal("\"version\"", "\"new_thing\"", NO, "new_thing");
    check_refusal("\"rstrip\"", "\"sticky\"", NO, "added_tokens.sticky");
}

static void wrong_files_are_bad_data(void **state)
{
    (void)state;
    check_refusal("\"!\": 0", "\"!\": 1", EXIT_DATA, "id 1 of another");
    check_refusal("\"!\": 0", "\"!\": -1", EXIT_DATA, "no id");
    check_refusal("\"!\": 0", "\"!\": 0.5", EXIT_DATA, "no id");
    check_refusal("\"!\": 0", "\"!\": 4194304", EXIT_DATA, "no id");
    check_refusal("\"!\": 0", "\"!\": 4194303", EXIT_DATA, "ids up to 4194303");
    check_refusal("\"!\": 0", "\"!\": 1e300", EXIT_DATA, "no id");
    check_refusal("\"!\": 0", "\"!\": \"0\"", EXIT_DATA, "no id");
    check_refusal("\"!\": 0", "\"!!\": 0", EXIT_DATA, "byte 0x21");
    check_refusal("\"vocab\": {", "\"vocab\": [], \"unk_token\": {", EXIT_DATA, "twice");
    check_refusal("\"a a\"", "\"aa\"", EXIT_DATA, "merge 0");
    check_refusal("\"a a\"", "\"a  a\"", EXIT_DATA, "merge 0");
    check_refusal("\"a a\"", "\"a b c\"", EXIT_DATA, "merge 0");
    check_refusal("\"a a\"", "\"z z\"", EXIT_DATA, "merge 0");
    check_refusal("\"a a\"", "[\"a\"]", EXIT_DATA, "merge 0");
    check_refusal("\"a a\"", "[\"a\", \"a\", \"a\"]", EXIT_DATA, "merge 0");
    check_refusal("\"a a\"", "7", EXIT_DATA, "merge 0");
    check_refusal("\"<s>\"", "\"[MASK]\"", EXIT_DATA, "[MASK]");
    check_refusal("\"<s>\"", "\"\"", EXIT_DATA, "empty");
    check_refusal("\"content\": \"<s>\"", "\"content\": 5", EXIT_DATA, "content");
    check_refusal("\"id\": ", "\"id\": 1", EXIT_DATA, "in its place");
    check_refusal("\"model\": {", "\"model\": 5, \"decoder\": {", EXIT_DATA, "twice");
    check_refusal("\n}\n", "\n", EXIT_DATA, "line");
    check_refusal("{", "[{", EXIT_DATA, "line");
}

/* A few bytes changed, or pieces copied over others. */
static void mutate(struct buf *text, uint64_t *g)
{
    for (uint32_t k = few(g, 4); k--;) {
        const size_t at = below(g, (uint32_t)text->n), len = 1 + below(g, 20);

        if (below(g, 2))
            text->p[at] = "0123456789{}[]\",: \\tfn-e.a"[below(g, 26)];
        else if (at + len < text->n)
            memmove(text->p + at, text->p + below(g, (uint32_t)(text->n - len)), len);
    }
}

/* Opened, or refused with a line and a code; nothing else may happen. */
static bool opens_or_says_why(const char *path)
{
    struct tokenizer *out;
    const uint32_t *ids;
    size_t n;

    if (tokenizer_open_path(&out, path) < 0) {
        assert_true(err_code() == EXIT_DATA || err_code() == EXIT_NODEVICE);
        assert_null(strchr(err_text(), '\n'));
        return false;
    }
    assert_int_equal(tokenizer_encode(out, scratch, "the <s>  foo bar [MASK] aaaa\n", 29, &ids, &n),
                     0);
    tokenizer_close(out);
    return true;
}

static void mutated_files_do_no_harm(void **state)
{
    char *path = in_folder("tokenizer.json");
    struct buf text = BUF_INIT;
    int opened = 0;
    uint64_t g = 7;

    (void)state;
    for (int round = 0; round < 1500; round++) {
        buf_clear(&text);
        buf_add(&text, odd.p, odd.n);
        mutate(&text, &g);
        write_file("tokenizer.json", text.p, text.n);
        opened += opens_or_says_why(path);
    }
    assert_in_range(opened, 10, 1000);
    buf_free(&text);
    free(path);
}

/* ---- vocab.json and merges.txt ---- */

/* The odd tokenizer's model as two files. */
static void write_two_files(const char *merges_end)
{
    cJSON *root = cJSON_ParseWithLength(odd.p, odd.n);
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model");
    char *vocab = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(model, "vocab"));
    struct buf merges = BUF_INIT;

    buf_puts(&merges, "#version: 0.2\n");
    for (const cJSON *m = cJSON_GetObjectItemCaseSensitive(model, "merges")->child; m; m = m->next)
        buf_printf(&merges, "%s\n", m->valuestring);
    buf_puts(&merges, merges_end);
    write_file("vocab.json", vocab, strlen(vocab));
    write_file("merges.txt", merges.p, merges.n);
    buf_free(&merges);
    cJSON_free(vocab);
    cJSON_Delete(root);
}

static void remove_files(void)
{
    static const char *const names[] = { "tokenizer.json",
                                         "vocab.json",
                                         "merges.txt",
                                         "added_tokens.json",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "config.json" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove_file(names[i]);
}

static int64_t only_id(const struct tokenizer *of, const char *text)
{
    const uint32_t *ids;
    size_t n;

    assert_int_equal(tokenizer_encode(of, scratch, text, strlen(text), &ids, &n), 0);
    return n == 1 ? (int64_t)ids[0] : -1;
}

static void two_files_and_their_added_tokens(void **state)
{
    static const char added[] = "{\"<two>\": 1001, \"<one>\": 1000}";
    char json[200];
    struct tokenizer *out;
    const int64_t n_model = (int64_t)t->n_model;

    (void)state;
    remove_files();
    write_two_files("");
    assert_int_equal(tokenizer_open_path(&out, folder), 0);
    assert_int_equal(only_id(out, " the"), tokenizer_id_of(t, "\xC4\xA0the", 5));
    assert_int_equal(tokenizer_eos(out), -1);
    tokenizer_close(out);

    write_file("added_tokens.json", added, strlen(added)); /* ids that do not follow the model's */
    assert_int_equal(tokenizer_open_path(&out, folder), -1);
    assert_non_null(strstr(err_text(), "added_tokens.json: added token \"<one>\""));

    snprintf(json, sizeof json, "{\"<two>\": %lld, \"<one>\": %lld}", (long long)n_model + 1,
             (long long)n_model);
    write_file("added_tokens.json", json, strlen(json));
    assert_int_equal(tokenizer_open_path(&out, folder), 0);
    assert_int_equal(only_id(out, "<two>"), n_model + 1);
    tokenizer_close(out);

    snprintf(json, sizeof json,
             "{\"eos_token\": {\"content\": \"<x>\"}, \"added_tokens_decoder\": {\"%lld\": "
             "{\"content\": \"<x>\", \"special\": true, \"normalized\": false}}}",
             (long long)n_model);
    write_file("tokenizer_config.json", json, strlen(json));
    assert_int_equal(tokenizer_open_path(&out, folder), 0); /* goes before added_tokens.json */
    assert_int_equal(only_id(out, "<x>"), n_model);
    assert_int_equal(only_id(out, "<two>"), -1);
    assert_int_equal(tokenizer_eos(out), n_model);
    tokenizer_close(out);
    remove_files();
}

static void mutated_two_files_do_no_harm(void **state)
{
    static const char *const names[] = { "vocab.json", "merges.txt", "added_tokens.json" };
    struct buf text = BUF_INIT;
    int opened = 0;
    uint64_t g = 11;

    (void)state;
    remove_files();
    for (int round = 0; round < 600; round++) {
        const char *added = "{\"<one>\": 300, \"<two>\": 301}";
        char *path = in_folder(names[round % 3]);

        write_two_files("");
        write_file("added_tokens.json", added, strlen(added));
        buf_clear(&text);
        assert_int_equal(read_file(&text, path, 1 << 20), 0);
        mutate(&text, &g);
        write_file(names[round % 3], text.p, text.n);
        opened += opens_or_says_why(folder);
        free(path);
    }
    assert_in_range(opened, 10, 500);
    buf_free(&text);
    remove_files();
}

/* The same two files mean other words to other tokenizers. */
static void two_files_of_another_kind(void **state)
{
    static const char config[] = "{\"tokenizer_class\": \"BertTokenizer\"}";
    static const char model[] = "{\"model_type\": \"bert\"}";
    struct tokenizer *out;

    (void)state;
    remove_files();
    write_two_files("");
    write_file("config.json", model, strlen(model));
    assert_int_equal(tokenizer_open_path(&out, folder), -1);
    assert_int_equal(err_code(), EXIT_NODEVICE);
    assert_non_null(strstr(err_text(), "bert"));
    write_file("tokenizer_config.json", config, strlen(config));
    assert_int_equal(tokenizer_open_path(&out, folder), -1);
    assert_int_equal(err_code(), EXIT_NODEVICE);
    assert_non_null(strstr(err_text(), "BertTokenizer"));
    remove_files();
}

static void two_files_may_be_wrong(void **state)
{
    struct tokenizer *out;

    (void)state;
    remove_files();
    assert_int_equal(tokenizer_open_path(&out, folder), -1);
    assert_int_equal(err_code(), EXIT_NOINPUT);
    write_two_files("no-space\n");
    assert_int_equal(tokenizer_open_path(&out, folder), -1);
    assert_int_equal(err_code(), EXIT_DATA);
    assert_non_null(strstr(err_text(), "merges.txt: merge"));
    remove_file("merges.txt");
    assert_int_equal(tokenizer_open_path(&out, folder), -1);
    assert_int_equal(err_code(), EXIT_NOINPUT);
    remove_files();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_follow_the_pattern),
        cmocka_unit_test(classes_are_those_of_unicode_16),
        cmocka_unit_test(empty_text_has_no_ids),
        cmocka_unit_test(invalid_utf8_is_named_by_its_byte),
        cmocka_unit_test(broken_utf8_decodes_to_one_mark_a_piece),
        cmocka_unit_test(unknown_ids_decode_to_nothing),
        cmocka_unit_test(tokens_are_found_by_content),
        cmocka_unit_test(long_words_take_linear_time),
        cmocka_unit_test(stripping_tokens_take_linear_time),
        cmocka_unit_test(one_scratch_serves_two_tokenizers),
        cmocka_unit_test(ends_are_stripped_of_a_wide_character),
        cmocka_unit_test(unknown_features_are_refused_by_name),
        cmocka_unit_test(wrong_files_are_bad_data),
        cmocka_unit_test(mutated_files_do_no_harm),
        cmocka_unit_test(two_files_and_their_added_tokens),
        cmocka_unit_test(mutated_two_files_do_no_harm),
        cmocka_unit_test(two_files_of_another_kind),
        cmocka_unit_test(two_files_may_be_wrong),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
