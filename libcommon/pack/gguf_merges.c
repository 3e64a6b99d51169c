#include "gguf_tokens.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

/*
 * A token of SentencePiece has a score instead of a merge that makes it. Each way to cut it into
 * two tokens becomes a merge; those of the best token come first. The halves of a long token are
 * found by hashes of its beginnings, so that the work grows with the bytes of the vocabulary alone.
 */
struct token_text {
    const char *text;
    size_t n;
};

struct merge {
    float score;
    uint32_t left, right;
    uint32_t left_chars, right_chars;
    uint32_t place; /* among all, before they are sorted */
};

struct making {
    const struct gguf_tokens *t;
    struct token_text *piece;
    uint32_t n;
    uint32_t *slot; /* id + 1 by hash; 0: free */
    uint32_t slots;
    uint64_t *power, *head; /* of the base, and hashes of the beginnings of one token */
    struct merge *merge;
    size_t merges, cap;
};

static const uint64_t base = UINT64_C(0x9E3779B97F4A7C15);

static uint64_t add_byte(uint64_t hash, char c)
{
    return hash * base + (unsigned char)c + 1;
}

/* Bits of a hash that choose a slot: the low ones hang on few bytes. */
static uint32_t first_slot(const struct making *m, uint64_t hash)
{
    hash ^= hash >> 32;
    return (uint32_t)(hash * base >> 32) & (m->slots - 1);
}

/* The slot that holds the text, or the free one where it would go. */
static uint32_t *slot_of(const struct making *m, uint64_t hash, const char *text, size_t n)
{
    uint32_t i = first_slot(m, hash);

    while (m->slot[i]) {
        const struct token_text *p = &m->piece[m->slot[i] - 1];

        if (p->n == n && !memcmp(p->text, text, n))
            break;
        i = (i + 1) & (m->slots - 1);
    }
    return &m->slot[i];
}

static void read_pieces(struct making *m)
{
    const uint8_t *p = m->t->tokens->p;
    size_t longest = 0;

    m->n = (uint32_t)m->t->tokens->n;
    m->piece = xnmalloc(m->n, sizeof *m->piece);
    for (m->slots = 1024; m->slots < 2 * (uint64_t)m->n;)
        m->slots *= 2;
    m->slot = xcalloc(m->slots, sizeof *m->slot);
    for (uint32_t i = 0; i < m->n; i++) {
        struct token_text *one = &m->piece[i];
        uint64_t hash = 0;

        p = gguf_take_text(p, &one->text, &one->n);
        longest = one->n > longest ? one->n : longest;
        for (size_t k = 0; k < one->n; k++)
            hash = add_byte(hash, one->text[k]);
        *slot_of(m, hash, one->text, one->n) = i + 1;
    }
    m->power = xnmalloc(longest + 1, sizeof *m->power);
    m->head = xnmalloc(longest + 1, sizeof *m->head);
    m->power[0] = 1;
    for (size_t i = 1; i <= longest; i++)
        m->power[i] = m->power[i - 1] * base;
}

static bool begins_char(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

static void add_merge(struct making *m, const struct merge *one)
{
    if (m->merges == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 4096;
        m->merge = xnrealloc(m->merge, m->cap, sizeof *m->merge);
    }
    m->merge[m->merges] = *one;
    m->merge[m->merges].place = (uint32_t)m->merges;
    m->merges++;
}

static int by_halves(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;

    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

/* All ways to cut token ID. */
static void cut(struct making *m, uint32_t id)
{
    const struct token_text *one = &m->piece[id];
    const size_t from = m->merges;
    uint32_t chars = 0, before = 0;

    m->head[0] = 0;
    for (size_t i = 0; i < one->n; i++) {
        m->head[i + 1] = add_byte(m->head[i], one->text[i]);
        chars += begins_char(one->text[i]);
    }
    for (size_t i = 1; i < one->n; i++) {
        before += begins_char(one->text[i - 1]);
        if (!begins_char(one->text[i]))
            continue;
        const uint32_t left = *slot_of(m, m->head[i], one->text, i);

        if (!left)
            continue;
        const uint64_t hash = m->head[one->n] - m->head[i] * m->power[one->n - i];
        const uint32_t right = *slot_of(m, hash, one->text + i, one->n - i);
        const struct merge found = {
            gguf_f32_at(m->t->scores, id), left - 1, right - 1, before, chars - before, 0
        };

        if (right)
            add_merge(m, &found);
    }
    if (m->merges - from < 2)
        return;
    qsort(m->merge + from, m->merges - from, sizeof *m->merge, by_halves);
    for (size_t i = from; i < m->merges; i++)
        m->merge[i].place = (uint32_t)i;
}

/* The best score first, then the longer left half, then the longer right one. */
static int by_rank(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->left_chars != y->left_chars)
        return x->left_chars > y->left_chars ? -1 : 1;
    if (x->right_chars != y->right_chars)
        return x->right_chars > y->right_chars ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

void gguf_put_score_merges(const struct gguf_tokens *t, struct buf *b)
{
    struct making m = { .t = t };

    read_pieces(&m);
    for (uint32_t i = 0; i < m.n; i++)
        cut(&m, i);
    if (m.merges)
        qsort(m.merge, m.merges, sizeof *m.merge, by_rank);
    buf_putc(b, '[');
    for (size_t i = 0; i < m.merges; i++) {
        const struct token_text *left = &m.piece[m.merge[i].left],
                                *right = &m.piece[m.merge[i].right];

        buf_puts(b, i ? ",\n      [" : "\n      [");
        json_put_text(b, left->text, left->n);
        buf_puts(b, ", ");
        json_put_text(b, right->text, right->n);
        buf_putc(b, ']');
    }
    buf_puts(b, "\n    ]");
    free(m.piece);
    free(m.slot);
    free(m.power);
    free(m.head);
    free(m.merge);
}
