#include "label_eval.h"

#include "choices.h"
#include "mem.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROWS_MAX = 1024 }; /* of the branches of a record */

struct label_eval {
    struct choices choices;
    int64_t rows; /* of the branches of a record */
    /* What is asked of a batch, reused. */
    int64_t asked, cap;
    int32_t *row, *ids, *best; /* (asked), (asked, labels), (asked) */
    double *logp;              /* (asked, labels) */
    double *score;             /* (labels) */
};

static int open_choices(struct label_eval *e, const struct labels *l, const struct model *m)
{
    struct tokenizer *tok = NULL;

    if (tokenizer_open(&tok, model_pack(m)) < 0) {
        if (err_code() != EXIT_NOINPUT)
            return -1;
        tok = NULL;
    }
    const int rc = choices_encode(&e->choices, l->name, l->answer, l->n, tok);

    if (!tok)
        return err_in("%s", pack_name(model_pack(m)));
    tokenizer_close(tok);
    for (int i = 0; i < l->n && rc == 0; i++) {
        const struct choice *a = &e->choices.of[i];

        e->rows += a->n - 1;
        if (model_check_ids(m, a->ids, a->n, 0) < 0)
            return err_in("label '%s'", l->name[i]);
    }
    return rc;
}

/* So that a batch is no larger than training's. */
static int check_size(const struct label_eval *e)
{
    if (e->choices.n > MODEL_SELECT_MAX)
        return err_set(EXIT_DATA, "--eval-labels: %d labels are more than %d", e->choices.n,
                       MODEL_SELECT_MAX);
    if (e->rows > ROWS_MAX)
        return err_set(EXIT_DATA,
                       "--eval-labels: the answers of %d labels have %" PRId64
                       " tokens behind their first ones, more than %d; give them shorter answers "
                       "with promptify --verbalizer",
                       e->choices.n, e->rows, ROWS_MAX);
    return 0;
}

/* Every answer has to fit behind every prompt. */
static int check_lengths(const struct label_eval *e, const struct train_set *set,
                         const struct model *m)
{
    for (int64_t i = 0; i < set->n; i++) {
        const struct train_record *x = &set->v[i];

        if (model_check_ids(m, train_record_ids(set, x), x->prompt, e->choices.longest) < 0)
            return err_in("%s:%" PRIu64, x->source, x->id);
    }
    return 0;
}

int label_eval_new(struct label_eval **out, const struct train_sets *s, const struct model *m)
{
    struct label_eval *const e = xcalloc(1, sizeof *e);

    if (open_choices(e, &s->labels, m) < 0 || check_size(e) < 0 ||
        check_lengths(e, &s->eval, m) < 0) {
        label_eval_free(e);
        return -1;
    }
    labels_warn_guessed(&s->labels);
    e->score = xnmalloc((size_t)e->choices.n, sizeof *e->score);
    *out = e;
    return 0;
}

void label_eval_free(struct label_eval *e)
{
    if (!e)
        return;
    choices_free(&e->choices);
    free(e->row);
    free(e->ids);
    free(e->best);
    free(e->logp);
    free(e->score);
    free(e);
}

int64_t label_eval_rows(const struct label_eval *e)
{
    return e->rows;
}

static void make_room(struct label_eval *e, int64_t rows)
{
    const size_t n = (size_t)rows, labels = (size_t)e->choices.n;

    e->asked = 0;
    if (rows <= e->cap)
        return;
    e->cap = rows;
    e->row = xnrealloc(e->row, n, sizeof *e->row);
    e->best = xnrealloc(e->best, n, sizeof *e->best);
    e->ids = xnrealloc(e->ids, n, labels * sizeof *e->ids);
    e->logp = xnrealloc(e->logp, n, labels * sizeof *e->logp);
}

/* The next row that is asked, and the ids that it is asked of: none yet. */
static int32_t *ask(struct label_eval *e, int64_t row)
{
    int32_t *const ids = e->ids + e->asked * e->choices.n;

    for (int l = 0; l < e->choices.n; l++)
        ids[l] = -1;
    e->row[e->asked++] = (int32_t)row;
    return ids;
}

/* The last token of a prompt says what each answer's first is worth, a branch all others of its
 * answer. */
static void ask_record(struct label_eval *e, struct batch *b, int64_t seq, int64_t prompt)
{
    const struct choice *const of = e->choices.of;
    int32_t *ids = ask(e, b->seq[seq].q_start + prompt - 1);

    for (int l = 0; l < e->choices.n; l++)
        ids[l] = (int32_t)of[l].ids[0];
    for (int l = 0; l < e->choices.n; l++) {
        const int64_t first = b->tokens, n = of[l].n - 1;

        if (n > 0)
            (void)batch_add_branch(b, seq, prompt, of[l].ids, n);
        for (int64_t i = 0; i < n; i++)
            ask(e, first + i)[l] = (int32_t)of[l].ids[i + 1];
    }
}

/* The label that the rows FROM.., those of one record, speak for. */
static int choose(const struct label_eval *e, int64_t from)
{
    const int n = e->choices.n;
    int best = 0;

    for (int l = 0; l < n; l++)
        e->score[l] = 0;
    for (int64_t i = from * n; i < (from + 1 + e->rows) * n; i++)
        e->score[i % n] += e->logp[i]; /* 0 where nothing was asked */
    for (int l = 1; l < n; l++)
        if (e->score[l] > e->score[best])
            best = l;
    return best;
}

int label_eval_run(struct label_eval *e, struct model *m, struct batch *b,
                   const struct train_record *v, int64_t n, float *nll, int64_t *right)
{
    make_room(e, n * (1 + e->rows));
    for (int64_t i = 0; i < n; i++)
        ask_record(e, b, i, v[i].prompt);
    const struct selected s = {
        .n = e->choices.n, .ids = e->ids, .logp = e->logp, .best = e->best
    };

    if (model_loss_select(m, b, nll, e->row, e->asked, &s) < 0)
        return -1;
    for (int64_t i = 0; i < n; i++)
        *right += choose(e, i * (1 + e->rows)) == v[i].label;
    return 0;
}
