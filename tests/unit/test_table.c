/* Rows from every form and encoding; csv-spectrum where it is there; what must be refused, and how.
 */
#include "table.h"

#include "json.h"
#include "mem.h"
#include "share.h"
#include "skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static const char *file_of(const char *suffix, const void *bytes, size_t n)
{
    (void)snprintf(path, sizeof path, P_tmpdir "/test_table.%ld%s", (long)getpid(), suffix);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* All rows as "a|b;c|d;", columns first; "!text" when it failed. NULL cells are "~". */
static char *rows_of_file(const char *file, const struct table_options *opt)
{
    struct buf out = BUF_INIT;
    const struct cell *cells;
    struct table *t;
    int got = -1;

    buf_puts(&out, "");
    if (table_open(&t, file, opt) == 0) {
        for (int i = 0; i < table_columns(t); i++)
            buf_printf(&out, "%s%s", i ? "|" : "", table_column_name(t, i));
        buf_putc(&out, ';');
        while ((got = table_next(t, &cells)) > 0)
            for (int i = 0; i < table_columns(t); i++) {
                const bool last = i + 1 == table_columns(t);

                if (cells[i].p) {
                    assert_int_equal(cells[i].p[cells[i].n], 0);
                    buf_add(&out, cells[i].p, cells[i].n);
                }
                buf_puts(&out, cells[i].p ? "" : "~");
                buf_putc(&out, last ? ';' : '|');
            }
        if (got == 0)
            assert_int_equal(table_next(t, &cells), 0);
        table_close(t);
    }
    if (got < 0)
        buf_printf(&out, "!%s", err_text());
    return out.p;
}

static char *rows_of(const char *suffix, const char *bytes, const struct table_options *opt)
{
    char *rows = rows_of_file(file_of(suffix, bytes, strlen(bytes)), opt);

    assert_int_equal(unlink(path), 0);
    return rows;
}

static void check_rows(const char *suffix, const char *bytes, const struct table_options *opt,
                       const char *want)
{
    char *got = rows_of(suffix, bytes, opt);

    if (want[0] == '!' ? !strstr(got, want + 1) || !strchr(got, '!') : strcmp(got, want) != 0)
        fail_msg("'%s' gave '%s', wanted '%s'", bytes, got, want);
    free(got);
}

static const struct table_options plain = { 0 }, no_header = { .header = "no" },
                                  header = { .header = "yes" }, lines = { .lines = true };

static void csv_grammar(void **state)
{
    (void)state;
    check_rows(".csv", "a,b\nc,d", &no_header, "1|2;a|b;c|d;");
    check_rows(".csv", "a,b\r\nc,d\r\n", &no_header, "1|2;a|b;c|d;");
    check_rows(".csv", "\"a,\"\"x\"\"\",\"b\nc\"\r\n\"\",\"\"\n", &no_header,
               "1|2;a,\"x\"|b\nc;|;");
    check_rows(".csv", "a,b\"c\nd, \"e\"\n", &no_header, "1|2;a|b\"c;d|e;");
    check_rows(".csv", "a,b\n\n\r\nc,\n", &no_header, "1|2;a|b;c|;");
    check_rows(".csv", "a\n\"\"\n", &no_header, "1;a;;");
    check_rows(".csv", "a,b\nc\n", &no_header, "!:2: row has 1 field where 2 are expected");
    check_rows(".csv", "a,b\nc,d,e\n", &no_header, "!:2: row has 3 fields where 2 are expected");
    check_rows(".csv", "a,\"b\n", &no_header,
               "!:1: quotation mark before 'b' in field 2 is not closed");
    check_rows(".csv", "a,b\nc,\"d\"e\n", &no_header, "!:2: text after a closing quotation mark");
    check_rows(".csv", "", &plain, ";");
    check_rows(".csv", "\n\n", &plain, ";");
}

static void headers_are_told_from_rows(void **state)
{
    (void)state;
    check_rows(".csv", "Sentiment,Text\nneutral,x\n", &plain, "Sentiment|Text;neutral|x;");
    check_rows(".csv", "neutral,\"It rose , they said .\"\n", &plain,
               "1|2;neutral|It rose , they said .;");
    check_rows(".csv", "neutral,It rose\nneutral,x\n", &plain, "1|2;neutral|It rose;neutral|x;");
    check_rows(".csv", "news,It rose\nsports,Goal\nnews,x\n", &plain,
               "1|2;news|It rose;sports|Goal;news|x;");
    check_rows(".csv", "text,text\n", &header, "text|text;");
    check_rows(".csv", "a,b\n", &header, "a|b;");
    check_rows(".csv", "text,label\n", &no_header, "1|2;text|label;");
}

static void tsv_and_lines(void **state)
{
    (void)state;
    check_rows(".tsv", "text\tlabel\n\"Go, he said\tham\n", &plain,
               "text|label;\"Go, he said|ham;");
    check_rows("", "ham\tGo, now\nspam\tWin, win\n", &plain, "1|2;ham|Go, now;spam|Win, win;");
    check_rows("", "one, \"two\"\r\n\nthree", &lines, "text;one, \"two\";;three;");
    check_rows("", "", &lines, "text;");
}

static void jsonl(void **state)
{
    (void)state;
    check_rows(
        ".jsonl",
        "{\"text\":\"a\\n\\u00e9\\ud83d\\ude00\",\"n\":1.50}\n\n{\"n\":null, \"text\" : \"b\"}",
        &plain, "text|n;a\n\xc3\xa9\xf0\x9f\x98\x80|1.50;b|~;");
    check_rows("", " {\"a\":[1, {\"b\":\"}\"}],\"c\":true}\n{\"c\":\"\"}\n", &plain,
               "a|c;[1, {\"b\":\"}\"}]|true;~|;");
    check_rows(".jsonl", "{\"a\":1}\n{\"b\":2}\n{\"c\":3,\"a\":4}\n{}\n", &plain,
               "a;1;~|2;4|~|3;~|~|~;");
}

static void jsonl_refused(void **state)
{
    (void)state;
    check_rows(".jsonl", "{\"a\":1,\"a\":1}\n", &plain, "!: column 'a' is there twice; rename one");
    check_rows(".jsonl", "{\"a\":1}\n{\"\\u0000\":1}\n", &plain,
               "!:2: name of column 2 has a zero byte");
    check_rows(".jsonl", "{\"a\":1}\n[1]\n", &plain, "!:2: line is not a JSON object");
    check_rows(".jsonl", "{\"a\":1}\n{\"a\":01}\n", &plain, "!:2: not valid JSON at column 7: ");
    check_rows(".jsonl", "{\"a\":\"\\ud800\"}\n", &plain, "!:1: ");
}

static void encodings(void **state)
{
    static const struct table_options replace = { .encoding = "utf-8:replace", .header = "no" };
    static const struct table_options latin = { .encoding = "latin-1", .header = "no" };
    static const struct table_options windows = { .encoding = "windows-1252", .header = "no" };

    (void)state;
    check_rows(".csv", "a,\xe4\n", &no_header, "!:1: byte 0xE4 is not valid UTF-8");
    check_rows(".csv", "a,\xe4\xff!\n\xc3\xa4,b\n", &replace,
               "1|2;a|\xef\xbf\xbd\xef\xbf\xbd!;\xc3\xa4|b;");
    /* One mark for each longest beginning of a character: Table 3-8 of the Unicode standard. */
    check_rows(".csv", "\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64\n", &replace,
               "1;a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
               "b\xef\xbf\xbd"
               "c\xef\xbf\xbd\xef\xbf\xbd"
               "d;");
    check_rows(".csv", "\xe0\x80,\xed\xa0\x80,\xf4\x90\n", &replace,
               "1|2|3;\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
               "\xef\xbf\xbd\xef\xbf\xbd;");
    check_rows(".csv", "\xe4,\x80\n", &latin, "1|2;\xc3\xa4|\xc2\x80;");
    check_rows(".csv", "\xe4,\x80\n", &windows, "1|2;\xc3\xa4|\xe2\x82\xac;");
    check_rows(".csv", "a,\x81\n", &windows, "!:1: byte 0x81 is not in windows-1252");
    check_rows(".csv", "\xef\xbb\xbftext,label\n", &plain, "text|label;");
    check_rows(".csv",
               "\xff\xfe"
               "a",
               &plain, "!is UTF-16");
}

/* Rows longer than any block, and a row end at every place of a block. */
static void rows_across_blocks(void **state)
{
    struct buf b = BUF_INIT;
    struct table *t;
    const struct cell *cells;
    int got, rows = 0;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        const int n = i == 1500 ? 400000 : i % 301;

        buf_printf(&b, "%d,\"", i);
        for (int k = 0; k < n; k++)
            buf_puts(&b, k % 7 ? "x" : "\"\"");
        buf_puts(&b, "\"\r\n");
    }
    assert_int_equal(table_open(&t, file_of(".csv", b.p, b.n), &no_header), 0);
    while ((got = table_next(t, &cells)) > 0) {
        assert_int_equal(cells[1].n, rows == 1500 ? 400000 : rows % 301);
        assert_int_equal(atoi(cells[0].p), rows);
        assert_int_equal(table_row(t), rows++);
    }
    assert_int_equal(got, 0);
    assert_int_equal(rows, 3000);
    table_close(t);
    buf_free(&b);
    (void)unlink(path);
}

static void columns_by_name_and_number(void **state)
{
    struct table *t;

    (void)state;
    assert_int_equal(table_open(&t, file_of(".csv", "text,2\nx,y\n", 11), &header), 0);
    assert_int_equal(table_find_column(t, "text"), 0);
    assert_int_equal(table_find_column(t, "2"), 1);
    assert_int_equal(table_find_column(t, "1"), 0);
    assert_int_equal(table_find_column(t, "3"), -1);
    assert_string_equal(strrchr(err_text(), ':'), ": has no column '3'; it has 'text', '2'");
    assert_int_equal(table_find_column(t, "1x"), -1);
    table_close(t);
    (void)unlink(path);
}

static void check_spectrum(const char *root, const char *name)
{
    static const struct table_options spectrum = { .header = "yes" };
    struct buf text = BUF_INIT, file = BUF_INIT;
    const struct cell *cells;
    struct table *t;
    int rows = 0;

    buf_printf(&file, "%s/corpora/csv-spectrum/json/%s.json", root, name);
    assert_int_equal(read_file(&text, file.p, 1 << 20), 0);
    cJSON *want = json_parse(text.p, text.n);

    assert_non_null(want);
    buf_clear(&file);
    buf_printf(&file, "%s/corpora/csv-spectrum/csvs/%s.csv", root, name);
    assert_int_equal(table_open(&t, file.p, &spectrum), 0);
    for (const cJSON *row = want->child; row; row = row->next, rows++) {
        assert_int_equal(table_next(t, &cells), 1);
        for (int i = 0; i < table_columns(t); i++) {
            const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, table_column_name(t, i));

            assert_non_null(value);
            assert_string_equal(cells[i].p, value->valuestring);
        }
    }
    assert_int_equal(table_next(t, &cells), 0);
    assert_true(rows > 0);
    table_close(t);
    cJSON_Delete(want);
    buf_free(&text);
    buf_free(&file);
}

static void csv_spectrum(void **state)
{
    static const char *const names[] = {
        "comma_in_quotes",     "empty",  "empty_crlf",  "escaped_quotes", "json", "newlines",
        "quotes_and_newlines", "simple", "simple_crlf", "utf8",
    };
    const char *root = getenv("SHARED");

    (void)state;
    if (!root)
        root = "../shared";
    if (access(root, R_OK) < 0)
        SKIP("no ../shared beside the project");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_spectrum(root, names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_grammar),        cmocka_unit_test(headers_are_told_from_rows),
        cmocka_unit_test(tsv_and_lines),      cmocka_unit_test(jsonl),
        cmocka_unit_test(jsonl_refused),      cmocka_unit_test(encodings),
        cmocka_unit_test(rows_across_blocks), cmocka_unit_test(columns_by_name_and_number),
        cmocka_unit_test(csv_spectrum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
