#include "chain.h"

#include "json.h"
#include "reader.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>

/* ---- from JSON ---- */

static int is_wrong(const char *key)
{
    return err_set(EXIT_DATA, "a program's '%s' is not as it should be", key);
}

/* The member KEY of O, a text, in CBOR. */
static int take_text(struct buf *b, const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!cJSON_IsString(v))
        return is_wrong(key);
    item_put_pair(b, key, v->valuestring);
    return 0;
}

static int take_options(struct buf *b, const cJSON *entry)
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(entry, "options"), *v;

    if (!cJSON_IsArray(all))
        return is_wrong("options");
    item_put_key(b, "options");
    item_put(b, ITEM_ARRAY, (uint64_t)cJSON_GetArraySize(all));
    cJSON_ArrayForEach(v, all)
    {
        if (!cJSON_IsString(v))
            return is_wrong("options");
        item_put_key(b, v->valuestring);
    }
    return 0;
}

static bool is_digest(const cJSON *v)
{
    return cJSON_IsString(v) && strlen(v->valuestring) == SHA256_HEX &&
           strspn(v->valuestring, "0123456789abcdef") == SHA256_HEX;
}

static int take_inputs(struct buf *b, const cJSON *all)
{
    const cJSON *v;

    if (!cJSON_IsArray(all))
        return is_wrong("inputs");
    item_put_key(b, "inputs");
    item_put(b, ITEM_ARRAY, (uint64_t)cJSON_GetArraySize(all));
    cJSON_ArrayForEach(v, all)
    {
        item_put(b, ITEM_MAP, 2);
        if (take_text(b, v, "what") < 0)
            return -1;
        if (!is_digest(cJSON_GetObjectItemCaseSensitive(v, "sha256")))
            return is_wrong("sha256");
        if (take_text(b, v, "sha256") < 0)
            return -1;
    }
    return 0;
}

static int take_entry(struct buf *b, const cJSON *entry)
{
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(entry, "inputs");
    const cJSON *tokenizer = cJSON_GetObjectItemCaseSensitive(entry, "tokenizer");

    item_put(b, ITEM_MAP, 3 + (uint64_t)(inputs != NULL) + (tokenizer != NULL));
    if (take_text(b, entry, "tool") < 0 || (inputs && take_inputs(b, inputs) < 0) ||
        take_options(b, entry) < 0 || take_text(b, entry, "version") < 0)
        return -1;
    return tokenizer ? take_text(b, entry, "tokenizer") : 0;
}

/* Appends the entries of JSON to B; how many, or -1. */
static int take_entries(struct buf *b, const char *json)
{
    cJSON *all = json_parse(json, strlen(json));
    int n = all ? 0 : -1;

    if (n == 0 && (!cJSON_IsArray(all) || cJSON_GetArraySize(all) > CHAIN_MAX))
        n = err_set(EXIT_DATA, "it is no array of at most %d programs", CHAIN_MAX);
    for (const cJSON *v = n == 0 ? all->child : NULL; v && n >= 0; v = v->next)
        n = take_entry(b, v) < 0 ? -1 : n + 1;
    cJSON_Delete(all);
    return n < 0 ? err_in("the chain of programs") : n;
}

/* The N entries in ENTRIES, which is empty then, as one array. */
static void put_array(struct buf *b, struct buf *entries, int n)
{
    item_put(b, ITEM_ARRAY, (uint64_t)n);
    buf_add(b, entries->p, entries->n);
    buf_free(entries);
}

int chain_parse(struct buf *cbor, const char *json)
{
    struct buf entries = BUF_INIT;
    const int n = take_entries(&entries, json);

    if (n >= 0)
        put_array(cbor, &entries, n);
    buf_free(&entries);
    return n < 0 ? -1 : 0;
}

/* ---- to JSON ---- */

/* The entry of this process, with what went in. */
static void sign(struct buf *b, const struct reader *r, const struct stream_input *input, int n)
{
    const int streams = reader_digests(r);
    struct stream_input *const all = xnmalloc((size_t)(n + streams), sizeof *all);

    memcpy(all, input, (size_t)n * sizeof *all);
    for (int i = 0; i < streams; i++) {
        all[n + i].what = "stream";
        memcpy(all[n + i].digest, reader_digest(r, i), SHA256_BYTES);
    }
    stream_entry_put(b, &(struct stream_entry){ .input = all, .inputs = n + streams });
    free(all);
}

int chain_put(struct buf *json, const char *before, const struct reader *r,
              const struct stream_input *input, int n)
{
    const struct stream_header *data = reader_joined(r);
    struct buf entries = BUF_INIT, all = BUF_INIT;
    int made = before ? take_entries(&entries, before) : 0;

    if (made >= 0 && made + data->chain_n >= CHAIN_MAX)
        made = err_set(EXIT_DATA,
                       "%d programs made the records and the adapter it begins with; that is "
                       "more than its chain can hold",
                       made + data->chain_n);
    if (made >= 0) {
        for (int i = 0; i < data->chain_n; i++)
            buf_add(&entries, data->chain[i].p, data->chain[i].n);
        sign(&entries, r, input, n);
        put_array(&all, &entries, made + data->chain_n + 1);
        show_item(json, (const uint8_t *)all.p, all.n);
    }
    buf_free(&all);
    buf_free(&entries);
    return made < 0 ? -1 : 0;
}
