#include "json.h"

#include "filetype.h"
#include "json_walk.h"
#include "utf8.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the strict check: RFC 8259 by recursive descent, depth bounded ---- */

struct scan {
    const char *begin, *p, *end;
    int depth;
};

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

static int scan_number(struct scan *s)
{
    (void)take(s, '-');
    if (!take(s, '0') && scan_digits(s) < 0)
        return -1;
    if (take(s, '.') && scan_digits(s) < 0)
        return -1;
    if (!take(s, 'e') && !take(s, 'E'))
        return 0;
    if (!take(s, '+'))
        (void)take(s, '-');
    return scan_digits(s);
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

static int scan_member(struct scan *s)
{
    skip_space(s);
    if (scan_string(s) < 0)
        return -1;
    skip_space(s);
    return take(s, ':') ? scan_value(s) : scan_fail(s, "':' is missing");
}

/* An array or an object. */
static int scan_list(struct scan *s)
{
    const bool object = *s->p++ == '{';

    if (++s->depth > JSON_DEPTH_MAX)
        return scan_fail(s, "nested too deeply");
    skip_space(s);
    if (!take(s, object ? '}' : ']')) {
        do {
            if ((object ? scan_member(s) : scan_value(s)) < 0)
                return -1;
            skip_space(s);
        } while (take(s, ','));
        if (!take(s, object ? '}' : ']'))
            return scan_fail(s, object ? "',' or '}' is missing" : "',' or ']' is missing");
    }
    s->depth--;
    return 0;
}

static int scan_value(struct scan *s)
{
    skip_space(s);
    const int c = peek_at(s);

    if (c == '{' || c == '[')
        return scan_list(s);
    if (c == '"')
        return scan_string(s);
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(s);
    return scan_word(s, c == 't' ? "true" : c == 'f' ? "false" : "null");
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

/* What is another kind of file altogether is called by its name. */
int json_check(const char *text, size_t n)
{
    struct scan s = { .begin = text, .p = text, .end = text + n };

    if (scan_text(&s) == 0)
        return 0;
    const char *what = filetype_of(text, n);

    return what ? err_set(EXIT_DATA, "not JSON but %s", what) : -1;
}

/* ---- a tree of cJSON, of a text that was checked ---- */

/* No call of cJSON fails for want of memory, also elsewhere: that ends the program. */
__attribute__((constructor)) static void set_memory(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){ xmalloc, free });
}

struct tree {
    bool any;                 /* doubled keys and \u0000 too */
    const char *const *large; /* NULL, or keys whose values stay text */
    int values, depth;
    struct buf room, text;
};

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

/* What the string at *P says, *P moves behind it; NULL when it holds U+0000, which C strings
 * cannot. */
static const char *c_string(struct tree *t, const char **p)
{
    size_t n;
    const char *text = json_string(p, &t->room, &n);

    if (memchr(text, 0, n))
        return NULL;
    buf_clear(&t->text);
    buf_add(&t->text, text, n);
    return t->text.p;
}

/* Instead of a string that would be cut: no text, number or object, which anyone could take for
 * what was written. */
static cJSON *no_string(const struct tree *t)
{
    if (!t->any) {
        err_set(EXIT_DATA, "a JSON string holds \\u0000, which is not supported; remove it");
        return NULL;
    }
    cJSON *v = cJSON_CreateArray();

    (void)cJSON_AddItemToArray(v, cJSON_CreateNull());
    return v;
}

static cJSON *new_string(struct tree *t, const char **p)
{
    const char *text = c_string(t, p);

    return text ? cJSON_CreateString(text) : no_string(t);
}

/* cJSON forgets how it was spelt. */
static cJSON *new_number(const char **p)
{
    const char *const from = *p;
    cJSON *v = cJSON_CreateNumber(strtod(from, NULL));

    *p = json_end(from);
    v->valuestring = xstrndup(from, (size_t)(*p - from));
    return v;
}

static bool is_large(const struct tree *t, const char *key)
{
    for (const char *const *one = t->large; one && *one; one++)
        if (t->depth == 2 && !strcmp(*one, key))
            return true;
    return false;
}

static cJSON *new_large(const char **p)
{
    cJSON *v = cJSON_CreateStringReference(*p);

    *p = json_end(*p);
    v->type = cJSON_Raw | cJSON_IsReference;
    v->valuedouble = (double)(*p - v->valuestring);
    return v;
}

static cJSON *new_value(struct tree *t, const char **p);

static int add_member(struct tree *t, cJSON *o, const char **p)
{
    const char *key = *p, *name = c_string(t, p);

    *p = json_value(*p);
    cJSON *v = !name ? no_string(t) : is_large(t, name) ? new_large(p) : new_value(t, p);

    if (!v)
        return -1;
    if (!name)
        *p = json_end(*p);
    name = c_string(t, &key); /* the value has taken its room */
    (void)cJSON_AddItemToObject(o, name ? name : "\xef\xbf\xbd", v);
    return 0;
}

static int add_item(struct tree *t, cJSON *array, const char **p)
{
    cJSON *v = new_value(t, p);

    return v && cJSON_AddItemToArray(array, v) ? 0 : -1;
}

static cJSON *new_list(struct tree *t, const char **p)
{
    const bool object = **p == '{';
    cJSON *list = object ? cJSON_CreateObject() : cJSON_CreateArray();
    const char *end = *p + 1;

    t->depth++;
    for (const char *item = json_first(*p); item; item = json_next(end)) {
        end = item;
        if ((object ? add_member(t, list, &end) : add_item(t, list, &end)) < 0)
            goto fail;
    }
    t->depth--;
    *p = json_begin(end) + 1;
    if (!object || settle_keys(list, t->any) == 0)
        return list;
fail:
    cJSON_Delete(list);
    return NULL;
}

/* The value at *P, which moves behind it; NULL with an error. */
static cJSON *new_value(struct tree *t, const char **p)
{
    const char c = **p;

    if (t->values++ == JSON_VALUES_MAX) {
        err_set(EXIT_DATA, "more than %d values of JSON", JSON_VALUES_MAX);
        return NULL;
    }
    if (c == '{' || c == '[')
        return new_list(t, p);
    if (c == '"')
        return new_string(t, p);
    if (c == '-' || (c >= '0' && c <= '9'))
        return new_number(p);
    *p = json_end(*p);
    return c == 'n' ? cJSON_CreateNull() : cJSON_CreateBool(c == 't');
}

static cJSON *parse(const char *text, size_t n, struct tree t)
{
    const size_t mark = utf8_mark(text, n);

    if (json_check(text + mark, n - mark) < 0)
        return NULL;
    const char *p = json_begin(text + mark);
    /* what is no list ends at its last byte: strtod and json_end would look behind that */
    char *copy = strchr("{[\"", *p) ? NULL : xstrndup(p, n - (size_t)(p - text));

    if (copy)
        p = copy;
    cJSON *v = new_value(&t, &p);

    free(copy);
    buf_free(&t.room);
    buf_free(&t.text);
    return v;
}

cJSON *json_parse(const char *text, size_t n)
{
    return parse(text, n, (struct tree){ 0 });
}

cJSON *json_parse_any(const char *text, size_t n)
{
    return parse(text, n, (struct tree){ .any = true });
}

cJSON *json_parse_around(const char *text, size_t n, const char *const *large)
{
    return parse(text, n, (struct tree){ .large = large });
}

/* ---- members ---- */

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
