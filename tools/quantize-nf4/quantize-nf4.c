/*
 * quantize-nf4 - quantise the linear weights of a model to NF4, as bitsandbytes does.
 *
 * Reads a model of Hugging Face's layout, writes one that transformers loads in 4 bits: the same
 * tensor names, codes and scales. Man page: quantize-nf4.1.
 */
#include "cli.h"
#include "dequantize.h"
#include "emit.h"
#include "err.h"
#include "output.h"
#include "quant_plan.h"
#include "progress.h"
#include "quant_report.h"
#include "selection.h"
#include "quant_source.h"
#include "threads.h"

#include <string.h>

struct options {
    const char *quant_type, *compat, *compute, *modules, *skip, *report, *verify;
    int64_t block;
    bool nested, dequantize, given_type, given_block;
};

static enum nest_compat compat_of(const char *name)
{
    if (!name || !strcmp(name, "cuda"))
        return NEST_CUDA;
    return strcmp(name, "midpoint") ? NEST_BNB_CPU : NEST_MIDPOINT;
}

/* An option that says nothing to --dequantize; NULL where none was given. */
static const char *about_quantising(const struct options *o)
{
    return o->modules       ? "--modules"
           : o->skip        ? "--skip-modules"
           : o->report      ? "--report"
           : o->nested      ? "--double-quant"
           : o->given_block ? "--blocksize"
           : o->given_type  ? "--quant-type"
                            : NULL;
}

static void check_options(const struct options *o, const struct cli_common *common)
{
    const bool to_stdout = !strcmp(common->output, "-");

    if (common->only.n || common->limit >= 0 || common->limit_per)
        die(EXIT_USAGE,
            "--only, --limit and --limit-per choose records; there are none in a model");
    if (o->compat && !o->nested)
        die(EXIT_USAGE, "--nested-compat is about --double-quant; give both or neither");
    if (o->block & (o->block - 1))
        die(EXIT_USAGE, "--blocksize %lld is not a power of two", (long long)o->block);
    if (o->dequantize && about_quantising(o))
        die(EXIT_USAGE, "%s is about quantising; leave it out with --dequantize",
            about_quantising(o));
    if (o->verify && o->dequantize)
        die(EXIT_USAGE, "--verify and --dequantize exclude each other");
    if (o->verify && !to_stdout)
        die(EXIT_USAGE, "--verify writes no model; leave --output out");
    if (o->report && !strcmp(o->report, "-") && to_stdout && !o->verify)
        die(EXIT_USAGE, "model and report cannot both go to standard output");
}

/* The weights behind what output_begin wrote; REPORT NULL: none is wanted. Both are on the disk
 * before the first gets its name, the report: a model that is there is all there is. */
static int write_weights(struct pack_writer *out, struct quant_plan *plan, struct report *report,
                         struct progress *progress)
{
    if (emit_file(plan, out, report, progress) == 0 && (!report || report_write(report) == 0) &&
        pack_sync(out) == 0 && (!report || report_commit(report) == 0))
        return pack_commit(out);
    pack_abort(out);
    return -1;
}

static int compare(struct quant_plan *plan, const char *path, struct report *report,
                   struct progress *progress)
{
    struct tensors *t = NULL;
    struct pack *made;
    int rc = -1;

    if (plan_scan(plan, progress) < 0 || pack_open(&made, path) < 0)
        return -1;
    if (tensors_open(&t, made, "model") == 0 && emit_compare(plan, t, report, progress) < 0)
        err_in("%s", path);
    else if (t)
        rc = report && (report_write(report) < 0 || report_commit(report) < 0) ? -1 : 0;
    tensors_close(t);
    pack_close(made);
    return rc;
}

/* The output is begun before the weights are read: a place where it cannot be is known at once. */
static int quantise(const struct quant_source *s, struct quant_plan *plan, struct report *report,
                    const struct options *o, const struct selection *chosen,
                    const struct cli_common *common)
{
    const char *const none = "";
    const struct quantization q = { o->compute ? o->compute : source_dtype(s), o->nested,
                                    !chosen->given      ? NULL
                                    : chosen->skipped.p ? chosen->skipped.p
                                                        : none };
    struct progress *progress = progress_open(common, "tensors", -1);
    struct pack_writer *out = NULL;
    int rc = -1;

    if (!o->verify && output_begin(&out, s, &q, NULL, common) < 0)
        goto done;
    if (plan_make(plan, s->tensors) < 0) {
        err_in("%s", pack_name(s->pack));
        pack_abort(out);
        goto done;
    }
    rc = o->verify ? compare(plan, o->verify, report, progress)
                   : write_weights(out, plan, report, progress);
done:
    progress_close(progress);
    return rc;
}

static int quantise_and_report(const struct quant_source *s, const struct ops *ops,
                               const struct options *o, const struct cli_common *common)
{
    struct selection chosen;
    struct report *report = NULL;
    int rc;

    if (selection_make(&chosen, s, o->modules, o->skip) < 0)
        return -1;
    struct quant_plan plan = {
        .ops = ops,
        .pack = s->pack,
        .opt = { .block = o->block,
                 .nested = o->nested,
                 .compat = compat_of(o->compat),
                 .quantised = chosen.quantised,
                 .widen = pack_is_gguf(s->pack) && !strcmp(source_dtype(s), "float32") },
    };

    rc = o->report ? report_open(&report, o->report, common->force) : 0;
    if (rc == 0)
        rc = quantise(s, &plan, report, o, &chosen, common);
    plan_free(&plan);
    selection_free(&chosen);
    report_free(report);
    return rc;
}

static int restore(const struct quant_source *s, const struct ops *ops, const char *dtype,
                   const struct cli_common *common)
{
    struct pack_writer *out;

    if (!dtype && pack_is_gguf(s->pack))
        dtype = source_dtype(s);
    if (output_begin(&out, s, NULL, dtype, common) < 0)
        return -1;
    if (dequantize(s->tensors, s->pack, out, ops, dtype) == 0)
        return pack_commit(out);
    pack_abort(out);
    return err_in("%s", pack_name(s->pack));
}

static int run(const char *path, const struct options *o, const struct cli_common *common)
{
    const struct ops *ops = ops_find(common->device, (int)common->threads, DT_F32, DT_F32);
    struct quant_source s;
    int rc;

    if (!ops || source_open(&s, path) < 0)
        return -1;
    if (ops->callers == 1)
        (void)threads_use(1); /* each computes a piece of its own */
    if (s.quantised && !o->dequantize)
        rc = err_set(EXIT_DATA,
                     "%s: config.json says that it is quantised already; use --dequantize first",
                     pack_name(s.pack));
    else if (!s.quantised && o->dequantize && !pack_is_gguf(s.pack))
        rc = err_set(EXIT_DATA,
                     "%s: config.json has no quantization_config; there is nothing to dequantize",
                     pack_name(s.pack));
    else
        rc = o->dequantize ? restore(&s, ops, o->compute, common)
                           : quantise_and_report(&s, ops, o, common);
    source_close(&s);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli_common common = CLI_COMMON_INIT;
    struct options o = { .quant_type = "nf4", .block = 64 };
    const struct cli_opt opts[] = {
        { 0, "quant-type", CLI_CHOICE, &o.quant_type, "nf4", .help = "what the codes stand for",
          .given = &o.given_type },
        { 0, "blocksize", CLI_INT, &o.block, "N",
          .help = "weights that share a scale, a power of two", .min = 32, .max = 4096,
          .given = &o.given_block },
        { 0, "double-quant", CLI_FLAG, &o.nested,
          .help = "quantise the scales too, to 8 bits in blocks of 256" },
        { 0, "nested-compat", CLI_CHOICE, &o.compat, "cuda|midpoint|bnb-cpu",
          .help = "which rule codes the scales under --double-quant; cuda if not given" },
        { 0, "compute-dtype", CLI_CHOICE, &o.compute, "float16|bfloat16|float32",
          .help = "for those who load the model; of the weights that --dequantize writes; the "
                  "model's own if not given" },
        { 0, "modules", CLI_TEXT, &o.modules, "NAMES",
          .help = "linears that are quantised, with commas; all if not given" },
        { 0, "skip-modules", CLI_TEXT, &o.skip, "NAMES",
          .help = "linears that stay as they are, with commas; lm_head always does" },
        { 0, "report", CLI_FILE, &o.report, "FILE",
          .help = "errors of every tensor as a table; - is standard output" },
        { 0, "dequantize", CLI_FLAG, &o.dequantize,
          .help = "the other way: a 4-bit model back to the type it had, a GGUF file to float32; "
                  "or to --compute-dtype" },
        { 0, "verify", CLI_FILE, &o.verify, "MODEL",
          .help = "compare with this quantised model instead of writing one" },
        { .type = CLI_END },
    };
    const struct cli cli = { "quantize-nf4",
                             "[options] -o OUTPUT MODEL",
                             "Quantises the linear weights of MODEL to NF4, as bitsandbytes does. "
                             "OUTPUT is DIR/, FILE.tar, or a .tar.zst.",
                             opts,
                             &common,
                             1 };

    const char *const *operand = cli_parse(argc, argv, &cli);

    check_options(&o, &common);
    if (run(operand[0] ? operand[0] : "-", &o, &common) < 0)
        die_err();
    return 0;
}
