#include "tokenizer_impl.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

/* ---- refusing by name ---- */

static int unknown(const char *where, const char *what)
{
    return err_set(EXIT_NODEVICE, "tokenizer feature not supported: %s%s", where, what);
}

const cJSON *json_member(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNull(v) ? NULL : v;
}

/* -1 when object O has a member that is not among the space-separated KEYS. */
static int known_keys(const cJSON *o, const char *where, const char *keys)
{
    for (const cJSON *v = o->child; v; v = v->next) {
        const size_t n = strlen(v->string);
        const char *at = keys;

        while ((at = strstr(at, v->string)) &&
               !((at == keys || at[-1] == ' ') && (!at[n] || at[n] == ' ')))
            at++;
        if (!at || !n)
            return unknown(where, v->string);
    }
    return 0;
}

/* -1 unless member KEY of O is absent, null, false, 0 or "". */
static int must_be_off(const cJSON *o, const char *where, const char *key)
{
    const cJSON *v = json_member(o, key);

    if (!v || cJSON_IsFalse(v) || (cJSON_IsNumber(v) && v->valuedouble == 0) ||
        (cJSON_IsString(v) && !v->valuestring[0]))
        return 0;
    return unknown(where, key);
}

/* The "type" of the object that is member KEY of O: "" when it is absent or null. */
static int type_of(const cJSON *o, const char *key, const cJSON **object, const char **type)
{
    *object = json_member(o, key);
    *type = "";
    if (!*object)
        return 0;
    if (!cJSON_IsObject(*object))
        return err_set(EXIT_DATA, "'%s' is not an object", key);
    if (json_text(*object, "type", type) < 0)
        return err_in("%s", key);
    return 0;
}

/* ---- the model: vocabulary and merges ---- */

const char *quoted(char out[QUOTED_MAX], const char *content)
{
    struct buf text = BUF_INIT;
    size_t n = strlen(content);

    if (n > 40) /* an escape takes at most six bytes */
        for (n = 40; ((uint8_t)content[n] & 0xC0) == 0x80;)
            n--;
    json_put_text(&text, content, n);
    memcpy(out, text.p, text.n + 1);
    buf_free(&text);
    return out;
}

int64_t token_id(const cJSON *v)
{
    const double id = cJSON_IsNumber(v) ? v->valuedouble : -1;

    return id >= 0 && id < TOKEN_IDS_MAX && id == (double)(int64_t)id ? (int64_t)id : -1;
}

/* A small file must not ask for a large table: ids may have gaps, but not mostly. */
static bool ids_are_sparse(uint32_t n, int64_t largest)
{
    return largest > 4 * (int64_t)n + 65536;
}

int load_vocab(struct tokenizer *t, const cJSON *vocab)
{
    int64_t largest = -1;
    uint32_t n = 0;

    if (!cJSON_IsObject(vocab))
        return err_set(EXIT_DATA, "the vocabulary is not an object of tokens and ids");
    for (const cJSON *v = vocab->child; v; v = v->next) {
        if (++n > TOKEN_IDS_MAX)
            return err_set(EXIT_DATA, "more than %d tokens", TOKEN_IDS_MAX);
        if (token_id(v) > largest)
            largest = token_id(v);
    }
    if (ids_are_sparse(n, largest))
        return err_set(EXIT_DATA, "%u tokens with ids up to %lld", n, (long long)largest);
    vocab_init(&t->vocab);
    for (const cJSON *v = vocab->child; v; v = v->next) {
        const int64_t id = token_id(v);

        if (id < 0)
            return err_set(EXIT_DATA, "token %s has no id from 0 to %d", QUOTED(v->string),
                           TOKEN_IDS_MAX - 1);
        if (vocab_add(&t->vocab, v->string, strlen(v->string), (uint32_t)id, TOKEN_MODEL) < 0)
            return -1;
    }
    t->n_model = n;
    return 0;
}

int load_bytes(struct tokenizer *t)
{
    for (int b = 0; b < 256; b++) {
        char c[2];
        const int len = byte_level_char((uint8_t)b, c);
        const bool in_utf8 = b < 0xC0 || (b >= 0xC2 && b <= 0xF4);

        t->byte_id[b] = vocab_find(&t->vocab, c, (size_t)len);
        if (t->byte_id[b] == TOKEN_NONE && in_utf8)
            return err_set(
                EXIT_DATA,
                "no token stands for the byte 0x%02X; this is not a byte-level vocabulary",
                (unsigned)b);
    }
    return 0;
}

static int load_merge(struct tokenizer *t, uint32_t rank, const char *a, size_t a_len,
                      const char *b, size_t b_len, struct buf *joined)
{
    const uint32_t left = vocab_find(&t->vocab, a, a_len), right = vocab_find(&t->vocab, b, b_len);

    buf_clear(joined);
    buf_add(joined, a, a_len);
    buf_add(joined, b, b_len);
    const uint32_t id = vocab_find(&t->vocab, joined->p, joined->n);

    if (left == TOKEN_NONE || right == TOKEN_NONE || id == TOKEN_NONE)
        return err_set(EXIT_DATA, "merge %u joins or makes what is no token", rank);
    merges_add(&t->merges, left, right, rank, id);
    return 0;
}

int load_merge_text(struct tokenizer *t, uint32_t rank, const char *text, size_t n,
                    struct buf *joined)
{
    const char *space = memchr(text, ' ', n);

    if (!space || memchr(space + 1, ' ', n - (size_t)(space + 1 - text)))
        return err_set(EXIT_DATA, "merge %u is not two tokens with a space between", rank);
    return load_merge(t, rank, text, (size_t)(space - text), space + 1,
                      n - (size_t)(space + 1 - text), joined);
}

static int load_merge_item(struct tokenizer *t, uint32_t rank, const cJSON *m, struct buf *joined)
{
    if (cJSON_IsString(m))
        return load_merge_text(t, rank, m->valuestring, strlen(m->valuestring), joined);
    const cJSON *a = cJSON_IsArray(m) ? m->child : NULL, *b = a ? a->next : NULL;

    if (!b || b->next || !cJSON_IsString(a) || !cJSON_IsString(b))
        return err_set(EXIT_DATA, "merge %u is neither \"a b\" nor [\"a\", \"b\"]", rank);
    return load_merge(t, rank, a->valuestring, strlen(a->valuestring), b->valuestring,
                      strlen(b->valuestring), joined);
}

static int load_merges(struct tokenizer *t, const cJSON *merges)
{
    struct buf joined = BUF_INIT;
    uint32_t n = 0;
    int rc = 0;

    if (!cJSON_IsArray(merges))
        return err_set(EXIT_DATA, "the merges are not an array");
    for (const cJSON *m = merges->child; m; m = m->next)
        if (++n > TOKEN_IDS_MAX)
            return err_set(EXIT_DATA, "more than %d merges", TOKEN_IDS_MAX);
    merges_init(&t->merges, n);
    n = 0;
    for (const cJSON *m = merges->child; m && rc == 0; m = m->next)
        rc = load_merge_item(t, n++, m, &joined);
    buf_free(&joined);
    return rc;
}

static int load_model(struct tokenizer *t, const cJSON *root)
{
    const cJSON *model;
    const char *type;

    if (type_of(root, "model", &model, &type) < 0)
        return -1;
    if (!model)
        return err_set(EXIT_DATA, "there is no 'model'");
    if (*type && strcmp(type, "BPE")) /* the first files of this format have no type */
        return unknown("model ", type);
    /* unk_token, fuse_unk and byte_fallback say what to do with a character that is no token:
     * load_bytes makes sure that there is none. */
    if (known_keys(model, "model.",
                   "type dropout unk_token continuing_subword_prefix end_of_word_suffix "
                   "fuse_unk byte_fallback ignore_merges vocab merges") < 0 ||
        must_be_off(model, "model.", "dropout") < 0 ||
        must_be_off(model, "model.", "continuing_subword_prefix") < 0 ||
        must_be_off(model, "model.", "end_of_word_suffix") < 0 ||
        json_bool(model, "ignore_merges", &t->ignore_merges) < 0 ||
        load_vocab(t, json_member(model, "vocab")) < 0 || load_bytes(t) < 0 ||
        load_merges(t, json_member(model, "merges")) < 0)
        return err_in("model");
    return 0;
}

/* ---- what surrounds the model ---- */

static int load_byte_level(const cJSON *root)
{
    const cJSON *pre, *decoder;
    const char *type;
    bool use_regex = true, prefix = false;

    if (type_of(root, "pre_tokenizer", &pre, &type) < 0)
        return -1;
    if (strcmp(type, "ByteLevel"))
        return unknown("pre_tokenizer ", *type ? type : "null");
    if (known_keys(pre, "pre_tokenizer.", "type add_prefix_space trim_offsets use_regex") < 0 ||
        json_bool(pre, "use_regex", &use_regex) < 0 ||
        json_bool(pre, "add_prefix_space", &prefix) < 0)
        return -1;
    if (prefix)
        return unknown("pre_tokenizer.", "add_prefix_space");
    if (!use_regex)
        return unknown("pre_tokenizer.", "use_regex false");
    if (type_of(root, "decoder", &decoder, &type) < 0)
        return -1;
    return strcmp(type, "ByteLevel") ? unknown("decoder ", *type ? type : "null") : 0;
}

/* Everything that could change ids or text and that is not here. The post-processor is not among
 * it: it only adds tokens that add_special_tokens asks for. */
static int refuse_others(const cJSON *root)
{
    const cJSON *o;
    const char *type;

    if (known_keys(root, "",
                   "version truncation padding added_tokens normalizer pre_tokenizer "
                   "post_processor decoder model") < 0)
        return -1;
    if (json_member(root, "truncation"))
        return unknown("", "truncation (set it to null and use --max-length)");
    if (json_member(root, "padding"))
        return unknown("", "padding (set it to null)");
    if (type_of(root, "normalizer", &o, &type) < 0)
        return -1;
    return o ? unknown("normalizer ", type) : 0;
}

/* ---- added tokens ---- */

/* Hugging Face gives an added token that is not in the model the id after the largest added one, or
 * the number of the model's tokens; what the file says is only compared. */
static uint32_t next_added_id(const struct tokenizer *t)
{
    return t->next_added > t->n_model ? t->next_added : t->n_model;
}

int load_added(struct tokenizer *t, const char *content, int64_t id, const cJSON *o, bool special)
{
    struct added a = { .normalized = !special };
    const size_t len = strlen(content);

    if (json_bool(o, "single_word", &a.single_word) < 0 || json_bool(o, "lstrip", &a.lstrip) < 0 ||
        json_bool(o, "rstrip", &a.rstrip) < 0 || json_bool(o, "normalized", &a.normalized) < 0 ||
        json_bool(o, "special", &special) < 0)
        return -1;
    if (!len)
        return err_set(EXIT_DATA, "an added token is empty");
    if (len > ADDED_LEN_MAX)
        return err_set(EXIT_DATA, "added token %s has %zu bytes; at most %d are possible",
                       QUOTED(content), len, ADDED_LEN_MAX);
    a.id = vocab_find(&t->vocab, content, len);
    if (a.id == TOKEN_NONE) {
        a.id = next_added_id(t);
        if (vocab_add(&t->vocab, content, len, a.id, 0) < 0)
            return -1;
    }
    if (id >= 0 && id != (int64_t)a.id)
        return err_set(EXIT_DATA, "added token %s has the id %lld; in its place it gets %u",
                       QUOTED(content), (long long)id, a.id);
    if (t->vocab.token[a.id].flags & TOKEN_ADDED)
        return err_set(EXIT_DATA, "added token %s is there twice", QUOTED(content));
    t->vocab.token[a.id].flags |= TOKEN_ADDED | (special ? TOKEN_SPECIAL : 0);
    if (a.id >= t->next_added)
        t->next_added = a.id + 1;
    matcher_add(a.normalized ? &t->normalized : &t->exact, (const uint8_t *)content, len,
                t->n_added);
    if (t->n_added == t->added_cap) {
        t->added_cap = t->added_cap ? 2 * t->added_cap : 64;
        t->added = xnrealloc(t->added, t->added_cap, sizeof *t->added);
    }
    t->added[t->n_added++] = a;
    return 0;
}

static int load_added_list(struct tokenizer *t, const cJSON *list)
{
    if (list && !cJSON_IsArray(list))
        return err_set(EXIT_DATA, "'added_tokens' is not an array");
    for (const cJSON *o = list ? list->child : NULL; o; o = o->next) {
        const char *content = NULL;
        int64_t id = -1;

        if (!cJSON_IsObject(o))
            return err_set(EXIT_DATA, "'added_tokens' holds what is no object");
        if (known_keys(o, "added_tokens.",
                       "id content single_word lstrip rstrip normalized special") < 0 ||
            json_int(o, "id", &id, 0, TOKEN_IDS_MAX - 1) < 0 ||
            json_text(o, "content", &content) < 0)
            return -1;
        if (id < 0 || !content)
            return err_set(EXIT_DATA, "an added token has no 'id' or no 'content'");
        if (load_added(t, content, id, o, false) < 0)
            return -1;
    }
    return 0;
}

int tokenizer_load_json(struct tokenizer *t, const char *text, size_t n)
{
    cJSON *root = json_parse(text, n);
    int rc = -1;

    if (!root)
        return -1;
    sha256_of(text, n, t->digest);
    if (!cJSON_IsObject(root))
        err_set(EXIT_DATA, "not an object");
    else if (refuse_others(root) == 0 && load_byte_level(root) == 0 && load_model(t, root) == 0)
        rc = load_added_list(t, json_member(root, "added_tokens"));
    cJSON_Delete(root);
    return rc;
}
