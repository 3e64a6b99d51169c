#include "emit.h"

#include "mem.h"
#include "nf4_code.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float code_values[16] = NF4_VALUES;

/* What stands in the file under the tensor's name and what stands beside it. */
enum kind { WEIGHT, ABSMAX, QUANT_MAP, QUANT_STATE, NESTED_ABSMAX, NESTED_MAP };

static const char *const suffixes[] = {
    "",
    ".absmax",
    ".quant_map",
    ".quant_state.bitsandbytes__nf4",
    ".nested_absmax",
    ".nested_quant_map",
};

struct part {
    const struct item *item;
    enum kind kind;
    char *name;
    enum dtype dtype;
    int rank;
    int64_t shape[TENSOR_RANK_MAX];
};

/* Where parts go: into a file, or beside the bytes they should equal. */
struct emitter {
    struct plan *plan;
    struct part *part;
    int n;
    struct tensors_writer *writer; /* NULL: compare */
    const struct tensor *made;     /* the tensor compared with ... */
    size_t at;                     /* ... and how much of it was */
    struct report *report;
    struct progress *progress;
};

static int put(struct emitter *e, const void *bytes, size_t n)
{
    if (e->writer)
        return tensors_write_data(e->writer, bytes, n);
    if (memcmp(e->made->data + e->at, bytes, n) != 0)
        return err_set(EXIT_UNMET, "tensor '%s' differs", e->made->name);
    e->at += n;
    return 0;
}

static void add_part(struct emitter *e, const struct item *it, enum kind kind, enum dtype dtype,
                     int64_t n)
{
    struct buf name = BUF_INIT;
    struct part *p;

    buf_printf(&name, "%s%s", it->t->name, suffixes[kind]);
    e->part = xnrealloc(e->part, (size_t)e->n + 1, sizeof *e->part);
    p = &e->part[e->n++];
    *p = (struct part){ it, kind, name.p, dtype, 1, { n } };
    if (it->quantised && kind == WEIGHT) {
        p->rank = 2; /* bitsandbytes keeps its codes as a column */
        p->shape[1] = 1;
    } else if (kind == WEIGHT) {
        p->rank = it->t->rank;
        memcpy(p->shape, it->t->shape, sizeof p->shape);
    }
}

static void add_parts(struct emitter *e, const struct item *it)
{
    const bool nested = e->plan->opt.nested;

    if (!it->quantised) {
        add_part(e, it, WEIGHT, it->t->dtype, it->t->n);
        return;
    }
    add_part(e, it, WEIGHT, DT_U8, (it->t->n + 1) / 2);
    add_part(e, it, ABSMAX, nested ? DT_U8 : DT_F32, it->blocks);
    add_part(e, it, QUANT_MAP, DT_F32, 16);
    add_part(e, it, QUANT_STATE, DT_U8, (int64_t)strlen(it->state));
    if (nested) {
        add_part(e, it, NESTED_ABSMAX, DT_F32, (it->blocks + NEST_BLOCK - 1) / NEST_BLOCK);
        add_part(e, it, NESTED_MAP, DT_F32, NEST_MAP);
    }
}

/* The first thing that went wrong: its line belongs to the thread that met it. */
struct failure {
    int code; /* 0: none */
    char line[1024];
};

static void note_failure(struct failure *f)
{
    f->code = err_code();
    (void)snprintf(f->line, sizeof f->line, "%s", err_text());
}

/* Each thread computes a piece and waits for its turn to write it: meanwhile the others compute. */
static int put_codes(struct emitter *e, const struct item *it)
{
    const int64_t size = it->t->n;
    struct report_sums sums = { 0 };
    struct failure bad = { 0 };

#pragma omp parallel for ordered schedule(static, 1)
    for (int64_t from = 0; from < size; from += PIECE) {
        const struct room *room = &e->plan->room[omp_get_thread_num()];
        const int64_t n = size - from < PIECE ? size - from : PIECE;
        int rc = plan_codes(e->plan, room, it, from, n);

#pragma omp ordered
        if (!bad.code) {
            rc = rc < 0 ? rc : put(e, room->host, (size_t)(n + 1) / 2);
            if (rc == 0 && e->report)
                rc = report_piece(e->report, &sums, e->plan, room, it, from, n);
            if (rc < 0)
                note_failure(&bad);
        }
    }
    if (bad.code)
        return err_set(bad.code, "%s", bad.line);
    if (e->report)
        report_tensor(e->report, it->t, &sums);
    return 0;
}

static int put_part(struct emitter *e, const struct part *p)
{
    const struct item *it = p->item;

    switch (p->kind) {
    case WEIGHT:
        return it->quantised ? put_codes(e, it) : put(e, it->t->data, it->t->bytes);
    case ABSMAX:
        return it->q ? put(e, it->q, (size_t)it->blocks)
                     : put(e, it->absmax, (size_t)it->blocks * sizeof(float));
    case QUANT_MAP:
        return put(e, code_values, sizeof code_values);
    case QUANT_STATE:
        return put(e, it->state, strlen(it->state));
    case NESTED_ABSMAX:
        return put(e, it->nested, (size_t)p->shape[0] * sizeof(float));
    default:
        return put(e, nest_map, sizeof nest_map);
    }
}

static struct emitter start(struct plan *p, struct report *report, struct progress *progress)
{
    struct emitter e = { .plan = p, .report = report, .progress = progress };

    for (int i = 0; i < p->n; i++)
        add_parts(&e, &p->item[i]);
    return e;
}

static void release(struct emitter *e)
{
    for (int i = 0; i < e->n; i++)
        free(e->part[i].name);
    free(e->part);
    tensors_writer_free(e->writer);
}

int emit_file(struct plan *p, struct pack_writer *out, struct report *report,
              struct progress *progress)
{
    struct emitter e = start(p, report, progress);
    int rc;

    e.writer = tensors_writer_new();
    for (int i = 0; i < e.n; i++)
        (void)tensors_declare(e.writer, e.part[i].name, e.part[i].dtype, e.part[i].rank,
                              e.part[i].shape);
    rc = tensors_write_begin(e.writer, out, "model.safetensors");
    for (int i = 0; i < e.n && !rc; i++) {
        rc = put_part(&e, &e.part[tensors_write_order(e.writer)[i]]);
        progress_to(progress, p->n + i + 1);
    }
    if (!rc) {
        rc = tensors_write_end(e.writer);
        e.writer = NULL;
    }
    release(&e);
    return rc;
}

static bool same_kind(const struct part *p, const struct tensor *t)
{
    if (p->dtype != t->dtype || p->rank != t->rank)
        return false;
    for (int i = 0; i < p->rank; i++)
        if (p->shape[i] != t->shape[i])
            return false;
    return true;
}

static int compare_part(struct emitter *e, const struct part *p, const struct tensors *made)
{
    e->made = tensors_find(made, p->name);
    e->at = 0;
    if (!e->made)
        return err_set(EXIT_UNMET, "tensor '%s' is missing", p->name);
    if (!same_kind(p, e->made))
        return err_set(EXIT_UNMET, "tensor '%s' has another type or shape", p->name);
    return put_part(e, p);
}

int emit_compare(struct plan *p, const struct tensors *made, struct report *report,
                 struct progress *progress)
{
    struct emitter e = start(p, report, progress);
    int rc = 0;

    for (int i = 0; i < e.n && !rc; i++) {
        rc = compare_part(&e, &e.part[i], made);
        progress_to(progress, p->n + i + 1);
    }
    if (!rc && tensors_count(made) != e.n)
        rc = err_set(EXIT_UNMET, "it has %d tensors, not %d", tensors_count(made), e.n);
    release(&e);
    return rc;
}
