#include "provenance.h"

#include "item.h"
#include "json.h"

/* A word that has no blank stays as it is, any other becomes a JSON string. */
static void put_word(struct buf *b, const char *s, size_t n)
{
    bool plain = n > 0;

    for (size_t i = 0; i < n && plain; i++)
        plain = (unsigned char)s[i] > ' ' && s[i] != '"' && s[i] != '\\' && s[i] != 127;
    if (plain)
        buf_add(b, s, n);
    else
        json_put_text(b, s, n);
}

/* The text KEY of R, or "". */
static int put_text(struct buf *b, struct record *r, const char *key)
{
    const char *text = "";
    size_t n = 0;

    if (record_get_text(r, key, &text, &n) < 0)
        return -1;
    put_word(b, text, n);
    return 0;
}

/* "tool version option option ...". */
static int put_entry(struct buf *b, struct record *entry)
{
    struct items options = { 0 };
    struct item text;
    uint64_t n = 0;

    if (put_text(b, entry, "tool") < 0)
        return -1;
    buf_putc(b, ' ');
    if (put_text(b, entry, "version") < 0 || record_get_array(entry, "options", &options, &n) < 0)
        return -1;
    for (uint64_t i = 0; i < n; i++) {
        if (items_next(&options, &text, ITEM_TEXT) < 0)
            return err_in("an option");
        buf_putc(b, ' ');
        put_word(b, (const char *)text.data, text.n);
    }
    buf_putc(b, '\n');
    return 0;
}

/* "input WHAT SHA256" for what the end map names. */
static int put_input(struct buf *b, struct record *input)
{
    const struct field *digest = record_find(input, "sha256");
    char hex[SHA256_HEX + 1];

    if (!digest || digest->type != FIELD_BYTES || digest->n != SHA256_BYTES)
        return err_set(EXIT_DATA, "an input's 'sha256' is not %d bytes", SHA256_BYTES);
    sha256_hex(digest->data, hex);
    buf_puts(b, "input ");
    if (put_text(b, input, "what") < 0)
        return -1;
    buf_printf(b, " %s\n", hex);
    return 0;
}

/* Calls PUT for each map in the array KEY of the map in N bytes at P. */
static int put_each(struct buf *b, const uint8_t *p, size_t n, const char *key,
                    int (*put)(struct buf *b, struct record *one))
{
    struct record *all = record_new(), *one = record_new();
    struct items map = { p, p + n }, s;
    uint64_t left = 0;
    int rc = record_of_items(all, &map);

    if (rc == 0 && record_get_array(all, key, &s, &left) < 0)
        rc = -1;
    for (; rc == 0 && left > 0; left--)
        rc = record_of_items(one, &s) < 0 ? -1 : put(b, one);
    record_free(all);
    record_free(one);
    return rc < 0 ? err_in("'%s'", key) : 0;
}

int provenance_put(struct buf *b, const struct reader *r)
{
    size_t header_len, end_len;
    const uint8_t *header = reader_header(r, &header_len);
    const uint8_t *end = reader_end(r, &end_len);

    if (put_each(b, header, header_len, "chain", put_entry) < 0 ||
        put_each(b, end, end_len, "inputs", put_input) < 0)
        return err_in("%s", reader_name(r));
    return 0;
}
