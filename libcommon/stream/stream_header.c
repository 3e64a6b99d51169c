#include "stream_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char format_name[] = "slmtools stream";

static bool is(const struct item *text, const char *s)
{
    return text->n == strlen(s) && !memcmp(text->data, s, text->n);
}

/* ---- the header ---- */

/* An array of texts; what the header calls it is KEY. */
static int parse_names(struct labels *l, struct items *s, const char *key)
{
    struct item array, text;
    char all[32], one[40];

    (void)snprintf(all, sizeof all, "the header's '%s'", key);
    (void)snprintf(one, sizeof one, "one of the header's %s", key);
    if (items_next(s, &array, ITEM_ARRAY, all) < 0)
        return -1;
    if (array.u > LABELS_MAX)
        return err_set(EXIT_DATA, "the header has more than %d %s", LABELS_MAX, key);
    for (uint64_t i = 0; i < array.u; i++) {
        if (items_next(s, &text, ITEM_TEXT, one) < 0)
            return -1;
        if (memchr(text.data, 0, text.n))
            return err_set(EXIT_DATA, "%s holds a zero byte", one);
        labels_add(l, (const char *)text.data, text.n);
    }
    return 0;
}

/* Two labels of one name would be one; two answers may be. */
static int check_labels(struct labels *l, const struct labels *answers)
{
    for (int i = 0; i < l->n; i++)
        if (labels_find(l, l->name[i], strlen(l->name[i])) != i)
            return err_set(EXIT_DATA, "the header has the label '%s' twice", l->name[i]);
    if (answers->n && answers->n != l->n)
        return err_set(EXIT_DATA, "the header has %d answers for %d labels", answers->n, l->n);
    for (int i = 0; i < answers->n; i++)
        labels_set_answer(l, i, answers->name[i], strlen(answers->name[i]));
    return 0;
}

static void chain_add(struct stream_header *h, const void *entry, size_t n)
{
    h->chain = xnrealloc(h->chain, (size_t)h->chain_n + 1, sizeof *h->chain);
    h->chain[h->chain_n] = (struct buf)BUF_INIT;
    buf_add(&h->chain[h->chain_n++], entry, n);
}

static int parse_chain(struct stream_header *h, struct items *s)
{
    struct item array;

    if (items_next(s, &array, ITEM_ARRAY, "the header's 'chain'") < 0)
        return -1;
    if (array.u > CHAIN_MAX)
        return err_set(EXIT_DATA, "the header's chain has more than %d entries", CHAIN_MAX);
    for (uint64_t i = 0; i < array.u; i++) {
        struct items look = *s;
        struct item map;
        const uint8_t *raw;
        size_t n;

        if (items_next(&look, &map, ITEM_MAP, "an entry of the header's chain") < 0 ||
            items_skip(s, &raw, &n) < 0)
            return -1;
        chain_add(h, raw, n);
    }
    return 0;
}

static int parse_kind(struct stream_header *h, struct items *s)
{
    struct item text;
    char name[32];

    if (items_next(s, &text, ITEM_TEXT, "the header's 'kind'") < 0)
        return -1;
    (void)snprintf(name, sizeof name, "%.*s",
                   (int)(text.n < sizeof name ? text.n : sizeof name - 1), (const char *)text.data);
    h->kind = text.n == strlen(name) ? stream_kind_of(name) : 0;
    if (!h->kind)
        return err_set(
            EXIT_DATA,
            "a stream of the unknown kind '%s'; there are examples, prompts, tokens, predictions",
            name);
    return 0;
}

static int parse_format(struct items *s)
{
    struct item text;

    if (items_next(s, &text, ITEM_TEXT, "the header's 'format'") < 0)
        return -1;
    return is(&text, format_name)
               ? 0
               : err_set(EXIT_DATA, "the header's format is not '%s'", format_name);
}

static int parse_version(struct items *s)
{
    struct item v;

    if (items_next(s, &v, ITEM_UINT, "the header's 'version'") < 0)
        return -1;
    return v.u == STREAM_VERSION
               ? 0
               : err_set(EXIT_DATA, "format version %llu; this program knows version %d",
                         (unsigned long long)v.u, STREAM_VERSION);
}

enum {
    HAS_CHAIN = 1,
    HAS_FORMAT = 2,
    HAS_KIND = 4,
    HAS_LABELS = 8,
    HAS_VERSION = 16,
    HAS_ANSWERS = 32,
    HAS_MUST = HAS_CHAIN | HAS_FORMAT | HAS_KIND | HAS_VERSION
};

/* One pair of the header; keys of later versions are passed over. */
static int parse_pair(struct stream_header *h, struct labels *answers, struct items *s,
                      unsigned *has)
{
    struct item key;
    unsigned bit;
    int rc;

    if (items_next(s, &key, ITEM_TEXT, "a key of the header") < 0)
        return -1;
    bit = is(&key, "answers")   ? HAS_ANSWERS
          : is(&key, "chain")   ? HAS_CHAIN
          : is(&key, "format")  ? HAS_FORMAT
          : is(&key, "kind")    ? HAS_KIND
          : is(&key, "labels")  ? HAS_LABELS
          : is(&key, "version") ? HAS_VERSION
                                : 0;
    if (*has & bit)
        return err_set(EXIT_DATA, "the header has '%.*s' twice", (int)key.n,
                       (const char *)key.data);
    *has |= bit;
    switch (bit) {
    case HAS_CHAIN:
        rc = parse_chain(h, s);
        break;
    case HAS_FORMAT:
        rc = parse_format(s);
        break;
    case HAS_KIND:
        rc = parse_kind(h, s);
        break;
    case HAS_LABELS:
        rc = parse_names(&h->labels, s, "labels");
        break;
    case HAS_ANSWERS:
        rc = parse_names(answers, s, "answers");
        break;
    case HAS_VERSION:
        rc = parse_version(s);
        break;
    default:
        rc = items_skip(s, NULL, NULL);
    }
    return rc;
}

int stream_header_parse(struct stream_header *h, const uint8_t *p, size_t n)
{
    struct items s = { p, p + n };
    struct item tag, map;
    unsigned has = 0;

    stream_header_free(h);
    if (items_next(&s, &tag, ITEM_TAG, "the header") < 0)
        return -1;
    if (tag.u != STREAM_TAG)
        return err_set(EXIT_DATA, "the header has tag %llu, not %d", (unsigned long long)tag.u,
                       STREAM_TAG);
    if (items_next(&s, &map, ITEM_MAP, "the header") < 0)
        return -1;
    struct labels answers = { 0 };
    int rc = 0;

    for (uint64_t i = 0; rc == 0 && i < map.u; i++)
        rc = parse_pair(h, &answers, &s, &has);
    if (rc == 0)
        rc = check_labels(&h->labels, &answers);
    labels_free(&answers);
    if (rc < 0)
        return -1;
    if ((has & HAS_MUST) != HAS_MUST)
        return err_set(EXIT_DATA, "the header has no '%s'",
                       !(has & HAS_FORMAT)  ? "format"
                       : !(has & HAS_KIND)  ? "kind"
                       : !(has & HAS_CHAIN) ? "chain"
                                            : "version");
    return 0;
}

void stream_header_free(struct stream_header *h)
{
    for (int i = 0; i < h->chain_n; i++)
        buf_free(&h->chain[i]);
    free(h->chain);
    labels_free(&h->labels);
    *h = (struct stream_header){ 0 };
}

static bool chain_has(const struct stream_header *h, const struct buf *entry)
{
    for (int i = 0; i < h->chain_n; i++)
        if (h->chain[i].n == entry->n && !memcmp(h->chain[i].p, entry->p, entry->n))
            return true;
    return false;
}

void stream_header_join(struct stream_header *to, const struct stream_header *from)
{
    for (int i = 0; i < from->chain_n; i++)
        if (!chain_has(to, &from->chain[i]))
            chain_add(to, from->chain[i].p, from->chain[i].n);
}

/* Whether TEXT is a digest in lower-case hexadecimal. */
static bool is_hex(const struct item *text)
{
    const char *s = (const char *)text->data;
    bool hex = text->n == SHA256_HEX;

    for (size_t i = 0; hex && i < text->n; i++)
        hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
    return hex;
}

/* The value of "tokenizer" in an entry of the chain: 1, 0 when it has none. */
static int entry_tokenizer(const struct buf *entry, struct item *text)
{
    const uint8_t *p = (const uint8_t *)entry->p;
    struct items s = { p, p + entry->n };
    struct item map, key;

    if (items_next(&s, &map, ITEM_MAP, "an entry of the header's chain") < 0)
        return -1;
    for (uint64_t i = 0; i < map.u; i++) {
        if (items_next(&s, &key, ITEM_TEXT, "a key of the header's chain") < 0)
            return -1;
        if (!is(&key, "tokenizer")) {
            if (items_skip(&s, NULL, NULL) < 0)
                return -1;
            continue;
        }
        if (items_next(&s, text, ITEM_TEXT, "the chain's 'tokenizer'") < 0)
            return -1;
        return is_hex(text)
                   ? 1
                   : err_set(EXIT_DATA, "the chain's 'tokenizer' is not %d hexadecimal digits",
                             SHA256_HEX);
    }
    return 0;
}

int stream_header_other_tokenizer(const struct stream_header *h, const char *want,
                                  const char **other)
{
    for (int i = 0; i < h->chain_n; i++) {
        struct item text;
        const int got = entry_tokenizer(&h->chain[i], &text);

        if (got < 0)
            return -1;
        if (got && memcmp(text.data, want, SHA256_HEX) != 0) {
            *other = (const char *)text.data;
            return 1;
        }
    }
    return 0;
}

void stream_header_sign(struct stream_header *h, const char *tokenizer)
{
    struct buf b = BUF_INIT;
    int n;
    const char *const *option = cli_chain_options(&n);

    item_put_map(&b, tokenizer ? 4 : 3);
    item_put_key(&b, "tool");
    item_put_key(&b, cli_tool());
    item_put_key(&b, "options");
    item_put_array(&b, (uint64_t)n);
    for (int i = 0; i < n; i++)
        item_put_key(&b, option[i]);
    item_put_key(&b, "version");
    item_put_key(&b, slmtools_version);
    if (tokenizer) {
        item_put_key(&b, "tokenizer");
        item_put_key(&b, tokenizer);
    }
    chain_add(h, b.p, b.n);
    buf_free(&b);
}

static void put_names(struct buf *b, const char *key, char *const *name, int n)
{
    item_put_key(b, key);
    item_put_array(b, (uint64_t)n);
    for (int i = 0; i < n; i++)
        item_put_key(b, name[i]);
}

void stream_header_put(struct buf *b, const struct stream_header *h)
{
    const bool has_labels = h->labels.n > 0, has_answers = has_labels && h->labels.answer;

    item_put_tag(b, STREAM_TAG);
    item_put_map(b, 4 + (uint64_t)has_labels + has_answers);
    item_put_key(b, "kind");
    item_put_key(b, stream_kind_name(h->kind));
    item_put_key(b, "chain");
    item_put_array(b, (uint64_t)h->chain_n);
    for (int i = 0; i < h->chain_n; i++)
        buf_add(b, h->chain[i].p, h->chain[i].n);
    item_put_key(b, "format");
    item_put_key(b, format_name);
    if (has_labels)
        put_names(b, "labels", h->labels.name, h->labels.n);
    if (has_answers)
        put_names(b, "answers", h->labels.answer, h->labels.n);
    item_put_key(b, "version");
    item_put_uint(b, STREAM_VERSION);
}

/* ---- the end map ---- */

static int parse_mark(struct items *s)
{
    struct item text;

    if (items_next(s, &text, ITEM_TEXT, "the end map's mark") < 0)
        return -1;
    return is(&text, "end") ? 0 : err_set(EXIT_DATA, "the end map's mark is not 'end'");
}

static int parse_digest(struct stream_end *e, struct items *s)
{
    struct item bytes;

    if (items_next(s, &bytes, ITEM_BYTES, "the end map's 'sha256'") < 0)
        return -1;
    if (bytes.n != SHA256_BYTES)
        return err_set(EXIT_DATA, "the end map's 'sha256' has %zu bytes, not %d", bytes.n,
                       SHA256_BYTES);
    memcpy(e->digest, bytes.data, SHA256_BYTES);
    return 0;
}

static int parse_end_pair(struct stream_end *e, struct items *s, bool *has_records,
                          bool *has_digest)
{
    struct item key, value;

    if (items_next(s, &key, ITEM_TEXT, "a key of the end map") < 0)
        return -1;
    if (!key.n)
        return parse_mark(s);
    if (is(&key, "sha256")) {
        *has_digest = true;
        return parse_digest(e, s);
    }
    if (is(&key, "records")) {
        *has_records = true;
        if (items_next(s, &value, ITEM_UINT, "the end map's 'records'") < 0)
            return -1;
        e->records = value.u;
        return 0;
    }
    return items_skip(s, NULL, NULL);
}

int stream_end_parse(struct stream_end *e, const uint8_t *p, size_t n)
{
    struct items s = { p, p + n };
    struct item map;
    bool has_records = false, has_digest = false;

    *e = (struct stream_end){ 0 };
    if (items_next(&s, &map, ITEM_MAP, "the end map") < 0)
        return -1;
    for (uint64_t i = 0; i < map.u; i++)
        if (parse_end_pair(e, &s, &has_records, &has_digest) < 0)
            return -1;
    if (!has_records || !has_digest)
        return err_set(EXIT_DATA, "the end map has no '%s'", has_records ? "sha256" : "records");
    return 0;
}

void stream_end_put(struct buf *b, const struct stream_end *e, const struct stream_input *input,
                    int inputs)
{
    item_put_map(b, 4);
    item_put_key(b, "");
    item_put_key(b, "end");
    item_put_key(b, "inputs");
    item_put_array(b, (uint64_t)inputs);
    for (int i = 0; i < inputs; i++) {
        item_put_map(b, 2);
        item_put_key(b, "what");
        item_put_key(b, input[i].what);
        item_put_key(b, "sha256");
        item_put_bytes(b, input[i].digest, SHA256_BYTES);
    }
    item_put_key(b, "sha256");
    item_put_bytes(b, e->digest, SHA256_BYTES);
    item_put_key(b, "records");
    item_put_uint(b, e->records);
}
