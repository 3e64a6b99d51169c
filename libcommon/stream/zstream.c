#include "zstream.h"

#include "filetype.h"
#include "input.h"
#include "mem.h"
#include "sha256.h"
#include "zframe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum {
    IN_BYTES = 1 << 17,
    OUT_BYTES = 1 << 17,
    SEAL_HEAD = 8, /* magic number and size of a skippable frame */
    SEAL_BYTES = SEAL_HEAD + SHA256_BYTES,
};

/* Magic 0x184D2A5E, one of the sixteen that zstd sets aside, and the size 32, little-endian. The
 * table of the seekable format has the same magic number, and never this size. */
static const uint8_t seal_head[SEAL_HEAD] = { 0x5e, 0x2a, 0x4d, 0x18, SHA256_BYTES, 0, 0, 0 };
/* What a sealed file has behind the six bytes of its frame header: a block that is not the last,
 * raw, of three bytes. */
enum { FIRST_BLOCK = 3, PROMISE_AT = 6 };
static const uint8_t promise[3] = { FIRST_BLOCK << 3, 0, 0 };

/* ---- reading ---- */

struct zin {
    struct input *file;
    ZSTD_DCtx *zstd;
    struct sha256 *sha; /* of the compressed bytes */
    ZSTD_inBuffer in;   /* over data */
    uint64_t passed;    /* bytes of the file before data */
    bool eof;
    bool between;  /* at the beginning of a frame */
    bool promised; /* the seal must be there */
    uint8_t data[IN_BYTES];
};

int zin_open(struct zin **out, const char *path)
{
    struct input *file;

    if (!strcmp(path, "-") && isatty(STDIN_FILENO))
        return err_set(EXIT_USAGE, "standard input is a terminal; name a stream, or pipe one in");
    if (input_open(&file, path) < 0)
        return -1;
    struct zin *z = xmalloc(sizeof *z);

    memset(z, 0, offsetof(struct zin, data));
    z->file = file;
    z->in.src = z->data;
    z->between = true;
    z->sha = sha256_new();
    z->zstd = zframe_decoder();
    *out = z;
    return 0;
}

void zin_close(struct zin *z)
{
    if (!z)
        return;
    input_close(z->file);
    (void)ZSTD_freeDCtx(z->zstd);
    sha256_free(z->sha);
    free(z);
}

/* The path, or "standard input". */
static const char *zin_name(const struct zin *z)
{
    return input_name(z->file);
}

bool zin_can_reopen(const struct zin *z)
{
    return input_seek(z->file, 0, SEEK_CUR) >= 0;
}

/* The byte of the file that comes next. */
static unsigned long long position(const struct zin *z)
{
    return z->passed + z->in.pos;
}

static int bad(const struct zin *z, const char *what)
{
    return err_set(EXIT_DATA, "%s: byte %llu: %s", zin_name(z), position(z), what);
}

const char *zin_advice(const struct zin *z, const char *advice)
{
    return input_is_pipe(z->file) ? "see the error before" : advice;
}

static int cut_short(const struct zin *z, const char *where)
{
    return err_set(EXIT_DATA, "%s: byte %llu: cut short%s; %s", zin_name(z), position(z), where,
                   zin_advice(z, "copy or make the file again"));
}

static size_t available(const struct zin *z)
{
    return z->in.size - z->in.pos;
}

/* At least WANT bytes, or all there are. */
static int gather(struct zin *z, size_t want)
{
    while (available(z) < want && !z->eof) {
        size_t got;

        memmove(z->data, z->data + z->in.pos, available(z));
        z->passed += z->in.pos;
        z->in.size -= z->in.pos;
        z->in.pos = 0;
        if (input_read(z->file, z->data + z->in.size, sizeof z->data - z->in.size, &got) < 0)
            return -1;
        z->eof = got == 0;
        z->in.size += got;
    }
    return 0;
}

/* The seal must say what came before it and be the last thing in the file. */
static int check_seal(struct zin *z)
{
    uint8_t digest[SHA256_BYTES];
    const uint8_t *p = z->data + z->in.pos;

    sha256_peek(z->sha, digest);
    if (available(z) < SEAL_BYTES)
        return cut_short(z, " in the seal");
    if (memcmp(p, seal_head, SEAL_HEAD) != 0 || memcmp(p + SEAL_HEAD, digest, sizeof digest) != 0)
        return bad(
            z,
            "the seal does not fit what is before it: the file was changed; copy or make it again");
    if (available(z) > SEAL_BYTES)
        return bad(
            z, "there are bytes behind the seal; give joined streams one by one, or make it again");
    z->in.pos = z->in.size;
    z->promised = false;
    return 0;
}

/* The first block says whether a seal ends the file: not behind a skippable frame, which only who
 * compressed it anew can have put there. */
static int first_frame(struct zin *z)
{
    const uint8_t *p = z->data;
    const size_t n = available(z);

    if (!n)
        return err_set(EXIT_NOINPUT, "%s: empty; %s", zin_name(z),
                       zin_advice(z, "the program that should have written it has failed"));
    if (!zframe_begins(p, n) && !zframe_is_skippable(p, n)) {
        const char *what = filetype_of(p, n);

        return err_set(EXIT_DATA,
                       "%s: not a record stream: it %s%.*s; split-stratified, promptify "
                       "and peek --from-jsonl make streams",
                       zin_name(z), what ? "is " : "does not begin with a zstd frame",
                       what ? (int)strcspn(what, ";") : 0, what ? what : "");
    }
    z->promised = zframe_begins(p, n) && n >= PROMISE_AT + sizeof promise &&
                  !memcmp(p + PROMISE_AT, promise, sizeof promise);
    return 0;
}

/* Looks at what begins here: 1 a frame, 0 the end of the file. */
static int next_frame(struct zin *z)
{
    if (gather(z, SEAL_BYTES + 1) < 0 || (!position(z) && first_frame(z) < 0))
        return -1;
    if (!available(z))
        return z->promised ? cut_short(z, ": the seal is missing") : 0;
    if (available(z) >= SEAL_HEAD && !memcmp(z->data + z->in.pos, seal_head, SEAL_HEAD))
        return check_seal(z);
    return 1;
}

/* One call of the decoder, which may hold output back: it has its turn before more bytes are read
 * for it. 1, or -1. */
static int decompress(struct zin *z, ZSTD_outBuffer *out)
{
    const unsigned long long at = position(z);
    const uint8_t *const p = z->data + z->in.pos;
    size_t left;

    if (zframe_decode(z->zstd, out, &z->in, &left, z->between, zin_name(z)) < 0)
        return err_in("%s: byte %llu", zin_name(z), at);
    sha256_add(z->sha, p, (size_t)(position(z) - at));
    z->between = !left;
    if (left && !out->pos && gather(z, 1) < 0)
        return -1;
    return left && !out->pos && !available(z) ? cut_short(z, ": the file ends inside a zstd frame")
                                              : 1;
}

int zin_read(struct zin *z, uint8_t *to, size_t room, size_t *got)
{
    ZSTD_outBuffer out = { to, room, 0 };
    int rc = 1;

    while (rc > 0 && !out.pos) {
        rc = z->between ? next_frame(z) : 1;
        if (rc > 0)
            rc = decompress(z, &out);
    }
    *got = out.pos;
    return rc < 0 ? -1 : 0;
}

/* ---- writing ---- */

enum {
    JOB_BYTES = 1 << 20, /* of content a thread compresses at a time: part of what the bytes are */
    WORKERS_MAX = 8,
};

struct zout {
    struct outfile *f;
    struct sha256 *sha; /* of the compressed bytes */
    ZSTD_CCtx *zstd;
    bool begun;
    uint8_t data[OUT_BYTES];
};

static int workers_for(int64_t threads)
{
    const int64_t n = threads > 0 ? threads : sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (int)n;
}

/* A job that knows nothing of the one before it (overlap 1: none) costs 0.2 % of size and is made
 * faster: its tables stay in the second cache. One worker makes the same bytes as many; none would
 * not. */
static ZSTD_CCtx *compressor(int level, int64_t threads)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();

    if (!zstd || ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)))
        die(EXIT_MEMORY, "out of memory: zstd cannot start");
    if (ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_nbWorkers, workers_for(threads))) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_jobSize, JOB_BYTES)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_overlapLog, 1)))
        die(EXIT_NODEVICE, "this libzstd was built without threads; use one that has them");
    return zstd;
}

struct zout *zout_new(struct outfile *f, int level, int64_t threads)
{
    struct zout *z = xmalloc(sizeof *z);

    memset(z, 0, offsetof(struct zout, data));
    z->f = f;
    z->sha = sha256_new();
    z->zstd = compressor(level, threads);
    return z;
}

void zout_free(struct zout *z)
{
    if (!z)
        return;
    (void)ZSTD_freeCCtx(z->zstd);
    sha256_free(z->sha);
    free(z);
}

static int compress(struct zout *z, const void *bytes, size_t n, ZSTD_EndDirective mode)
{
    ZSTD_inBuffer in = { bytes, n, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { z->data, sizeof z->data, 0 };

        left = ZSTD_compressStream2(z->zstd, &out, &in, mode);
        if (ZSTD_isError(left))
            return zframe_fail(left), err_in("%s", outfile_name(z->f));
        sha256_add(z->sha, z->data, out.pos);
        if (outfile_write(z->f, z->data, out.pos) < 0)
            return -1;
    } while (mode == ZSTD_e_continue ? in.pos < in.size : left > 0);
    return 0;
}

int zout_write(struct zout *z, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    if (!z->begun) { /* the block that promises the seal */
        assert(n >= FIRST_BLOCK);
        if (compress(z, p, FIRST_BLOCK, ZSTD_e_flush) < 0)
            return -1;
        z->begun = true;
        p += FIRST_BLOCK;
        n -= FIRST_BLOCK;
    }
    return n ? compress(z, p, n, ZSTD_e_continue) : 0;
}

int zout_flush(struct zout *z)
{
    return compress(z, NULL, 0, ZSTD_e_flush);
}

int zout_end(struct zout *z)
{
    uint8_t seal[SEAL_BYTES];

    if (compress(z, NULL, 0, ZSTD_e_end) < 0)
        return -1;
    memcpy(seal, seal_head, SEAL_HEAD);
    sha256_peek(z->sha, seal + SEAL_HEAD);
    return outfile_write(z->f, seal, sizeof seal);
}
