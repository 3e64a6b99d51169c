#include "stream.h"

#include "stream_header.h"
#include "zframe.h"

#include <string.h>

/* In the order of their bits. */
static const char *const kinds[] = { "examples", "prompts", "tokens", "predictions" };
enum { KINDS = sizeof kinds / sizeof *kinds };

const char *stream_kind_name(enum stream_kind kind)
{
    for (unsigned i = 0; i < KINDS; i++)
        if (kind == 1u << i)
            return kinds[i];
    return "records";
}

enum stream_kind stream_kind_of(const char *name, size_t n)
{
    for (unsigned i = 0; i < KINDS; i++)
        if (text_is(name, n, kinds[i]))
            return 1u << i;
    return 0;
}

int stream_is_at(const char *path)
{
    static const uint8_t tag[] = { 0xd9, STREAM_TAG >> 8, STREAM_TAG & 0xff };
    uint8_t start[sizeof tag];
    size_t n;

    if (zframe_peek(path, start, sizeof start, &n) < 0)
        return -1;
    return n == sizeof tag && !memcmp(start, tag, sizeof tag);
}
