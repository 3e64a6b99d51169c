#include "provenance.h"

#include "chain.h"
#include "item.h"
#include "json.h"

#include <string.h>

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

/* Calls PUT for each of the N maps that S begins with; MARGIN stands in front of each line. */
static int put_maps(struct buf *b, struct items *s, uint64_t n, const char *margin,
                    int (*put)(struct buf *b, struct record *one, const char *margin))
{
    struct record *one = record_new();
    int rc = 0;

    for (; rc == 0 && n > 0; n--)
        rc = record_of_items(one, s) < 0 ? -1 : put(b, one, margin);
    record_free(one);
    return rc;
}

/* The same for the array KEY of MAP, if it is there. */
static int put_each(struct buf *b, struct record *map, const char *key, const char *margin,
                    int (*put)(struct buf *b, struct record *one, const char *margin))
{
    struct items s;
    uint64_t n = 0;

    return record_get_array(map, key, &s, &n) < 0 || put_maps(b, &s, n, margin, put) < 0
               ? err_in("'%s'", key)
               : 0;
}

/* Bytes in an end map, their hexadecimal digits in a chain. */
static int put_digest(struct buf *b, const struct field *f)
{
    char hex[SHA256_HEX + 1];

    if (f && f->type == ITEM_TEXT && sha256_is_hex(f->data, f->n)) {
        buf_add(b, f->data, f->n);
        return 0;
    }
    if (!f || f->type != ITEM_BYTES || f->n != SHA256_BYTES)
        return err_set(EXIT_DATA, "an input's 'sha256' is not %d bytes", SHA256_BYTES);
    sha256_hex(f->data, hex);
    buf_puts(b, hex);
    return 0;
}

/* "input WHAT SHA256". */
static int put_input(struct buf *b, struct record *input, const char *margin)
{
    buf_printf(b, "%sinput ", margin);
    if (put_text(b, input, "what") < 0)
        return -1;
    buf_putc(b, ' ');
    if (put_digest(b, record_find(input, "sha256")) < 0)
        return -1;
    buf_putc(b, '\n');
    return 0;
}

/* "tool version option option ...", and what its entry names as inputs. */
static int put_program(struct buf *b, struct record *entry, const char *margin)
{
    struct items options = { 0 };
    struct item text;
    uint64_t n = 0;

    buf_puts(b, margin);
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
    return put_each(b, entry, "inputs", margin, put_input);
}

/* The programs that made the adapters of ENTRY, in front of it. */
static int put_entry(struct buf *b, struct record *entry, const char *margin)
{
    struct items s;
    struct item chain;
    uint64_t n = 0;

    if (record_get_array(entry, "adapters", &s, &n) < 0)
        return -1;
    for (uint64_t i = 1; i <= n; i++) {
        buf_printf(b, "%sadapter %llu\n", margin, (unsigned long long)i);
        if (items_next(&s, &chain, ITEM_ARRAY) < 0 ||
            put_maps(b, &s, chain.u, "  ", put_program) < 0)
            return err_in("adapter %llu", (unsigned long long)i);
    }
    return put_program(b, entry, margin);
}

/* The array KEY of the map in the N bytes at P. */
static int put_all(struct buf *b, const uint8_t *p, size_t n, const char *key,
                   int (*put)(struct buf *b, struct record *one, const char *margin))
{
    struct record *all = record_new();
    struct items map = { p, p + n };
    const int rc = record_of_items(all, &map) < 0 ? -1 : put_each(b, all, key, "", put);

    record_free(all);
    return rc;
}

int provenance_put(struct buf *b, const struct reader *r)
{
    size_t header_len, end_len;
    const uint8_t *header = reader_header(r, &header_len);
    const uint8_t *end = reader_end(r, &end_len);

    if (put_all(b, header, header_len, "chain", put_entry) < 0 ||
        put_all(b, end, end_len, "inputs", put_input) < 0)
        return err_in("%s", reader_name(r));
    return 0;
}

int provenance_put_chain(struct buf *b, const char *json)
{
    struct buf chain = BUF_INIT;
    struct item head;
    int rc = chain_parse(&chain, json);

    if (rc == 0) {
        struct items s = { (const uint8_t *)chain.p, (const uint8_t *)chain.p + chain.n };

        rc = items_next(&s, &head, ITEM_ARRAY) < 0 ? -1 : put_maps(b, &s, head.u, "", put_program);
    }
    buf_free(&chain);
    return rc;
}
