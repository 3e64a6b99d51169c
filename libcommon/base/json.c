#include "json.h"

#include "filetype.h"
#include "utf8.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the strict check: RFC 8259 by recursive descent, depth bounded ---- */

struct scan {
    const char *begin, *p, *end;
    int depth;
    size_t nuls;         /* how often \u0000 was met, which C strings cannot hold */
    struct buf *respelt; /* NULL, or gets the text as cJSON can take it ... */
    const char *copied;  /* ... up to here */
};

/* cJSON gives up on a number longer than this, however valid. */
enum { CJSON_NUMBER_MAX = 62 };

static int scan_fail(const struct scan *s, const char *what)
{
    long line = 1, column = 1;

    for (const char *c = s->begin; c < s->p; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    return err_set(EXIT_DATA, "not valid JSON at line %ld, column %ld: %s", line, column, what);
}

static int peek_at(const struct scan *s)
{
    return s->p < s->end ? (unsigned char)*s->p : -1;
}

static bool take(struct scan *s, int c)
{
    if (peek_at(s) != c)
        return false;
    s->p++;
    return true;
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static int scan_digits(struct scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from ? 0 : scan_fail(s, "a digit is missing");
}

/* AS instead of what was scanned since FROM. */
static void respell(struct scan *s, const char *from, const char *as)
{
    buf_add(s->respelt, s->copied, (size_t)(from - s->copied));
    buf_puts(s->respelt, as);
    s->copied = s->p;
}

static void respell_number(struct scan *s, const char *number)
{
    char *copy = xstrndup(number, (size_t)(s->p - number)), as[32];
    const double v = strtod(copy, NULL);

    if (isinf(v))
        respell(s, number, v < 0 ? "-1e999" : "1e999");
    else if (snprintf(as, sizeof as, "%.17g", v) > 0)
        respell(s, number, as);
    free(copy);
}

static int scan_number(struct scan *s)
{
    const char *from = s->p;

    (void)take(s, '-');
    if (!take(s, '0') && scan_digits(s) < 0)
        return -1;
    if (take(s, '.') && scan_digits(s) < 0)
        return -1;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            (void)take(s, '-');
        if (scan_digits(s) < 0)
            return -1;
    }
    if (s->respelt && s->p - from > CJSON_NUMBER_MAX)
        respell_number(s, from);
    return 0;
}

/* Four hexadecimal digits behind "\u". */
static int scan_hex4(struct scan *s, unsigned *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        const int c = peek_at(s);

        if (c < 0 || !isxdigit(c))
            return scan_fail(s, "\\u needs four hexadecimal digits");
        *unit = *unit << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        s->p++;
    }
    return 0;
}

/* A surrogate is half a character: only a high one with its low one is text. */
static int scan_unicode_escape(struct scan *s)
{
    unsigned high, low;

    if (scan_hex4(s, &high) < 0)
        return -1;
    s->nuls += high == 0;
    if (high < 0xd800 || high > 0xdfff)
        return 0;
    if (high > 0xdbff || !take(s, '\\') || !take(s, 'u'))
        return scan_fail(s, "half of a surrogate pair");
    if (scan_hex4(s, &low) < 0)
        return -1;
    return low >= 0xdc00 && low <= 0xdfff ? 0 : scan_fail(s, "half of a surrogate pair");
}

static int scan_string(struct scan *s)
{
    if (!take(s, '"'))
        return scan_fail(s, "a string is missing");
    for (;;) {
        const int c = peek_at(s);

        if (c < 0)
            return scan_fail(s, "the string has no end");
        if (c < ' ')
            return scan_fail(s, "a control character stands in a string; write it as \\u00XX");
        s->p++;
        if (c == '"')
            return 0;
        if (c != '\\')
            continue;
        if (take(s, 'u')) {
            if (scan_unicode_escape(s) < 0)
                return -1;
        } else if (peek_at(s) <= 0 || !strchr("\"\\/bfnrt", peek_at(s))) {
            return scan_fail(s, "unknown escape");
        } else {
            s->p++;
        }
    }
}

static int scan_word(struct scan *s, const char *word)
{
    const size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return scan_fail(s, "a value is missing");
    s->p += n;
    return 0;
}

static int scan_value(struct scan *s);

/* cJSON would cut a string at \u0000. What stands there instead is no text, number or object that
 * anyone could take for what was written. */
static int scan_string_value(struct scan *s)
{
    const char *from = s->p;
    const size_t nuls = s->nuls;

    if (scan_string(s) < 0)
        return -1;
    if (s->respelt && s->nuls > nuls)
        respell(s, from, "[null]");
    return 0;
}

/* The same for a key, whose value goes with it. */
static int scan_member(struct scan *s)
{
    skip_space(s);
    const char *const from = s->p, *const copied = s->copied;
    const size_t nuls = s->nuls, kept = s->respelt ? s->respelt->n : 0;

    if (scan_string(s) < 0)
        return -1;
    const bool bad_key = s->nuls > nuls;

    skip_space(s);
    if (!take(s, ':'))
        return scan_fail(s, "':' is missing");
    if (scan_value(s) < 0)
        return -1;
    if (s->respelt && bad_key) {
        s->respelt->n = kept;
        s->copied = copied;
        respell(s, from, "\"\\ufffd\":[null]");
    }
    return 0;
}

/* An array or an object, behind its opening bracket. */
static int scan_list(struct scan *s, char close, int (*item)(struct scan *))
{
    if (++s->depth > JSON_DEPTH_MAX)
        return scan_fail(s, "nested too deeply");
    skip_space(s);
    if (take(s, close)) {
        s->depth--;
        return 0;
    }
    do {
        if (item(s) < 0)
            return -1;
        skip_space(s);
    } while (take(s, ','));
    s->depth--;
    return take(s, close)
               ? 0
               : scan_fail(s, close == ']' ? "',' or ']' is missing" : "',' or '}' is missing");
}

static int scan_value(struct scan *s)
{
    int rc;

    skip_space(s);
    switch (peek_at(s)) {
    case '{':
        s->p++;
        rc = scan_list(s, '}', scan_member);
        break;
    case '[':
        s->p++;
        rc = scan_list(s, ']', scan_value);
        break;
    case '"':
        rc = scan_string_value(s);
        break;
    case 't':
        rc = scan_word(s, "true");
        break;
    case 'f':
        rc = scan_word(s, "false");
        break;
    case 'n':
        rc = scan_word(s, "null");
        break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        rc = scan_number(s);
        break;
    default:
        rc = scan_fail(s, "a value is missing");
    }
    return rc;
}

static int scan_text(struct scan *s)
{
    const size_t n = (size_t)(s->end - s->p), valid = utf8_valid(s->p, n);

    if (valid < n) {
        s->p += valid;
        return scan_fail(s, "not UTF-8");
    }
    if (scan_value(s) < 0)
        return -1;
    skip_space(s);
    return s->p == s->end ? 0 : scan_fail(s, "something stands behind the value");
}

size_t json_mark(const char *text, size_t n)
{
    return n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* What is another kind of file altogether is called by its name. */
static int check_text(struct scan *s)
{
    if (scan_text(s) == 0)
        return 0;
    const char *what = filetype_of(s->begin, (size_t)(s->end - s->begin));

    return what ? err_set(EXIT_DATA, "not JSON but %s", what) : -1;
}

int json_check(const char *text, size_t n)
{
    struct scan s = { .begin = text, .p = text, .end = text + n };

    return check_text(&s);
}

/* ---- over cJSON ---- */

struct keyed {
    cJSON *member;
    size_t place;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    const int order = strcmp(x->member->string, y->member->string);

    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* No key of object O stands twice afterwards: that is refused, or the LAST one stays. Sorting keeps
 * a hostile object of a million keys cheap. */
static int settle_keys(cJSON *o, bool last)
{
    const size_t n = (size_t)cJSON_GetArraySize(o);
    struct keyed *sorted = xnmalloc(n, sizeof *sorted);
    size_t i = 0;
    int rc = 0;

    for (cJSON *c = o->child; c; c = c->next, i++)
        sorted[i] = (struct keyed){ c, i };
    qsort(sorted, n, sizeof *sorted, by_key);
    for (i = 1; i < n && !rc; i++) {
        cJSON *before = sorted[i - 1].member;

        if (strcmp(before->string, sorted[i].member->string))
            continue;
        if (last)
            cJSON_Delete(cJSON_DetachItemViaPointer(o, before));
        else
            rc = err_set(EXIT_DATA, "the key '%s' stands twice in one JSON object", before->string);
    }
    free(sorted);
    return rc;
}

static int settle_all_keys(cJSON *v, bool last)
{
    if (cJSON_IsObject(v) && settle_keys(v, last) < 0)
        return -1;
    for (cJSON *c = v->child; c; c = c->next)
        if (settle_all_keys(c, last) < 0)
            return -1;
    return 0;
}

/* A text of 100 MB may make a tree of several GB. */
static int check_size(const char *text, size_t n)
{
    size_t commas = 0;

    for (size_t i = 0; i < n; i++)
        commas += text[i] == ',';
    return commas <= JSON_VALUES_MAX
               ? 0
               : err_set(EXIT_DATA, "more than %d values of JSON", JSON_VALUES_MAX);
}

/* ANY: doubled keys and \u0000 too. */
static cJSON *parse(const char *text, size_t n, bool any)
{
    const size_t mark = json_mark(text, n);
    struct buf respelt = BUF_INIT;

    text += mark;
    n -= mark;
    struct scan s = {
        .begin = text, .p = text, .end = text + n, .respelt = &respelt, .copied = text
    };
    cJSON *v = NULL;

    if (check_size(text, n) < 0 || check_text(&s) < 0)
        goto done;
    if (s.nuls && !any) {
        err_set(EXIT_DATA, "a JSON string holds \\u0000, which is not supported; remove it");
        goto done;
    }
    if (respelt.n)
        buf_add(&respelt, s.copied, (size_t)(s.end - s.copied));
    v = respelt.n ? cJSON_ParseWithLength(respelt.p, respelt.n) : cJSON_ParseWithLength(text, n);
    if (!v)
        die(EXIT_MEMORY, "out of memory: %zu bytes of JSON", n); /* all other causes were checked */
    if (settle_all_keys(v, any) < 0) {
        cJSON_Delete(v);
        v = NULL;
    }
done:
    buf_free(&respelt);
    return v;
}

cJSON *json_parse(const char *text, size_t n)
{
    return parse(text, n, false);
}

cJSON *json_parse_any(const char *text, size_t n)
{
    return parse(text, n, true);
}

/* 1 and the member, 0 when absent or null. */
static int member(const cJSON *o, const char *key, const cJSON **v)
{
    *v = cJSON_GetObjectItemCaseSensitive(o, key);
    return *v && !cJSON_IsNull(*v);
}

static int wrong_type(const char *key, const char *wanted)
{
    return err_set(EXIT_DATA, "'%s' is not %s", key, wanted);
}

int json_int(const cJSON *o, const char *key, int64_t *value, int64_t min, int64_t max)
{
    const double exact = 0x1p53;
    const cJSON *v;

    if (!member(o, key, &v))
        return 0;
    if (!cJSON_IsNumber(v) || !(fabs(v->valuedouble) <= exact) ||
        v->valuedouble != floor(v->valuedouble))
        return wrong_type(key, "a whole number");
    const int64_t i = (int64_t)v->valuedouble;

    if (i < min || i > max)
        return err_set(EXIT_DATA, "'%s' is %lld, outside %lld..%lld", key, (long long)i,
                       (long long)min, (long long)max);
    *value = i;
    return 1;
}

int json_double(const cJSON *o, const char *key, double *value)
{
    const cJSON *v;

    if (!member(o, key, &v))
        return 0;
    if (!cJSON_IsNumber(v) || !isfinite(v->valuedouble))
        return wrong_type(key, "a number");
    *value = v->valuedouble;
    return 1;
}

int json_bool(const cJSON *o, const char *key, bool *value)
{
    const cJSON *v;

    if (!member(o, key, &v))
        return 0;
    if (!cJSON_IsBool(v))
        return wrong_type(key, "true or false");
    *value = cJSON_IsTrue(v);
    return 1;
}

int json_text(const cJSON *o, const char *key, const char **value)
{
    const cJSON *v;

    if (!member(o, key, &v))
        return 0;
    if (!cJSON_IsString(v))
        return wrong_type(key, "a text");
    *value = v->valuestring;
    return 1;
}

int json_object(const cJSON *o, const char *key, const cJSON **value)
{
    const cJSON *v;

    if (!member(o, key, &v))
        return 0;
    if (!cJSON_IsObject(v))
        return wrong_type(key, "an object");
    *value = v;
    return 1;
}
