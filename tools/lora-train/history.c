#include "history.h"

#include "checkpoint.h"

#include <inttypes.h>

static const char *const names[HISTORY_CURVES] = { "loss", "eval_loss", "lr" };

/* Half as many points, each of twice as many values. */
static void halve(struct history_points *p)
{
    for (int64_t i = 0; i < p->n / 2; i++) {
        p->step[i] = p->step[2 * i + 1];
        p->value[i] = p->value[2 * i] / 2 + p->value[2 * i + 1] / 2;
    }
    p->n /= 2;
    p->each *= 2;
    p->open = p->each;
}

void history_add(struct history *h, enum history_curve curve, int64_t step, double value)
{
    struct history_points *p = &h->curve[curve];

    if (p->n == HISTORY_MAX && p->open == p->each)
        halve(p);
    if (!p->n || p->open == p->each) {
        p->each = p->each ? p->each : 1;
        p->open = 0;
        p->value[p->n++] = 0;
    }
    double *const last = &p->value[p->n - 1];

    *last += (value - *last) / (double)++p->open; /* the mean so far */
    p->step[p->n - 1] = (double)step;
}

static void put_list(struct buf *b, const char *name, const double *v, int64_t n)
{
    buf_printf(b, ",\"%s\":[", name);
    for (int64_t i = 0; i < n; i++) {
        if (i)
            buf_putc(b, ',');
        json_put_double(b, v[i]);
    }
    buf_putc(b, ']');
}

void history_put(const struct history *h, struct buf *b)
{
    buf_puts(b, "\"history\":{");
    for (int i = 0; i < HISTORY_CURVES; i++) {
        const struct history_points *p = &h->curve[i];

        buf_printf(b, "%s\"%s\":{\"each\":%" PRId64 ",\"open\":%" PRId64, i ? "," : "", names[i],
                   p->each, p->open);
        put_list(b, "step", p->step, p->n);
        put_list(b, "value", p->value, p->n);
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

static int64_t take_list(double *v, const cJSON *o, const char *name)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, name), *item;
    int64_t n = 0;

    if (!cJSON_IsArray(list))
        return -1;
    cJSON_ArrayForEach(item, list)
    {
        if (n == HISTORY_MAX || !cJSON_IsNumber(item))
            return -1;
        v[n++] = item->valuedouble;
    }
    return n;
}

static int take_curve(struct history_points *p, const cJSON *o)
{
    p->n = cJSON_IsObject(o) ? take_list(p->step, o, "step") : -1;
    if (p->n < 0 || take_list(p->value, o, "value") != p->n ||
        json_int(o, "each", &p->each, 0, (int64_t)1 << 52) <= 0 ||
        json_int(o, "open", &p->open, 0, p->each) <= 0)
        return err_set(EXIT_DATA,
                       "the checkpoint's 'history' is not one of curves" CHECKPOINT_ADVICE);
    return 0;
}

int history_take(struct history *h, const cJSON *from)
{
    const cJSON *all;
    const int got = json_object(from, "history", &all);

    for (int i = 0; got > 0 && i < HISTORY_CURVES; i++)
        if (take_curve(&h->curve[i], cJSON_GetObjectItemCaseSensitive(all, names[i])) < 0)
            return -1;
    return got < 0 ? -1 : 0;
}
