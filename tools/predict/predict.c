/*
 * predict - what a model says about prompts: a label, a text, a loss or its logits.
 *
 * Opens the model with its adapters and the stream, and chooses the mode; window.c leads the
 * records through it. Man page: predict.1.
 */
#include "predict.h"

#include "chain.h"
#include "cli.h"
#include "digests.h"
#include "fit.h"
#include "json.h"
#include "files/adapter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct origin {         /* what the predictions come from */
    struct pack **pack; /* the model, then its adapters */
    double *scale;      /* (n) of each adapter; the first is not used */
    char **what;        /* (n) of the end map */
    struct buf *chain;  /* (n) how each adapter was made; empty: it does not say */
    int n;
    struct digests *digests;
};

static const struct mode *const modes[] = { &mode_labels, &mode_generate, &mode_loss,
                                            &mode_logits };

/* ---- models ---- */

/* "ADAPTER=0.5" in its parts: PATH is copied. A tail that is no number belongs to the path, and so
 * does any where that is there. */
static int split_scale(const char *arg, char **path, double *scale)
{
    const char *equals = strrchr(arg, '=');
    char *end = NULL;
    const double said = equals ? strtod(equals + 1, &end) : 1;
    const bool number = equals && end != equals + 1 && *end == '\0' && access(arg, F_OK) != 0;

    if (number && !isfinite(said))
        return err_set(EXIT_USAGE, "--adapter %s: the scale '%s' is not a finite number", arg,
                       equals + 1);
    *path = number ? xstrndup(arg, (size_t)(equals - arg)) : xstrdup(arg);
    *scale = number ? said : 1;
    return 0;
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

static int origin_open(struct origin *src, const char *model, const struct cli_list *adapters)
{
    src->pack = xnmalloc((size_t)adapters->n + 1, sizeof(struct pack *));
    src->scale = xnmalloc((size_t)adapters->n + 1, sizeof *src->scale);
    src->what = xnmalloc((size_t)adapters->n + 1, sizeof *src->what);
    src->chain = xcalloc((size_t)adapters->n + 1, sizeof *src->chain);
    src->what[0] = xstrdup("model");
    if (pack_open(&src->pack[0], model) < 0)
        return -1;
    for (src->n = 1; src->n <= adapters->n; src->n++) {
        char *path = NULL;

        if (split_scale(adapters->v[src->n - 1], &path, &src->scale[src->n]) < 0)
            return -1;
        src->what[src->n] = adapter_input(src->scale[src->n]);
        if (pack_open(&src->pack[src->n], path) < 0)
            return -1;
        free(path);
    }
    return 0;
}

/* The adapters as one set that MODEL goes through, or NULL without adapters. */
static struct lora_set *load_adapters(const struct origin *src, struct model *model,
                                      const struct predict_options *o)
{
    const unsigned how =
        (o->partial_adapter ? LORA_PARTIAL : 0) | (o->trust_adapter ? LORA_ANY_BASE : 0);
    const int n = src->n - 1;
    struct lora_set **set = xnmalloc((size_t)n, sizeof *set), *joined = NULL;

    for (int i = 0; i < n; i++)
        if (lora_load(&set[i], model_weights(model), src->pack[i + 1], how) < 0)
            die_err();
    if (n == 1 && src->scale[1] == 1) {
        joined = set[0];
    } else if (n > 0) {
        if (lora_join(&joined, set, src->scale + 1, n) < 0)
            die_err();
        for (int i = 0; i < n; i++)
            lora_free(set[i]);
    }
    free(set);
    if (joined)
        model_use_lora(model, joined);
    return joined;
}

static int read_chain(struct buf *chain, const struct pack *adapter)
{
    char *json = NULL;
    const int has = lora_chain(&json, adapter);
    const int rc = has > 0 ? chain_parse(chain, json) : has;

    free(json);
    return rc < 0 && has > 0 ? err_in("%s", pack_name(adapter)) : rc;
}

static void read_chains(const struct origin *src)
{
    for (int i = 1; i < src->n; i++)
        if (read_chain(&src->chain[i], src->pack[i]) < 0)
            die_err();
}

static void warn_of_prompts(const struct origin *src, const struct reader *r)
{
    for (int i = 1; i < src->n; i++)
        if (src->chain[i].n > 0 && fit_warn(pack_name(src->pack[i]), &src->chain[i], r) < 0)
            die_err();
}

static void origin_close(struct origin *src)
{
    digests_free(src->digests);
    for (int i = 0; i < src->n; i++) {
        pack_close(src->pack[i]);
        buf_free(&src->chain[i]);
        free(src->what[i]);
    }
    free(src->pack);
    free(src->scale);
    free(src->what);
    free(src->chain);
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

/* ---- main ---- */

static const struct mode *find_mode(const struct predict_options *opt, const struct labels *labels)
{
    const char *by_header = opt->preset || labels->n == 0 ? "generate" : "labels";
    size_t i = 0;

    while (strcmp(modes[i]->name, opt->mode ? opt->mode : by_header) != 0)
        i++;
    return modes[i];
}

/* Digests are compared where both are known. */
static int check_tokens(const struct predictor *p, const struct reader *r)
{
    uint8_t digest[SHA256_BYTES];

    return p->opt->trust_tokens || !tokenizer_digest_in(model_pack(p->model), digest)
               ? 0
               : reader_check_tokenizer(r, digest);
}

static bool all_files(const char *const *paths)
{
    struct stat st;

    for (; *paths; paths++)
        if (stat(*paths, &st) < 0 || !S_ISREG(st.st_mode))
            return false;
    return true;
}

/* How many records there will be, for the time that is left; -1 where nobody looks or nobody can
 * tell. Counting them takes no time beside what is done with them. */
static int64_t records_to_come(const struct predict_options *o, const char *const *paths)
{
    struct reader *r;
    struct record *rec;
    int64_t n = 0;
    int got;

    if (!progress_wanted(&o->common) || !*paths || !all_files(paths) ||
        reader_open(&r, paths, KIND_TOKENS | KIND_PREDICTIONS, &o->common) < 0)
        return o->common.limit;
    reader_default_only(r, "split", "test");
    err_set_talk(0); /* what there is to be warned of is said when the records are used */
    while ((got = reader_next(r, &rec)) > 0)
        n++;
    err_set_talk(o->common.verbose ? 2 : !o->common.quiet);
    reader_close(r);
    return got < 0 ? -1 : n;
}

static void run(struct predictor *p, const struct origin *src, const char *const *paths)
{
    const struct cli_common *common = &p->opt->common;
    struct reader *r;
    struct writer *w;

    if (reader_open(&r, paths, KIND_TOKENS | KIND_PREDICTIONS, common) < 0 ||
        check_tokens(p, r) < 0)
        die_err();
    reader_default_only(r, "split", "test");
    p->labels = reader_labels(r);
    const struct mode *mode = find_mode(p->opt, p->labels);

    options_suit(p->opt, mode->name);
    if ((p->opt->preset && labels_check_seed(p->labels, reader_name(r)) < 0) ||
        (mode->begin && mode->begin(p) < 0) || predict_reserve(p, mode) < 0)
        die_err();
    warn_of_prompts(src, r);
    const struct stream_entry says = { .chain = src->chain + 1, .adapters = src->n - 1 };

    if (writer_open(&w, common, KIND_PREDICTIONS, NULL, r, &says) < 0)
        die_err();
    p->progress = progress_open(common, "records", records_to_come(p->opt, paths));
    if (window_run(p, mode, r, w) < 0)
        die_err();
    model_note_passes(p->model);
    progress_close(p->progress);
    for (int i = 0; i < src->n; i++)
        writer_input(w, src->what[i], digests_at(src->digests, i));
    if (writer_commit(w) < 0)
        die_err();
    if (mode->end)
        mode->end(p);
    reader_close(r);
}

int main(int argc, char **argv)
{
    struct predict_options opt;

    const char *const *paths = options_parse(&opt, argc, argv);
    struct predictor p = { .opt = &opt };
    struct origin src = { 0 };
    /* f32 between products: what is said is as near to float32 as their operands let it */
    const enum dtype compute = dtype_of_compute(opt.compute);
    const struct ops *ops = ops_find(opt.common.device, (int)opt.common.threads, compute, DT_F32);

    if (!ops || origin_open(&src, opt.model, &opt.adapters) < 0 ||
        model_open(&p.model, src.pack[0], ops, compute) < 0)
        die_err();
    struct lora_set *lora = load_adapters(&src, p.model, &opt);

    read_chains(&src);
    p.prompts.model = p.model;
    open_tokenizer(&p, src.pack[0]);
    src.digests = digests_new(src.pack, src.n, opt.common.threads);
    run(&p, &src, paths);

    prompts_free(&p.prompts);
    free(p.said.best);
    free(p.said.logp);
    batch_free(&p.batch);
    tokenizer_scratch_free(p.scratch);
    tokenizer_close(p.tok);
    model_close(p.model);
    lora_free(lora);
    origin_close(&src);
    return 0;
}
