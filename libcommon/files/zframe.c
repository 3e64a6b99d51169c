#include "zframe.h"

#include "input.h"
#include "mem.h"

#include <stdlib.h>
#include <zstd_errors.h>

enum {
    HEAD = 6,                 /* magic number, descriptor, window */
    LARGE_WINDOW = 128 << 20, /* what zstd itself takes unasked */
};

static uint32_t magic_of(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool zframe_begins(const void *p, size_t n)
{
    return n >= 4 && magic_of(p) == ZSTD_MAGICNUMBER;
}

bool zframe_is_skippable(const void *p, size_t n)
{
    return n >= 4 && (magic_of(p) & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

/* Of the frame that begins here; 0: it says none, or too few bytes are there. RFC 8878, 3.1.1.1. */
static uint64_t window_of(const uint8_t *p, size_t n)
{
    const uint8_t single_segment = 0x20;

    if (n < HEAD || !zframe_begins(p, n) || p[4] & single_segment)
        return 0;
    const uint64_t base = (uint64_t)1 << (10 + (p[5] >> 3));

    return base + base / 8 * (p[5] & 7);
}

ZSTD_DCtx *zframe_decoder(void)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    const int most = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound;

    if (!zstd || ZSTD_isError(ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, most)))
        die(EXIT_MEMORY, "out of memory: zstd cannot start");
    return zstd;
}

int zframe_decode(ZSTD_DCtx *zstd, ZSTD_outBuffer *out, ZSTD_inBuffer *in, size_t *left, bool first,
                  const char *name)
{
    const uint64_t window =
        first ? window_of((const uint8_t *)in->src + in->pos, in->size - in->pos) : 0;

    if (window > LARGE_WINDOW)
        note("%s: was compressed with a window of %llu MiB: as much memory is wanted", name,
             (unsigned long long)(window >> 20));
    *left = ZSTD_decompressStream(zstd, out, in);
    if (!ZSTD_isError(*left))
        return 0;
    if (ZSTD_getErrorCode(*left) == ZSTD_error_memory_allocation)
        return err_set(EXIT_MEMORY,
                       "out of memory: its zstd window has %llu MiB; compress it anew, "
                       "without --long",
                       (unsigned long long)(window >> 20));
    return err_set(EXIT_DATA, "broken zstd data (%s); copy or make the file again",
                   ZSTD_getErrorName(*left));
}

/* What the N bytes at P, a file's first, decompress to, ROOM at most; returns how many. */
static size_t beginning(uint8_t *to, size_t room, const uint8_t *p, size_t n)
{
    ZSTD_inBuffer in = { p, n, 0 };
    ZSTD_outBuffer out = { to, room, 0 };
    ZSTD_DCtx *zstd = zframe_decoder();

    size_t left = 1;

    /* but for memory an error is no news here: what came out before it counts */
    while (!ZSTD_isError(left) && in.pos < in.size && out.pos < out.size)
        left = ZSTD_decompressStream(zstd, &out, &in);
    if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
        die(EXIT_MEMORY, "out of memory: zstd cannot start");
    (void)ZSTD_freeDCtx(zstd);
    return out.pos;
}

int zframe_peek(const char *path, uint8_t *to, size_t room, size_t *n)
{
    uint8_t *bytes = xmalloc(INPUT_PEEK_MAX);
    size_t got;
    int rc = input_peek(path, bytes, INPUT_PEEK, &got);

    *n = 0;
    if (rc == 0 && (zframe_begins(bytes, got) || zframe_is_skippable(bytes, got))) {
        *n = beginning(to, room, bytes, got);
        if (*n < room && got == INPUT_PEEK) { /* a first block may be as large as that */
            rc = input_peek(path, bytes, INPUT_PEEK_MAX, &got);
            *n = rc == 0 ? beginning(to, room, bytes, got) : 0;
        }
    }
    free(bytes);
    return rc;
}

int zframe_fail(size_t code)
{
    const char *why = ZSTD_getErrorName(code);

    return ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation
               ? err_set(EXIT_MEMORY, "out of memory: zstd cannot compress")
               : err_set(EXIT_NUMERIC, "zstd: %s", why);
}
