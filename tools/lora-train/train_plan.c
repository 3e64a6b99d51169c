#include "train_plan.h"

#include "json.h"
#include "mem.h"
#include "outfile.h"

#include <inttypes.h>

static size_t owned(const struct memory_plan *p)
{
    return p->weights_owned + p->activations + p->scratch + p->lora;
}

static void put_step(struct buf *b, const struct order *order, int64_t i, double rate,
                     const struct train_set *train)
{
    const struct order_step *s = &order->step[i];
    const int64_t end = order->micro[s->first + s->micros];

    buf_printf(b, "{\"step\": %" PRId64 ", \"epoch\": ", i + 1);
    json_put_double(b, s->epoch);
    buf_puts(b, ", \"lr\": ");
    json_put_double(b, rate);
    buf_puts(b, ", \"ids\": [");
    for (int64_t u = order->micro[s->first]; u < end; u++)
        buf_printf(b, "%" PRIu64 "%s", train->v[order->record[u]].id, u + 1 < end ? ", " : "");
    buf_puts(b, "]}\n");
}

static void put_evaluation(struct buf *b, const struct order_step *s, int64_t step,
                           const struct train_set *eval)
{
    int64_t tokens = 0;

    for (int64_t i = 0; i < eval->n; i++)
        tokens += train_record_targets(&eval->v[i]);
    buf_printf(b, "{\"step\": %" PRId64 ", \"epoch\": ", step);
    json_put_double(b, s->epoch);
    buf_printf(b, ", \"eval_records\": %" PRId64 ", \"eval_tokens\": %" PRId64 "}\n", eval->n,
               tokens);
}

static void put_summary(struct buf *b, const struct order *order, const struct schedule *schedule,
                        const struct memory_plan *p, int64_t batch_tokens)
{
    buf_printf(b,
               "{\"steps\": %" PRId64 ", \"warmup_steps\": %" PRId64 ", \"batch_tokens\": %" PRId64
               ", \"memory\": {\"weights_mapped\": %zu, \"weights_owned\": %zu, \"lora\": %zu, "
               "\"activations\": %zu, \"scratch\": %zu, \"total\": %zu}}\n",
               order->steps, schedule->warmup, batch_tokens, p->weights_mapped, p->weights_owned,
               p->lora, p->activations, p->scratch, owned(p));
}

int plan_write(const char *path, bool force, const struct order *order,
               const struct schedule *schedule, const struct train_sets *sets,
               const struct memory_plan *memory, int64_t batch_tokens)
{
    struct buf b = BUF_INIT;
    struct outfile *f;
    int rc = 0;

    if (outfile_open(&f, path, force, false) < 0)
        return -1;
    for (int64_t i = 0; i < order->steps && rc == 0; i++) {
        buf_clear(&b);
        put_step(&b, order, i, schedule_rate(schedule, i), &sets->train);
        if (order->step[i].evaluate)
            put_evaluation(&b, &order->step[i], i + 1, &sets->eval);
        rc = outfile_write(f, b.p, b.n);
    }
    if (rc == 0) {
        buf_clear(&b);
        put_summary(&b, order, schedule, memory, batch_tokens);
        rc = outfile_write(f, b.p, b.n);
    }
    buf_free(&b);
    if (rc < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f);
}

void plan_note(const struct memory_plan *p, int64_t batch_tokens)
{
    const double mb = 1e-6;

    note("memory: %.1f MB = weights %.1f + LoRA and optimiser %.1f + activations of %" PRId64
         " tokens %.1f + "
         "scratch %.1f; beside it %.1f MB of mapped files",
         (double)owned(p) * mb, (double)p->weights_owned * mb, (double)p->lora * mb, batch_tokens,
         (double)p->activations * mb, (double)p->scratch * mb, (double)p->weights_mapped * mb);
}
