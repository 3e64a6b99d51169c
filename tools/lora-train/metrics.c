#include "metrics.h"

#include "json.h"
#include "mem.h"
#include "outfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct metrics {
    struct outfile *file; /* NULL: no lines */
    int64_t every, steps, all_tokens;
    double last_loss, eval_loss;
    bool evaluated;
    struct { /* since the last line */
        int64_t steps, tokens;
        double loss, seconds;
    } open;
};

int metrics_open(struct metrics **out, const char *path, bool force, int64_t every)
{
    struct metrics *m = xcalloc(1, sizeof *m);

    m->every = every;
    if (path && outfile_open(&m->file, path, force, false) < 0) {
        free(m);
        return -1;
    }
    *out = m;
    return 0;
}

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
        rc = outfile_write(m->file, b->p, b->n);
    buf_free(b);
    return rc;
}

int metrics_step(struct metrics *m, const struct step_report *r)
{
    struct buf b = BUF_INIT;

    m->steps = r->step;
    m->all_tokens += r->tokens;
    m->last_loss = r->loss;
    m->open.steps++;
    m->open.tokens += r->tokens;
    m->open.loss += r->loss;
    m->open.seconds += r->seconds;
    if (r->step % m->every)
        return 0;
    put_count(&b, "step", r->step);
    put(&b, "epoch", r->epoch);
    put(&b, "lr", r->lr);
    put(&b, "loss", m->open.loss / (double)m->open.steps);
    put(&b, "grad_norm", r->grad_norm);
    put_count(&b, "tokens", m->open.tokens);
    put(&b, "tokens_per_s", m->open.seconds > 0 ? (double)m->open.tokens / m->open.seconds : 0);
    m->open.steps = m->open.tokens = 0;
    m->open.loss = m->open.seconds = 0;
    return write_line(m, &b);
}

int metrics_evaluation(struct metrics *m, int64_t step, double epoch, double loss, int64_t tokens)
{
    struct buf b = BUF_INIT;

    m->eval_loss = loss;
    m->evaluated = true;
    put_count(&b, "step", step);
    put(&b, "epoch", epoch);
    put(&b, "eval_loss", loss);
    put_count(&b, "eval_tokens", tokens);
    return write_line(m, &b);
}

void metrics_summary(const struct metrics *m)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "%s: %" PRId64 " steps, %" PRId64 " tokens, loss %.4f", err_tool(), m->steps,
               m->all_tokens, m->last_loss);
    if (m->evaluated)
        buf_printf(&b, ", eval loss %.4f", m->eval_loss);
    (void)fprintf(stderr, "%s\n", b.p);
    buf_free(&b);
}

int metrics_flush(struct metrics *m)
{
    return m->file ? outfile_flush(m->file) : 0;
}

int metrics_commit(struct metrics *m)
{
    const int rc = m->file ? outfile_commit(m->file) : 0;

    free(m);
    return rc;
}
