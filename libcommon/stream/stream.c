#include "stream.h"

#include "stream_header.h"
#include "zframe.h"

#include <string.h>

static const struct {
    enum stream_kind kind;
    const char *name;
} kinds[] = {
    { KIND_EXAMPLES, "examples" },
    { KIND_PROMPTS, "prompts" },
    { KIND_TOKENS, "tokens" },
    { KIND_PREDICTIONS, "predictions" },
};

const char *stream_kind_name(enum stream_kind kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "records";
}

enum stream_kind stream_kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name))
            return kinds[i].kind;
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
