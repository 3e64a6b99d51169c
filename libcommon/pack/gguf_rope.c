#include "gguf_model.h"

#include "json.h"

#include <math.h>
#include <string.h>

static const char advice[] = "use the folder with safetensors that the file was made from";

static void put_number(struct buf *b, const char *key, float v)
{
    buf_printf(b, ", \"%s\": ", key);
    json_put_float(b, v);
}

static void put_type(struct buf *b, const char *type)
{
    buf_printf(b, "{\"rope_type\": \"%s\", \"type\": \"%s\"", type, type);
}

/* The values of a tensor of factors, one for each rotary pair. */
static int factors_of(const struct gguf_model *m, const char *name, struct gguf_value *v)
{
    const struct gguf_tensor *t = gguf_tensor(m->g, name);

    if (!t)
        return 0;
    if (t->dtype != DT_F32 || t->n != m->rot / 2)
        return err_set(EXIT_DATA, "tensor '%s' is %s of %lld values, not F32 of %lld", name,
                       dtype_name(t->dtype), (long long)t->n, (long long)m->rot / 2);
    *v = (struct gguf_value){ .type = GGUF_F32, .array = true, .n = (uint64_t)t->n, .p = t->data };
    for (uint64_t i = 0; i < v->n; i++)
        if (!(gguf_f32_at(v, i) > 0 && isfinite(gguf_f32_at(v, i))))
            return err_set(EXIT_DATA, "tensor '%s' has a value that is no positive number", name);
    return 1;
}

/* ---- llama3: the converter keeps the quotients alone ---- */

/* The factor of the pair that turns through WAVE positions, with Llama 3's other settings. */
static double llama3_factor(double wave, double factor, double original)
{
    const double low = 1, high = 4;

    if (wave < original / high)
        return 1;
    if (wave > original / low)
        return factor;
    const double smooth = (original / wave - low) / (high - low);

    return 1 / ((1 - smooth) / factor + smooth);
}

static bool fits_llama3(const struct gguf_model *m, const struct gguf_value *v, double factor,
                        double original)
{
    for (uint64_t i = 0; i < v->n; i++) {
        const double wave =
            2 * acos(-1) * pow((double)m->rope_theta, 2 * (double)i / (double)m->rot);
        const double want = llama3_factor(wave, factor, original), got = gguf_f32_at(v, i);

        if (fabs(got - want) > 2e-4 * want)
            return false;
    }
    return true;
}

/* Lengths that models were first trained on are powers of two; the other settings are the same in
 * all that there are. */
static int put_llama3(const struct gguf_model *m, const struct gguf_value *v, struct buf *b)
{
    const float factor = gguf_f32_at(v, v->n - 1);

    for (int bit = 4; bit <= 26; bit++) {
        if (!fits_llama3(m, v, factor, 1 << bit))
            continue;
        put_type(b, "llama3");
        put_number(b, "factor", factor);
        put_number(b, "low_freq_factor", 1);
        put_number(b, "high_freq_factor", 4);
        buf_printf(b, ", \"original_max_position_embeddings\": %d}", 1 << bit);
        return 0;
    }
    return err_set(EXIT_NODEVICE,
                   "'rope_freqs.weight' is not as Llama 3 scales its rotary angles; "
                   "%s",
                   advice);
}

/* ---- longrope: a factor for each pair, for short and for long texts ---- */

static void put_factors(struct buf *b, const char *key, const struct gguf_value *v)
{
    buf_printf(b, ", \"%s\": [", key);
    for (uint64_t i = 0; i < v->n; i++) {
        buf_puts(b, i ? ", " : "");
        json_put_float(b, gguf_f32_at(v, i));
    }
    buf_putc(b, ']');
}

/* Hugging Face computes the attention's factor from the two lengths; another one is said. */
static int put_attention_factor(const struct gguf_model *m, struct buf *b)
{
    int64_t original = m->positions;
    float got;

    if (gguf_int(m->g, GGUF_KEY(m, "rope.scaling.original_context_length"), &original, 1,
                 m->positions) < 0)
        return -1;
    const double scale = (double)m->positions / (double)original;
    const double usual = scale <= 1 ? 1 : sqrt(1 + log(scale) / log((double)original));
    const int given = gguf_float(m->g, GGUF_KEY(m, "rope.scaling.attn_factor"), &got);

    if (given > 0 && fabs(got - usual) > 1e-5)
        put_number(b, "attention_factor", got);
    return given < 0 ? -1 : 0;
}

static int put_longrope(const struct gguf_model *m, const struct gguf_value *shorter,
                        const struct gguf_value *longer, struct buf *b)
{
    put_type(b, "longrope");
    put_factors(b, "short_factor", shorter);
    put_factors(b, "long_factor", longer);
    if (put_attention_factor(m, b) < 0)
        return -1;
    buf_putc(b, '}');
    return 0;
}

/* ---- by the name of the kind ---- */

static int put_yarn(const struct gguf_model *m, float factor, struct buf *b)
{
    static const char *const keys[][2] = {
        { "rope.scaling.attn_factor", "attention_factor" },
        { "rope.scaling.yarn_beta_fast", "beta_fast" },
        { "rope.scaling.yarn_beta_slow", "beta_slow" },
    };
    int64_t original = 0;
    float v;

    put_type(b, "yarn");
    put_number(b, "factor", factor);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const int got = gguf_float(m->g, GGUF_KEY(m, keys[i][0]), &v);

        if (got < 0)
            return -1;
        if (got)
            put_number(b, keys[i][1], v);
    }
    if (gguf_int(m->g, GGUF_KEY(m, "rope.scaling.original_context_length"), &original, 1,
                 INT32_MAX) < 0)
        return -1;
    if (original)
        buf_printf(b, ", \"original_max_position_embeddings\": %lld", (long long)original);
    buf_putc(b, '}');
    return 0;
}

static int put_kind(const struct gguf_model *m, const char *kind, size_t n, float factor,
                    struct buf *b)
{
    if (text_is(kind, n, "yarn"))
        return put_yarn(m, factor, b);
    if (text_is(kind, n, "linear")) {
        if (factor == 1)
            return 0;
        put_type(b, "linear");
        put_number(b, "factor", factor);
        buf_putc(b, '}');
        return 0;
    }
    return text_is(kind, n, "none")
               ? 0
               : err_set(EXIT_NODEVICE, "'%s.rope.scaling.type' '%.*s' is not supported; %s",
                         m->arch->name, (int)(n < 64 ? n : 64), kind, advice);
}

/* By keys alone; old files have a factor without a kind. */
static int put_by_keys(const struct gguf_model *m, struct buf *b)
{
    const char *kind = "linear";
    size_t n = 6;
    float factor = 1;
    const int old = gguf_float(m->g, GGUF_KEY(m, "rope.scale_linear"), &factor);
    const int given = old < 0 ? -1 : gguf_float(m->g, GGUF_KEY(m, "rope.scaling.factor"), &factor);
    const int named = given < 0 ? -1 : gguf_text(m->g, GGUF_KEY(m, "rope.scaling.type"), &kind, &n);

    if (named < 0)
        return -1;
    if (factor < 1)
        return err_set(EXIT_DATA, "'%s.rope.scaling.factor' is %g", m->arch->name, (double)factor);
    return put_kind(m, kind, n, factor, b);
}

int gguf_put_rope_scaling(const struct gguf_model *m, struct buf *b)
{
    struct gguf_value all, shorter, longer;
    const int one = factors_of(m, "rope_freqs.weight", &all);
    const int low = factors_of(m, "rope_factors_short.weight", &shorter);
    const int high = factors_of(m, "rope_factors_long.weight", &longer);

    if (one < 0 || low < 0 || high < 0)
        return -1;
    if (low != high || (one && low) || (one && m->arch->bit != GGUF_LLAMA) ||
        (low && m->arch->bit != GGUF_PHI3))
        return err_set(
            EXIT_NODEVICE,
            "rotary factors in tensors are not supported so in the architecture '%s'; %s",
            m->arch->name, advice);
    return one   ? put_llama3(m, &all, b)
           : low ? put_longrope(m, &shorter, &longer, b)
                 : put_by_keys(m, b);
}
