#include "stream_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char format_name[] = "slmtools stream";

/* What record_get_... said of KEY, which has to be there. */
static int must_have(int has, const char *key)
{
    return has ? has : err_set(EXIT_DATA, "has no '%s'", key);
}

/* ---- the header ---- */

static int take_format(struct record *r)
{
    const char *text;
    uint64_t version;
    size_t n;

    if (must_have(record_get_text(r, "format", &text, &n), "format") < 0 ||
        must_have(record_get_uint(r, "version", &version), "version") < 0)
        return -1;
    if (!text_is(text, n, format_name))
        return err_set(EXIT_DATA, "the format is not '%s'", format_name);
    return version == STREAM_VERSION
               ? 0
               : err_set(EXIT_DATA, "format version %llu; this program knows version %d",
                         (unsigned long long)version, STREAM_VERSION);
}

static int take_kind(struct stream_header *h, struct record *r)
{
    const char *text;
    size_t n;

    if (must_have(record_get_text(r, "kind", &text, &n), "kind") < 0)
        return -1;
    h->kind = stream_kind_of(text, n);
    return h->kind ? 0
                   : err_set(EXIT_DATA,
                             "the unknown kind '%.*s'; there are examples, prompts, tokens, "
                             "predictions",
                             n < 32 ? (int)n : 32, text);
}

/* The texts of the array KEY, if it is there. */
static int take_names(struct labels *l, struct record *r, const char *key)
{
    struct items s;
    struct item text;
    uint64_t n = 0;

    if (record_get_array(r, key, &s, &n) < 0)
        return -1;
    if (n > LABELS_MAX)
        return err_set(EXIT_DATA, "has more than %d %s", LABELS_MAX, key);
    for (uint64_t i = 0; i < n; i++) {
        if (items_next(&s, &text, ITEM_TEXT) < 0)
            return err_in("one of the %s", key);
        if (memchr(text.data, 0, text.n))
            return err_set(EXIT_DATA, "one of the %s holds a zero byte", key);
        labels_add(l, (const char *)text.data, text.n);
    }
    return 0;
}

/* Two labels of one name would be one; two answers may be. */
static int check_labels(struct labels *l, const struct labels *answers)
{
    for (int i = 0; i < l->n; i++)
        if (labels_find(l, l->name[i], strlen(l->name[i])) != i)
            return err_set(EXIT_DATA, "has the label '%s' twice", l->name[i]);
    if (answers->n && answers->n != l->n)
        return err_set(EXIT_DATA, "has %d answers for %d labels", answers->n, l->n);
    for (int i = 0; i < answers->n; i++)
        labels_set_answer(l, i, answers->name[i], strlen(answers->name[i]));
    return 0;
}

static int take_labels(struct stream_header *h, struct record *r)
{
    struct labels answers = { 0 };
    const int rc = take_names(&h->labels, r, "labels") < 0 || take_names(&answers, r, "answers") < 0
                       ? -1
                       : check_labels(&h->labels, &answers);

    labels_free(&answers);
    return rc;
}

static int take_chain(struct stream_header *h, struct record *r)
{
    struct items s;
    uint64_t n;

    if (must_have(record_get_array(r, "chain", &s, &n), "chain") < 0)
        return -1;
    if (n > CHAIN_MAX)
        return err_set(EXIT_DATA, "has a chain of more than %d entries", CHAIN_MAX);
    struct record *entry = record_new();
    int rc = 0;

    buf_add(&h->chain, s.p, (size_t)(s.end - s.p));
    while (rc == 0 && h->chain_n < (int)n) {
        rc = record_of_items(entry, &s);
        h->chain_n++;
    }
    record_free(entry);
    return rc < 0 ? err_in("the chain") : 0;
}

int stream_header_parse(struct stream_header *h, const uint8_t *p, size_t n)
{
    struct record *r = record_new();
    struct items s = { p, p + n };
    int rc = record_of_items(r, &s);

    stream_header_free(h);
    if (rc == 0 && (take_format(r) < 0 || take_kind(h, r) < 0 || take_labels(h, r) < 0 ||
                    take_chain(h, r) < 0))
        rc = -1;
    record_free(r);
    return rc < 0 ? err_in("the header") : 0;
}

void stream_header_free(struct stream_header *h)
{
    buf_free(&h->chain);
    labels_free(&h->labels);
    *h = (struct stream_header){ 0 };
}

/* Bytes of the entry that the chain AT begins with. */
static size_t entry_bytes(const struct buf *chain, size_t at)
{
    struct item first;
    size_t n = 0;

    if (item_whole(&first, &n, (const uint8_t *)chain->p + at, chain->n - at) != 1)
        die_err(); /* it was parsed, or is ours: cannot be */
    return n;
}

static bool chain_has(const struct buf *chain, const char *entry, size_t n)
{
    size_t is;

    for (size_t at = 0; at < chain->n; at += is) {
        is = entry_bytes(chain, at);
        if (is == n && !memcmp(chain->p + at, entry, n))
            return true;
    }
    return false;
}

void stream_header_join(struct stream_header *to, const struct stream_header *from)
{
    size_t n;

    for (size_t at = 0; at < from->chain.n; at += n) {
        const char *entry = from->chain.p + at;

        n = entry_bytes(&from->chain, at);
        if (chain_has(&to->chain, entry, n))
            continue;
        buf_add(&to->chain, entry, n);
        to->chain_n++;
    }
}

int stream_header_other_tokenizer(const struct stream_header *h, const char *want,
                                  char other[SHA256_HEX + 1])
{
    const uint8_t *const p = (const uint8_t *)h->chain.p;
    struct items s = { p, p + h->chain.n };
    struct record *entry = record_new();
    const char *hex;
    int rc = 0;
    size_t n;

    while (rc == 0 && s.p < s.end) {
        rc = record_of_items(entry, &s);
        if (rc == 0)
            rc = record_get_text(entry, "tokenizer", &hex, &n);
        if (rc > 0 && !sha256_is_hex(hex, n))
            rc = err_set(EXIT_DATA, "the chain's 'tokenizer' is not %d hexadecimal digits",
                         SHA256_HEX);
        if (rc > 0)
            rc = memcmp(hex, want, SHA256_HEX) != 0;
    }
    if (rc > 0)
        (void)snprintf(other, SHA256_HEX + 1, "%.*s", SHA256_HEX, hex);
    record_free(entry);
    return rc;
}

/* The array KEY of the N texts TEXT. */
static void put_texts(struct buf *b, const char *key, const char *const *text, int n)
{
    item_put_key(b, key);
    item_put(b, ITEM_ARRAY, (uint64_t)n);
    for (int i = 0; i < n; i++)
        item_put_key(b, text[i]);
}

/* Digests as bytes, or in hexadecimal for JSON, which knows none. */
static void put_inputs(struct buf *b, const struct stream_input *input, int n, bool for_json)
{
    char hex[SHA256_HEX + 1];

    item_put_key(b, "inputs");
    item_put(b, ITEM_ARRAY, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        item_put(b, ITEM_MAP, 2);
        item_put_pair(b, "what", input[i].what);
        item_put_key(b, "sha256");
        sha256_hex(input[i].digest, hex);
        if (for_json)
            item_put_key(b, hex);
        else
            item_put_bytes(b, input[i].digest, SHA256_BYTES);
    }
}

static void put_adapters(struct buf *b, const struct stream_entry *says)
{
    item_put_key(b, "adapters");
    item_put(b, ITEM_ARRAY, (uint64_t)says->adapters);
    for (int i = 0; i < says->adapters; i++)
        if (says->chain[i].n)
            buf_add(b, says->chain[i].p, says->chain[i].n);
        else
            item_put(b, ITEM_ARRAY, 0);
}

/* Where no adapter says how it was made, nothing is said of them. */
static bool has_chains(const struct stream_entry *says)
{
    int i = 0;

    while (i < says->adapters && !says->chain[i].n)
        i++;
    return i < says->adapters;
}

void stream_entry_put(struct buf *b, const struct stream_entry *says)
{
    const bool adapted = has_chains(says);
    char hex[SHA256_HEX + 1];
    int n;
    const char *const *option = cli_chain_options(&n);

    item_put(b, ITEM_MAP,
             3 + (uint64_t)(says->input != NULL) + adapted + (says->tokenizer != NULL));
    item_put_pair(b, "tool", cli_tool());
    if (says->input)
        put_inputs(b, says->input, says->inputs, true);
    put_texts(b, "options", option, n);
    item_put_pair(b, "version", slmtools_version);
    if (adapted)
        put_adapters(b, says);
    if (says->tokenizer) {
        sha256_hex(says->tokenizer, hex);
        item_put_pair(b, "tokenizer", hex);
    }
}

void stream_header_put(struct buf *b, const struct stream_header *h)
{
    const bool has_labels = h->labels.n > 0, has_answers = has_labels && h->labels.answer;

    item_put(b, ITEM_TAG, STREAM_TAG);
    item_put(b, ITEM_MAP, 4 + (uint64_t)has_labels + has_answers);
    item_put_pair(b, "kind", stream_kind_name(h->kind));
    item_put_key(b, "chain");
    item_put(b, ITEM_ARRAY, (uint64_t)h->chain_n);
    buf_add(b, h->chain.p, h->chain.n);
    item_put_pair(b, "format", format_name);
    if (has_labels)
        put_texts(b, "labels", (const char *const *)h->labels.name, h->labels.n);
    if (has_answers)
        put_texts(b, "answers", (const char *const *)h->labels.answer, h->labels.n);
    item_put_key(b, "version");
    item_put(b, ITEM_UINT, STREAM_VERSION);
}

/* ---- the end map ---- */

int stream_end_read(struct stream_end *e, struct record *r)
{
    const struct field *digest = record_find(r, "sha256");
    const char *mark;
    size_t n;

    if (record_get_text(r, "", &mark, &n) < 0 || !text_is(mark, n, "end"))
        return err_set(EXIT_DATA, "the end map's mark is not 'end'");
    if (must_have(record_get_uint(r, "records", &e->records), "records") < 0 ||
        must_have(digest != NULL, "sha256") < 0)
        return err_in("the end map");
    if (digest->type != ITEM_BYTES || digest->n != SHA256_BYTES)
        return err_set(EXIT_DATA, "the end map's 'sha256' is not %d bytes", SHA256_BYTES);
    memcpy(e->digest, digest->data, SHA256_BYTES);
    return 0;
}

void stream_end_put(struct buf *b, const struct stream_end *e, const struct stream_input *input,
                    int inputs)
{
    item_put(b, ITEM_MAP, 4);
    item_put_pair(b, "", "end");
    put_inputs(b, input, inputs, false);
    item_put_key(b, "sha256");
    item_put_bytes(b, e->digest, SHA256_BYTES);
    item_put_key(b, "records");
    item_put(b, ITEM_UINT, e->records);
}
