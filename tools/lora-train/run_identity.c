#include "run_identity.h"

#include "checkpoint.h"
#include "json.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 18 }; /* elements that are looked at together */

/* ---- what is said ---- */

static void put(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "\"%s\":", name);
    json_put_text(b, value, strlen(value));
    buf_putc(b, ',');
}

static void put_digest(struct buf *b, const char *what, const uint8_t digest[SHA256_BYTES])
{
    char hex[SHA256_HEX + 1], name[64];

    sha256_hex(digest, hex);
    (void)snprintf(name, sizeof name, "digest of the %s", what);
    put(b, name, hex);
}

static void add_set(struct sha256 *s, const struct train_set *set)
{
    sha256_add(s, &set->n, sizeof set->n);
    for (int64_t i = 0; i < set->n; i++) {
        const struct train_record *x = &set->v[i];
        const int64_t shape[] = { (int64_t)x->id, x->n,      x->first_target,
                                  x->unshifted,   x->prompt, x->label };

        sha256_add(s, shape, sizeof shape);
        sha256_add(s, train_record_ids(set, x), (size_t)x->n * sizeof *set->ids);
    }
}

static void put_records(struct buf *b, const struct train_sets *sets)
{
    struct sha256 *s = sha256_new();
    uint8_t digest[SHA256_BYTES];

    add_set(s, &sets->train);
    add_set(s, &sets->eval);
    sha256_done(s, digest);
    put_digest(b, "records", digest);
}

/* What labels stand for, where that is looked at. */
static void put_labels(struct buf *b, const struct labels *l)
{
    struct sha256 *s = sha256_new();
    uint8_t digest[SHA256_BYTES];

    for (int i = 0; i < l->n; i++) {
        const char *answer = l->answer ? l->answer[i] : "";

        sha256_add(s, l->name[i], strlen(l->name[i]) + 1);
        sha256_add(s, answer, strlen(answer) + 1);
    }
    sha256_done(s, digest);
    put_digest(b, "labels", digest);
}

static void put_order(struct buf *b, const struct order *o)
{
    struct sha256 *s = sha256_new();
    uint8_t digest[SHA256_BYTES];

    sha256_add(s, o->record, (size_t)o->uses * sizeof *o->record);
    sha256_add(s, o->micro, ((size_t)o->micros + 1) * sizeof *o->micro);
    for (int64_t i = 0; i < o->steps; i++) {
        const struct order_step *x = &o->step[i];
        const int64_t fields[] = { x->first, x->micros, x->divisor, x->evaluate };

        sha256_add(s, fields, sizeof fields);
        sha256_add(s, &x->epoch, sizeof x->epoch);
    }
    sha256_done(s, digest);
    put_digest(b, "order", digest);
}

/* Also what an adapter says that was there before: no option tells its rank and its alpha. */
static int put_weights(struct buf *b, const struct lora_set *l)
{
    const double numbers[] = { (double)l->opt.rank, l->opt.alpha, l->opt.dropout, l->opt.rslora };
    float *host = xnmalloc(PIECE, sizeof *host);
    struct sha256 *s = sha256_new();
    uint8_t digest[SHA256_BYTES];
    int rc = 0;

    sha256_add(s, numbers, sizeof numbers);
    for (int64_t at = 0; at < l->params && rc == 0; at += PIECE) {
        const int64_t n = l->params - at < PIECE ? l->params - at : PIECE;

        rc = lora_get(l, LORA_WEIGHTS, at, host, n);
        sha256_add(s, host, (size_t)n * sizeof *host);
    }
    sha256_done(s, digest);
    put_digest(b, "first weights", digest);
    free(host);
    return rc;
}

int run_identity_put(struct buf *b, const struct train_options *o,
                     const uint8_t model[SHA256_BYTES], const struct train_sets *sets,
                     const struct order *order, const struct lora_set *lora)
{
    buf_putc(b, '{');
    put(b, "program", slmtools_version);
    buf_add(b, o->settings.p, o->settings.n);
    put(b, "--metrics", o->metrics_file ? "given" : "not given");
    put(b, "device", lora->ops->name);
    put_digest(b, "model", model);
    put_records(b, sets);
    if (o->eval_labels)
        put_labels(b, &sets->labels);
    put_order(b, order);
    if (put_weights(b, lora) < 0)
        return -1;
    b->p[b->n - 1] = '}'; /* in place of the last comma */
    return 0;
}

/* ---- what differs ---- */

/* Enough of a digest to tell two apart. */
static void put_value(struct buf *b, const char *value)
{
    enum { SHORT = 12 };

    if (strlen(value) == SHA256_HEX)
        buf_printf(b, "%.*s", SHORT, value);
    else
        buf_puts(b, *value ? value : "not set");
}

/* Whether all of A that is called WHICH... is in B too; an error that names one that is not, which
 * SAYS what that means. */
static int check_members(const cJSON *a, const cJSON *b, const char *which, const char *says)
{
    for (const cJSON *it = a->child; it; it = it->next) {
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(b, it->string);

        if (!strncmp(it->string, which, strlen(which)) &&
            !(cJSON_IsString(it) && cJSON_IsString(other)))
            return err_set(EXIT_DATA,
                           "the checkpoint is of another build: %s '%.100s'" CHECKPOINT_ADVICE,
                           says, it->string);
    }
    return 0;
}

/* Appends what differs of the members whose names begin with WHICH. */
static int compare(struct buf *b, const cJSON *theirs, const cJSON *ours, const char *which)
{
    if (check_members(ours, theirs, which, "it does not know of this one's") < 0 ||
        check_members(theirs, ours, which, "this one does not know of its") < 0)
        return -1;
    for (const cJSON *it = ours->child; it; it = it->next) {
        const cJSON *was = cJSON_GetObjectItemCaseSensitive(theirs, it->string);

        if (strncmp(it->string, which, strlen(which)) != 0)
            continue;
        if (!strcmp(was->valuestring, it->valuestring))
            continue;
        buf_printf(b, "%s%s was ", b->n ? ", " : "", it->string);
        put_value(b, was->valuestring);
        buf_puts(b, " and is ");
        put_value(b, it->valuestring);
    }
    return 0;
}

/* Another program may have other options and compute otherwise. Other options mean another order
 * and other first weights: then they are enough to say. */
static int compare_all(const cJSON *theirs, const cJSON *ours)
{
    struct buf b = BUF_INIT;
    int rc = compare(&b, theirs, ours, "program");

    if (rc == 0 && !b.n)
        rc = compare(&b, theirs, ours, "--");
    if (rc == 0 && !b.n)
        rc = compare(&b, theirs, ours, "");
    if (rc == 0 && b.n)
        rc = err_set(EXIT_DATA,
                     "the checkpoint is of another run: %s; go on with what it was, or begin anew "
                     "with --force and without --resume",
                     b.p);
    buf_free(&b);
    return rc;
}

int run_identity_check(const char *theirs, const char *ours)
{
    cJSON *was = json_parse(theirs, strlen(theirs)), *is = json_parse(ours, strlen(ours));
    const int rc = was && is ? compare_all(was, is) : -1;

    cJSON_Delete(was);
    cJSON_Delete(is);
    return rc;
}
