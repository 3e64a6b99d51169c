#include "libarchive.h"
#include "mem.h"
#include "outdir.h"
#include "pack.h"
#include "watch.h"
#include "zframe.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

enum { LARGE = 1 << 20 }; /* a full disk shows before such a file is written */

/* Either a folder, or a tar through libarchive, compressed or not. */
struct pack_writer {
    struct outdir *dir;
    struct outfile *file; /* the archive, or the folder's file in hand */
    struct archive *a;    /* NULL: a folder */
    struct archive_entry *entry;
    ZSTD_CCtx *zstd;       /* NULL: not compressed */
    char *packed;          /* what zstd made */
    _Atomic uint64_t left; /* bytes of the file in hand still to come */
    bool begun;            /* there is a file in hand */
    bool finished;         /* nothing more is to be written */
    char *odd;             /* the archive's name, where it is like a folder's; else NULL */
};

/* ---- tar ---- */

static int compress_on(struct pack_writer *w, const void *bytes, size_t n, ZSTD_EndDirective end)
{
    ZSTD_inBuffer in = { bytes, n, 0 };
    size_t more;

    do {
        ZSTD_outBuffer out = { w->packed, ZSTD_CStreamOutSize(), 0 };

        more = ZSTD_compressStream2(w->zstd, &out, &in, end);
        if (ZSTD_isError(more))
            return zframe_fail(more);
        if (outfile_write(w->file, w->packed, out.pos) < 0)
            return -1;
    } while (in.pos < n || (end == ZSTD_e_end && more));
    return 0;
}

static la_ssize_t take_tar(struct archive *a, void *client, const void *bytes, size_t n)
{
    struct pack_writer *w = client;

    if (!w->file) { /* thrown away: libarchive must not fill up the file in hand */
        la.archive_set_error(a, ECANCELED, "thrown away");
        return -1;
    }
    const int rc =
        w->zstd ? compress_on(w, bytes, n, ZSTD_e_continue) : outfile_write(w->file, bytes, n);

    if (rc < 0) {
        la.archive_set_error(a, EIO, "%s", err_text());
        return -1;
    }
    return (la_ssize_t)n;
}

/* Either take_tar failed, whose line is there, or there is no memory for what libarchive prepares:
 * names and sizes are ours, and right. */
static int archive_fail(const struct pack_writer *w)
{
    return la.archive_errno(w->a) == EIO
               ? -1
               : err_set(EXIT_MEMORY, "out of memory: libarchive cannot write a tar");
}

static void start_zstd(struct pack_writer *w, int level)
{
    w->zstd = ZSTD_createCCtx();
    w->packed = xmalloc(ZSTD_CStreamOutSize());
    if (!w->zstd)
        die(EXIT_MEMORY, "out of memory: zstd wants a context");
    (void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
}

/* libarchive makes tar only: its zstd filter writes no checksum. Unblocked, so that data are handed
 * on as they come. */
static int start_tar(struct pack_writer *w)
{
    if (libarchive_open() < 0)
        return -1;
    w->a = la.archive_write_new();
    w->entry = la.archive_entry_new();
    if (!w->a || !w->entry)
        die(EXIT_MEMORY, "out of memory: libarchive wants a writer");
    if (la.archive_write_set_format_pax_restricted(w->a) != ARCHIVE_OK ||
        la.archive_write_set_bytes_per_block(w->a, 0) != ARCHIVE_OK)
        return archive_fail(w);
    return la.archive_write_open(w->a, w, NULL, take_tar, NULL) == ARCHIVE_OK ? 0 : archive_fail(w);
}

static int begin_entry(struct pack_writer *w, const char *name, uint64_t size)
{
    la.archive_entry_clear(w->entry);
    la.archive_entry_set_pathname(w->entry, name);
    la.archive_entry_set_size(w->entry, (la_int64_t)size);
    la.archive_entry_set_filetype(w->entry, AE_IFREG);
    la.archive_entry_set_perm(w->entry, 0644);
    la.archive_entry_set_mtime(w->entry, 0, 0);
    return la.archive_write_header(w->a, w->entry) == ARCHIVE_OK ? 0 : archive_fail(w);
}

static int write_entry(struct pack_writer *w, const char *p, size_t n)
{
    while (n) {
        const la_ssize_t done = la.archive_write_data(w->a, p, n);

        if (done <= 0)
            return archive_fail(w);
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

/* ---- both ---- */

static void release(struct pack_writer *w)
{
    outfile_abort(w->file);
    w->file = NULL;
    if (w->a) {
        (void)la.archive_write_free(w->a); /* closes it, which writes */
        la.archive_entry_free(w->entry);
    }
    outdir_abort(w->dir);
    ZSTD_freeCCtx(w->zstd);
    free(w->packed);
    free(w->odd);
    free(w);
}

/* A name like phi-2.nf4 is taken for a folder's. */
static bool is_odd(const char *path)
{
    struct stat st;

    return !text_ends_with(path, ".tar") && !text_ends_with(path, ".zst") &&
           strcmp(path, "-") != 0 && (stat(path, &st) < 0 || S_ISREG(st.st_mode));
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int pack_create(struct pack_writer **out, const char *path, bool force, int level,
                const char *const *names)
{
    struct pack_writer *w = xcalloc(1, sizeof *w);
    int rc;

    if (text_ends_with(path, "/")) {
        rc = outdir_open(&w->dir, path, force, names);
    } else if (is_folder(path)) {
        rc = err_set(EXIT_CREATE, "%s: is a folder; write %s/ for one, or the name of a file", path,
                     path);
    } else {
        w->odd = is_odd(path) ? xstrdup(path) : NULL;
        rc = outfile_open(&w->file, path, force, true);
        if (!rc && !text_ends_with(path, ".tar"))
            start_zstd(w, level);
        if (!rc)
            rc = start_tar(w);
    }
    if (rc < 0) {
        release(w);
        return -1;
    }
    *out = w;
    return 0;
}

int pack_reserve(struct pack_writer *w, uint64_t bytes)
{
    return w->a ? outfile_reserve(w->file, bytes) : outdir_reserve(w->dir, bytes);
}

int pack_begin(struct pack_writer *w, const char *name, uint64_t size)
{
    assert(!w->begun && !strchr(name, '/'));
    w->begun = true;
    w->left = size;
    const int rc = w->a ? begin_entry(w, name, size) : outdir_file(w->dir, &w->file, name);

    return rc < 0 || w->zstd || size < LARGE ? rc : outfile_reserve(w->file, size);
}

int pack_write(struct pack_writer *w, const void *bytes, size_t n)
{
    assert(n <= w->left);
    w->left -= n;
    return w->a ? write_entry(w, bytes, n) : outfile_write(w->file, bytes, n);
}

bool pack_is_folder(const struct pack_writer *w)
{
    return w->dir;
}

int pack_write_at(struct pack_writer *w, uint64_t offset, const void *bytes, size_t n)
{
    assert(pack_is_folder(w) && n <= w->left);
    w->left -= n;
    return outfile_write_at(w->file, offset, bytes, n);
}

int pack_end(struct pack_writer *w)
{
    assert(!w->left);
    w->begun = false;
    if (w->a)
        return la.archive_write_finish_entry(w->a) == ARCHIVE_OK ? 0 : archive_fail(w);

    struct outfile *f = w->file;

    w->file = NULL;
    return outfile_commit(f);
}

int pack_put(struct pack_writer *w, const char *name, const void *bytes, size_t n)
{
    if (pack_begin(w, name, n) < 0 || pack_write(w, bytes, n) < 0)
        return -1;
    return pack_end(w);
}

int pack_sync(struct pack_writer *w)
{
    assert(!w->begun);
    if (w->finished)
        return 0;
    w->finished = true;
    if (watch_check() < 0)
        return -1;
    if (!w->a)
        return outdir_sync(w->dir);
    if (la.archive_write_close(w->a) != ARCHIVE_OK)
        return archive_fail(w);
    if (w->zstd && compress_on(w, NULL, 0, ZSTD_e_end) < 0)
        return -1;
    return outfile_sync(w->file);
}

static int give_name(struct pack_writer *w)
{
    struct outfile *f = w->file;
    struct outdir *d = w->dir;

    w->file = NULL;
    w->dir = NULL;
    return d ? outdir_commit(d) : outfile_commit(f);
}

int pack_commit(struct pack_writer *w)
{
    const int rc = pack_sync(w) < 0 ? -1 : give_name(w);

    if (!rc && w->odd)
        warn("%s is a .tar.zst archive; for a folder write %s/", w->odd, w->odd);
    release(w);
    return rc;
}

void pack_abort(struct pack_writer *w)
{
    if (w)
        release(w);
}
