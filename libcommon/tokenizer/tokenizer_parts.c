#include "tokenizer_impl.h"

#include "json.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* ---- members of an object ---- */

static int take_text(struct part_text *out, const cJSON *o, const char *key, size_t most)
{
    const char *text = NULL;
    const int got = json_text(o, key, &text);

    if (got < 0)
        return -1;
    if (!got)
        return err_set(EXIT_DATA, "there is no '%s'", key);
    const size_t n = strlen(text);

    if (n > most)
        return err_set(EXIT_DATA, "'%s' has %zu bytes; at most %zu are possible", key, n, most);
    *out = (struct part_text){ xstrndup(text, n), n };
    return 0;
}

/* A text of exactly one character. */
static int take_character(struct part_text *out, const cJSON *o, const char *key)
{
    int len = 0;

    if (take_text(out, o, key, PART_TEXT_MAX) < 0)
        return -1;
    if (out->n)
        utf8_decode(out->p, &len);
    return out->n && (size_t)len == out->n ? 0
                                           : err_set(EXIT_DATA, "'%s' is not one character", key);
}

/* {"String": "..."} or {"Regex": "..."} */
static int take_search(struct search *out, const cJSON *o, const char *key)
{
    const cJSON *v = json_member(o, key);
    const char *text = NULL;

    if (!cJSON_IsObject(v) || !v->child || v->child->next)
        return err_set(EXIT_DATA, "'%s' is neither a String nor a Regex", key);
    if (!strcmp(v->child->string, "String")) {
        if (take_text(&out->text, v, "String", PATTERN_MAX) < 0)
            return err_in("%s", key);
        return out->text.n ? 0 : err_set(EXIT_DATA, "'%s' is empty", key);
    }
    if (strcmp(v->child->string, "Regex"))
        return refuse_feature("pattern ", v->child->string);
    if (json_text(v, "Regex", &text) <= 0)
        return err_set(EXIT_DATA, "'%s' holds a Regex that is no text", key);
    return pattern_compile(&out->pattern, text, strlen(text));
}

static void search_free(struct search *s)
{
    free(s->text.p);
    pattern_free(s->pattern);
}

/* ---- lists of steps ---- */

typedef int step_fn(struct parts_read *p, const cJSON *o, const char *type);

/* Every step of O, which may be a Sequence of others under LIST: depth is JSON's, which is bounded.
 */
static int each_step(struct parts_read *p, const cJSON *o, const char *what, const char *list,
                     step_fn *step)
{
    const char *type = "";

    if (!cJSON_IsObject(o))
        return err_set(EXIT_DATA, "'%s' is not an object", what);
    if (json_text(o, "type", &type) < 0)
        return err_in("%s", what);
    if (strcmp(type, "Sequence"))
        return step(p, o, type) < 0 ? err_in("%s %s", what, type) : 0;
    const cJSON *all = json_member(o, list);

    if (!cJSON_IsArray(all))
        return err_set(EXIT_DATA, "%s Sequence: '%s' is not an array", what, list);
    for (const cJSON *v = all->child; v; v = v->next)
        if (each_step(p, v, what, list, step) < 0)
            return -1;
    return 0;
}

static int too_many(int n)
{
    return n < PARTS_MAX ? 0 : err_set(EXIT_DATA, "more than %d steps", PARTS_MAX);
}

/* ---- normalizers ---- */

static int normalizer_step(struct parts_read *p, const cJSON *o, const char *type)
{
    if (too_many(p->n_normalizers) < 0)
        return -1;
    struct normalizer *s = p->normalizer + p->n_normalizers++;

    *s = (struct normalizer){ .kind = NORM_NFC };
    if (!strcmp(type, "NFC"))
        return known_keys(o, "normalizer.", "type");
    if (!strcmp(type, "Prepend")) {
        s->kind = NORM_PREPEND;
        return known_keys(o, "normalizer.", "type prepend") < 0
                   ? -1
                   : take_text(&s->to, o, "prepend", PART_TEXT_MAX);
    }
    if (strcmp(type, "Replace"))
        return refuse_feature("normalizer ", type);
    s->kind = NORM_REPLACE;
    return known_keys(o, "normalizer.", "type pattern content") < 0 ||
                   take_search(&s->from, o, "pattern") < 0
               ? -1
               : take_text(&s->to, o, "content", PART_TEXT_MAX);
}

/* ---- pre-tokenizers ---- */

static int digits_step(struct pre *s, const cJSON *o)
{
    bool each = false;

    if (known_keys(o, "pre_tokenizer.", "type individual_digits") < 0 ||
        json_bool(o, "individual_digits", &each) < 0)
        return -1;
    s->kind = PRE_DIGITS;
    s->behavior = each ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return 0;
}

static int split_step(struct pre *s, const cJSON *o)
{
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    const char *name = "", *regex;

    s->kind = PRE_SPLIT;
    if (known_keys(o, "pre_tokenizer.", "type pattern behavior invert") < 0 ||
        json_bool(o, "invert", &s->invert) < 0 || json_text(o, "behavior", &name) < 0 ||
        take_search(&s->at, o, "pattern") < 0)
        return -1;
    const int i = find_name(name, names, 5);

    if (i < 0)
        return *name ? refuse_feature("pre_tokenizer.behavior ", name)
                     : err_set(EXIT_DATA, "there is no 'behavior'");
    s->behavior = (enum behavior)i;
    if (s->behavior == SPLIT_ISOLATED && json_text(json_member(o, "pattern"), "Regex", &regex) > 0)
        s->known = known_pattern(regex);
    return 0;
}

static int byte_level_step(struct pre *s, const cJSON *o)
{
    s->kind = PRE_BYTE_LEVEL;
    s->use_regex = true;
    return known_keys(o, "pre_tokenizer.", "type add_prefix_space trim_offsets use_regex") < 0 ||
                   json_bool(o, "use_regex", &s->use_regex) < 0 ||
                   json_bool(o, "add_prefix_space", &s->prefix) < 0
               ? -1
               : 0;
}

static int scheme_of(enum prepend_scheme *out, const cJSON *o)
{
    static const char *const names[] = { "always", "first", "never" };
    const char *name = names[PREPEND_ALWAYS];

    if (json_text(o, "prepend_scheme", &name) < 0)
        return -1;
    const int i = find_name(name, names, 3);

    *out = (enum prepend_scheme)i;
    return i < 0 ? refuse_feature("prepend_scheme ", name) : 0;
}

/* Older files have add_prefix_space instead of a scheme. */
static int metaspace_members(struct part_text *space, enum prepend_scheme *scheme, bool *split,
                             const cJSON *o)
{
    bool prefix = true;

    *split = true;
    if (known_keys(o, "Metaspace.",
                   "type replacement add_prefix_space prepend_scheme split str_rep") < 0 ||
        take_character(space, o, "replacement") < 0 || scheme_of(scheme, o) < 0 ||
        json_bool(o, "add_prefix_space", &prefix) < 0 || json_bool(o, "split", split) < 0)
        return -1;
    if (!prefix && *scheme != PREPEND_NEVER)
        return err_set(EXIT_DATA, "'add_prefix_space' is false and 'prepend_scheme' is not never");
    return 0;
}

static int pre_step(struct parts_read *p, const cJSON *o, const char *type)
{
    if (too_many(p->n_pre) < 0)
        return -1;
    struct pre *s = p->pre + p->n_pre++;

    *s = (struct pre){ .kind = PRE_METASPACE };
    if (!strcmp(type, "Digits"))
        return digits_step(s, o);
    if (!strcmp(type, "Split"))
        return split_step(s, o);
    if (!strcmp(type, "ByteLevel"))
        return byte_level_step(s, o);
    if (!strcmp(type, "Metaspace"))
        return metaspace_members(&s->space, &s->scheme, &s->split, o);
    return refuse_feature("pre_tokenizer ", *type ? type : "without a type");
}

/* ---- decoders ---- */

static int strip_step(struct decoder *s, const cJSON *o)
{
    int64_t start = 0, stop = 0;

    s->kind = DEC_STRIP;
    if (known_keys(o, "decoder.", "type content start stop") < 0 ||
        take_character(&s->one, o, "content") < 0 || json_int(o, "start", &start, 0, 1 << 20) < 0 ||
        json_int(o, "stop", &stop, 0, 1 << 20) < 0)
        return -1;
    s->start = (uint32_t)start;
    s->stop = (uint32_t)stop;
    return 0;
}

static int metaspace_decoder(struct decoder *s, const cJSON *o)
{
    enum prepend_scheme scheme;
    bool split;

    s->kind = DEC_METASPACE;
    if (metaspace_members(&s->one, &scheme, &split, o) < 0)
        return -1;
    s->keep_first = scheme == PREPEND_NEVER;
    return 0;
}

static int decoder_step(struct parts_read *p, const cJSON *o, const char *type)
{
    if (too_many(p->n_decoders) < 0)
        return -1;
    struct decoder *s = p->decoder + p->n_decoders++;

    *s = (struct decoder){ .kind = DEC_BYTE_LEVEL };
    if (!strcmp(type, "ByteLevel"))
        return known_keys(o, "decoder.", "type add_prefix_space trim_offsets use_regex");
    if (!strcmp(type, "Strip"))
        return strip_step(s, o);
    if (!strcmp(type, "Metaspace"))
        return metaspace_decoder(s, o);
    s->kind = DEC_FUSE;
    if (!strcmp(type, "Fuse"))
        return known_keys(o, "decoder.", "type");
    s->kind = DEC_BYTE_FALLBACK;
    if (!strcmp(type, "ByteFallback"))
        return known_keys(o, "decoder.", "type");
    if (strcmp(type, "Replace"))
        return refuse_feature("decoder ", *type ? type : "without a type");
    s->kind = DEC_REPLACE;
    if (known_keys(o, "decoder.", "type pattern content") < 0 ||
        take_search(&s->from, o, "pattern") < 0)
        return -1;
    if (s->from.pattern)
        return refuse_feature("decoder Replace ", "of a Regex");
    return take_text(&s->to, o, "content", PART_TEXT_MAX);
}

/* ---- all ---- */

int parts_load(struct parts_read *p, const cJSON *root)
{
    const cJSON *normalizer = json_member(root, "normalizer");
    const cJSON *pre = json_member(root, "pre_tokenizer");
    const cJSON *decoder = json_member(root, "decoder");

    if (normalizer && each_step(p, normalizer, "normalizer", "normalizers", normalizer_step) < 0)
        return -1;
    if (pre && each_step(p, pre, "pre_tokenizer", "pretokenizers", pre_step) < 0)
        return -1;
    return decoder ? each_step(p, decoder, "decoder", "decoders", decoder_step) : 0;
}

void parts_free(struct parts_read *p)
{
    for (int i = 0; i < p->n_normalizers; i++) {
        search_free(&p->normalizer[i].from);
        free(p->normalizer[i].to.p);
    }
    for (int i = 0; i < p->n_pre; i++) {
        search_free(&p->pre[i].at);
        free(p->pre[i].space.p);
    }
    for (int i = 0; i < p->n_decoders; i++) {
        search_free(&p->decoder[i].from);
        free(p->decoder[i].to.p);
        free(p->decoder[i].one.p);
    }
    free(p->specials.before);
    free(p->specials.after);
    free(p->specials.refused);
}
