#include "filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct condition { /* FIELD=VALUE */
    char *field;
    char *value;
    bool may_be_absent; /* a tool's wish, not the user's */
    bool seen;          /* some record had the field ... */
    bool met;           /* ... with this value */
};

struct filter {
    struct condition *only;
    int n;
    int64_t left; /* records still to pass; < 0: all */
};

static void add(struct filter *f, const char *field, size_t len, const char *value, bool absent)
{
    f->only = xnrealloc(f->only, (size_t)f->n + 1, sizeof *f->only);
    f->only[f->n++] =
        (struct condition){ xstrndup(field, len), xstrdup(value), absent, false, false };
}

struct filter *filter_new(const struct cli_common *common)
{
    struct filter *f = xcalloc(1, sizeof *f);

    f->left = common->limit;
    for (int i = 0; i < common->only.n; i++) {
        const char *text = common->only.v[i];
        const size_t n = strcspn(text, "=");

        add(f, text, n, text[n] ? text + n + 1 : "", false);
    }
    return f;
}

void filter_default(struct filter *f, const char *field, const char *value)
{
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->only[i].field, field))
            return;
    add(f, field, strlen(field), value, true);
}

static int equals(const struct field *f, const char *text)
{
    char number[24];

    switch (f->type) {
    case FIELD_TEXT:
        return f->n == strlen(text) && !memcmp(f->data, text, f->n);
    case FIELD_UINT:
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)f->u);
        return !strcmp(number, text);
    case FIELD_BOOL:
        return !strcmp(f->u ? "true" : "false", text);
    default:
        return err_set(EXIT_USAGE,
                       "--only compares texts and whole numbers; field '%.*s' is neither",
                       (int)f->key_len, f->key);
    }
}

int filter_passes(struct filter *f, const struct record *rec)
{
    bool pass = true;

    for (int i = 0; i < f->n; i++) {
        struct condition *c = &f->only[i];
        const struct field *field = record_find(rec, c->field);
        const int holds = field ? equals(field, c->value) : c->may_be_absent;

        if (holds < 0)
            return -1;
        c->seen = c->seen || field;
        c->met = c->met || (field && holds);
        pass = pass && holds;
    }
    if (!pass || f->left == 0)
        return 0;
    f->left -= f->left > 0;
    return 1;
}

void filter_finish(const struct filter *f)
{
    for (int i = 0; i < f->n; i++) {
        const struct condition *c = &f->only[i];

        if (!c->seen && !c->may_be_absent)
            warn("--only %s=%s: no record has a field '%s'", c->field, c->value, c->field);
        else if (c->seen && !c->met)
            warn("no record's %s is '%s'; choose others with --only %s=VALUE", c->field, c->value,
                 c->field);
    }
}

void filter_free(struct filter *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->n; i++) {
        free(f->only[i].field);
        free(f->only[i].value);
    }
    free(f->only);
    free(f);
}
