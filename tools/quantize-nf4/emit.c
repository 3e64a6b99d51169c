#include "emit.h"

#include "failure.h"
#include "mem.h"
#include "nf4_code.h"

#include <omp.h>
#include <pthread.h>
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

struct emitted {
    const struct quant_tensor *item;
    enum kind kind;
    char *name;
    enum dtype dtype;
    int rank;
    int64_t shape[TENSOR_RANK_MAX];
};

/* Where parts go: into a file, or beside the bytes they should equal. */
struct emitter {
    struct quant_plan *plan;
    struct emitted *part; /* those of an item follow one another as their kinds do */
    int n;
    int *weight;                   /* of each item: its first part */
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

static void add_part(struct emitter *e, const struct quant_tensor *it, enum kind kind,
                     enum dtype dtype, int64_t n)
{
    struct buf name = BUF_INIT;
    struct emitted *p;

    buf_printf(&name, "%s%s", it->t->name, suffixes[kind]);
    e->part = xnrealloc(e->part, (size_t)e->n + 1, sizeof *e->part);
    p = &e->part[e->n++];
    *p = (struct emitted){ it, kind, name.p, dtype, 1, { n } };
    if (it->quantised && kind == WEIGHT) {
        p->rank = 2; /* bitsandbytes keeps its codes as a column */
        p->shape[1] = 1;
    } else if (kind == WEIGHT) {
        p->rank = it->t->rank;
        memcpy(p->shape, it->t->shape, sizeof p->shape);
    }
}

static void add_parts(struct emitter *e, const struct quant_tensor *it)
{
    const bool nested = e->plan->opt.nested;

    if (!it->quantised) {
        add_part(e, it, WEIGHT, it->dtype, it->t->n);
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

/* Each thread computes a piece and waits for its turn to write it: meanwhile the others compute. */
static int put_codes(struct emitter *e, const struct quant_tensor *it)
{
    const struct quant_plan *p = e->plan;
    struct report_sums sums = { 0 };
    struct failure bad;

    failure_none(&bad, it->t->n);
#pragma omp parallel for schedule(static, 1) ordered
    for (int64_t from = 0; from < it->t->n; from += PIECE) {
        const struct piece_buffers *room = &p->room[omp_get_thread_num()];
        const struct quant_piece piece = piece_at(it, from);
        int rc = plan_piece(p, room, &piece, true);

#pragma omp ordered
        if (!failure_before(&bad, from)) {
            rc = rc < 0 ? rc : put(e, room->host_codes, (size_t)(piece.n + 1) / 2);
            if (rc == 0 && e->report)
                rc = report_piece(e->report, &sums, p, room, &piece);
            if (rc < 0)
                failure_note(&bad, from);
        }
        if (from / PIECE % LET_GO == LET_GO - 1)
            pack_let_go(p->pack, it->t->data,
                        (size_t)(piece_data(&piece) - it->t->data) + piece_bytes(&piece));
    }
    pack_let_go(p->pack, it->t->data, it->t->bytes);
    if (failure_raise(&bad, it->t->n) < 0)
        return -1;
    if (e->report)
        report_tensor(e->report, it->t, &sums);
    return 0;
}

static int put_copy(struct emitter *e, const struct quant_tensor *it)
{
    const struct piece_buffers *room = &e->plan->room[0];
    int rc = 0;

    for (int64_t from = 0; from < it->t->n && !rc; from += PIECE) {
        const struct quant_piece piece = piece_at(it, from);

        if (is_expanded(it))
            rc = plan_piece(e->plan, room, &piece, true);
        if (!rc)
            rc = put(e, piece_copy(&piece, room), piece_copy_bytes(&piece));
        pack_let_go(e->plan->pack, piece_data(&piece), piece_bytes(&piece));
    }
    return rc;
}

static int put_part(struct emitter *e, const struct emitted *p)
{
    const struct quant_tensor *it = p->item;

    switch (p->kind) {
    case WEIGHT:
        return it->quantised ? put_codes(e, it) : put_copy(e, it);
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

static struct emitter start(struct quant_plan *p, struct report *report, struct progress *progress)
{
    struct emitter e = { .plan = p, .report = report, .progress = progress };

    e.weight = xnmalloc((size_t)p->n, sizeof *e.weight);
    for (int i = 0; i < p->n; i++) {
        e.weight[i] = e.n;
        add_parts(&e, &p->item[i]);
    }
    return e;
}

static void release(struct emitter *e)
{
    for (int i = 0; i < e->n; i++)
        free(e->part[i].name);
    free(e->part);
    free(e->weight);
    tensors_writer_free(e->writer);
}

/* ---- in any order ---- */

struct placing {
    struct emitter *e;
    pthread_mutex_t writing;
};

static int place_copy(const struct emitter *e, const struct piece_buffers *room,
                      const struct quant_piece *piece)
{
    return tensors_write_at(e->writer, e->weight[piece->item - e->plan->item],
                            piece_copy_place(piece), piece_copy(piece, room),
                            piece_copy_bytes(piece));
}

static int place_codes(const struct emitter *e, const struct piece_buffers *room,
                       const struct quant_piece *piece)
{
    const int64_t block = e->plan->opt.block;
    const int weight = e->weight[piece->item - e->plan->item];

    if (tensors_write_at(e->writer, weight + ABSMAX, (size_t)(piece->from / block) * sizeof(float),
                         room->host_scales,
                         (size_t)((piece->n + block - 1) / block) * sizeof(float)) < 0)
        return -1;
    return tensors_write_at(e->writer, weight, (size_t)piece->from / 2, room->host_codes,
                            (size_t)(piece->n + 1) / 2);
}

/* One thread writes to a file at a time: the others would spin in the kernel, and rather compute.
 */
static int place_piece(void *context, int thread, const struct quant_piece *piece)
{
    struct placing *p = context;
    const struct piece_buffers *room = &p->e->plan->room[thread];

    if (plan_piece(p->e->plan, room, piece, true) < 0)
        return -1;
    (void)pthread_mutex_lock(&p->writing);
    const int rc =
        piece->item->quantised ? place_codes(p->e, room, piece) : place_copy(p->e, room, piece);

    (void)pthread_mutex_unlock(&p->writing);
    return rc;
}

/* One pass over the weights. */
static int place_all(struct emitter *e)
{
    for (int i = 0; i < e->n; i++) {
        const struct emitted *p = &e->part[i];

        if (p->kind == QUANT_MAP &&
            tensors_write_at(e->writer, i, 0, code_values, sizeof code_values) < 0)
            return -1;
        if (p->kind == QUANT_STATE &&
            tensors_write_at(e->writer, i, 0, p->item->state, strlen(p->item->state)) < 0)
            return -1;
    }
    struct placing p = { e, PTHREAD_MUTEX_INITIALIZER };

    return plan_each(e->plan, place_piece, &p, e->progress);
}

static int put_all(struct emitter *e)
{
    int rc = 0;

    for (int i = 0; i < e->n && !rc; i++) {
        rc = put_part(e, &e->part[tensors_write_order(e->writer)[i]]);
        progress_to(e->progress, e->plan->n + i + 1);
    }
    return rc;
}

/* The header has the length of all states, of which nested scales are a part; errors are summed up
 * in their order. */
static bool fits_one_pass(const struct quant_plan *p, const struct pack_writer *out,
                          const struct report *report)
{
    return pack_is_folder(out) && !p->opt.nested && !report;
}

int emit_file(struct quant_plan *p, struct pack_writer *out, struct report *report,
              struct progress *progress)
{
    const bool one_pass = fits_one_pass(p, out, report);

    if (!one_pass && plan_scan(p, progress) < 0)
        return -1;
    struct emitter e = start(p, report, progress);

    e.writer = tensors_writer_new();
    for (int i = 0; i < e.n; i++)
        (void)tensors_declare(e.writer, e.part[i].name, e.part[i].dtype, e.part[i].rank,
                              e.part[i].shape);
    int rc = tensors_write_begin(e.writer, out, "model.safetensors");

    if (!rc)
        rc = one_pass ? place_all(&e) : put_all(&e);
    if (!rc) {
        rc = tensors_write_end(e.writer);
        e.writer = NULL;
    }
    release(&e);
    return rc;
}

static bool same_kind(const struct emitted *p, const struct tensor *t)
{
    if (p->dtype != t->dtype || p->rank != t->rank)
        return false;
    for (int i = 0; i < p->rank; i++)
        if (p->shape[i] != t->shape[i])
            return false;
    return true;
}

static int compare_part(struct emitter *e, const struct emitted *p, const struct tensors *made)
{
    e->made = tensors_find(made, p->name);
    e->at = 0;
    if (!e->made)
        return err_set(EXIT_UNMET, "tensor '%s' is missing", p->name);
    if (!same_kind(p, e->made))
        return err_set(EXIT_UNMET, "tensor '%s' has another type or shape", p->name);
    return put_part(e, p);
}

int emit_compare(struct quant_plan *p, const struct tensors *made, struct report *report,
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
