#include "provenance.h"

#include "item.h"
#include "json.h"

#include <string.h>

/* A word that has no blank stays as it is, any other becomes a JSON string. */
static void put_word(struct buf *b, const struct item *text)
{
    const char *s = (const char *)text->data;
    bool plain = text->n > 0;

    for (size_t i = 0; i < text->n && plain; i++)
        plain = (unsigned char)s[i] > ' ' && s[i] != '"' && s[i] != '\\' && s[i] != 127;
    if (plain)
        buf_add(b, s, text->n);
    else
        json_put_text(b, s, text->n);
}

static int put_options(struct buf *b, struct items *s)
{
    struct item array, text;

    if (items_next(s, &array, ITEM_ARRAY, "the chain's 'options'") < 0)
        return -1;
    for (uint64_t i = 0; i < array.u; i++) {
        if (items_next(s, &text, ITEM_TEXT, "an option in the chain") < 0)
            return -1;
        buf_putc(b, ' ');
        put_word(b, &text);
    }
    return 0;
}

static bool is(const struct item *text, const char *s)
{
    return text->n == strlen(s) && !memcmp(text->data, s, text->n);
}

/* "tool version option option ...", whatever order the keys came in. */
static int put_entry(struct buf *b, struct items *s)
{
    struct buf options = BUF_INIT;
    struct item map, key, tool = { 0 }, version = { 0 };
    int rc = items_next(s, &map, ITEM_MAP, "an entry of the chain");

    for (uint64_t i = 0; !rc && i < map.u; i++) {
        rc = items_next(s, &key, ITEM_TEXT, "a key of the chain");
        if (!rc && is(&key, "tool"))
            rc = items_next(s, &tool, ITEM_TEXT, "the chain's 'tool'");
        else if (!rc && is(&key, "version"))
            rc = items_next(s, &version, ITEM_TEXT, "the chain's 'version'");
        else if (!rc && is(&key, "options"))
            rc = put_options(&options, s);
        else if (!rc)
            rc = items_skip(s, NULL, NULL);
    }
    if (!rc) {
        put_word(b, &tool);
        buf_putc(b, ' ');
        put_word(b, &version);
        buf_add(b, options.p ? options.p : "", options.n);
        buf_putc(b, '\n');
    }
    buf_free(&options);
    return rc;
}

/* Moves S to the value of KEY in the map that begins at S; 0 when the map has no such key. */
static int seek_key(struct items *s, const char *name)
{
    struct item map, key;

    if (items_next(s, &map, ITEM_MAP, "a map") < 0)
        return -1;
    for (uint64_t i = 0; i < map.u; i++) {
        if (items_next(s, &key, ITEM_TEXT, "a key") < 0)
            return -1;
        if (is(&key, name))
            return 1;
        if (items_skip(s, NULL, NULL) < 0)
            return -1;
    }
    return 0;
}

static int put_chain(struct buf *b, struct items s)
{
    struct item tag, array;

    if (items_next(&s, &tag, ITEM_TAG, "the header") < 0 || seek_key(&s, "chain") < 0 ||
        items_next(&s, &array, ITEM_ARRAY, "the chain") < 0)
        return -1;
    for (uint64_t i = 0; i < array.u; i++)
        if (put_entry(b, &s) < 0)
            return -1;
    return 0;
}

/* "input WHAT SHA256" for what the end map names. */
static int put_input(struct buf *b, struct items *s)
{
    struct item map, key, what = { 0 }, digest = { 0 };
    char hex[SHA256_HEX + 1];

    if (items_next(s, &map, ITEM_MAP, "an input") < 0)
        return -1;
    for (uint64_t i = 0; i < map.u; i++) {
        int rc = items_next(s, &key, ITEM_TEXT, "a key of an input");

        if (!rc && is(&key, "what"))
            rc = items_next(s, &what, ITEM_TEXT, "an input's 'what'");
        else if (!rc && is(&key, "sha256"))
            rc = items_next(s, &digest, ITEM_BYTES, "an input's 'sha256'");
        else if (!rc)
            rc = items_skip(s, NULL, NULL);
        if (rc < 0)
            return -1;
    }
    if (digest.n != SHA256_BYTES)
        return err_set(EXIT_DATA, "an input's 'sha256' has %zu bytes, not %d", digest.n,
                       SHA256_BYTES);
    sha256_hex(digest.data, hex);
    buf_puts(b, "input ");
    put_word(b, &what);
    buf_printf(b, " %s\n", hex);
    return 0;
}

static int put_inputs(struct buf *b, struct items s)
{
    struct item array;
    const int rc = seek_key(&s, "inputs");

    if (rc <= 0)
        return rc;
    if (items_next(&s, &array, ITEM_ARRAY, "the inputs") < 0)
        return -1;
    for (uint64_t i = 0; i < array.u; i++)
        if (put_input(b, &s) < 0)
            return -1;
    return 0;
}

int provenance_put(struct buf *b, const struct reader *r)
{
    size_t n;
    const uint8_t *header = reader_header(r, &n);
    int rc = put_chain(b, (struct items){ header, header + n });
    const uint8_t *end = reader_end(r, &n);

    if (!rc)
        rc = put_inputs(b, (struct items){ end, end + n });
    return rc < 0 ? err_in("%s", reader_name(r)) : 0;
}
