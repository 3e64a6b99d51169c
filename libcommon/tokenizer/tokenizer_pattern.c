#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer_pattern.h"

#include "tokenizer_impl.h"
#include "utf8.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* PCRE2's count, from one place of a text: patterns of tokenizers need one or two a character
     */
    STEPS_MORE = 1000000,
    STEPS_PER_BYTE = 8,
    DEPTH_MAX = 100000,
    HEAP_KIB = 1 << 14,
    JIT_STACK_MIN = 1 << 15,
    JIT_STACK_MAX = 1 << 20,
    NESTED_MAX = 50,
};

struct pattern {
    pcre2_general_context *memory;
    pcre2_code *code;
};

struct pattern_scratch {
    pcre2_general_context *memory;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack; /* NULL: the machine's own, which is small */
};

/* ---- what the two libraries disagree on ---- */

static int refuse(const char *what)
{
    return err_set(EXIT_NODEVICE,
                   "tokenizer feature not supported: %s in a regular expression; write the pattern "
                   "without it",
                   what);
}

/* The escape at P[0..1]. */
static int check_escape(const char *p, const char *end)
{
    if (p + 1 == end)
        return err_set(EXIT_DATA, "a regular expression ends in a backslash");
    const char c = p[1];

    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        if (!strchr("sSdDpPrntfexA", c))
            return refuse((char[]){ '\\', c, 0 });
    }
    return 0;
}

/* Where the escape at P ends, with the braces of \p{L} and \x{41}. */
static const char *behind_escape(const char *p, const char *end)
{
    const char *brace = p + 2;

    if (brace < end && *brace == '{' && strchr("pPx", p[1])) {
        const char *close = memchr(brace, '}', (size_t)(end - brace));

        return close ? close + 1 : end;
    }
    return brace;
}

/* The class that begins at *P, which is left behind its bracket. */
static int check_class_of(const char **p, const char *end)
{
    const char *q = *p + 1;

    q += q < end && *q == '^';
    if (q < end && *q == ']')
        return refuse("']' as the first in a class");
    for (; q < end && *q != ']'; q++) {
        if (*q == '[')
            return refuse("a class within a class");
        if (*q == '&' && q + 1 < end && q[1] == '&')
            return refuse("&&");
        if (*q == '\\') {
            if (check_escape(q, end) < 0)
                return -1;
            q++;
        }
    }
    if (q == end)
        return err_set(EXIT_DATA, "a class of a regular expression does not end");
    *p = q + 1;
    return 0;
}

/* What is behind an opening parenthesis at P. */
static int check_group(const char *text, const char *p, const char *end)
{
    static const char *const known[] = { "(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:" };
    const size_t n = (size_t)(end - p);

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= strlen(known[i]) && !memcmp(p, known[i], strlen(known[i])))
            return 0;
    if (n >= 4 && !memcmp(p, "(?i)", 4))
        return p == text ? 0 : refuse("(?i) behind the beginning");
    if (n >= 2 && (p[1] == '?' || p[1] == '*'))
        return refuse("a group other than (?: (?= (?! (?> (?<= (?<! (?i:");
    return 0;
}

/* The count {n}, {n,} or {n,m} at *P, or a brace that stands for itself. *P is left at its end. */
static int check_count(const char **p, const char *end)
{
    const char *q = *p + 1;
    bool comma = false;
    int digits = 0;

    for (; q < end && ((*q >= '0' && *q <= '9') || (*q == ',' && !comma)); q++) {
        comma |= *q == ',';
        digits += *q != ',';
    }
    if (q == end || *q != '}' || !digits || (*p)[1] == ',')
        return refuse("a brace that is no count");
    if (q + 1 < end && (q[1] == '+' || (q[1] == '?' && !comma)))
        return refuse("+ or ? behind a count");
    *p = q;
    return 0;
}

static int check_syntax(const char *text, const char *end)
{
    const char *p = text;

    while (p < end) {
        int rc = 0;

        switch (*p) {
        case '\\':
            rc = check_escape(p, end);
            p = rc < 0 ? end : behind_escape(p, end);
            break;
        case '[':
            rc = check_class_of(&p, end);
            break;
        case '(':
            rc = check_group(text, p++, end);
            break;
        case '{':
            rc = check_count(&p, end);
            p++;
            break;
        default:
            p++;
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* ---- compiling ---- */

static void *get_memory(size_t n, void *none)
{
    (void)none;
    return xmalloc(n);
}

static void free_memory(void *p, void *none)
{
    (void)none;
    free(p);
}

static int compile(struct pattern *p, pcre2_compile_context *how, const char *text, size_t n)
{
    const uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    char said[120];
    PCRE2_SIZE at;
    int code;

    pcre2_set_newline(how, PCRE2_NEWLINE_LF);
    pcre2_set_max_pattern_length(how, PATTERN_MAX);
    pcre2_set_parens_nest_limit(how, NESTED_MAX);
    p->code = pcre2_compile((PCRE2_SPTR)text, n, flags, &code, &at, how);
    if (!p->code) {
        pcre2_get_error_message(code, (PCRE2_UCHAR *)said, sizeof said);
        return err_set(EXIT_DATA, "the regular expression %s is wrong at byte %zu: %s",
                       QUOTED(text, n), (size_t)at, said);
    }
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* where it cannot, it is slower */
    return 0;
}

int pattern_compile(struct pattern **out, const char *text, size_t n)
{
    *out = NULL;
    if (!n)
        return err_set(EXIT_DATA, "a pattern is empty");
    if (n > PATTERN_MAX)
        return err_set(EXIT_DATA, "a regular expression of %zu bytes; at most %d are possible", n,
                       PATTERN_MAX);
    if (check_syntax(text, text + n) < 0)
        return -1;
    struct pattern *p = xcalloc(1, sizeof *p);

    p->memory = pcre2_general_context_create(get_memory, free_memory, NULL);
    pcre2_compile_context *how = pcre2_compile_context_create(p->memory);
    const int rc = compile(p, how, text, n);

    pcre2_compile_context_free(how);
    if (rc < 0) {
        pattern_free(p);
        return -1;
    }
    *out = p;
    return 0;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    pcre2_general_context_free(p->memory);
    free(p);
}

/* ---- matching ---- */

struct pattern_scratch *pattern_scratch_new(void)
{
    struct pattern_scratch *s = xcalloc(1, sizeof *s);

    s->memory = pcre2_general_context_create(get_memory, free_memory, NULL);
    s->data = pcre2_match_data_create(1, s->memory);
    s->limits = pcre2_match_context_create(s->memory);
    pcre2_set_depth_limit(s->limits, DEPTH_MAX);
    pcre2_set_heap_limit(s->limits, HEAP_KIB);
    s->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, s->memory);
    if (s->stack)
        pcre2_jit_stack_assign(s->limits, NULL, s->stack);
    return s;
}

void pattern_scratch_free(struct pattern_scratch *s)
{
    if (!s)
        return;
    if (s->stack)
        pcre2_jit_stack_free(s->stack);
    pcre2_match_context_free(s->limits);
    pcre2_match_data_free(s->data);
    pcre2_general_context_free(s->memory);
    free(s);
}

int pattern_find(const struct pattern *p, struct pattern_scratch *s, const uint8_t *subject,
                 size_t n, size_t from, struct match *m)
{
    const size_t steps = STEPS_MORE + STEPS_PER_BYTE * (n - from);

    pcre2_set_match_limit(s->limits, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    const int rc = pcre2_match(p->code, subject, n, from, PCRE2_NO_UTF_CHECK, s->data, s->limits);

    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        char said[120];

        pcre2_get_error_message(rc, (PCRE2_UCHAR *)said, sizeof said);
        return err_set(EXIT_DATA,
                       "a regular expression of the tokenizer gives up at byte %zu of a text (%s); "
                       "it has to be written so that it takes fewer steps",
                       from, said);
    }
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(s->data);

    *m = (struct match){ place[0], place[1] };
    return 1;
}

/* ---- code points that PCRE2 may not know ---- */

const uint8_t *pattern_subject(const uint8_t *classes, struct buf *room, const uint8_t *p,
                               const uint8_t *end)
{
    const uint8_t *q = p, *copied = p;

    buf_clear(room);
    while (q < end) {
        int len = 1;

        if (*q >= 0xE0 && class_at(classes, q, &len) & UC_NEW) {
            char c[4];

            buf_add(room, copied, (size_t)(q - copied));
            buf_add(room, c,
                    (size_t)utf8_encode(unicode_same(utf8_decode((const char *)q, &len)), c));
            copied = q + len;
        } else if (*q >= 0x80 && *q < 0xE0) {
            len = 2;
        }
        q += len;
    }
    if (copied == p)
        return p;
    buf_add(room, copied, (size_t)(end - copied));
    return (const uint8_t *)room->p;
}
