#include "filter.h"

#include "split.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct condition { /* FIELD=VALUE */
    char *field;
    char *value;
    bool may_be_absent; /* a tool's wish, not the user's */
    bool seen;          /* some record had the field ... */
    bool met;           /* ... with this value */
    int64_t without;    /* records that had it not */
};

struct count { /* of records that passed with this value */
    int64_t passed;
    size_t n;
    uint8_t value[]; /* as it is encoded; n 0: without the field */
};

struct per {     /* FIELD=N of --limit-per */
    char *field; /* NULL: not asked for */
    int64_t most;
    void *counts; /* a tree of tsearch(3) */
    bool seen;    /* some record had the field */
};

struct filter {
    struct condition *only;
    int n;
    bool held;    /* some record met all of them */
    int64_t left; /* records still to pass; < 0: all */
    struct per per;
};

static void add(struct filter *f, const char *field, size_t len, const char *value, bool absent)
{
    f->only = xnrealloc(f->only, (size_t)f->n + 1, sizeof *f->only);
    f->only[f->n++] =
        (struct condition){ xstrndup(field, len), xstrdup(value), absent, false, false, 0 };
}

struct filter *filter_new(const struct cli_common *common)
{
    struct filter *f = xcalloc(1, sizeof *f);

    f->left = common->limit;
    if (common->limit_per) {
        const char *equals = strrchr(common->limit_per, '=');

        f->per.field = xstrndup(common->limit_per, (size_t)(equals - common->limit_per));
        f->per.most = strtoll(equals + 1, NULL, 10);
    }
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

/* By what they mean: --only split=validation takes what is called "eval", and the other way round.
 */
static int is_part(const struct record *rec, const char *text)
{
    const char *part, *wanted = split_of(text, strlen(text));
    const int has = record_split(rec, &part);

    return has <= 0 ? has : wanted && !strcmp(part, wanted);
}

static int equals(const struct field *f, const char *text)
{
    const bool below = f->type == ITEM_NEGINT; /* -1 - u; -2^64 equals nothing that anybody says */
    char number[24];

    switch (f->type) {
    case ITEM_TEXT:
        return text_is(f->data, f->n, text);
    case ITEM_UINT:
    case ITEM_NEGINT:
        (void)snprintf(number, sizeof number, "%s%llu", below ? "-" : "",
                       (unsigned long long)f->u + below);
        return !strcmp(number, text);
    case ITEM_BOOL:
        return !strcmp(f->u ? "true" : "false", text);
    default:
        return err_set(EXIT_USAGE,
                       "--only compares texts and whole numbers; field '%.*s' is neither",
                       (int)f->key_len, f->key);
    }
}

static int by_value(const void *a, const void *b)
{
    const struct count *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->n ? memcmp(x->value, y->value, x->n) : 0;
}

/* Counts REC among those with its value; false when these are enough. */
static bool is_among_first(struct per *per, const struct record *rec)
{
    const struct field *field = record_find(rec, per->field);
    const size_t n = field ? field->raw_len : 0;
    struct count *key = xcalloc(1, sizeof *key + n);

    per->seen = per->seen || field;
    key->n = n;
    if (n)
        memcpy(key->value, field->raw, n);
    struct count **known = tsearch(key, &per->counts, by_value);

    if (!known)
        die(EXIT_MEMORY, "out of memory");
    struct count *count = *known;

    if (count != key)
        free(key);
    return count->passed < per->most && ++count->passed;
}

int filter_passes(struct filter *f, const struct record *rec)
{
    bool pass = true;

    for (int i = 0; i < f->n; i++) {
        struct condition *c = &f->only[i];
        const struct field *field = record_find(rec, c->field);
        const bool split = !strcmp(c->field, "split");
        int holds = c->may_be_absent;

        if (field)
            holds = split ? is_part(rec, c->value) : equals(field, c->value);
        if (holds < 0)
            return -1;
        c->seen = c->seen || field;
        c->without += !field;
        c->met = c->met || (field && holds);
        pass = pass && holds;
    }
    f->held = f->held || pass;
    if (!pass || f->left == 0 || (f->per.field && !is_among_first(&f->per, rec)))
        return 0;
    f->left -= f->left > 0;
    return 1;
}

bool filter_is_full(const struct filter *f)
{
    return f->left == 0;
}

/* Each condition holds somewhere, and nowhere all of them. */
static void warn_of_conditions(const struct filter *f)
{
    struct buf all = BUF_INIT;

    for (int i = 0; i < f->n; i++)
        buf_printf(&all, "%s%s=%s", i ? " and " : "", f->only[i].field, f->only[i].value);
    warn("no record has %s at once; choose others with --only %s=VALUE", all.p,
         f->only[f->n - 1].field);
    buf_free(&all);
}

void filter_finish(const struct filter *f)
{
    bool each = true;

    if (f->per.field && !f->per.seen)
        warn("--limit-per %s=%lld: no record has a field '%s'", f->per.field,
             (long long)f->per.most, f->per.field);
    for (int i = 0; i < f->n; i++) {
        const struct condition *c = &f->only[i];

        each = each && (c->met || (!c->seen && c->may_be_absent));
        if (!c->seen && !c->may_be_absent)
            warn("--only %s=%s: no record has a field '%s'", c->field, c->value, c->field);
        else if (c->seen && !c->met)
            warn("no record's %s is '%s'; choose others with --only %s=VALUE", c->field, c->value,
                 c->field);
        if (c->seen && c->without && c->may_be_absent)
            warn("%lld records have no %s, where others have one, and are used like those of '%s'; "
                 "choose with --only %s=VALUE",
                 (long long)c->without, c->field, c->value, c->field);
    }
    if (f->n > 1 && each && !f->held)
        warn_of_conditions(f);
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
    free(f->per.field);
    tdestroy(f->per.counts, free);
    free(f);
}
