/* Tables: the first byte says what they are called and how they are read. */
#include "fuzz.h"
#include "table.h"

static void read_all(struct table *t)
{
    const struct cell *cells;
    int text, label, got;

    (void)says_why(table_guess_columns(t, &text, &label));
    while ((got = says_why(table_next(t, &cells))) > 0)
        for (int i = 0; i < table_columns(t); i++)
            must_hold(!cells[i].p || cells[i].p[cells[i].n] == 0, "a cell ends in a 0");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "t.csv", "t.tsv", "t.jsonl", "t" };
    static const char *const encodings[] = { "auto", "utf-8:replace", "latin-1", "windows-1252" };
    static const char *const headers[] = { "auto", "yes", "no" };
    const unsigned how = size ? *data : 0;
    const struct table_options opt = {
        .encoding = encodings[how >> 2 & 3],
        .header = headers[(how >> 4 & 3) % 3],
        .threads = 1,
        .lines = how >> 6 & 1,
    };
    struct table *t;

    if (!size)
        return 0;
    if (says_why(table_open(&t, fuzz_file(names[how & 3], data + 1, size - 1), &opt)) < 0)
        return 0;
    read_all(t);
    table_close(t);
    return 0;
}
