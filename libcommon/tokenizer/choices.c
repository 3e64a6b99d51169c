#include "choices.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* Another label, before I, whose answer has the same tokens; -1: none. */
static int find_same(const struct choices *c, int i)
{
    const struct choice *a = &c->of[i];

    for (int k = 0; k < i; k++)
        if (c->of[k].n == a->n && !memcmp(c->of[k].ids, a->ids, (size_t)a->n * sizeof *a->ids))
            return k;
    return -1;
}

/* The tokens of TEXT as choice I. */
static int encode(struct choices *c, int i, const struct buf *text, const struct tokenizer *t,
                  struct tokenizer_scratch *scratch)
{
    struct choice *a = &c->of[i];
    const uint32_t *ids;
    size_t n;

    if (tokenizer_encode(t, scratch, text->p, text->n, &ids, &n) < 0)
        return -1;
    if (n == 0)
        return err_set(EXIT_DATA,
                       "its answer has no tokens; give it one with promptify --verbalizer");
    a->n = (int64_t)n;
    a->ids = xnmalloc(n, sizeof *a->ids);
    memcpy(a->ids, ids, n * sizeof *ids);
    c->longest = a->n > c->longest ? a->n : c->longest;
    return 0;
}

static int encode_all(struct choices *c, char *const *name, char *const *answer,
                      const struct tokenizer *t, struct tokenizer_scratch *scratch)
{
    struct buf text = BUF_INIT;
    int rc = 0;

    for (int i = 0; i < c->n && rc == 0; i++) {
        buf_clear(&text);
        if (answer)
            buf_puts(&text, answer[i]);
        else
            buf_printf(&text, " %s", name[i]);
        rc = encode(c, i, &text, t, scratch);

        const int same = rc == 0 ? find_same(c, i) : -1;

        if (same >= 0)
            rc = err_set(EXIT_DATA,
                         "has the same tokens as label '%s'; give each its own answer with "
                         "promptify --verbalizer",
                         name[same]);
        if (rc < 0)
            err_in("label '%s'", name[i]);
    }
    buf_free(&text);
    return rc;
}

int choices_encode(struct choices *c, char *const *name, char *const *answer, int n,
                   const struct tokenizer *t)
{
    struct tokenizer_scratch *scratch;
    int rc;

    *c = (struct choices){ 0 };
    if (!t)
        return err_set(
            EXIT_NOINPUT,
            "the model has no tokenizer, which labels need; copy tokenizer.json beside its "
            "config.json");
    c->n = n;
    c->of = xcalloc((size_t)n, sizeof *c->of);
    scratch = tokenizer_scratch_new();
    rc = encode_all(c, name, answer, t, scratch);
    tokenizer_scratch_free(scratch);
    return rc;
}

void choices_free(struct choices *c)
{
    for (int i = 0; i < c->n; i++)
        free(c->of[i].ids);
    free(c->of);
    *c = (struct choices){ 0 };
}
