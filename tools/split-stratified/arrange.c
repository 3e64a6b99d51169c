#include "arrange.h"

#include "item.h"
#include "tempfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IN_MEMORY = 8 << 20,  /* bytes of all piles, before there is a file */
    PILE_BYTES = 1 << 20, /* fits into the second cache; more where there would be too many */
    PILES_MAX = 256,      /* a byte says which */
    HAND = 1 << 15,       /* bytes that are in memory of each pile */
    AHEAD = 16,           /* rows; asks for what is far away of them */
};

/* What is before each record on a pile. */
struct head {
    uint32_t place, bytes; /* the place counted from the pile's first */
};

struct pile {
    int64_t first, n; /* places in the output */
    size_t at, bytes; /* where it is among all piles, and how much was put there */
    int fd;           /* of the file it is in */
    struct buf hand;  /* not put there yet */
};

struct arrange {
    struct rows *rows;
    const struct sample *s;
    struct buf split[PARTS]; /* the field's value */
    int64_t n;               /* places */
    int64_t *place;          /* (rows) the last place that wants each, -1: none */
    int64_t *before;         /* (n) the place before that wants the same; NULL: none wants one */
    uint8_t *pile_of;        /* (n) */
    struct pile pile[PILES_MAX];
    int piles, next;
    size_t bytes;  /* of all of them */
    char *memory;  /* they are here, or */
    int fd[2];     /* in these files, which two threads write at once; -1: none */
    struct buf in; /* one of them from there */
    size_t *to;    /* where each record of it goes */
};

/* ---- what is wanted ---- */

static int64_t *no_places(int64_t n)
{
    int64_t *place = xnmalloc((size_t)n, sizeof *place);

    memset(place, -1, (size_t)n * sizeof *place);
    return place;
}

/* The sample's row I of PART gets a place. */
static void want(struct arrange *a, int part, int64_t i, int64_t place)
{
    const int64_t row = a->s->row[part][i];

    if (i + AHEAD < a->s->n[part]) {
        const int64_t ahead = a->s->row[part][i + AHEAD];

        __builtin_prefetch(&a->place[ahead], 1);
        __builtin_prefetch(&a->rows->bytes[ahead]);
    }
    if (a->place[row] >= 0 && !a->before)
        a->before = no_places(a->n);
    if (a->before)
        a->before[place] = a->place[row];
    a->place[row] = place;
}

static size_t bytes_at(const struct arrange *a, int part, int64_t i)
{
    return sizeof(struct head) + a->rows->bytes[a->s->row[part][i]] + a->split[part].n;
}

/* Each place to a pile, by where it would be if all were one behind the other. */
static void make_piles(struct arrange *a)
{
    const size_t share = a->bytes / PILES_MAX + 1;
    const size_t most = share > PILE_BYTES ? share : PILE_BYTES;
    int64_t place = 0;
    size_t at = 0, stretch = 0; /* of the present pile */
    struct pile *p = NULL;

    for (int part = 0; part < PARTS; part++)
        for (int64_t i = 0; i < a->s->n[part]; i++, place++) {
            if (!p || at / most > stretch) {
                p = &a->pile[a->piles++];
                *p = (struct pile){ .first = place, .at = at };
                stretch = at / most;
            }
            p->n++;
            a->pile_of[place] = (uint8_t)(p - a->pile);
            at += bytes_at(a, part, i);
            if (i + AHEAD < a->s->n[part])
                __builtin_prefetch(&a->rows->bytes[a->s->row[part][i + AHEAD]]);
        }
}

static void plan(struct arrange *a)
{
    int64_t place = 0;

    for (int part = 0; part < PARTS; part++) {
        item_put_text(&a->split[part], part_name[part], strlen(part_name[part]));
        a->n += a->s->n[part];
    }
    a->place = no_places(a->rows->n);
    a->pile_of = xnmalloc((size_t)a->n, sizeof *a->pile_of);
    for (int part = 0; part < PARTS; part++)
        for (int64_t i = 0; i < a->s->n[part]; i++) {
            want(a, part, i, place++);
            a->bytes += bytes_at(a, part, i);
        }
    make_piles(a);
}

/* ---- dealing ---- */

/* What is in hand goes to the pile. */
static int put_down(struct arrange *a, struct pile *p)
{
    const size_t at = p->at + p->bytes;

    if (a->memory)
        memcpy(a->memory + at, p->hand.p, p->hand.n);
    else if (tempfile_write(p->fd, p->hand.p, p->hand.n, at) < 0)
        return -1;
    p->bytes += p->hand.n;
    if (p->hand.n > HAND)
        buf_free(&p->hand); /* a record as large as that is rare */
    else
        buf_clear(&p->hand);
    return 0;
}

static const struct buf *split_at(const struct arrange *a, int64_t place)
{
    int part = 0;

    for (; place >= a->s->n[part]; part++)
        place -= a->s->n[part];
    return &a->split[part];
}

/* The record as the spool has it. */
static int deal(struct arrange *a, int64_t place, const uint8_t *from)
{
    struct pile *const p = &a->pile[a->pile_of[place]];
    const struct buf *split = split_at(a, place);
    struct kept kept;

    memcpy(&kept, from, sizeof kept);
    from += sizeof kept;
    const struct head head = { (uint32_t)(place - p->first), kept.bytes + (uint32_t)split->n };
    const size_t all = sizeof head + head.bytes;

    if (p->hand.n && p->hand.n + all > HAND && put_down(a, p) < 0)
        return -1;
    buf_reserve(&p->hand, all > HAND ? all : HAND);
    char *to = p->hand.p + p->hand.n;

    memcpy(to, &head, sizeof head);
    to += sizeof head;
    memcpy(to, from, kept.open);
    memcpy(to + kept.open, split->p, split->n);
    memcpy(to + kept.open + split->n, from + kept.open, kept.bytes - kept.open);
    p->hand.n += all;
    return p->hand.n >= HAND ? put_down(a, p) : 0;
}

/* Piles [from, to), whose records one thread deals, and the number of their file. */
struct share {
    int from, to, file;
};

/* SPOOL is the rows' one, for this thread. */
static int deal_share(struct arrange *a, struct share share, struct spool *spool)
{
    struct rows *const r = a->rows;
    size_t at = 0;

    for (int64_t row = 0; row < r->n; row++) {
        const size_t bytes = sizeof(struct kept) + r->bytes[row];
        const int64_t ahead = row + AHEAD < r->n ? a->place[row + AHEAD] : -1;
        const uint8_t *record;

        if (ahead >= 0)
            __builtin_prefetch(&a->pile_of[ahead]);
        for (int64_t i = a->place[row]; i >= 0; i = a->before ? a->before[i] : -1)
            if (a->pile_of[i] >= share.from && a->pile_of[i] < share.to &&
                (spool_read(spool, at, bytes, &record) < 0 || deal(a, i, record) < 0))
                return -1;
        at += bytes;
    }
    for (int i = share.from; i < share.to; i++) {
        if (put_down(a, &a->pile[i]) < 0)
            return -1;
        buf_free(&a->pile[i].hand);
    }
    return 0;
}

static int deal_one_share(void *arrange, const void *bytes, size_t n)
{
    struct arrange *a = arrange;
    struct spool own = spool_reader(&a->rows->records);
    struct share share;

    memcpy(&share, bytes, n);
    if (!a->memory && tempfile_open(&a->fd[share.file]) < 0)
        return -1;
    for (int i = share.from; i < share.to; i++)
        a->pile[i].fd = a->fd[share.file];
    const int rc = deal_share(a, share, &own);

    spool_reader_free(&own);
    return rc;
}

/* Two threads, where there is much to deal and both are wanted. */
static int deal_all(struct arrange *a, bool helps)
{
    struct share mine = { 0, a->piles, 0 };
    struct behind *behind = helps && !a->memory ? behind_new(deal_one_share, a) : NULL;
    struct buf other = BUF_INIT;
    int rc = 0;

    if (behind) {
        mine.to /= 2;
        buf_add(&other, &(struct share){ mine.to, a->piles, 1 }, sizeof mine);
        rc = behind_give(behind, &other);
    }
    if (rc == 0)
        rc = deal_one_share(a, &mine, sizeof mine);
    if (rc == 0 && behind)
        rc = behind_wait(behind);
    behind_free(behind);
    buf_free(&other);
    return rc;
}

static void forget_plan(struct arrange *a)
{
    free(a->place);
    free(a->before);
    free(a->pile_of);
    a->place = a->before = NULL;
    a->pile_of = NULL;
}

int arrange_new(struct arrange **out, struct rows *rows, const struct sample *s, int64_t threads)
{
    struct arrange *a = xcalloc(1, sizeof *a);

    a->rows = rows;
    a->s = s;
    a->fd[0] = a->fd[1] = -1;
    plan(a);
    if (a->bytes <= IN_MEMORY)
        a->memory = xmalloc(a->bytes);
    if (deal_all(a, behind_helps(threads)) < 0) {
        arrange_free(a);
        return -1;
    }
    forget_plan(a);
    rows_forget_records(rows);
    *out = a;
    return 0;
}

/* ---- one pile after the other ---- */

/* Where each record of the pile P, whose bytes are at HAVE, goes behind AT. */
static size_t find_places(struct arrange *a, const struct pile *p, const char *have, size_t at)
{
    struct head head;

    a->to = xnrealloc(a->to, (size_t)p->n, sizeof *a->to);
    for (size_t i = 0; i < p->bytes; i += sizeof head + head.bytes) {
        memcpy(&head, have + i, sizeof head);
        a->to[head.place] = head.bytes;
    }
    for (int64_t i = 0; i < p->n; i++) {
        const size_t bytes = a->to[i];

        a->to[i] = at;
        at += bytes;
    }
    return at;
}

int64_t arrange_next(struct arrange *a, struct buf *to)
{
    if (a->next == a->piles)
        return 0;
    const struct pile *p = &a->pile[a->next++];
    const char *have = a->memory ? a->memory + p->at : NULL;
    struct head head;

    if (!have) {
        buf_clear(&a->in);
        buf_reserve(&a->in, p->bytes);
        have = a->in.p;
        if (tempfile_read(p->fd, a->in.p, p->bytes, p->at) < 0)
            return -1;
    }
    buf_reserve(to, p->bytes);
    to->n = find_places(a, p, have, to->n);
    for (size_t i = 0; i < p->bytes; i += sizeof head + head.bytes) {
        memcpy(&head, have + i, sizeof head);
        memcpy(to->p + a->to[head.place], have + i + sizeof head, head.bytes);
    }
    return p->n;
}

void arrange_free(struct arrange *a)
{
    if (!a)
        return;
    forget_plan(a);
    for (int part = 0; part < PARTS; part++)
        buf_free(&a->split[part]);
    for (int i = 0; i < a->piles; i++)
        buf_free(&a->pile[i].hand);
    for (int i = 0; i < 2; i++)
        if (a->fd[i] >= 0)
            (void)close(a->fd[i]);
    free(a->memory);
    buf_free(&a->in);
    free(a->to);
    free(a);
}
