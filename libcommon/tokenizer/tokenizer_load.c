#include "tokenizer_impl.h"

#include "json.h"
#include "json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- refusing by name ---- */

int refuse_feature(const char *where, const char *what)
{
    return err_set(EXIT_NODEVICE,
                   "tokenizer feature not supported: %s%s; use a model whose tokenizer has none",
                   where, what);
}

const cJSON *json_member(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNull(v) ? NULL : v;
}

int find_name(const char *name, const char *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(name, list[i]))
            return i;
    return -1;
}

int known_keys(const cJSON *o, const char *where, const char *keys)
{
    for (const cJSON *v = o->child; v; v = v->next) {
        const size_t n = strlen(v->string);
        const char *at = keys;

        while ((at = strstr(at, v->string)) &&
               !((at == keys || at[-1] == ' ') && (!at[n] || at[n] == ' ')))
            at++;
        if (!at || !n)
            return refuse_feature(where, v->string);
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
    return refuse_feature(where, key);
}

/* ---- the model: vocabulary and merges ---- */

const char *quoted(char out[QUOTED_MAX], const char *content, size_t n)
{
    struct buf text = BUF_INIT;

    if (n > 40) /* an escape takes at most six bytes */
        for (n = 40; ((uint8_t)content[n] & 0xC0) == 0x80;)
            n--;
    json_put_text(&text, content, n);
    memcpy(out, text.p, text.n + 1);
    buf_free(&text);
    return out;
}

static int64_t whole_id(double id)
{
    return id >= 0 && id < TOKEN_IDS_MAX && id == (double)(int64_t)id ? (int64_t)id : -1;
}

int64_t token_id(const cJSON *v)
{
    return cJSON_IsNumber(v) ? whole_id(v->valuedouble) : -1;
}

/* The number at *P as an id, -1 when it is none; *P moves behind the value. */
static int64_t take_id(const char **p)
{
    const char *from = *p, *at = from;
    int64_t id = 0;

    while (*at >= '0' && *at <= '9' && at < from + 9)
        id = 10 * id + (*at++ - '0');
    *p = at;
    if (at > from && (*at == ',' || *at == '}'))
        return id < TOKEN_IDS_MAX ? id : -1;
    *p = json_end(from);
    return *from == '-' || at > from ? whole_id(strtod(from, NULL)) : -1;
}

/* A small file must not ask for a large table: ids may have gaps, but not mostly. */
static int check_id(int64_t id, const char *content, size_t len, size_t bytes)
{
    if (id < 0)
        return err_set(EXIT_DATA, "token %s has no id from 0 to %d", QUOTED(content, len),
                       TOKEN_IDS_MAX - 1);
    if ((size_t)id > 65536 + bytes)
        return err_set(EXIT_DATA, "a vocabulary of %zu bytes with ids up to %lld", bytes,
                       (long long)id);
    return 0;
}

int load_vocab(struct tokenizer *t, const char *vocab, size_t bytes)
{
    struct buf room = BUF_INIT;
    int rc = 0;

    if (*vocab != '{')
        return err_set(EXIT_DATA, "the vocabulary is not an object of tokens and ids");
    vocab_init(&t->vocab, bytes / 32);
    for (const char *p = json_first(vocab); p && rc == 0; p = json_next(p)) {
        size_t len;
        const char *content = json_string(&p, &room, &len);

        p = json_value(p);
        const int64_t id = take_id(&p);

        rc = check_id(id, content, len, bytes);
        if (rc == 0)
            rc = vocab_add(&t->vocab, content, len, (uint32_t)id, TOKEN_MODEL);
    }
    buf_free(&room);
    t->n_model = t->vocab.n_tokens;
    return rc;
}

static bool is_in_utf8(int b)
{
    return b < 0xC0 || (b >= 0xC2 && b <= 0xF4);
}

/* Bytes of control characters, and those that begin a code point where there are none yet: real
 * vocabularies lack some, and nobody misses them. */
static bool is_rare(int b)
{
    return b < 0x20 || b == 0x7F || b == 0xF1 || b == 0xF2;
}

int load_bytes(struct tokenizer *t, const char *unk)
{
    t->unk = unk ? vocab_find(&t->vocab, unk, strlen(unk)) : TOKEN_NONE;
    for (int b = 0; b < 256; b++) {
        char c[2];
        const int len = byte_level_char((uint8_t)b, c);

        t->byte_id[b] = vocab_find(&t->vocab, c, (size_t)len);
        if (t->byte_id[b] != TOKEN_NONE || !is_in_utf8(b))
            continue;
        if (t->byte_fallback)
            return refuse_feature("model.byte_fallback ", "behind ByteLevel");
        if (t->unk == TOKEN_NONE && (unk || !is_rare(b)))
            return err_set(
                EXIT_DATA,
                "no token stands for the byte 0x%02X; this is not a byte-level vocabulary",
                (unsigned)b);
        t->gaps = true;
    }
    return 0;
}

/* As load_bytes, for a model whose words are characters. */
static int load_characters(struct tokenizer *t, const char *unk)
{
    bool all = t->byte_fallback;

    for (int b = 0; b < 128; b++)
        t->ascii_id[b] = vocab_find(&t->vocab, (char[]){ (char)b }, 1);
    for (int b = 0; b < 256; b++) {
        char content[8];

        (void)snprintf(content, sizeof content, "<0x%02X>", (unsigned)b);
        t->byte_id[b] = vocab_find(&t->vocab, content, 6);
        all &= t->byte_id[b] != TOKEN_NONE || !is_in_utf8(b);
    }
    if (t->byte_fallback && !all)
        return err_set(EXIT_DATA, "'byte_fallback' without a token for every byte");
    t->unk = unk ? vocab_find(&t->vocab, unk, strlen(unk)) : TOKEN_NONE;
    if (unk && t->unk == TOKEN_NONE)
        return err_set(EXIT_DATA, "the unk_token %s is no token", QUOTED(unk, strlen(unk)));
    if (!all && !unk)
        return err_set(EXIT_DATA,
                       "there is neither an unk_token nor byte_fallback: characters that "
                       "are no tokens would vanish");
    if (vocab_find(&t->vocab, SPACE_MARK, SPACE_MARK_LEN) == TOKEN_NONE)
        t->crosses_marks = true;
    return 0;
}

/* The id of what A and B make together. Nearly always the one after the merge before's: then its
 * content is compared and nothing looked up. */
static uint32_t find_both(struct merge_loader *l, const char *a, size_t a_len, const char *b,
                          size_t b_len)
{
    const struct vocab *v = &l->t->vocab;

    if (l->id < v->n_ids && v->token[l->id].content_len == a_len + b_len) {
        const char *content = v->arena.p + v->token[l->id].content;

        if (!memcmp(content, a, a_len) && !memcmp(content + a_len, b, b_len))
            return l->id;
    }
    buf_clear(&l->both);
    buf_add(&l->both, a, a_len);
    buf_add(&l->both, b, b_len);
    return vocab_find(v, l->both.p, l->both.n);
}

static bool ends_with_mark(const char *p, size_t n)
{
    return n >= SPACE_MARK_LEN && begins_with_mark(p + n - SPACE_MARK_LEN, SPACE_MARK_LEN);
}

static int load_merge(struct merge_loader *l, const char *a, size_t a_len, const char *b,
                      size_t b_len)
{
    const struct vocab *v = &l->t->vocab;
    const uint32_t left = vocab_find(v, a, a_len), right = vocab_find(v, b, b_len);
    const uint32_t id = find_both(l, a, a_len, b, b_len);

    if (l->rank >= TOKEN_IDS_MAX)
        return err_set(EXIT_DATA, "more than %d merges", TOKEN_IDS_MAX);
    if (left == TOKEN_NONE || right == TOKEN_NONE || id == TOKEN_NONE)
        return err_set(EXIT_DATA, "merge %u joins or makes what is no token", l->rank);
    l->t->crosses_marks |= begins_with_mark(b, b_len) && !ends_with_mark(a, a_len);
    merges_add(&l->t->merges, left, right, l->rank++, id);
    l->id = id + 1;
    return 0;
}

int load_merge_text(struct merge_loader *l, const char *text, size_t n)
{
    const char *space = memchr(text, ' ', n);

    if (!space || memchr(space + 1, ' ', n - (size_t)(space + 1 - text)))
        return err_set(EXIT_DATA, "merge %u is not two tokens with a space between", l->rank);
    return load_merge(l, text, (size_t)(space - text), space + 1, n - (size_t)(space + 1 - text));
}

/* The merge at *P; *P moves behind it. */
static int load_merge_item(struct merge_loader *l, const char **p)
{
    const char *const item = *p, *a, *b;
    size_t n, m;

    if (*item == '"') {
        a = json_string(p, &l->left, &n);
        return load_merge_text(l, a, n);
    }
    *p = json_end(item);
    a = *item == '[' ? json_first(item) : NULL;
    b = a ? json_next(json_end(a)) : NULL;
    if (!b || json_next(json_end(b)) || *a != '"' || *b != '"')
        return err_set(EXIT_DATA, "merge %u is neither \"a b\" nor [\"a\", \"b\"]", l->rank);
    a = json_string(&a, &l->left, &n);
    b = json_string(&b, &l->right, &m);
    return load_merge(l, a, n, b, m);
}

void merge_loader_free(struct merge_loader *l)
{
    buf_free(&l->left);
    buf_free(&l->right);
    buf_free(&l->both);
}

static int load_merges(struct tokenizer *t, const char *merges)
{
    struct merge_loader l = { .t = t };
    int rc = 0;

    if (*merges != '[')
        return err_set(EXIT_DATA, "the merges are not an array");
    for (const char *p = json_first(merges); p && rc == 0; p = json_next(p))
        rc = load_merge_item(&l, &p);
    merge_loader_free(&l);
    return rc;
}

/* Members of the model that are never made a tree; NULL behind the last. */
static const char *const large[] = { "vocab", "merges", NULL };

/* Where one of them begins; "": it is not there. */
static const char *place_of(const cJSON *model, const char *key, size_t *bytes)
{
    const cJSON *v = json_member(model, key);

    *bytes = v ? (size_t)v->valuedouble : 0;
    return v ? v->valuestring : "";
}

static int load_model(struct tokenizer *t, const cJSON *root)
{
    const cJSON *model;
    const char *type = "", *unk = NULL;

    if (json_object(root, "model", &model) < 0)
        return -1;
    if (json_text(model, "type", &type) < 0)
        return err_in("model");
    size_t bytes, unused;
    const char *vocab = place_of(model, "vocab", &bytes);
    const char *merges = place_of(model, "merges", &unused);

    if (*type && strcmp(type, "BPE")) /* the first files of this format have no type */
        return refuse_feature("model ", type);
    if (known_keys(model, "model.",
                   "type dropout unk_token continuing_subword_prefix end_of_word_suffix "
                   "fuse_unk byte_fallback ignore_merges vocab merges") < 0 ||
        must_be_off(model, "model.", "dropout") < 0 ||
        must_be_off(model, "model.", "continuing_subword_prefix") < 0 ||
        must_be_off(model, "model.", "end_of_word_suffix") < 0 ||
        json_bool(model, "ignore_merges", &t->ignore_merges) < 0 ||
        json_bool(model, "fuse_unk", &t->fuse_unk) < 0 ||
        json_bool(model, "byte_fallback", &t->byte_fallback) < 0 ||
        json_text(model, "unk_token", &unk) < 0 || load_vocab(t, vocab, bytes) < 0 ||
        (t->bytes ? load_bytes(t, unk) : load_characters(t, unk)) < 0 || load_merges(t, merges) < 0)
        return err_in("model");
    return 0;
}

/* ---- what surrounds the model ---- */

/* What is said about words and texts has to be known before the vocabulary is read. */
static int load_parts(struct tokenizer *t, const cJSON *root)
{
    struct parts_read *p = &t->parts;
    const struct decoder *d = p->decoder;

    if (parts_load(p, root) < 0)
        return -1;
    for (int i = 0; i + 1 < p->n_pre; i++)
        if (p->pre[i].kind == PRE_BYTE_LEVEL)
            return refuse_feature("pre_tokenizer ByteLevel ", "in front of another");
    t->bytes = p->n_pre && p->pre[p->n_pre - 1].kind == PRE_BYTE_LEVEL;
    t->vocab.spelling = SPELT_PLAIN;
    for (; d < p->decoder + p->n_decoders; d++) {
        if (d->kind == DEC_BYTE_LEVEL)
            t->vocab.spelling = SPELT_BYTE_LEVEL;
        if (d->kind == DEC_METASPACE)
            t->vocab.space = d->one;
        if (d->kind == DEC_REPLACE && d->to.n == 1 && d->to.p[0] == ' ')
            t->vocab.space = d->from.text;
    }
    return 0;
}

/* Everything that could change ids or text and that is not here. */
static int refuse_others(const cJSON *root)
{
    if (known_keys(root, "",
                   "version truncation padding added_tokens normalizer pre_tokenizer "
                   "post_processor decoder model") < 0)
        return -1;
    if (json_member(root, "truncation"))
        return refuse_feature("", "truncation (set it to null and use --max-length)");
    return json_member(root, "padding") ? refuse_feature("", "padding (set it to null)") : 0;
}

/* ---- added tokens ---- */

/* Hugging Face gives an added token that is not in the model the id after the largest added one, or
 * the number of the model's tokens; what the file says is only compared. */
static uint32_t next_added_id(const struct tokenizer *t)
{
    return t->next_added > t->n_model ? t->next_added : t->n_model;
}

/* A token that is looked for in normalized text is looked for as normalized itself, and decoded so.
 */
static int add_normalized(struct tokenizer *t, const char *content, size_t len, uint32_t id,
                          uint32_t added)
{
    struct tokenizer_scratch *s;
    const uint8_t *p = (const uint8_t *)content, *end = p + len;
    int rc = 0;

    if (!t->parts.n_normalizers) {
        matcher_add(&t->normalized, p, len, added);
        return 0;
    }
    s = tokenizer_scratch_new();
    p = normalize(t, s, p, &end);
    if (s->failed || vocab_say(&t->vocab, id, (const char *)p, (size_t)(end - p)) < 0)
        rc = -1;
    else if (p < end)
        matcher_add(&t->normalized, p, (size_t)(end - p), added);
    tokenizer_scratch_free(s);
    return rc;
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
                       QUOTED(content, len), len, ADDED_LEN_MAX);
    a.id = vocab_find(&t->vocab, content, len);
    if (a.id == TOKEN_NONE) {
        a.id = next_added_id(t);
        if (vocab_add(&t->vocab, content, len, a.id, 0) < 0)
            return -1;
    }
    if (id >= 0 && id != (int64_t)a.id)
        return err_set(EXIT_DATA, "added token %s has the id %lld; in its place it gets %u",
                       QUOTED(content, len), (long long)id, a.id);
    if (t->vocab.token[a.id].flags & TOKEN_ADDED)
        return err_set(EXIT_DATA, "added token %s is there twice", QUOTED(content, len));
    t->vocab.token[a.id].flags |= TOKEN_ADDED | (special ? TOKEN_SPECIAL : 0);
    if (a.id >= t->next_added)
        t->next_added = a.id + 1;
    if (!a.normalized)
        matcher_add(&t->exact, (const uint8_t *)content, len, t->n_added);
    else if (add_normalized(t, content, len, a.id, t->n_added) < 0)
        return -1;
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

static int load_tree(struct tokenizer *t, const cJSON *root)
{
    if (!cJSON_IsObject(root))
        return err_set(EXIT_DATA, "not an object");
    if (!json_member(root, "model"))
        return err_set(EXIT_DATA, "there is no 'model'; give a tokenizer.json");
    if (refuse_others(root) < 0 || load_parts(t, root) < 0 || load_model(t, root) < 0)
        return -1;
    choose_words(t);
    if (load_added_list(t, json_member(root, "added_tokens")) < 0)
        return -1;
    return specials_load(t, root);
}

int tokenizer_load_json(struct tokenizer *t, const char *text, size_t n)
{
    cJSON *root = json_parse_around(text, n, large);
    const int rc = root ? load_tree(t, root) : -1;

    cJSON_Delete(root);
    sha256_of(text, n, t->digest);
    return rc;
}
