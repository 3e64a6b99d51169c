#include "tokenizer_impl.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { SPECIALS_MAX = 64 }; /* ids in front of a text, or behind it */

struct ids {
    uint32_t id[SPECIALS_MAX];
    size_t n;
};

/* The ids of the special token NAME of template O. */
static int put_special(const struct tokenizer *t, const cJSON *o, const char *name, struct ids *out)
{
    const cJSON *all = json_member(o, "special_tokens");
    const cJSON *one = cJSON_IsObject(all) ? json_member(all, name) : NULL;
    const cJSON *ids = cJSON_IsObject(one) ? json_member(one, "ids") : NULL;

    if (!cJSON_IsArray(ids))
        return err_set(EXIT_DATA, "the template's special token %s has no 'ids'",
                       QUOTED(name, strlen(name)));
    for (const cJSON *v = ids->child; v; v = v->next) {
        const int64_t id = token_id(v);

        if (id < 0 || !vocab_token(&t->vocab, (uint32_t)id))
            return err_set(EXIT_DATA, "the template's special token %s has an id that is no token",
                           QUOTED(name, strlen(name)));
        if (out->n == SPECIALS_MAX)
            return err_set(EXIT_DATA, "the template adds more than %d tokens", SPECIALS_MAX);
        out->id[out->n++] = (uint32_t)id;
    }
    return 0;
}

static uint32_t *keep(const struct ids *ids, size_t *n)
{
    uint32_t *list = xnmalloc(ids->n, sizeof *list);

    memcpy(list, ids->id, ids->n * sizeof *list);
    *n = ids->n;
    return list;
}

static int refuse_later(struct specials *s, const char *what)
{
    if (!s->refused)
        s->refused = xstrdup(what);
    return 0;
}

/* What a template makes of one text: its name is A, which stands there once. */
static int load_template(struct tokenizer *t, const cJSON *o)
{
    struct specials *s = &t->parts.specials;
    const cJSON *single = json_member(o, "single");
    struct ids side[2] = { { .n = 0 }, { .n = 0 } };
    int texts = 0;

    if (!cJSON_IsArray(single))
        return err_set(EXIT_DATA, "TemplateProcessing: 'single' is not an array");
    for (const cJSON *v = single->child; v; v = v->next) {
        const cJSON *special = cJSON_IsObject(v) ? json_member(v, "SpecialToken") : NULL;
        const char *name = NULL;

        if (special && cJSON_IsObject(special) && json_text(special, "id", &name) > 0) {
            if (put_special(t, o, name, side + (texts > 0)) < 0)
                return err_in("TemplateProcessing");
        } else if (cJSON_IsObject(v) && json_member(v, "Sequence")) {
            texts++;
        } else {
            return err_set(EXIT_DATA, "TemplateProcessing: 'single' holds what is neither a "
                                      "SpecialToken nor a Sequence");
        }
    }
    if (texts != 1)
        return refuse_later(s, "TemplateProcessing without a text, or with two");
    if (s->before) /* of which Hugging Face makes nothing sensible */
        return refuse_later(s, "TemplateProcessing twice");
    s->before = keep(side, &s->n_before);
    s->after = keep(side + 1, &s->n_after);
    return 0;
}

static int load_post(struct tokenizer *t, const cJSON *o)
{
    const char *type = "";

    if (!cJSON_IsObject(o))
        return err_set(EXIT_DATA, "'post_processor' is not an object");
    if (json_text(o, "type", &type) < 0)
        return err_in("post_processor");
    if (!strcmp(type, "ByteLevel")) /* which moves offsets alone */
        return 0;
    if (!strcmp(type, "TemplateProcessing"))
        return load_template(t, o);
    if (strcmp(type, "Sequence"))
        return refuse_later(&t->parts.specials, *type ? type : "without a type");
    const cJSON *all = json_member(o, "processors");

    if (!cJSON_IsArray(all))
        return err_set(EXIT_DATA, "post_processor Sequence: 'processors' is not an array");
    for (const cJSON *v = all->child; v; v = v->next)
        if (load_post(t, v) < 0)
            return -1;
    return 0;
}

int specials_load(struct tokenizer *t, const cJSON *root)
{
    const cJSON *o = json_member(root, "post_processor");

    return o ? load_post(t, o) : 0;
}
