#include "tokenizer_impl.h"
#include "tokenizer_scan.h"

#include <string.h>

uint8_t class_at(const uint8_t *classes, const uint8_t *p, int *len)
{
    return look(classes, p, len);
}

const uint8_t *next_word(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    return scan_word(classes, p, end);
}

/* SmolLM's: every digit by itself, then GPT-2's words between. */
const uint8_t *next_word_digits(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    return scan_between(classes, p, end, UC_NUMBER | UC_NUMERIC);
}

/* ---- Qwen2's and Llama 3's, which differ in how many digits stand together ---- */

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

/* Length of 's|'t|'re|'ve|'m|'ll|'d at P in letters of any case, as they fold: U+017F is an s. */
static int folded_contraction(const uint8_t *p, const uint8_t *end)
{
    return end - p > 2 && p[1] == 0xC5 && p[2] == 0xBF ? 3 : contraction(p, end, 0x20);
}

/* White space from P on: up to its last line end when it has one, else as skip_space. */
static const uint8_t *skip_lines(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = p, *last = p, *line = NULL;
    int len;

    while (q < end && look(classes, q, &len) & UC_SPACE) {
        last = q;
        if (is_line_end(*q))
            line = q + 1;
        q += len;
    }
    if (line)
        return line;
    return q == end || last == p ? q : last;
}

static const uint8_t *skip_numbers(const uint8_t *classes, const uint8_t *p, const uint8_t *end,
                                   int most)
{
    int len;

    while (most-- && p < end && look(classes, p, &len) & UC_NUMBER)
        p += len;
    return p;
}

static const uint8_t *skip_marks(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    p = skip_run(classes, p, end, 0, PATTERN_CLASSES);
    while (p < end && is_line_end(*p))
        p++;
    return p;
}

static inline const uint8_t *next_word_newer(const uint8_t *classes, const uint8_t *p,
                                             const uint8_t *end, int numbers)
{
    int len, next_len;

    if (*p == '\'') {
        len = folded_contraction(p, end);
        if (len)
            return p + len;
    }
    const uint8_t kind = look(classes, p, &len) & PATTERN_CLASSES;
    const uint8_t *q = p + len;

    if (kind == UC_LETTER)
        return skip_run(classes, q, end, UC_LETTER, PATTERN_CLASSES);
    if (kind == UC_NUMBER)
        return skip_numbers(classes, q, end, numbers - 1);
    const uint8_t next = q < end ? look(classes, q, &next_len) & PATTERN_CLASSES : UC_SPACE;

    if (next == UC_LETTER && !is_line_end(*p))
        return skip_run(classes, q + next_len, end, UC_LETTER, PATTERN_CLASSES);
    if (kind == 0)
        return skip_marks(classes, q, end);
    if (*p == ' ' && next == 0)
        return skip_marks(classes, q + next_len, end);
    return skip_lines(classes, p, end);
}

const uint8_t *next_word_qwen2(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    return next_word_newer(classes, p, end, 1);
}

const uint8_t *next_word_llama3(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    return next_word_newer(classes, p, end, 3);
}

/* ---- Llama 2's: each U+2581 that does not follow another begins a word ---- */

const uint8_t *next_word_spaces(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    (void)classes;
    while (begins_with_mark(p, (size_t)(end - p)))
        p += SPACE_MARK_LEN;
    while (p < end && (p = memchr(p, SPACE_MARK_FIRST, (size_t)(end - p))) != NULL) {
        if (begins_with_mark(p, (size_t)(end - p)))
            return p;
        p++;
    }
    return end;
}

/* A whole piece. */
const uint8_t *next_word_whole(const uint8_t *classes, const uint8_t *p, const uint8_t *end)
{
    (void)classes;
    (void)p;
    return end;
}

/* ---- patterns that are known ---- */

word_fn *known_pattern(const char *text)
{
    static const struct {
        const char *text;
        word_fn *next;
    } known[] = { { PATTERN_GPT2, next_word },
                  { PATTERN_QWEN2, next_word_qwen2 },
                  { PATTERN_LLAMA3, next_word_llama3 } };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(text, known[i].text))
            return known[i].next;
    return NULL;
}
