#include "unarchive.h"

#include "libarchive.h"
#include "mem.h"
#include "unpack.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAR_BLOCK = 512,
    TAR_END = 2 * TAR_BLOCK,  /* blocks of zeros */
    TAR_REST_MAX = 1 << 26,   /* what tar fills up its last record with, and more */
    ZIP_END = 22,             /* bytes of the record that ends a zip, ... */
    ZIP_COMMENT_MAX = 0xffff, /* ... and of the comment behind it */
    FILES_MAX = 1 << 20,
};

struct unarchive {
    struct unpack *bytes;
    enum unarchive_form form;
    struct archive_entry *entry;
    struct archive *a; /* NULL: no archive */
    locale_t utf8;     /* names are read under it; 0: the machine has none */
    struct buf head;   /* what was looked at, where one block was too short for that */
    const uint8_t *p;  /* the block that libarchive has, N bytes, ... */
    size_t n;
    int64_t at;        /* ... and where in the unpacked file it ends */
    bool first;        /* it was only looked at so far */
    bool broken;       /* reading bytes failed; the error is set */
    bool inside;       /* a file has begun */
    int64_t size, got; /* of the present file; SIZE -1: not known */
    uint64_t out;      /* bytes of all files */
    int files;
    struct buf tail; /* of a zip that is read once: the last bytes so far */
};

/* ---- what it is ---- */

/* An old tar has no magic number: the sum of the bytes of its header tells. */
static bool is_tar(const uint8_t *p, size_t n)
{
    enum { SUM_AT = 148, SUM_BYTES = 8 };
    unsigned long sum = 0, any = 0;
    char text[SUM_BYTES + 1] = { 0 };

    if (n < TAR_BLOCK)
        return false;
    for (int i = 0; i < TAR_BLOCK; i++) {
        any |= p[i];
        sum += i >= SUM_AT && i < SUM_AT + SUM_BYTES ? ' ' : p[i];
    }
    memcpy(text, p + SUM_AT, SUM_BYTES);
    return !any || (*text && strtoul(text, NULL, 8) == sum); /* an empty one is all zeros */
}

/* It begins with what ends a zip. */
static bool is_zip_of_nothing(const uint8_t *p)
{
    return !memcmp(p, "PK\5\6", 4);
}

static bool is_zip(const uint8_t *p, size_t n)
{
    return n >= 4 && (!memcmp(p, "PK\3\4", 4) || is_zip_of_nothing(p));
}

static enum unarchive_form form_of(const uint8_t *p, size_t n)
{
    return is_zip(p, n) ? UNARCHIVE_ZIP : is_tar(p, n) ? UNARCHIVE_TAR : UNARCHIVE_BARE;
}

bool unarchive_wants(const void *bytes, size_t n)
{
    return unpack_wants(bytes, n) || form_of(bytes, n) != UNARCHIVE_BARE;
}

bool unarchive_is_hidden(const char *name)
{
    while (!strncmp(name, "./", 2))
        name += 2;
    for (const char *part = name; part; part = strchr(part, '/'), part += part ? 1 : 0)
        if ((*part == '.' && part[1] != '.') || !strncmp(part, "__MACOSX/", 9))
            return true;
    return false;
}

/* ---- libarchive over the bytes ---- */

/* What may be the end of a zip. */
static void keep_tail(struct unarchive *u, const uint8_t *p, size_t n)
{
    const size_t most = ZIP_END + ZIP_COMMENT_MAX;

    if (n < most && u->tail.n + n > most) {
        const size_t over = u->tail.n + n - most;

        memmove(u->tail.p, u->tail.p + over, u->tail.n - over);
        u->tail.n -= over;
    } else if (n >= most) {
        buf_clear(&u->tail);
        p += n - most;
        n = most;
    }
    buf_add(&u->tail, p, n);
}

static int next_bytes(struct unarchive *u)
{
    if (!u->first && unpack_read(u->bytes, &u->p, &u->n) < 0) {
        u->broken = true;
        return -1;
    }
    u->first = false;
    u->at += (int64_t)u->n;
    if (u->form == UNARCHIVE_ZIP && !unpack_can_seek(u->bytes))
        keep_tail(u, u->p, u->n);
    return 0;
}

static la_ssize_t on_read(struct archive *a, void *user, const void **bytes)
{
    struct unarchive *u = user;

    if (u->broken || next_bytes(u) < 0) {
        la.archive_set_error(a, EXIT_IO, "no more bytes");
        return ARCHIVE_FATAL;
    }
    *bytes = u->p;
    return (la_ssize_t)u->n;
}

static la_int64_t on_seek(struct archive *a, void *user, la_int64_t offset, int whence)
{
    struct unarchive *u = user;
    errno = EINVAL; /* a place that is not there: a zip that is cut */
    const int64_t at = unpack_seek(u->bytes, offset, whence);

    if (at < 0) {
        u->broken = errno != EINVAL && err_set(EXIT_IO, "cannot seek: %s", strerror(errno)) < 0;
        la.archive_set_error(a, EXIT_IO, "cannot seek");
        return ARCHIVE_FATAL;
    }
    u->first = false;
    u->at = at;
    return at;
}

static int fail(const struct unarchive *u)
{
    return u->broken ? -1 : libarchive_fail(u->a);
}

static int zip_is_cut(void)
{
    return err_set(EXIT_DATA, "is a zip without its end; get it again");
}

/* A zip begins at its end, so one that does not begin is cut. */
static int fail_at_start(const struct unarchive *u)
{
    return u->form == UNARCHIVE_ZIP && !u->broken && !libarchive_is_out_of_memory(u->a)
               ? zip_is_cut()
               : fail(u);
}

static int open_archive(struct unarchive *u)
{
    const bool seeks = unpack_can_seek(u->bytes);

    if (libarchive_reader(&u->a, &u->entry) < 0)
        return -1;
    /* a zip has its directory at the end, and only there it is said which files count */
    int (*const format)(struct archive *) = u->form == UNARCHIVE_TAR
                                                ? la.archive_read_support_format_tar
                                            : seeks ? la.archive_read_support_format_zip_seekable
                                                    : la.archive_read_support_format_zip_streamable;

    if (format(u->a) != ARCHIVE_OK ||
        la.archive_read_set_read_callback(u->a, on_read) != ARCHIVE_OK ||
        (seeks && la.archive_read_set_seek_callback(u->a, on_seek) != ARCHIVE_OK) ||
        la.archive_read_set_callback_data(u->a, u) != ARCHIVE_OK)
        return fail(u);
    return la.archive_read_open1(u->a) == ARCHIVE_OK && !u->broken ? 0 : fail_at_start(u);
}

/* ---- opening ---- */

/* Names are converted by the locale, and a program in "C" has none of ours. */
static locale_t utf8_locale(void)
{
    static const char *const names[] = { "C.UTF-8", "C.utf8", "en_US.UTF-8" };
    locale_t l = (locale_t)0;

    for (size_t i = 0; !l && i < sizeof names / sizeof *names; i++)
        l = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
    return l;
}

/* The beginning, as much as tells what it is: mostly one block, which stays where it is. */
static int look(struct unarchive *u)
{
    if (unpack_read(u->bytes, &u->p, &u->n) < 0)
        return -1;
    while (u->n && u->head.n + u->n < FEED_FIRST) {
        buf_add(&u->head, u->p, u->n);
        if (unpack_read(u->bytes, &u->p, &u->n) < 0)
            return -1;
    }
    if (u->head.n) {
        buf_add(&u->head, u->p, u->n);
        u->p = (const uint8_t *)u->head.p;
        u->n = u->head.n;
    }
    u->first = true;
    u->form = form_of(u->p, u->n);
    return 0;
}

int unarchive_open(struct unarchive **out, const struct feed *f)
{
    struct unarchive *u = *out = xcalloc(1, sizeof *u);

    if (unpack_open(&u->bytes, f) < 0 || look(u) < 0)
        return -1;
    if (u->form == UNARCHIVE_BARE)
        return 0;
    if (is_zip_of_nothing(u->p)) /* libarchive takes it for none */
        return err_set(EXIT_DATA, "is a zip without files");
    u->utf8 = utf8_locale();
    return open_archive(u);
}

enum unarchive_form unarchive_form(const struct unarchive *u)
{
    return u->form;
}

bool unarchive_is_packed(const struct unarchive *u)
{
    return u->form == UNARCHIVE_ZIP || unpack_is_packed(u->bytes);
}

bool unarchive_feed_failed(const struct unarchive *u)
{
    return unpack_feed_failed(u->bytes);
}

/* ---- the end ---- */

/* Reads all that libarchive left; bytes that are not 0 are refused behind a tar. */
static int read_rest(struct unarchive *u, size_t unused, bool zeros)
{
    const uint8_t *p = u->p + (u->n - unused);
    size_t n = unused, total = 0;

    for (;;) {
        for (size_t i = 0; zeros && i < n; i++)
            if (p[i])
                return err_set(EXIT_DATA, "there is something behind the archive's end; if it is "
                                          "another archive, keep them apart");
        total += n;
        if (zeros && total > TAR_REST_MAX)
            return err_set(EXIT_DATA, "there are more than %d MiB behind the archive's end",
                           TAR_REST_MAX >> 20);
        if (next_bytes(u) < 0)
            return -1;
        if (!u->n)
            return 0;
        p = u->p;
        n = u->n;
    }
}

/* libarchive takes a tar that was cut between two files for whole. BEFORE: where it looked last. */
static int end_of_tar(struct unarchive *u, int64_t before)
{
    const int64_t now = la.archive_filter_bytes(u->a, 0), ahead = u->at - now;

    if (now - before < TAR_END)
        return err_set(EXIT_DATA, "the archive has no end mark: it is cut; get it again");
    return read_rest(u, ahead < 0 ? 0 : (size_t)ahead < u->n ? (size_t)ahead : u->n, true);
}

static int end_of_zip(struct unarchive *u)
{
    if (unpack_can_seek(u->bytes))
        return 0;
    if (read_rest(u, 0, false) < 0)
        return -1;
    return u->tail.n >= ZIP_END && memmem(u->tail.p, u->tail.n - ZIP_END + 4, "PK\5\6", 4)
               ? 0
               : zip_is_cut();
}

/* ---- files ---- */

static const char *refusal_of(struct archive_entry *e)
{
    if (la.archive_entry_hardlink(e) || la.archive_entry_filetype(e) != AE_IFREG)
        return "is a link or a device; make the archive with tar -h --hard-dereference";
    if (la.archive_entry_is_data_encrypted(e))
        return "is encrypted; make the archive without a password";
    if (la.archive_entry_sparse_count(e) > 0)
        return "is a sparse file; make the archive without --sparse";
    return NULL;
}

static int describe(struct unarchive *u, const char *name, struct packed_file *f)
{
    struct archive_entry *e = u->entry;

    if (!name)
        return err_set(EXIT_DATA, "a name in it is not UTF-8%s; make the archive anew",
                       u->utf8 ? "" : ", or this machine lacks the locale C.UTF-8");
    if (++u->files > FILES_MAX)
        return err_set(EXIT_DATA, "more than %d files", FILES_MAX);
    *f = (struct packed_file){ .name = name,
                               .size = -1,
                               .folder = la.archive_entry_filetype(e) == AE_IFDIR };
    if (la.archive_entry_size_is_set(e)) {
        f->size = la.archive_entry_size(e);
        if (f->size < 0)
            return err_set(EXIT_DATA, "the size of '%s' is negative", name);
    }
    if (!f->folder)
        f->refusal = refusal_of(e);
    u->size = f->size;
    u->got = 0;
    return 1;
}

/* As archive_read_next_header2, with the name as UTF-8. */
static int next_header(struct unarchive *u, const char **name)
{
    const locale_t old = u->utf8 ? uselocale(u->utf8) : (locale_t)0;

    libarchive_begin();
    const int rc = la.archive_read_next_header2(u->a, u->entry);

    if (rc == ARCHIVE_OK || rc == ARCHIVE_WARN) {
        *name = la.archive_entry_pathname(u->entry);
        if (!*name)
            *name = la.archive_entry_pathname_utf8(u->entry);
    }
    libarchive_end();
    if (old)
        (void)uselocale(old);
    return rc;
}

/* Steps over what was not read of the present file. */
static int leave_file(struct unarchive *u)
{
    const bool inside = u->inside;

    u->inside = false;
    return inside && la.archive_read_data_skip(u->a) < ARCHIVE_WARN ? fail(u) : 0;
}

int unarchive_next(struct unarchive *u, struct packed_file *f)
{
    const char *name = NULL;

    if (leave_file(u) < 0)
        return -1;
    const int64_t before = la.archive_filter_bytes(u->a, 0);
    const int rc = next_header(u, &name);

    if (u->broken)
        return -1;
    if (rc == ARCHIVE_EOF)
        return u->form == UNARCHIVE_TAR ? end_of_tar(u, before) : end_of_zip(u);
    if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
        return u->files ? fail(u) : fail_at_start(u);
    u->inside = true;
    return describe(u, name, f);
}

static int at_end(struct unarchive *u)
{
    u->inside = false;
    if (u->size >= 0 && u->size != u->got)
        return err_set(EXIT_DATA, "it has %lld of %lld bytes; get the archive again",
                       (long long)u->got, (long long)u->size);
    return 0;
}

static int read_file_of_archive(struct unarchive *u, const uint8_t **bytes, size_t *n)
{
    const void *block;
    la_int64_t offset;
    const int rc = la.archive_read_data_block(u->a, &block, n, &offset);

    if (u->broken)
        return -1;
    if (rc == ARCHIVE_EOF) {
        *n = 0;
        return at_end(u);
    }
    if (rc == ARCHIVE_FAILED && !libarchive_is_out_of_memory(u->a))
        return err_set(EXIT_DATA, "%s; pack it in the usual way (deflate), or unpack it first",
                       la.archive_error_string(u->a));
    if (rc != ARCHIVE_OK)
        return fail(u);
    if (offset != u->got)
        return err_set(EXIT_DATA, "is a sparse file; make the archive without --sparse");
    *bytes = block;
    u->got += (int64_t)*n;
    u->out += *n;
    return u->form == UNARCHIVE_ZIP ? unpack_bound(unpack_taken(u->bytes), u->out) : 0;
}

int unarchive_read(struct unarchive *u, const uint8_t **bytes, size_t *n)
{
    int rc = 0;

    *bytes = NULL;
    *n = 0;
    if (u->form == UNARCHIVE_BARE) {
        rc = next_bytes(u);
        *bytes = u->p;
        *n = u->n;
        return rc;
    }
    while (u->inside && !*n && rc == 0)
        rc = read_file_of_archive(u, bytes, n);
    return rc;
}

void unarchive_close(struct unarchive *u)
{
    if (!u)
        return;
    libarchive_free(u->a, u->entry);
    if (u->utf8)
        freelocale(u->utf8);
    unpack_close(u->bytes);
    buf_free(&u->head);
    buf_free(&u->tail);
    free(u);
}
