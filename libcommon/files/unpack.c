#include "unpack.h"

#include "libarchive.h"
#include "mem.h"
#include "zframe.h"

#include <stdlib.h>
#include <string.h>

enum { OUT_BYTES = 1 << 18 };

struct unpack {
    struct feed feed;
    const uint8_t *p; /* N bytes of the feed that nobody has taken yet */
    size_t n;
    uint64_t in, out; /* bytes that were read, and that came of them */
    bool failed;      /* the feed */
    ZSTD_DCtx *zstd;  /* NULL: it is not zstd */
    bool between;     /* at the beginning of a frame */
    uint8_t *room;
    struct archive *gzip; /* NULL: it is not gzip */
    struct archive_entry *entry;
    bool ended; /* what is in gzip */
};

int unpack_bound(uint64_t packed, uint64_t n)
{
    if (n <= UNPACK_FREE || n / UNPACK_RATIO <= packed)
        return 0;
    return err_set(EXIT_DATA,
                   "%llu bytes unpack to more than %d times as many; unpack it yourself if you "
                   "trust it",
                   (unsigned long long)packed, UNPACK_RATIO);
}

static bool is_gzip(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

bool unpack_wants(const void *bytes, size_t n)
{
    return is_gzip(bytes, n) || zframe_begins(bytes, n) || zframe_is_skippable(bytes, n);
}

/* ---- the feed ---- */

/* Bytes of the feed, if it still has any. */
static int refill(struct unpack *u)
{
    if (u->n)
        return 0;
    if (u->feed.read(u->feed.from, &u->p, &u->n) < 0) {
        u->failed = true;
        return -1;
    }
    u->in += u->n;
    return 0;
}

static int read_bare(struct unpack *u, const uint8_t **bytes, size_t *n)
{
    if (refill(u) < 0)
        return -1;
    *bytes = u->p;
    *n = u->n;
    u->n = 0;
    return 0;
}

bool unpack_can_seek(const struct unpack *u)
{
    return u->feed.seek && !unpack_is_packed(u);
}

int64_t unpack_seek(struct unpack *u, int64_t offset, int whence)
{
    u->n = 0;
    return u->feed.seek(u->feed.from, offset, whence);
}

/* ---- zstd ---- */

static int read_zstd(struct unpack *u, const uint8_t **bytes, size_t *n)
{
    ZSTD_outBuffer out = { u->room, OUT_BYTES, 0 };

    while (!out.pos) {
        size_t left;

        if (u->between && refill(u) < 0)
            return -1;
        if (u->between && !u->n)
            break;
        ZSTD_inBuffer in = { u->p, u->n, 0 };

        if (zframe_decode(u->zstd, &out, &in, &left, u->between, u->feed.name) < 0)
            return -1;
        u->p += in.pos;
        u->n -= in.pos;
        u->between = !left;
        /* it may hold output back: more is read only when nothing came */
        if (left && !out.pos && refill(u) < 0)
            return -1;
        if (left && !out.pos && !u->n)
            return err_set(EXIT_DATA, "cut short: it ends inside a zstd frame; get it again");
    }
    *bytes = u->room;
    *n = out.pos;
    return 0;
}

/* ---- gzip ---- */

static la_ssize_t on_read(struct archive *a, void *user, const void **bytes)
{
    const uint8_t *p;
    size_t n;

    if (read_bare(user, &p, &n) < 0) {
        la.archive_set_error(a, EXIT_IO, "no more bytes");
        return ARCHIVE_FATAL;
    }
    *bytes = p;
    return (la_ssize_t)n;
}

static int gzip_fail(const struct unpack *u)
{
    return u->failed ? -1 : libarchive_fail(u->gzip);
}

static int open_gzip(struct unpack *u)
{
    if (libarchive_reader(&u->gzip, &u->entry) < 0)
        return -1;
    struct archive *a = u->gzip;

    if (la.archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        la.archive_read_support_format_raw(a) != ARCHIVE_OK ||
        la.archive_read_support_format_empty(a) != ARCHIVE_OK ||
        la.archive_read_set_read_callback(a, on_read) != ARCHIVE_OK ||
        la.archive_read_set_callback_data(a, u) != ARCHIVE_OK ||
        la.archive_read_open1(a) != ARCHIVE_OK)
        return gzip_fail(u);
    libarchive_begin();
    const int rc = la.archive_read_next_header2(a, u->entry);

    libarchive_end();
    if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF) /* of nothing in gzip it says the end at once */
        return gzip_fail(u);
    u->ended = rc == ARCHIVE_EOF;
    return 0;
}

static int read_gzip(struct unpack *u, const uint8_t **bytes, size_t *n)
{
    const void *block = NULL;
    la_int64_t offset;
    int rc = ARCHIVE_OK;

    for (*n = 0; !*n && !u->ended;) {
        rc = la.archive_read_data_block(u->gzip, &block, n, &offset);
        if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF)
            return gzip_fail(u);
        u->ended = rc == ARCHIVE_EOF;
    }
    *bytes = block;
    return 0;
}

/* ---- whatever it is ---- */

int unpack_open(struct unpack **out, const struct feed *f)
{
    struct unpack *u = xcalloc(1, sizeof *u);
    int rc;

    u->feed = *f;
    rc = refill(u);
    if (rc == 0 && is_gzip(u->p, u->n)) {
        rc = open_gzip(u);
    } else if (rc == 0 && unpack_wants(u->p, u->n)) {
        u->zstd = zframe_decoder();
        u->room = xmalloc(OUT_BYTES);
        u->between = true;
    }
    *out = u;
    return rc;
}

int unpack_read(struct unpack *u, const uint8_t **bytes, size_t *n)
{
    if (!unpack_is_packed(u))
        return read_bare(u, bytes, n);
    if ((u->zstd ? read_zstd(u, bytes, n) : read_gzip(u, bytes, n)) < 0)
        return -1;
    u->out += *n;
    return unpack_bound(u->in, u->out);
}

bool unpack_is_packed(const struct unpack *u)
{
    return u->zstd || u->gzip;
}

bool unpack_feed_failed(const struct unpack *u)
{
    return u->failed;
}

uint64_t unpack_taken(const struct unpack *u)
{
    return u->in;
}

void unpack_close(struct unpack *u)
{
    if (!u)
        return;
    (void)ZSTD_freeDCtx(u->zstd);
    libarchive_free(u->gzip, u->entry);
    free(u->room);
    free(u);
}
