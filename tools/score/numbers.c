#include "numbers.h"

#include "mem.h"
#include "utf8.h"

#include <string.h>

int list_numbers(struct number *v, const struct metrics *m)
{
    int n = 0;

    v[n++] = (struct number){ "n", (double)m->n, true };
    for (int f = 0; f < FIGURES; f++) {
        if (f == LOG_LOSS)
            v[n++] = (struct number){ "none", (double)m->none, true };
        if (f < LOG_LOSS || m->scored)
            v[n++] = (struct number){ figure_name[f], metrics_figure(m, (enum figure)f), false };
    }
    return n;
}

void list_label_numbers(struct number v[LABEL_NUMBERS], const struct confusion *c, int i)
{
    const struct label_metrics l = label_metrics(c, i);

    v[0] = (struct number){ "precision", l.precision, false };
    v[1] = (struct number){ "recall", l.recall, false };
    v[2] = (struct number){ "f1", l.f1, false };
    v[3] = (struct number){ "support", (double)c->support[i], true };
    v[4] = (struct number){ "accuracy", l.recall, false };
}

bool each_number(const struct assessment *a,
                 bool (*take)(void *user, const char *name, const struct number *v), void *user)
{
    const struct confusion *c = &a->c;
    struct number v[NUMBERS_MAX], of_label[LABEL_NUMBERS];
    struct buf name = BUF_INIT;
    const int n = list_numbers(v, &a->m);
    bool done = false;

    for (int i = 0; !done && i < n; i++)
        done = take(user, v[i].name, &v[i]);
    for (int i = 0; !done && i < c->n; i++) {
        list_label_numbers(of_label, c, i);
        for (int k = 0; !done && k < LABEL_NUMBERS; k++) {
            buf_clear(&name);
            buf_puts(&name, "per_label.");
            utf8_show_line(&name, c->name[i]);
            buf_printf(&name, ".%s", of_label[k].name);
            done = take(user, name.p, &of_label[k]);
        }
    }
    for (int i = 0; !done && i < c->n; i++)
        for (int k = 0; !done && k <= c->n; k++) {
            const bool none = k == c->n;
            const int64_t times = none ? c->none[i] : c->count[i * c->n + k];
            const struct number count = { NULL, (double)times, true };

            buf_clear(&name);
            buf_puts(&name, "confusion.");
            utf8_show_line(&name, c->name[i]);
            buf_putc(&name, '.');
            utf8_show_line(&name, none ? "none" : c->name[k]);
            done = take(user, name.p, &count);
        }
    buf_free(&name);
    return done;
}

struct wanted {
    const char *name;
    double *value;
};

static bool take_wanted(void *user, const char *name, const struct number *v)
{
    const struct wanted *w = user;

    if (strcmp(name, w->name) != 0)
        return false;
    *w->value = v->value;
    return true;
}

bool number_find(const struct assessment *a, const char *name, double *value)
{
    struct wanted w = { name, value };

    return each_number(a, take_wanted, &w);
}
