/*
 * predict - what a model says about prompts: a label, a text, a loss or its logits.
 *
 * Reads tokens, gathers records until a batch has enough of them, and writes them out in the order
 * of the input with the fields of the mode added. Man page: predict.1.
 */
#include "predict.h"

#include "cli.h"
#include "json.h"
#include "model/lora.h"
#include "progress.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ITEMS = 64 }; /* records of a batch: bounds the logits that are on the host */

struct source { /* what the records come from, for messages and digests */
    struct pack *pack;
    struct pack **adapter;
    double *scale;
    char **what; /* of the end map */
    int n;
};

static const struct mode *const modes[] = { &mode_labels, &mode_generate, &mode_loss,
                                            &mode_logits };

/* ---- models ---- */

/* "ADAPTER=0.5" in its parts: PATH is copied. A tail that is no number belongs to the path. */
static double split_scale(const char *arg, char **path)
{
    const char *equals = strrchr(arg, '=');
    char *end = NULL;
    const double scale = equals ? strtod(equals + 1, &end) : 1;
    const bool number = equals && end != equals + 1 && *end == '\0' && scale - scale == 0;

    *path = number ? xstrndup(arg, (size_t)(equals - arg)) : xstrdup(arg);
    return number ? scale : 1;
}

/* "adapter", or "adapter=0.5": the scale is part of what made the result. */
static char *adapter_input(double scale)
{
    struct buf b = BUF_INIT;

    buf_puts(&b, "adapter");
    if (scale != 1) {
        buf_putc(&b, '=');
        json_put_double(&b, scale);
    }
    return b.p;
}

/* The adapters as one set that MODEL goes through, or NULL without adapters. */
static struct lora_set *open_adapters(struct source *src, struct model *model,
                                      const struct cli_list *list)
{
    struct lora_set **set = xnmalloc((size_t)list->n, sizeof *set), *joined;

    src->adapter = xnmalloc((size_t)list->n, sizeof(struct pack *));
    src->scale = xnmalloc((size_t)list->n, sizeof *src->scale);
    src->what = xnmalloc((size_t)list->n, sizeof *src->what);
    src->n = list->n;
    for (int i = 0; i < list->n; i++) {
        char *path;

        src->scale[i] = split_scale(list->v[i], &path);
        if (pack_open(&src->adapter[i], path) < 0 ||
            lora_load(&set[i], model, src->adapter[i], false) < 0)
            die_err();
        free(path);
        src->what[i] = adapter_input(src->scale[i]);
    }
    if (list->n == 0) {
        free(set);
        return NULL;
    }
    if (list->n == 1 && src->scale[0] == 1) {
        joined = set[0];
    } else {
        if (lora_join(&joined, set, src->scale, list->n) < 0)
            die_err();
        for (int i = 0; i < list->n; i++)
            lora_free(set[i]);
    }
    free(set);
    model_use_lora(model, joined);
    return joined;
}

static void add_digests(struct writer *w, const struct source *src)
{
    uint8_t digest[SHA256_BYTES];

    pack_digest(src->pack, digest);
    writer_input(w, "model", digest);
    for (int i = 0; i < src->n; i++) {
        pack_digest(src->adapter[i], digest);
        writer_input(w, src->what[i], digest);
    }
}

static void source_close(struct source *src)
{
    for (int i = 0; i < src->n; i++) {
        pack_close(src->adapter[i]);
        free(src->what[i]);
    }
    free(src->adapter);
    free(src->scale);
    free(src->what);
    pack_close(src->pack);
}

/* A model without a tokenizer is fine for the modes that need none; one that is broken is not. */
static void open_tokenizer(struct predictor *p, const struct pack *pack)
{
    if (tokenizer_open(&p->tok, pack) == 0)
        p->scratch = tokenizer_scratch_new();
    else if (err_code() == EXIT_NOINPUT)
        p->tok = NULL;
    else
        die_err();
}

/* ---- records ---- */

/* Copies REC and its ids into ITEM. */
static int take(struct item *item, struct record *rec)
{
    const uint32_t *ids;
    uint64_t n_prompt;
    size_t n = 0;
    const int got = record_get_ids(rec, "ids", &ids, &n);

    if (got <= 0)
        return got < 0 ? -1 : err_set(EXIT_DATA, "no field 'ids'; use tokenize");
    const int has = record_get_uint(rec, "n_prompt", &n_prompt);

    if (has < 0)
        return -1;
    if (has && n_prompt > n)
        return err_set(EXIT_DATA, "n_prompt %llu is more than its %zu ids",
                       (unsigned long long)n_prompt, n);
    item->n = (int64_t)n;
    item->n_prompt = has ? (int64_t)n_prompt : (int64_t)n;
    if (item->n > item->cap) {
        item->cap = item->n;
        item->ids = xnrealloc(item->ids, n, sizeof *item->ids);
    }
    if (n)
        memcpy(item->ids, ids, n * sizeof *ids);
    record_clear(item->rec);
    for (int i = 0; i < record_count(rec); i++) {
        const struct field *f = record_at(rec, i);

        record_set_raw(item->rec, f->key, f->key_len, f->raw, f->raw_len);
    }
    return 0;
}

static int check(const struct predictor *p, const struct mode *mode, const struct item *item)
{
    const int64_t need = mode->tokens(p, item);

    if (model_check_ids(p->model, item->ids, item->n, need > item->n ? need - item->n : 0) < 0)
        return -1;
    if (mode != &mode_loss && item->n_prompt < 1)
        return err_set(EXIT_DATA, "its prompt has no tokens");
    if (mode == &mode_loss && item->n < 2)
        return err_set(EXIT_DATA, "one token alone has no loss");
    return 0;
}

struct stage { /* records that wait for their batch to be full */
    struct item item[MAX_ITEMS];
    int n;
    int64_t tokens;
};

/* A number that is none spoils its whole batch; one by one the records tell whose it is. */
static int run_batch(struct predictor *p, const struct mode *mode, struct stage *s,
                     const struct reader *r)
{
    int i = 0;

    if (mode->run(p, s->item, s->n) == 0)
        return 0;
    while (err_code() == EXIT_NUMERIC && i < s->n && mode->run(p, &s->item[i], 1) == 0)
        i++;
    return err_in("%s:%s", reader_name(r), record_name(s->item[i < s->n ? i : 0].rec));
}

static int flush(struct predictor *p, const struct mode *mode, struct stage *s,
                 const struct reader *r, struct writer *w)
{
    if (s->n > 0 && run_batch(p, mode, s, r) < 0)
        return -1;
    for (int i = 0; i < s->n; i++)
        if (writer_put(w, s->item[i].rec) < 0)
            return -1;
    s->n = 0;
    s->tokens = 0;
    return 0;
}

/* Swaps the newest record to the front: it begins the next batch. */
static void keep_newest(struct stage *s, int newest)
{
    const struct item first = s->item[0];

    s->item[0] = s->item[newest];
    s->item[newest] = first;
}

static int predict(struct predictor *p, const struct mode *mode, struct stage *s, struct reader *r,
                   struct writer *w, struct progress *progress)
{
    const int64_t room = p->opt->stream ? 1 : p->opt->batch_tokens;
    struct record *rec;
    int64_t done = 0;
    int got;

    while ((got = reader_next(r, &rec)) > 0) {
        struct item *item = &s->item[s->n];

        if (take(item, rec) < 0 || check(p, mode, item) < 0)
            return err_in("%s:%s", reader_name(r), record_name(rec));
        const int64_t tokens = mode->tokens(p, item);

        if (s->n > 0 && s->tokens + tokens > room) {
            const int newest = s->n;

            if (flush(p, mode, s, r, w) < 0)
                return -1;
            keep_newest(s, newest);
        }
        s->n++;
        s->tokens += tokens;
        if ((s->n == MAX_ITEMS || s->tokens >= room) && flush(p, mode, s, r, w) < 0)
            return -1;
        progress_to(progress, ++done);
    }
    if (got < 0)
        return -1;
    return flush(p, mode, s, r, w);
}

/* ---- main ---- */

static const struct mode *find_mode(const struct predict_options *opt, const struct labels *labels)
{
    const char *by_header = opt->preset || labels->n == 0 ? "generate" : "labels";
    size_t i = 0;

    while (strcmp(modes[i]->name, opt->mode ? opt->mode : by_header) != 0)
        i++;
    return modes[i];
}

static void run(struct predictor *p, const struct source *src, const char *const *paths)
{
    const struct cli_common *common = &p->opt->common;
    struct stage *stage = xcalloc(1, sizeof *stage);
    struct reader *r;
    struct writer *w;

    for (int i = 0; i < MAX_ITEMS; i++)
        stage->item[i].rec = record_new();
    if (reader_open(&r, paths, KIND_TOKENS | KIND_PREDICTIONS, common) < 0)
        die_err();
    reader_default_only(r, "split", "test");
    p->labels = reader_labels(r);
    const struct mode *mode = find_mode(p->opt, p->labels);

    options_suit(p->opt, mode->name);
    if (mode->begin && mode->begin(p) < 0)
        die_err();
    if (writer_open(&w, common, KIND_PREDICTIONS, NULL, r) < 0)
        die_err();
    struct progress *progress = progress_open(common, "records", -1);

    if (predict(p, mode, stage, r, w, progress) < 0)
        die_err();
    progress_close(progress);
    add_digests(w, src);
    if (writer_commit(w) < 0)
        die_err();
    if (mode->end)
        mode->end(p);
    reader_close(r);
    for (int i = 0; i < MAX_ITEMS; i++) {
        record_free(stage->item[i].rec);
        free(stage->item[i].ids);
    }
    free(stage);
}

int main(int argc, char **argv)
{
    struct predict_options opt;
    const char *const *paths = options_parse(&opt, argc, argv);
    struct predictor p = { .opt = &opt };
    struct source src = { 0 };
    const struct ops *ops = ops_find(opt.common.device, (int)opt.common.threads);

    if (!ops || pack_open(&src.pack, opt.model) < 0 ||
        model_open(&p.model, src.pack, ops, dtype_of(opt.compute)) < 0)
        die_err();
    struct lora_set *lora = open_adapters(&src, p.model, &opt.adapters);

    open_tokenizer(&p, src.pack);
    run(&p, &src, paths);

    kv_cache_free(p.kv);
    free(p.logits);
    batch_free(&p.batch);
    tokenizer_scratch_free(p.scratch);
    tokenizer_close(p.tok);
    model_close(p.model);
    lora_free(lora);
    source_close(&src);
    return 0;
}
