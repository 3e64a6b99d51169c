#include "chain.h"

#include "json.h"
#include "reader.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>

/* ---- from JSON ---- */

static int bad(const char *key)
{
    return err_set(EXIT_DATA, "a program's '%s' is not as it should be", key);
}

static cJSON_bool is_digest(const cJSON *v)
{
    return cJSON_IsString(v) && sha256_is_hex(v->valuestring, strlen(v->valuestring));
}

/* The member KEY of O in CBOR, a text for which IS holds. */
static int take_text(struct buf *b, const cJSON *o, const char *key,
                     cJSON_bool (*is)(const cJSON *))
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!is(v))
        return bad(key);
    item_put_pair(b, key, v->valuestring);
    return 0;
}

/* The member KEY of O in CBOR, an array of what TAKE makes of each of its values. */
static int take_array(struct buf *b, const cJSON *o, const char *key,
                      int (*take)(struct buf *b, const cJSON *v))
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(o, key), *v;

    if (!cJSON_IsArray(all))
        return bad(key);
    item_put_key(b, key);
    item_put(b, ITEM_ARRAY, (uint64_t)cJSON_GetArraySize(all));
    cJSON_ArrayForEach(v, all)
    {
        if (take(b, v) < 0)
            return -1;
    }
    return 0;
}

static int take_option(struct buf *b, const cJSON *v)
{
    if (!cJSON_IsString(v))
        return bad("options");
    item_put_key(b, v->valuestring);
    return 0;
}

static int take_input(struct buf *b, const cJSON *v)
{
    item_put(b, ITEM_MAP, 2);
    return take_text(b, v, "what", cJSON_IsString) < 0 ? -1 : take_text(b, v, "sha256", is_digest);
}

static int take_entry(struct buf *b, const cJSON *entry)
{
    const bool inputs = cJSON_GetObjectItemCaseSensitive(entry, "inputs") != NULL;
    const bool tokenizer = cJSON_GetObjectItemCaseSensitive(entry, "tokenizer") != NULL;

    item_put(b, ITEM_MAP, 3 + (uint64_t)inputs + tokenizer);
    if (take_text(b, entry, "tool", cJSON_IsString) < 0 ||
        (inputs && take_array(b, entry, "inputs", take_input) < 0) ||
        take_array(b, entry, "options", take_option) < 0 ||
        take_text(b, entry, "version", cJSON_IsString) < 0)
        return -1;
    return tokenizer ? take_text(b, entry, "tokenizer", cJSON_IsString) : 0;
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

static void put_array(struct buf *b, const struct buf *entries, int n)
{
    item_put(b, ITEM_ARRAY, (uint64_t)n);
    buf_add(b, entries->p, entries->n);
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
        struct stream_input *in;
        const int inputs = reader_inputs(r, input, n, &in);

        buf_add(&entries, data->chain.p, data->chain.n);
        stream_entry_put(&entries, &(struct stream_entry){ .input = in, .inputs = inputs });
        free(in);
        put_array(&all, &entries, made + data->chain_n + 1);
        show_item(json, (const uint8_t *)all.p, all.n);
    }
    buf_free(&all);
    buf_free(&entries);
    return made < 0 ? -1 : 0;
}
