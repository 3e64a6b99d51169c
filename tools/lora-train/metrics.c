#include "metrics.h"

#include "checkpoint.h"
#include "mem.h"
#include "metrics_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct metrics {
    struct metrics_file *file; /* NULL: no lines */
    int64_t every;             /* steps between lines */
    int64_t steps, all_tokens;
    double last_loss;
    struct eval_report eval; /* the last one; step 0: none */
    struct {                 /* since the last line */
        int64_t steps, tokens;
        double loss, seconds;
    } open;
    struct history history;
};

/* ---- what an earlier process left ---- */

static int take_count(const cJSON *o, const char *key, int64_t *value)
{
    const int got = json_int(o, key, value, 0, (int64_t)1 << 53);

    return got ? got
               : err_set(EXIT_DATA, "the checkpoint's state has no '%s'" CHECKPOINT_ADVICE, key);
}

static int take_number(const cJSON *o, const char *key, double *value)
{
    const int got = json_double(o, key, value);

    return got ? got
               : err_set(EXIT_DATA, "the checkpoint's state has no '%s'" CHECKPOINT_ADVICE, key);
}

static int take_evaluation(struct eval_report *r, const cJSON *from)
{
    r->right = -1;
    if (json_int(from, "right", &r->right, 0, (int64_t)1 << 53) < 0 ||
        take_count(from, "step", &r->step) < 0 || take_count(from, "records", &r->records) < 0)
        return -1;
    return take_number(from, "loss", &r->loss);
}

static int take_state(struct metrics *m, const cJSON *from)
{
    if (take_count(from, "steps", &m->steps) < 0 ||
        take_count(from, "tokens", &m->all_tokens) < 0 ||
        take_number(from, "loss", &m->last_loss) < 0 ||
        take_count(from, "open_steps", &m->open.steps) < 0 ||
        take_count(from, "open_tokens", &m->open.tokens) < 0 ||
        take_number(from, "open_loss", &m->open.loss) < 0 ||
        take_number(from, "open_seconds", &m->open.seconds) < 0)
        return -1;

    const cJSON *eval;
    const int got = json_object(from, "evaluation", &eval);

    if (got < 0 || (got > 0 && take_evaluation(&m->eval, eval) < 0))
        return -1;
    return history_take(&m->history, from);
}

static int resume_file(struct metrics *m, const char *path, const cJSON *from)
{
    const char *digest;
    int64_t length;

    if (take_count(from, "bytes", &length) < 0)
        return -1;
    if (json_text(from, "sha256", &digest) <= 0)
        return err_set(EXIT_DATA, "the checkpoint's state has no 'sha256'" CHECKPOINT_ADVICE);
    return metrics_file_resume(&m->file, path, length, digest);
}

int metrics_put_state(const struct metrics *m, struct buf *b)
{
    char hex[SHA256_HEX + 1];

    buf_printf(b, "{\"steps\":%" PRId64 ",\"tokens\":%" PRId64 ",\"loss\":", m->steps,
               m->all_tokens);
    json_put_double(b, m->last_loss);
    buf_printf(b, ",\"open_steps\":%" PRId64 ",\"open_tokens\":%" PRId64 ",\"open_loss\":",
               m->open.steps, m->open.tokens);
    json_put_double(b, m->open.loss);
    buf_puts(b, ",\"open_seconds\":");
    json_put_double(b, m->open.seconds);
    if (m->eval.step) {
        buf_printf(b, ",\"evaluation\":{\"step\":%" PRId64 ",\"records\":%" PRId64, m->eval.step,
                   m->eval.records);
        if (m->eval.right >= 0)
            buf_printf(b, ",\"right\":%" PRId64, m->eval.right);
        buf_puts(b, ",\"loss\":");
        json_put_double(b, m->eval.loss);
        buf_putc(b, '}');
    }
    buf_putc(b, ',');
    history_put(&m->history, b);
    if (m->file) {
        if (metrics_file_sync(m->file) < 0)
            return -1;
        metrics_file_digest(m->file, hex);
        buf_printf(b, ",\"bytes\":%" PRId64 ",\"sha256\":\"%s\"", metrics_file_length(m->file),
                   hex);
    }
    buf_putc(b, '}');
    return 0;
}

int metrics_open(struct metrics **out, const struct metrics_options *o, const cJSON *from)
{
    struct metrics *m = xcalloc(1, sizeof *m);
    int rc = from ? take_state(m, from) : 0;

    m->every = o->every;
    if (rc == 0 && o->path)
        rc = from ? resume_file(m, o->path, from)
                  : metrics_file_open(&m->file, o->path, o->force, o->spare_empty);
    if (rc < 0) {
        free(m);
        return -1;
    }
    *out = m;
    return 0;
}

/* ---- lines ---- */

static void put_key(struct buf *b, const char *key)
{
    buf_printf(b, "%s\"%s\": ", b->n ? ", " : "{", key);
}

static void put(struct buf *b, const char *key, double value)
{
    put_key(b, key);
    json_put_double(b, value);
}

static void put_count(struct buf *b, const char *key, int64_t value)
{
    put_key(b, key);
    buf_printf(b, "%" PRId64, value);
}

static int write_line(struct metrics *m, struct buf *b)
{
    int rc = 0;

    buf_puts(b, "}\n");
    if (m->file)
        rc = metrics_file_write(m->file, b->p, b->n);
    buf_free(b);
    return rc;
}

int metrics_step(struct metrics *m, const struct step_report *r)
{
    struct buf b = BUF_INIT;

    m->steps = r->step;
    m->all_tokens += r->tokens;
    m->last_loss = r->loss;
    history_add(&m->history, HISTORY_LOSS, r->step, r->loss);
    history_add(&m->history, HISTORY_RATE, r->step, r->lr);
    m->open.steps++;
    m->open.tokens += r->tokens;
    m->open.loss += r->loss;
    m->open.seconds += r->seconds;
    if (r->step % m->every && !r->last)
        return 0;
    put_count(&b, "step", r->step);
    put(&b, "epoch", r->epoch);
    put(&b, "lr", r->lr);
    put(&b, "loss", m->open.loss / (double)m->open.steps);
    put(&b, "grad_norm", r->grad_norm);
    if (r->scale > 0) {
        put(&b, "loss_scale", r->scale);
        put_count(&b, "skipped_steps", r->skipped);
    }
    put_count(&b, "tokens", m->open.tokens);
    put(&b, "tokens_per_s", m->open.seconds > 0 ? (double)m->open.tokens / m->open.seconds : 0);
    m->open.steps = m->open.tokens = 0;
    m->open.loss = m->open.seconds = 0;
    return write_line(m, &b);
}

double eval_accuracy(const struct eval_report *r)
{
    return (double)r->right / (double)r->records;
}

int metrics_evaluation(struct metrics *m, const struct eval_report *r)
{
    struct buf b = BUF_INIT;

    m->eval = *r;
    history_add(&m->history, HISTORY_EVAL_LOSS, r->step, r->loss);
    put_count(&b, "step", r->step);
    put(&b, "epoch", r->epoch);
    put(&b, "eval_loss", r->loss);
    put_count(&b, "eval_tokens", r->tokens);
    if (r->right >= 0) {
        put(&b, "eval_accuracy", eval_accuracy(r));
        put_count(&b, "eval_records", r->records);
    }
    return write_line(m, &b);
}

const struct history *metrics_history(const struct metrics *m)
{
    return &m->history;
}

void metrics_summary(const struct metrics *m)
{
    (void)fprintf(stderr, "%s: %" PRId64 " steps, %" PRId64 " tokens, loss %.4f", err_tool(),
                  m->steps, m->all_tokens, m->last_loss);
    if (m->eval.step)
        (void)fprintf(stderr, ", eval loss %.4f", m->eval.loss);
    if (m->eval.step && m->eval.right >= 0)
        (void)fprintf(stderr, ", eval accuracy %.4f (%" PRId64 " of %" PRId64 ")",
                      eval_accuracy(&m->eval), m->eval.right, m->eval.records);
    (void)fputc('\n', stderr);
}

int metrics_sync(struct metrics *m)
{
    return m->file ? metrics_file_sync(m->file) : 0;
}

void metrics_close(struct metrics *m)
{
    if (m)
        metrics_file_close(m->file);
    free(m);
}
