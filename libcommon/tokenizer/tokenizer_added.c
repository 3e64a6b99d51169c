#include "tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

static uint32_t node_new(struct matcher *m, uint8_t byte)
{
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->node = xnrealloc(m->node, m->cap, sizeof *m->node);
    }
    m->node[m->n] = (struct trie_node){ .added = TOKEN_NONE, .byte = byte };
    return m->n++;
}

void matcher_init(struct matcher *m)
{
    *m = (struct matcher){ 0 };
    node_new(m, 0);
}

void matcher_free(struct matcher *m)
{
    free(m->node);
}

/* The child of NODE for BYTE, 0 when there is none. */
static uint32_t child_of(const struct matcher *m, uint32_t node, uint8_t byte)
{
    uint32_t c = m->node[node].child;

    while (c && m->node[c].byte != byte)
        c = m->node[c].sibling;
    return c;
}

static void allow_pair(struct matcher *m, uint8_t first, uint8_t second)
{
    const uint32_t i = (uint32_t)first << 8 | second;

    m->pair[i / 64] |= UINT64_C(1) << i % 64;
}

void matcher_add(struct matcher *m, const uint8_t *content, size_t len, uint32_t added)
{
    uint32_t at = 0;

    for (size_t i = 0; i < len; i++) {
        uint32_t c = child_of(m, at, content[i]);

        if (!c) {
            c = node_new(m, content[i]);
            m->node[c].sibling = m->node[at].child;
            m->node[at].child = c;
        }
        at = c;
    }
    if (m->node[at].added == TOKEN_NONE) /* two may be one when they are normalized: the first */
        m->node[at].added = added;
    if (len > 1)
        allow_pair(m, content[0], content[1]);
    else
        for (int second = 0; second < 256; second++)
            allow_pair(m, content[0], (uint8_t)second);
}

/* The longest token that begins at P: its index and length, or TOKEN_NONE. */
static uint32_t longest_at(const struct matcher *m, const uint8_t *p, const uint8_t *end,
                           size_t *len)
{
    uint32_t at = 0, found = TOKEN_NONE;

    for (const uint8_t *q = p; q < end && (at = child_of(m, at, *q)); q++)
        if (m->node[at].added != TOKEN_NONE) {
            found = m->node[at].added;
            *len = (size_t)(q + 1 - p);
        }
    return found;
}

/* The first token in [P, END), the longest there: where it begins, or END. */
static const uint8_t *find_added(const struct matcher *m, const uint8_t *p, const uint8_t *end,
                                 uint32_t *added, size_t *len)
{
    for (; p < end; p++) {
        if (p + 1 < end) {
            const uint32_t i = (uint32_t)p[0] << 8 | p[1];

            if (!(m->pair[i / 64] >> i % 64 & 1))
                continue;
        }
        *added = longest_at(m, p, end, len);
        if (*added != TOKEN_NONE)
            return p;
    }
    return end;
}

/* Where the code point before P begins; START < P. */
static const uint8_t *step_back(const uint8_t *p)
{
    do
        p--;
    while ((*p & 0xC0) == 0x80);
    return p;
}

static bool word_before(const struct tokenizer *t, const uint8_t *start, const uint8_t *p)
{
    int len;

    return p > start && class_at(t->classes, step_back(p), &len) & UC_WORD;
}

static bool word_after(const struct tokenizer *t, const uint8_t *p, const uint8_t *end)
{
    int len;

    return p < end && class_at(t->classes, p, &len) & UC_WORD;
}

static const uint8_t *space_before(const struct tokenizer *t, const uint8_t *start,
                                   const uint8_t *p)
{
    int len;

    while (p > start && class_at(t->classes, step_back(p), &len) & UC_SPACE)
        p = step_back(p);
    return p;
}

static const uint8_t *space_after(const struct tokenizer *t, const uint8_t *p, const uint8_t *end)
{
    int len;

    while (p < end && class_at(t->classes, p, &len) & UC_SPACE)
        p += len;
    return p;
}

/*
 * As AddedVocabulary::find_matches of Hugging Face's tokenizers has it. The search goes on where a
 * match ended, before rstrip took the white space behind it: a token of white space in there is
 * found once more, and what follows it begins at its end. Odd, and equal; what is looked through
 * for white space is remembered, so that a long run of such tokens takes no longer than any text.
 */
void split_added(const struct tokenizer *t, const struct matcher *m, struct tokenizer_scratch *s,
                 const uint8_t *p, const uint8_t *end, piece_fn *piece)
{
    const uint8_t *done = p, *from = p, *space_end = p;
    uint32_t added;
    size_t len;

    for (;;) {
        const uint8_t *start = find_added(m, from, end, &added, &len);

        if (start == end)
            break;
        const struct added *a = t->added + added;
        const uint8_t *stop = from = start + len;

        if (a->single_word && (word_before(t, p, start) || word_after(t, stop, end)))
            continue;
        if (a->lstrip)
            start = done < start ? space_before(t, done, start) : done;
        if (a->rstrip) {
            if (space_end < stop)
                space_end = space_after(t, stop, end);
            stop = space_end;
        }
        if (done < start)
            piece(t, s, done, start);
        if (start < stop) /* else all of it was stripped off before */
            push_id(s, a->id);
        done = stop;
    }
    if (done < end)
        piece(t, s, done, end);
}
