#include "tokenizer_impl.h"

#include "filetype.h"
#include "json.h"
#include "json_walk.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* What GPT-2's and CodeGen's tokenizers take for their special tokens unless told otherwise. */
static const char end_of_text[] = "<|endoftext|>";

/* File NAME of P as JSON: 1, or 0 with *ROOT NULL when there is no such file. */
static int parse_file(cJSON **root, const struct pack *p, const char *name)
{
    const struct pack_file *f = p ? pack_find(p, name) : NULL;

    *root = NULL;
    if (!f)
        return 0;
    *root = json_parse((const char *)f->data, f->size);
    if (*root && !cJSON_IsObject(*root)) {
        cJSON_Delete(*root);
        *root = NULL;
        err_set(EXIT_DATA, "not an object");
    }
    return *root ? 1 : err_in("%s", name);
}

/* ---- the configuration files: special tokens ---- */

struct settings {
    cJSON *config;  /* tokenizer_config.json, or NULL */
    cJSON *special; /* special_tokens_map.json, or NULL */
    cJSON *added;   /* added_tokens.json, or NULL */
};

static void settings_free(struct settings *s)
{
    cJSON_Delete(s->config);
    cJSON_Delete(s->special);
    cJSON_Delete(s->added);
}

static int settings_read(struct settings *s, const struct pack *p)
{
    *s = (struct settings){ 0 };
    if (parse_file(&s->config, p, "tokenizer_config.json") < 0 ||
        parse_file(&s->special, p, "special_tokens_map.json") < 0 ||
        parse_file(&s->added, p, "added_tokens.json") < 0) {
        settings_free(s);
        return -1;
    }
    return 0;
}

/* The special token called KEY ("eos_token"): a text, or an object with its content. NULL: none. */
static const char *special_token(const struct settings *s, const char *key)
{
    const cJSON *v = json_member(s->config, key);

    if (!v)
        v = json_member(s->special, key);
    if (cJSON_IsObject(v))
        v = json_member(v, "content");
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

int tokenizer_load_eos(struct tokenizer *t, const struct pack *p)
{
    struct settings s;

    if (settings_read(&s, p) < 0)
        return -1;
    const char *name = special_token(&s, "eos_token");

    if (!name)
        name = end_of_text;
    t->eos = tokenizer_id_of(t, name, strlen(name));
    settings_free(&s);
    return 0;
}

static const char *const special_keys[] = { "bos_token", "eos_token", "unk_token", "pad_token" };
enum { SPECIAL_KEYS = sizeof special_keys / sizeof *special_keys };

static bool is_special(const struct settings *s, const char *content)
{
    for (int i = 0; i < SPECIAL_KEYS; i++) {
        const char *name = special_token(s, special_keys[i]);

        if (name && !strcmp(name, content))
            return true;
    }
    return !strcmp(content, end_of_text);
}

/* ---- added tokens ---- */

struct listed {
    const char *content;
    int64_t id;
    const cJSON *flags; /* NULL: by whether it is special */
};

static int by_id(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* "50256": { "content": ..., ... } */
static int listed_by_id(struct listed *l, const cJSON *v)
{
    char *end;

    if (!cJSON_IsObject(v))
        return err_set(EXIT_DATA, "'added_tokens_decoder' holds what is no object");
    *l = (struct listed){ .id = strtol(v->string, &end, 10), .flags = v };
    if (*end || end == v->string || l->id < 0 || l->id >= TOKEN_IDS_MAX)
        return err_set(EXIT_DATA, "'added_tokens_decoder' has the key %s, which is no id",
                       QUOTED(v->string, strlen(v->string)));
    if (json_text(v, "content", &l->content) <= 0)
        return err_set(EXIT_DATA, "added token %lld has no 'content'", (long long)l->id);
    return 0;
}

/* "<|x|>": 50257 */
static int listed_by_content(struct listed *l, const cJSON *v)
{
    const int64_t id = token_id(v);

    *l = (struct listed){ .content = v->string, .id = id };
    return id < 0 ? err_set(EXIT_DATA, "added token %s has no id",
                            QUOTED(v->string, strlen(v->string)))
                  : 0;
}

/* The tokens of ROOT in the order of their ids. BY_ID: its keys are ids, else contents. */
static int load_listed(struct tokenizer *t, const struct settings *s, const cJSON *root,
                       bool by_id_key)
{
    const int n = root ? cJSON_GetArraySize(root) : 0;
    struct listed *list = xnmalloc((size_t)n, sizeof *list);
    int rc = 0, i = 0;

    for (const cJSON *v = root ? root->child : NULL; v && rc == 0; v = v->next, i++)
        rc = by_id_key ? listed_by_id(list + i, v) : listed_by_content(list + i, v);
    if (rc == 0 && n)
        qsort(list, (size_t)n, sizeof *list, by_id);
    for (i = 0; i < n && rc == 0; i++)
        rc = load_added(t, list[i].content, list[i].id, list[i].flags,
                        !list[i].flags && is_special(s, list[i].content));
    free(list);
    return rc;
}

/* A special token that was not listed is added as the last ones are. */
static int load_special(struct tokenizer *t, const char *name)
{
    const uint32_t id = vocab_find(&t->vocab, name, strlen(name));

    if (id != TOKEN_NONE && t->vocab.token[id].flags & TOKEN_ADDED)
        return 0;
    return load_added(t, name, -1, NULL, true);
}

static int load_all_added(struct tokenizer *t, const struct settings *s)
{
    const cJSON *decoder = s->added;
    const int given = json_object(s->config, "added_tokens_decoder", &decoder);

    if (given < 0 || load_listed(t, s, decoder, given) < 0)
        return err_in(given ? "tokenizer_config.json" : "added_tokens.json");
    for (int i = 0; i < SPECIAL_KEYS; i++) {
        const char *name = special_token(s, special_keys[i]);

        if (name && load_special(t, name) < 0)
            return err_in("%s", special_keys[i]);
    }
    if (!special_token(s, "eos_token") &&
        vocab_find(&t->vocab, end_of_text, strlen(end_of_text)) != TOKEN_NONE)
        return load_special(t, end_of_text);
    return 0;
}

/* ---- vocab.json and merges.txt ---- */

static int load_vocab_file(struct tokenizer *t, const struct pack *p)
{
    const struct pack_file *f = pack_find(p, "vocab.json");

    if (!f)
        return err_set(EXIT_NOINPUT,
                       "neither tokenizer.json nor vocab.json is there; give a model that has one");
    const char *file = (const char *)f->data;
    const size_t mark = utf8_mark(file, f->size), n = f->size - mark;
    const char *text = file + mark;

    if (json_check(text, n) < 0 || load_vocab(t, json_begin(text), n) < 0 ||
        load_bytes(t, NULL) < 0)
        return err_in("vocab.json");
    return 0;
}

/* The line at *P without its end; *P moves behind it. */
static size_t next_line(const char **p, const char *end, const char **line)
{
    const char *nl = memchr(*p, '\n', (size_t)(end - *p));
    size_t n = (size_t)((nl ? nl : end) - *p);

    *line = *p;
    *p = nl ? nl + 1 : end;
    if (n && (*line)[n - 1] == '\r')
        n--;
    return n;
}

static int load_merges_file(struct tokenizer *t, const struct pack *p)
{
    static const char version[] = "#version";
    const struct pack_file *f = pack_find(p, "merges.txt");
    struct merge_loader merges = { .t = t };
    const char *line;
    int rc = 0;

    if (!f)
        return err_set(EXIT_NOINPUT, "vocab.json is there without merges.txt");
    const char *at = (const char *)f->data, *end = at + f->size;

    at += utf8_mark(at, f->size);
    if (filetype_refuse(f->data, f->size) < 0)
        return err_in("merges.txt");
    while (at < end && rc == 0) {
        const size_t n = next_line(&at, end, &line);

        if (n < sizeof version - 1 || memcmp(line, version, sizeof version - 1))
            rc = load_merge_text(&merges, line, n);
    }
    merge_loader_free(&merges);
    return rc < 0 ? err_in("merges.txt") : 0;
}

static void digest_files(const struct pack *p, uint8_t out[SHA256_BYTES])
{
    static const char *const names[] = { "vocab.json", "merges.txt", "tokenizer_config.json",
                                         "special_tokens_map.json", "added_tokens.json" };
    struct sha256 *sha = sha256_new();

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct pack_file *f = pack_find(p, names[i]);

        pack_add_digest(sha, names[i], f ? f->data : NULL, f ? f->size : 0);
    }
    sha256_done(sha, out);
}

bool tokenizer_digest_in(const struct pack *p, uint8_t out[SHA256_BYTES])
{
    const struct pack_file *json = pack_find(p, "tokenizer.json");

    if (json)
        sha256_of(json->data, json->size, out);
    else if (pack_find(p, "vocab.json"))
        digest_files(p, out);
    else
        return false;
    return true;
}

static int unsupported(const char *what)
{
    return err_set(EXIT_NODEVICE,
                   "tokenizer feature not supported: %s from vocab.json and merges.txt; save it as "
                   "tokenizer.json",
                   what);
}

/* GPT-2's pattern, or Qwen2's behind NFC. */
static void set_words(struct tokenizer *t, bool qwen2)
{
    struct parts_read *p = &t->parts;

    p->decoder[p->n_decoders++] = (struct decoder){ .kind = DEC_BYTE_LEVEL };
    if (qwen2) {
        p->normalizer[p->n_normalizers++] = (struct normalizer){ .kind = NORM_NFC };
        p->pre[p->n_pre++] =
            (struct pre){ .kind = PRE_SPLIT, .behavior = SPLIT_ISOLATED, .known = next_word_qwen2 };
    }
    p->pre[p->n_pre++] = (struct pre){ .kind = PRE_BYTE_LEVEL, .use_regex = !qwen2 };
    choose_words(t);
}

/* The two files alone do not say how text becomes words: what kind of tokenizer it is does. 1: as
 * Qwen2 does it, 0: as GPT-2, -1: not known here. */
static int is_qwen2(const struct settings *s, const struct pack *p)
{
    /* of each the first two are Qwen2's */
    static const char *const classes[] = { "Qwen2Tokenizer",   "Qwen2TokenizerFast",
                                           "GPT2Tokenizer",    "GPT2TokenizerFast",
                                           "CodeGenTokenizer", "CodeGenTokenizerFast" };
    static const char *const models[] = { "qwen2", "qwen3",   "gpt2", "codegen",
                                          "phi",   "gpt_neo", "gptj" };
    const char *name = NULL;
    cJSON *config = NULL;
    int at = 2;

    if (json_text(s->config, "tokenizer_class", &name) < 0)
        return err_in("tokenizer_config.json");
    if (name)
        at = find_name(name, classes, sizeof classes / sizeof *classes);
    else if (parse_file(&config, p, "config.json") < 0)
        return -1;
    else if (json_text(config, "model_type", &name) > 0)
        at = find_name(name, models, sizeof models / sizeof *models);
    if (at < 0)
        (void)unsupported(name);
    cJSON_Delete(config);
    return at < 0 ? -1 : at < 2;
}

int tokenizer_load_files(struct tokenizer *t, const struct pack *p)
{
    struct settings s;
    bool prefix = false;
    int qwen2, rc = -1;

    t->bytes = true;
    if (load_vocab_file(t, p) < 0 || load_merges_file(t, p) < 0 || settings_read(&s, p) < 0)
        return -1;
    if (json_bool(s.config, "add_prefix_space", &prefix) < 0)
        err_in("tokenizer_config.json");
    else if (prefix)
        unsupported("add_prefix_space");
    else if ((qwen2 = is_qwen2(&s, p)) >= 0) {
        set_words(t, qwen2);
        rc = load_all_added(t, &s);
    }
    settings_free(&s);
    digest_files(p, t->digest);
    return rc;
}
