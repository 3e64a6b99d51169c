/*
 * prompts.c - the shared beginning of prompts, in the first rows of a cache.
 *
 * Keys and values of a token depend on the tokens before it alone: of a beginning that is cached,
 * any shorter one can be used as it is, and a longer one needs only what is new.
 */
#include "run/prompts.h"

#include "mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* How many ids A and B begin with in common, MOST at most. */
static int64_t common(const uint32_t *a, const uint32_t *b, int64_t most)
{
    int64_t n = 0;

    while (n < most && a[n] == b[n])
        n++;
    return n;
}

/* The last token of a prompt is its own even where all are equal: its logits are wanted. */
static int64_t common_beginning(const struct prompt *a, const struct prompt *b)
{
    return common(a->ids, b->ids, smaller(a->n, b->n) - 1);
}

int prompts_fit(const struct prompt *prompt, int n, int64_t room, int64_t more, int64_t *shared)
{
    int64_t begin = prompt->n - 1, all = 0;
    int i = 0;

    for (; i < n; i++) {
        const int64_t next = shared ? smaller(begin, common_beginning(prompt, &prompt[i])) : 0;
        const int64_t sum = all + prompt[i].n + more;

        if (i > 0 && sum - i * next > room)
            break;
        begin = next;
        all = sum;
    }
    if (shared) /* one alone keeps what the one behind it can use */
        *shared = i > 1 ? begin : n > 1 ? common_beginning(prompt, &prompt[1]) : 0;
    return i;
}

/* What lasts grows twofold at least, as far as there are rows. */
int prompts_reserve(struct prompts *p, int64_t kept, int64_t rows)
{
    if (p->kv && kept <= p->kept && rows <= p->rows)
        return 0;
    rows = larger(rows, p->rows);
    kept = larger(kept, kept > p->kept ? smaller(2 * p->kept, rows) : p->kept);
    kv_cache_free(p->kv);
    p->kv = NULL;
    p->n = p->kept = p->rows = 0;
    if (kv_cache_new(&p->kv, p->model, kept, rows) < 0)
        return -1;
    p->kept = kept;
    p->rows = rows;
    return 0;
}

static void remember(struct prompts *p, const uint32_t *ids, int64_t n)
{
    if (n > p->cap) {
        p->cap = n;
        p->ids = xnrealloc(p->ids, (size_t)n, sizeof *p->ids);
    }
    if (n)
        memcpy(p->ids, ids, (size_t)n * sizeof *ids);
    p->n = n;
}

int prompts_add(struct prompts *p, struct batch *b, struct prompt *prompt, int n, int64_t shared,
                int64_t more, int32_t *row)
{
    int64_t rows = shared;

    for (int i = 0; i < n; i++)
        rows += prompt[i].n - shared + more;
    if (prompts_reserve(p, more ? rows : shared, rows) < 0)
        return -1;
    int64_t done = common(p->ids, prompt->ids, smaller(p->n, prompt->n - 1));

    if (n == 1)
        shared = larger(shared, done);
    done = smaller(done, shared);
    batch_clear(b);
    if (done < shared)
        batch_add_cached(b, prompt->ids + done, shared - done, done,
                         &(struct seq){ .k_start = 0, .k_len = (int32_t)shared });
    rows = shared;
    for (int i = 0; i < n; i++) {
        struct prompt *q = &prompt[i];
        const int64_t own = q->n - shared;

        assert(own > 0);
        q->keys = (struct seq){ .k_start = (int32_t)rows,
                                .k_len = (int32_t)own,
                                .shared_len = (int32_t)shared };
        batch_add_cached(b, q->ids + shared, own, shared, &q->keys);
        row[i] = (int32_t)b->tokens - 1;
        rows += own + more;
    }
    /* the first prompt's own keys stand right behind the shared ones */
    remember(p, prompt->ids, more ? prompt->n : shared);
    return 0;
}

void prompts_extend(struct batch *b, const struct prompt *q, int64_t seen, const uint32_t *ids,
                    int64_t n)
{
    struct seq keys = q->keys;

    keys.k_len += (int32_t)(seen + n);
    batch_add_cached(b, ids, n, q->n + seen, &keys);
}

void prompts_free(struct prompts *p)
{
    kv_cache_free(p->kv);
    free(p->ids);
}
