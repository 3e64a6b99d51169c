#include "job.h"

#include "chain.h"
#include "mem.h"
#include "run_identity.h"
#include "saves.h"
#include "train_picture.h"

#include <stdlib.h>
#include <string.h>

/* Whether what the output's name stands for holds the weights of L. */
static int is_saved(const struct trainer *t)
{
    struct lora_set *saved = NULL;
    struct pack *there;
    int same = -1;

    if (pack_open(&there, t->opt->common.output) < 0)
        return -1;
    if (lora_load(&saved, model_weights(t->model), there, false) == 0)
        same = lora_same(saved, t->lora);
    pack_close(there);
    lora_free(saved);
    return same;
}

static int is_there(const char *path)
{
    return err_set(EXIT_CREATE, "%s: is there already; use --force to replace it", path);
}

/* A resumed run whose output has its name already: fine where it was finished and this is it. */
static int check_finished(const struct trainer *t, const struct trainer_state *at)
{
    if (at->resumed && trainer_is_done(t, at) && best_load(&at->best, t->lora) == 0 &&
        is_saved(t) == 1) {
        note("%s: is finished already", t->opt->common.output);
        return 0;
    }
    return is_there(t->opt->common.output);
}

/* AT and *METRICS as the checkpoint has them, or as a run begins. *STATE is the caller's. */
static int find_start(const struct trainer *t, struct trainer_state *at, const cJSON **metrics,
                      cJSON **state)
{
    int got = 0;

    *at = (struct trainer_state){ .scale = LOSS_SCALE_INIT };
    *metrics = NULL;
    if (t->checkpoint && t->opt->resume)
        got = checkpoint_read(t->checkpoint, t->lora, &at->best.weights, state);
    if (got > 0)
        t->checkpoint->replaces = true;
    return got > 0 ? trainer_take(t, at, metrics, *state) : got;
}

/* What would fail after hours fails now: names that are taken, no room for the adapter or for two
 * checkpoints, one of which is there or comes at once. */
static int check_outputs(const struct trainer *t, const struct trainer_state *at,
                         struct pack_writer *out)
{
    if (t->opt->plot_file && !t->picture)
        return is_there(t->opt->plot_file);
    if (!at->resumed && saves_check(t->opt, t->order->steps) < 0)
        return -1;
    if (pack_reserve(out, lora_bytes(t->lora, &t->from)) < 0)
        return -1;
    return t->checkpoint ? checkpoint_reserve(t->checkpoint, t->lora) : 0;
}

/* The first checkpoint comes before the first line of the metrics: what it does not know of was
 * there before the run. */
static int open_metrics(const struct trainer *t, const struct trainer_state *at,
                        struct metrics **metrics, const cJSON *from)
{
    const struct train_options *o = t->opt;
    const struct metrics_options options = { .path = o->metrics_file,
                                             .force = o->common.force,
                                             .spare_empty = o->resume,
                                             .every = o->logging_steps };

    if (metrics_open(metrics, &options, from) < 0)
        return -1;
    return t->checkpoint && !at->resumed ? trainer_keep(t, at, *metrics) : 0;
}

/* The picture is on the disk; only its name is missing. */
static int draw(const struct trainer *t, const struct history *h)
{
    if (!t->picture)
        return 0;
    return train_picture_write(t->picture, h, t->from.base) < 0 ? -1 : outfile_sync(t->picture);
}

static int put_in_place(const struct trainer *t)
{
    return t->picture ? outfile_commit(t->picture) : 0;
}

/* Trains and puts the adapter into OUT. */
static int train(const struct trainer *t, struct trainer_state *at, struct metrics *metrics,
                 struct pack_writer *out)
{
    if (trainer_run(t, at, metrics) < 0 || best_load(&at->best, t->lora) < 0 ||
        lora_save(t->lora, model_weights(t->model), out, &t->from) < 0 || metrics_sync(metrics) < 0)
        return -1;
    if (t->checkpoint)
        checkpoint_close(t->checkpoint); /* nothing is unfinished when the output has its name */
    if (draw(t, metrics_history(metrics)) < 0 || pack_commit(out) < 0 || put_in_place(t) < 0)
        return -1;
    if (!t->opt->common.quiet) {
        metrics_summary(metrics);
        best_say(&at->best, t->opt, at->step, t->order->steps);
        train_picture_say(metrics_history(metrics));
    }
    return 0;
}

/* A picture that was not asked for then. */
static int draw_finished(const struct trainer *t, const cJSON *metrics)
{
    struct history *h = xcalloc(1, sizeof *h);
    int rc = history_take(h, metrics);

    if (rc == 0)
        rc = draw(t, h);
    if (rc == 0)
        rc = put_in_place(t);
    free(h);
    return rc;
}

/* OUT NULL: the output has its name, which may be well for a run that is resumed. */
static int begin_or_go_on(const struct trainer *t, struct pack_writer *out)
{
    struct trainer_state at;
    struct metrics *metrics = NULL;
    const cJSON *from;
    cJSON *state = NULL;
    int rc = find_start(t, &at, &from, &state);

    if (rc == 0 && !out) {
        rc = check_finished(t, &at);
        if (rc == 0)
            rc = draw_finished(t, from);
    } else if (rc == 0) {
        rc = check_outputs(t, &at, out);
        if (rc == 0)
            rc = open_metrics(t, &at, &metrics, from);
        if (rc == 0)
            rc = train(t, &at, metrics, out);
    }
    metrics_close(metrics);
    best_free(&at.best);
    cJSON_Delete(state);
    return rc;
}

/* How the adapter was made, for whoever uses it. */
static int put_chain(struct buf *b, const struct trainer *t, const uint8_t model[SHA256_BYTES])
{
    const struct begun *const begun = t->begun;
    struct stream_input input[3] = { { .what = "model" } };

    memcpy(input[0].digest, model, SHA256_BYTES);
    memcpy(input + 1, begun->input, (size_t)begun->inputs * sizeof *input);
    return chain_put(b, begun->chain, t->sets->from, input, 1 + begun->inputs) < 0
               ? err_in("%s", begun->chain ? t->opt->init_adapter : t->opt->common.output)
               : 0;
}

int job_run(struct trainer *t, const struct pack *files, struct pack_writer *out)
{
    const struct train_options *o = t->opt;
    struct checkpoint checkpoint = { .path = o->checkpoint,
                                     .keeps_best = o->load_best,
                                     .replaces = o->common.force };
    struct buf identity = BUF_INIT, chain = BUF_INIT;
    uint8_t model[SHA256_BYTES];

    pack_digest(files, model);
    int rc = put_chain(&chain, t, model);

    t->from.chain = chain.p;
    if (rc == 0 && o->checkpoint) {
        rc = run_identity_put(&identity, o, model, t->sets, t->order, t->lora);
        checkpoint.identity = identity.p;
        t->checkpoint = &checkpoint;
    }
    if (rc == 0)
        rc = begin_or_go_on(t, out);
    checkpoint_close(&checkpoint);
    t->checkpoint = NULL;
    t->from.chain = NULL;
    buf_free(&identity);
    buf_free(&chain);
    return rc;
}
