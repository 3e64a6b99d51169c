/*
 * quantize-nf4 - quantise the linear weights of a model to NF4, as bitsandbytes does.
 *
 * Reads a model of Hugging Face's layout, writes one that transformers loads in 4 bits: the same
 * tensor names, codes and scales. Man page: quantize-nf4.1.
 */
#include "cli.h"
#include "config_edit.h"
#include "dequantize.h"
#include "emit.h"
#include "err.h"
#include "json.h"
#include "mem.h"
#include "model/config.h"
#include "plan.h"
#include "progress.h"
#include "report.h"

#include <string.h>

struct options {
    const char *quant_type, *compat, *compute, *skip, *report, *verify;
    int64_t block;
    bool nested, dequantize;
};

static enum nest_compat compat_of(const char *name)
{
    if (!strcmp(name, "cuda"))
        return NEST_CUDA;
    return strcmp(name, "midpoint") ? NEST_BNB_CPU : NEST_MIDPOINT;
}

static void check_options(const struct options *o, const struct cli_common *common)
{
    const bool to_stdout = !strcmp(common->output, "-");

    if (strcmp(o->quant_type, "nf4"))
        die(EXIT_NODEVICE, "--quant-type %s is not there yet; use nf4", o->quant_type);
    if (o->block & (o->block - 1))
        die(EXIT_USAGE, "--blocksize %lld is not a power of two", (long long)o->block);
    if (o->verify && o->dequantize)
        die(EXIT_USAGE, "--verify and --dequantize exclude each other");
    if (o->verify && !to_stdout)
        die(EXIT_USAGE, "--verify writes no model; leave --output out");
    if (o->report && o->dequantize)
        die(EXIT_USAGE, "--report is about quantising; leave it out with --dequantize");
    if (o->report && !strcmp(o->report, "-") && to_stdout && !o->verify)
        die(EXIT_USAGE, "model and report cannot both go to standard output");
}

/* ---- config.json ---- */

static int find_config(const struct pack *p, const struct pack_file **f, cJSON **json)
{
    *f = pack_find(p, "config.json");
    if (!*f)
        return err_set(EXIT_NOINPUT, "%s: there is no config.json in it", pack_name(p));
    *json = json_parse((const char *)(*f)->data, (*f)->size);
    if (*json && !cJSON_IsObject(*json)) {
        cJSON_Delete(*json);
        *json = NULL;
        err_set(EXIT_DATA, "not a JSON object");
    }
    return *json ? 0 : err_in("%s: config.json", pack_name(p));
}

/* Sizes and features are checked for the architectures that the engine knows; what it does not know
 * is no reason not to quantise. */
static int check_config(const struct pack *p)
{
    struct config c;

    return config_load(&c, p) < 0 && err_code() != EXIT_NODEVICE ? -1 : 0;
}

static const char *own_dtype(const cJSON *config)
{
    const char *name = "float32";

    if (json_text(config, "dtype", &name) == 0)
        (void)!json_text(config, "torch_dtype", &name);
    return name;
}

static void put_skipped(struct buf *b, const char *names)
{
    bool head = false;

    if (!names) {
        buf_puts(b, "null");
        return;
    }
    buf_putc(b, '[');
    for (size_t n; n = strcspn(names, ","), *names; names += n + (names[n] == ',')) {
        json_put_text(b, names, n);
        buf_puts(b, ", ");
        head |= n == 7 && !memcmp(names, "lm_head", n);
    }
    if (head)
        b->n -= 2;
    else
        buf_puts(b, "\"lm_head\"");
    buf_putc(b, ']');
}

static void put_quantization(struct buf *b, const struct options *o, const cJSON *config)
{
    buf_printf(
        b,
        "{\"_load_in_4bit\": true, \"_load_in_8bit\": false, \"bnb_4bit_compute_dtype\": \"%s\", ",
        o->compute ? o->compute : own_dtype(config));
    buf_printf(b,
               "\"bnb_4bit_quant_storage\": \"uint8\", \"bnb_4bit_quant_type\": \"nf4\", "
               "\"bnb_4bit_use_double_quant\": %s, ",
               o->nested ? "true" : "false");
    buf_puts(b, "\"llm_int8_enable_fp32_cpu_offload\": false, \"llm_int8_has_fp16_weight\": false, "
                "\"llm_int8_skip_modules\": ");
    put_skipped(b, o->skip);
    buf_puts(b, ", \"llm_int8_threshold\": 6.0, \"load_in_4bit\": true, \"load_in_8bit\": false, "
                "\"quant_method\": \"bitsandbytes\"}");
}

static int put_config(struct pack_writer *out, const struct pack *from, const char *quantization)
{
    const struct pack_file *f = pack_find(from, "config.json");
    struct buf text = BUF_INIT;

    config_put_quantization(&text, (const char *)f->data, f->size, quantization);
    const int rc = pack_put(out, f->name, text.p, text.n);

    buf_free(&text);
    return rc;
}

/* ---- the other files ---- */

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

/* Weights, in this form or another: what is written replaces them all. */
static bool is_weights(const char *name)
{
    static const char *const ends[] = { ".safetensors", ".safetensors.index.json",
                                        ".bin",         ".bin.index.json",
                                        ".pt",          ".pth",
                                        ".ckpt",        ".pkl",
                                        ".gguf",        ".h5",
                                        ".msgpack",     ".onnx" };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(name, ends[i]))
            return true;
    return false;
}

static int copy_others(struct pack_writer *out, const struct pack *from)
{
    for (int i = 0; i < pack_count(from); i++) {
        const struct pack_file *f = pack_at(from, i);

        if (strcmp(f->name, "config.json") && !is_weights(f->name) &&
            pack_put(out, f->name, f->data, f->size) < 0)
            return -1;
    }
    return 0;
}

/* ---- the ways through ---- */

static int write_quantised(const struct pack *from, const cJSON *config, struct plan *plan,
                           struct report *report, const struct options *o,
                           const struct cli_common *common, struct progress *progress)
{
    struct buf quantization = BUF_INIT;
    struct pack_writer *out;
    int rc = pack_create(&out, common->output, common->force, (int)common->level);

    if (rc < 0)
        return rc;
    put_quantization(&quantization, o, config);
    rc = put_config(out, from, quantization.p);
    if (!rc)
        rc = copy_others(out, from);
    if (!rc)
        rc = emit_file(plan, out, report, progress);
    buf_free(&quantization);
    if (!rc)
        return pack_commit(out);
    pack_abort(out);
    return rc;
}

static int verify(struct plan *plan, struct report *report, const char *path,
                  struct progress *progress)
{
    struct pack *made;
    struct tensors *t;
    int rc = pack_open(&made, path);

    if (rc < 0)
        return rc;
    rc = tensors_open(&t, made, "model");
    if (!rc) {
        rc = emit_compare(plan, t, report, progress);
        if (rc < 0)
            err_in("%s", path);
        tensors_close(t);
    }
    pack_close(made);
    return rc;
}

static int quantise(const struct pack *from, const struct tensors *t, const cJSON *config,
                    const struct options *o, const struct ops *ops, const struct cli_common *common)
{
    const struct nf4_options opt = { o->block, o->nested, compat_of(o->compat), o->skip };
    struct progress *progress = progress_open(common, "tensors", -1);
    struct report *report = NULL;
    struct plan plan;
    int rc = plan_make(&plan, t, &opt, ops, progress);

    if (rc < 0)
        err_in("%s", pack_name(from));
    if (!rc && o->report)
        rc = report_open(&report, o->report, common->force);
    if (!rc)
        rc = o->verify ? verify(&plan, report, o->verify, progress)
                       : write_quantised(from, config, &plan, report, o, common, progress);
    progress_close(progress);
    plan_free(&plan);
    if (!rc && report)
        return report_commit(report);
    report_abort(report);
    return rc;
}

static int restore(const struct pack *from, struct tensors *t, const struct ops *ops,
                   const struct cli_common *common)
{
    struct pack_writer *out;
    int rc = pack_create(&out, common->output, common->force, (int)common->level);

    if (rc < 0)
        return rc;
    rc = put_config(out, from, NULL);
    if (!rc)
        rc = copy_others(out, from);
    if (!rc)
        rc = dequantize(t, out, ops);
    if (!rc)
        return pack_commit(out);
    pack_abort(out);
    return rc;
}

static int run(const char *path, const struct options *o, const struct cli_common *common)
{
    const struct ops *ops = ops_find(common->device, (int)common->threads);
    const struct pack_file *config_file;
    struct tensors *t = NULL;
    cJSON *config = NULL;
    struct pack *from;
    int rc = -1;

    if (!ops || pack_open(&from, path) < 0)
        return -1;
    if (find_config(from, &config_file, &config) < 0 || check_config(from) < 0 ||
        tensors_open(&t, from, "model") < 0)
        goto done;
    const cJSON *q = cJSON_GetObjectItemCaseSensitive(config, "quantization_config");
    const bool quantised = q && !cJSON_IsNull(q);

    if (quantised != o->dequantize)
        err_set(EXIT_DATA,
                quantised
                    ? "%s: config.json says that it is quantised already; use --dequantize first"
                    : "%s: config.json has no quantization_config; there is nothing to dequantize",
                path);
    else if (o->dequantize)
        rc = restore(from, t, ops, common);
    else
        rc = quantise(from, t, config, o, ops, common);
done:
    tensors_close(t);
    cJSON_Delete(config);
    pack_close(from);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli_common common = CLI_COMMON_INIT;
    struct options o = { .quant_type = "nf4", .compat = "cuda", .block = 64 };
    const struct cli_opt opts[] = {
        { 0, "quant-type", CLI_CHOICE, &o.quant_type, "nf4|fp4",
          .help = "only nf4 is there so far" },
        { 0, "blocksize", CLI_INT, &o.block, "N",
          .help = "weights that share a scale, a power of two", .min = 32, .max = 4096 },
        { 0, "double-quant", CLI_FLAG, &o.nested,
          .help = "quantise the scales too, to 8 bits in blocks of 256" },
        { 0, "nested-compat", CLI_CHOICE, &o.compat, "cuda|midpoint|bnb-cpu",
          .help = "which rule codes the scales under --double-quant" },
        { 0, "compute-dtype", CLI_CHOICE, &o.compute, "float16|bfloat16|float32",
          .help = "for those who load the model; the model's own if not given" },
        { 0, "skip-modules", CLI_TEXT, &o.skip, "NAMES",
          .help = "linears that stay as they are, with commas; lm_head always does" },
        { 0, "report", CLI_FILE, &o.report, "FILE",
          .help = "errors of every tensor as a table; - is standard output" },
        { 0, "dequantize", CLI_FLAG, &o.dequantize,
          .help = "the other way: a 4-bit model back to the type it had" },
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
                             0,
                             1 };
    const char *const *operand = cli_parse(argc, argv, &cli);

    check_options(&o, &common);
    if (run(operand[0] ? operand[0] : "-", &o, &common) < 0)
        die_err();
    return 0;
}
