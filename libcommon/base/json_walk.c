#include "json_walk.h"

#include "utf8.h"

#include <string.h>

const char *json_begin(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
        p++;
    return p;
}

/* Behind the string whose content begins at P. */
static const char *string_end(const char *p)
{
    for (; *p != '"'; p++)
        p += *p == '\\';
    return p + 1;
}

/* Behind the array or object whose content begins at P. */
static const char *list_end(const char *p)
{
    for (int depth = 1; depth > 0;) {
        const char c = *p++;

        if (c == '"')
            p = string_end(p);
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
    }
    return p;
}

const char *json_end(const char *p)
{
    if (*p == '"')
        return string_end(p + 1);
    if (*p == '{' || *p == '[')
        return list_end(p + 1);
    return p + strcspn(p, ",}] \t\r\n");
}

const char *json_first(const char *p)
{
    p = json_begin(p + 1);
    return *p == '}' || *p == ']' ? NULL : p;
}

const char *json_next(const char *end)
{
    end = json_begin(end);
    return *end == ',' ? json_begin(end + 1) : NULL;
}

const char *json_value(const char *end)
{
    return json_begin(json_begin(end) + 1);
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return v;
}

/* Appends the character of the \u escape whose digits begin at P; returns where they end. */
static const char *put_unicode(struct buf *b, const char *p)
{
    uint32_t cp = hex4(p);
    char bytes[4];

    p += 4;
    if (cp >= 0xd800 && cp < 0xe000) { /* a high half; the low one follows as another escape */
        cp = 0x10000 + ((cp - 0xd800) << 10) + (hex4(p + 2) - 0xdc00);
        p += 6;
    }
    buf_add(b, bytes, (size_t)utf8_encode(cp, bytes));
    return p;
}

const char *json_string(const char **at, struct buf *room, size_t *n)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *const text = *at + 1, *p = text;

    while (*p != '"' && *p != '\\')
        p++;
    *n = (size_t)(p - text);
    *at = p + 1;
    if (*p == '"')
        return text;
    buf_clear(room);
    buf_add(room, text, *n);
    while (*p != '"') {
        const char *known;

        if (*p != '\\') {
            buf_putc(room, *p++);
        } else if (p[1] == 'u') {
            p = put_unicode(room, p + 2);
        } else {
            known = strchr(from, p[1]);
            buf_putc(room, known ? to[known - from] : p[1]);
            p += 2;
        }
    }
    *n = room->n;
    *at = p + 1;
    return room->p;
}
