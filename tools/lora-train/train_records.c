/* train_records.c - from records to token sequences with targets. */
#include "train_records.h"

#include "class_weights.h"
#include "mem.h"
#include "split.h"
#include "tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Which set a record belongs to: NULL when to neither. -1 on failure. */
static int choose_set(struct train_set **set, struct train_sets *s, struct record *rec,
                      bool splits_picked)
{
    const char *split;
    const int got = record_split(rec, &split);

    if (got < 0)
        return -1;
    s->splits = s->splits || got;
    if (!got || splits_picked || !strcmp(split, "train"))
        *set = &s->train;
    else if (!strcmp(split, "eval"))
        *set = &s->eval;
    else
        *set = NULL;
    return 0;
}

/* 1 and n_prompt, 0 where there is none. ALL are the record's tokens. */
static int read_prompt(uint64_t *prompt, struct record *rec, int64_t all)
{
    const int got = record_get_uint(rec, "n_prompt", prompt);

    if (got > 0 && *prompt > (uint64_t)all)
        return err_set(EXIT_DATA, "n_prompt is %" PRIu64 ", but there are %" PRId64 " tokens",
                       *prompt, all);
    return got;
}

/* *PROMPT is where the completion begins, of which X has to have something left. ALL are the
 * record's tokens, X->n those that --max-length left. OTHERWISE: what else can be done. */
static int find_completion(int64_t *prompt, const struct train_record *x, struct record *rec,
                           int64_t all, const char *otherwise)
{
    uint64_t said;
    const int got = read_prompt(&said, rec, all);

    if (got <= 0)
        return got < 0 ? -1
                       : err_set(EXIT_DATA, "no n_prompt: there is no completion; %s", otherwise);
    if (said == (uint64_t)all)
        return err_set(EXIT_DATA, "the completion is empty; %s or leave the record out", otherwise);
    if (said >= (uint64_t)x->n)
        return err_set(EXIT_DATA,
                       "--max-length leaves nothing of the completion; raise it above %" PRIu64,
                       said);
    *prompt = (int64_t)said;
    return 0;
}

/* The first token that is learned. */
static int find_first_target(struct train_record *x, struct record *rec, int64_t all,
                             bool completion_only)
{
    int64_t prompt = 0;
    uint64_t said;

    if (read_prompt(&said, rec, all) < 0) /* what is wrong is said, also where it is not needed */
        return -1;
    if (completion_only && find_completion(&prompt, x, rec, all, "use --loss all") < 0)
        return -1;
    if (x->n < 2)
        return err_set(EXIT_DATA, "one token alone gives nothing to predict; leave the record out");
    x->first_target = prompt ? prompt : 1;
    x->unshifted = x->n - prompt;
    return 0;
}

/* OPTION asks for it. */
static int read_label(struct train_record *x, struct record *rec, const struct labels *labels,
                      const char *option)
{
    const char *text;
    size_t n;
    const int got = record_get_text(rec, "label", &text, &n);

    if (got <= 0)
        return got < 0 ? -1
                       : err_set(EXIT_DATA,
                                 "no field 'label', which %s goes by; give it one, or "
                                 "leave the record out",
                                 option);
    x->label = labels_find(labels, text, n);
    return x->label >= 0
               ? 0
               : err_set(EXIT_DATA, "its label '%.*s' is none of the header's", (int)n, text);
}

/* What the options ask for that look at labels. */
static int read_class(struct train_record *x, struct record *rec, int64_t all, bool train,
                      const struct train_sets *s, const struct train_options *o)
{
    if (train)
        return o->class_weights.n ? read_label(x, rec, &s->labels, "--class-weights") : 0;
    if (!o->eval_labels)
        return 0;
    if (read_label(x, rec, &s->labels, "--eval-labels") < 0 ||
        find_completion(&x->prompt, x, rec, all, "leave out --eval-labels") < 0)
        return -1;
    return x->prompt ? 0
                     : err_set(EXIT_DATA, "its prompt has no tokens, which --eval-labels goes by; "
                                          "leave the record out");
}

static void add_ids(struct train_set *e, struct train_record *x, const uint32_t *ids)
{
    const size_t n = (size_t)x->n;

    if (e->n_ids + n > e->cap_ids) {
        e->cap_ids = 2 * (e->n_ids + n);
        e->ids = xnrealloc(e->ids, e->cap_ids, sizeof *e->ids);
    }
    memcpy(e->ids + e->n_ids, ids, n * sizeof *ids);
    x->at = e->n_ids;
    e->n_ids += n;
}

static void add_record(struct train_set *e, const struct train_record *x)
{
    if ((e->n & (e->n - 1)) == 0) /* at every power of two there is no room left */
        e->v = xnrealloc(e->v, e->n ? 2 * (size_t)e->n : 1, sizeof *e->v);
    e->v[e->n++] = *x;
}

/* POSITION names a record that has no id. */
static int take_record(struct train_sets *s, struct record *rec, uint64_t position,
                       bool splits_picked, const struct train_options *o, const struct model *m)
{
    struct train_record x = { .id = position, .label = -1, .source = s->source[s->sources - 1] };
    struct train_set *set;
    const uint32_t *ids;
    size_t n;

    if (choose_set(&set, s, rec, splits_picked) < 0)
        return -1;
    if (!set)
        return 0;
    if (record_get_uint(rec, "id", &x.id) < 0)
        return -1;

    const int got = record_get_ids(rec, "ids", &ids, &n);

    if (got < 0)
        return -1;
    if (!got)
        return err_set(EXIT_DATA, "no field 'ids'; pass the stream through tokenize first");
    x.n = (int64_t)n < o->max_length ? (int64_t)n : o->max_length;
    if (model_check_ids(m, ids, x.n, 0) < 0 ||
        find_first_target(&x, rec, (int64_t)n, o->completion_only) < 0 ||
        read_class(&x, rec, (int64_t)n, set == &s->train, s, o) < 0)
        return -1;
    set->cut += (int64_t)n > x.n;
    set->open += !record_find(rec, "n_prompt");
    set->unsplit += !record_find(rec, "split");
    add_ids(set, &x, ids);
    add_record(set, &x);
    return 0;
}

static void note_source(struct train_sets *s, const char *name)
{
    if (s->sources && !strcmp(s->source[s->sources - 1], name))
        return;
    s->source = xnrealloc(s->source, (size_t)s->sources + 1, sizeof *s->source);
    s->source[s->sources++] = xstrdup(name);
}

static bool picks_splits(const struct cli_list *only)
{
    for (int i = 0; i < only->n; i++)
        if (!strncmp(only->v[i], "split=", strlen("split=")))
            return true;
    return false;
}

static int read_all(struct train_sets *s, struct reader *r, const struct train_options *o,
                    const struct model *m)
{
    const bool splits_picked = picks_splits(&o->common.only);
    struct record *rec;
    int got;

    for (uint64_t position = 0; (got = reader_next(r, &rec)) > 0; position++) {
        note_source(s, reader_name(r));
        if (take_record(s, rec, position, splits_picked, o, m) < 0)
            return err_in("%s:%s", reader_name(r), record_name(rec));
    }
    if (got == 0 && s->train.n == 0)
        return err_set(EXIT_DATA, "%s: no record to learn from; is there one whose split is train?",
                       reader_name(r));
    return got;
}

/* Digests are compared where both are known. */
static int check_tokens(const struct reader *r, const struct train_options *o,
                        const struct model *m)
{
    uint8_t digest[SHA256_BYTES];

    return o->trust_tokens || !tokenizer_digest_in(model_pack(m), digest)
               ? 0
               : reader_check_tokenizer(r, digest);
}

static int weigh_classes(struct train_sets *s, const struct cli_list *given)
{
    int64_t *const count = xcalloc((size_t)s->labels.n, sizeof *count);

    for (int64_t i = 0; i < s->train.n; i++)
        count[s->train.v[i].label]++;
    const int rc = class_weights_find(&s->class_weight, given, &s->labels, count);

    free(count);
    for (int i = 0; rc == 0 && i < s->labels.n; i++)
        note("records of '%s' count %g times", s->labels.name[i], s->class_weight[i]);
    return rc;
}

static int check_labels(const struct reader *r, const struct train_options *o)
{
    const struct labels *labels = reader_labels(r);

    if ((o->class_weights.n || o->eval_labels) && labels->n == 0)
        return err_set(EXIT_DATA,
                       "%s: the stream names no labels, which %s is about; give it labels with "
                       "split-stratified or peek --labels",
                       reader_name(r), o->eval_labels ? "--eval-labels" : "--class-weights");
    return o->seed_preset ? labels_check_seed(labels, reader_name(r)) : 0;
}

int train_sets_read(struct train_sets *s, const struct train_options *o, const struct model *m)
{
    *s = (struct train_sets){ 0 };
    if (reader_open(&s->from, o->inputs, KIND_TOKENS, &o->common) < 0)
        return -1;

    struct reader *const r = s->from;

    labels_copy(&s->labels, reader_labels(r));

    int rc = check_labels(r, o);

    if (rc == 0)
        rc = check_tokens(r, o, m) < 0 ? -1 : read_all(s, r, o, m);
    if (rc == 0 && o->class_weights.n)
        rc = weigh_classes(s, &o->class_weights);
    if (rc < 0)
        train_sets_free(s);
    return rc;
}

void train_sets_free(struct train_sets *s)
{
    free(s->train.v);
    free(s->train.ids);
    free(s->eval.v);
    free(s->eval.ids);
    labels_free(&s->labels);
    free(s->class_weight);
    for (int i = 0; i < s->sources; i++)
        free(s->source[i]);
    free(s->source);
    reader_close(s->from);
    *s = (struct train_sets){ 0 };
}
