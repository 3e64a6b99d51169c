#include "work.h"

#include "item.h"

#include <stdlib.h>
#include <string.h>

void worker_free(struct worker *me)
{
    tokenizer_scratch_free(me->scratch);
    buf_free(&me->text);
    free(me->ids);
}

/* What a record gives: TEXT is encoded; its first N_PROMPT bytes are the prompt where it has a
 * completion. OPEN: the text waits for a completion, so that no end belongs behind it. */
struct record_text {
    const char *text;
    size_t n, n_prompt;
    bool has_completion, open;
};

static int missing(const char *field)
{
    return err_set(EXIT_DATA, "there is no field '%s'; name another with --field", field);
}

/* The one field that is text, when it is not a prompt. */
static int get_text(const struct work *work, struct record *rec, struct record_text *s)
{
    const char *field = work->field ? work->field : "text";
    const int got = record_get_text(rec, field, &s->text, &s->n);

    if (got < 0)
        return -1;
    if (!got)
        return missing(work->field ? field : "prompt' or 'text");
    if (!work->field && record_find(rec, "completion"))
        return err_set(EXIT_DATA, "there is a 'completion' without a 'prompt'; name a --field");
    return 0;
}

static int get_source(const struct work *work, struct worker *me, struct record *rec,
                      struct record_text *s)
{
    const char *completion;
    size_t n;
    int got = work->field ? 0 : record_get_text(rec, "prompt", &s->text, &s->n);

    if (got <= 0)
        return got < 0 ? -1 : get_text(work, rec, s);
    got = record_get_text(rec, "completion", &completion, &n);
    if (got <= 0) {
        s->open = true;
        return got;
    }
    buf_clear(&me->text);
    buf_add(&me->text, s->text, s->n);
    buf_add(&me->text, completion, n);
    s->n_prompt = s->n;
    s->has_completion = true;
    s->text = me->text.p;
    s->n = me->text.n;
    return 0;
}

/* Appends IDS to the first N of ME; how many there are then in *N. */
static void put_ids(struct worker *me, const uint32_t *ids, size_t more, size_t *n)
{
    if (*n + more + 1 > me->ids_cap) { /* one more for --add-eos */
        me->ids_cap = 2 * (*n + more) + 1;
        me->ids = xnrealloc(me->ids, me->ids_cap, sizeof *me->ids);
    }
    if (more)
        memcpy(me->ids + *n, ids, more * sizeof *ids);
    *n += more;
}

/* Appends the ids of TEXT as put_ids does. */
static int add_ids(const struct work *work, struct worker *me, const char *text, size_t len,
                   size_t *n)
{
    const uint32_t *ids;
    size_t more;

    if (tokenizer_encode(work->tokenizer, me->scratch, text, len, &ids, &more) < 0)
        return -1;
    put_ids(me, ids, more, n);
    return 0;
}

/* The ids of S into ME, *N of them; *N_PROMPT of them are those of the prompt alone too. Only what
 * is behind the last place where the prompt can be cut depends on what follows it. */
static int encode_source(const struct work *work, struct worker *me, const struct record_text *s,
                         size_t *n, size_t *n_prompt)
{
    const size_t cut = s->has_completion ? tokenizer_cut(work->tokenizer, s->text, s->n_prompt) : 0;
    const uint32_t *alone;
    size_t head = 0, n_alone, same = 0;

    put_ids(me, work->before.ids, work->before.n, &head);
    if (add_ids(work, me, s->text, cut, &head) < 0)
        return -1;
    *n = head;
    if (add_ids(work, me, s->text + cut, s->n - cut, n) < 0)
        return -1;
    if (!s->has_completion) {
        put_ids(me, work->after.ids, work->after.n, n);
        return 0;
    }
    if (tokenizer_encode(work->tokenizer, me->scratch, s->text + cut, s->n_prompt - cut, &alone,
                         &n_alone) < 0)
        return -1;
    while (same < n_alone && head + same < *n && alone[same] == me->ids[head + same])
        same++;
    *n_prompt = head + same;
    put_ids(me, work->after.ids, work->after.n, n);
    return 0;
}

/* What becomes of a record: ids IDS[SKIP .. SKIP + N), of which N_PROMPT are prompt. */
struct outcome {
    size_t skip, n, n_prompt;
};

/* Cuts it to --max-length. */
static int limit(const struct work *work, struct outcome *o, struct done *done)
{
    const size_t max = (size_t)work->max_length;

    if (work->max_length < 0 || o->n <= max)
        return 0;
    if (work->truncation == TRUNCATE_ERROR)
        return err_set(
            EXIT_DATA,
            "%zu ids are more than --max-length %zu; raise it or say --truncation right or left",
            o->n, max);
    if (work->truncation == TRUNCATE_LEFT)
        o->skip = o->n - max;
    o->n = max;
    o->n_prompt = o->n_prompt > o->skip ? o->n_prompt - o->skip : 0;
    if (o->n_prompt > max)
        o->n_prompt = max;
    done->cut = true;
    return 0;
}

static int count(const struct work *work, struct worker *me, const struct record_text *s,
                 struct done *done)
{
    struct outcome o = { 0 };

    if (tokenizer_count(work->tokenizer, me->scratch, s->text, s->n, &o.n) < 0)
        return -1;
    o.n += work->before.n + work->after.n + (work->add_eos && !s->open);
    if (limit(work, &o, done) < 0)
        return -1;
    done->n_ids = o.n;
    return 0;
}

/* How many ids are wanted at most of a text of that many BYTES: those that are kept, or for which a
 * record has room beside it. */
static size_t most_ids(const struct work *work, size_t bytes, bool wide)
{
    const size_t left = bytes < ITEM_BYTES_MAX ? ITEM_BYTES_MAX - bytes : 0;

    if (work->truncation == TRUNCATE_LEFT)
        return SIZE_MAX;
    if (work->truncation == TRUNCATE_RIGHT)
        return (size_t)work->max_length;
    return left / (wide ? sizeof(uint32_t) : sizeof(uint16_t));
}

static int encode(const struct work *work, struct worker *me, struct record *rec, struct done *done)
{
    const bool wide = tokenizer_vocab_size(work->tokenizer) > 65536;
    struct record_text s = { 0 };
    struct outcome o = { 0 };

    if (get_source(work, me, rec, &s) < 0)
        return -1;
    if (work->count)
        return count(work, me, &s, done);
    const size_t most = most_ids(work, s.n, wide);

    tokenizer_limit(me->scratch, most);
    if (encode_source(work, me, &s, &o.n, &o.n_prompt) < 0)
        return -1;
    if (o.n > most && work->truncation == TRUNCATE_ERROR)
        return err_set(EXIT_DATA, "more than %zu ids, for which no record has room; split the text",
                       most);
    if (work->add_eos && !s.open)
        me->ids[o.n++] = (uint32_t)tokenizer_eos(work->tokenizer);
    if (limit(work, &o, done) < 0)
        return -1;
    record_set_ids(rec, "ids", me->ids + o.skip, o.n, wide);
    if (s.has_completion)
        record_set_uint(rec, "n_prompt", o.n_prompt);
    done->n_ids = o.n;
    return 0;
}

static int decode(const struct work *work, struct worker *me, struct record *rec, struct done *done)
{
    const char *field = work->field ? work->field : "ids";
    const uint32_t *ids;
    size_t n;
    const int got = record_get_ids(rec, field, &ids, &n);

    if (got <= 0)
        return got < 0 ? -1 : missing(field);
    buf_clear(&me->text);
    tokenizer_decode(work->tokenizer, ids, n, false, &me->text);
    for (size_t i = 0, len; i < n; i++)
        done->n_void += !tokenizer_token(work->tokenizer, ids[i], &len);
    record_set_text(rec, "text", me->text.n ? me->text.p : "", me->text.n);
    done->n_ids = n;
    return 0;
}

int work_record(const struct work *work, struct worker *me, struct record *rec, struct done *done)
{
    *done = (struct done){ 0 };
    if (!me->scratch)
        me->scratch = tokenizer_scratch_new();
    return work->decode ? decode(work, me, rec, done) : encode(work, me, rec, done);
}
