#include "tokenizer.h"
#include "utf8.h"
#include "view.h"

/*
 * A token's bytes need not be whole characters: what is not valid UTF-8 is written \xNN, the rest
 * as in a JSON string.
 */
static void put_token(struct buf *b, const char *p, size_t n)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < n;) {
        const size_t end = i + utf8_valid(p + i, n - i);

        for (int len; i < end; i += (size_t)len) {
            const uint32_t cp = utf8_decode(p + i, &len);

            if (cp == '"' || cp == '\\')
                buf_printf(b, "\\%c", (char)cp);
            else if (cp == '\n' || cp == '\t')
                buf_puts(b, cp == '\n' ? "\\n" : "\\t");
            else if (utf8_is_control(cp))
                buf_printf(b, "\\u%04x", (unsigned)cp);
            else
                buf_add(b, p + i, (size_t)len);
        }
        if (i < n)
            buf_printf(b, "\\x%02x", (unsigned char)p[i++]);
    }
    buf_putc(b, '"');
}

/* One line a token: record, position, id, whether lora-train learns it under --loss all and under
 * --loss completion, text. The first one never is: nothing comes before it that could predict it.
 */
static int put_tokens(void *self, struct record *rec, struct buf *line)
{
    const struct tokenizer *t = self;
    const uint32_t *ids;
    uint64_t n_prompt = 0;
    size_t n;
    const int rc = record_get_ids(rec, "ids", &ids, &n);
    const int divided = record_get_uint(rec, "n_prompt", &n_prompt);

    if (rc < 0 || divided < 0)
        return -1;
    if (!rc)
        return err_set(EXIT_DATA, "no field 'ids'; put tokenize in front");
    if (n_prompt > n)
        return err_set(EXIT_DATA, "n_prompt %llu is more than its %zu ids",
                       (unsigned long long)n_prompt, n);
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *text = tokenizer_token(t, ids[i], &len);

        if (!text)
            return err_set(EXIT_DATA,
                           "id %lu is no token of this model; was another tokenizer used?",
                           (unsigned long)ids[i]);
        buf_printf(line, "%s\t%zu\t%lu\t%d\t%s\t", record_name(rec), i, (unsigned long)ids[i],
                   i > 0,
                   !divided                 ? "-"
                   : i > 0 && i >= n_prompt ? "1"
                                            : "0");
        put_token(line, text, len);
        buf_putc(line, '\n');
    }
    return 0;
}

int view_tokens(const struct peek *p)
{
    static const char head[] = "record\tposition\tid\tall\tcompletion\ttoken\n";
    struct peek checked = *p;
    uint8_t digest[SHA256_BYTES];
    struct tokenizer *t;

    if (tokenizer_open_path(&t, p->model) < 0)
        return -1;
    tokenizer_digest(t, digest);
    checked.tokenizer = p->trust_tokens ? NULL : digest;
    int rc = write_text(p, head, sizeof head - 1);

    if (!rc)
        rc = for_each_record(&checked, put_tokens, t);
    tokenizer_close(t);
    return rc;
}
