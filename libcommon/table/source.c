#include "source.h"

#include "behind.h"
#include "input.h"
#include "libarchive.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 1 << 20, LOOK_AT = 512, NAMES_SHOWN = 6 };

struct source {
    struct input *in;
    struct archive *a; /* NULL: a bare table */
    char *name;
    struct sha256 *digest; /* of what is read only once, a bare table or a pipe; NULL: a file */
    struct behind *behind; /* hashes, from the second block on: small tables start no thread */
    bool alone;            /* no thread is wanted */
    bool second;           /* a block was hashed before */
    bool archive, guessed; /* zip or tar; its member was not named */
    bool ended;
    int64_t at;
    size_t first;     /* bytes at the beginning of block that nobody has taken yet */
    struct buf block; /* lent, and hashed when the next is wanted */
};

static int rewind_input(struct source *s)
{
    s->first = 0;
    buf_clear(&s->block);
    return input_seek(s->in, 0, SEEK_SET) == 0
               ? 0
               : err_set(EXIT_IO, "%s: cannot be read again", input_name(s->in));
}

static int hash(void *digest, const void *bytes, size_t n)
{
    sha256_add(digest, bytes, n);
    return 0;
}

/* Hashes the block, if that is wanted, and leaves an empty one. */
static int hash_block(struct source *s)
{
    if (s->digest && s->second && !s->behind && !s->alone) {
        s->behind = behind_new(hash, s->digest);
        s->alone = !s->behind;
    }
    s->second = s->block.n > 0;
    if (s->behind)
        return behind_give(s->behind, &s->block);
    if (s->digest)
        sha256_add(s->digest, s->block.p, s->block.n);
    buf_clear(&s->block);
    return 0;
}

/* The next bytes of the file into block; *N is 0 at its end. */
static int next_block(struct source *s, size_t *n)
{
    *n = s->first;
    s->first = 0;
    if (*n)
        return 0;
    if (hash_block(s) < 0)
        return -1;
    buf_reserve(&s->block, BLOCK);
    if (input_read(s->in, s->block.p, BLOCK, n) < 0)
        return -1;
    s->block.n = *n;
    return 0;
}

/* Reads the beginning: whether it is that of a text, which no archive has. */
static int looks_bare(struct source *s)
{
    static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
    struct buf *b = &s->block;
    size_t got = 1;

    buf_reserve(b, BLOCK);
    for (; b->n < LOOK_AT && got; b->n += got)
        if (input_read(s->in, b->p + b->n, BLOCK - b->n, &got) < 0)
            return -1;
    s->first = b->n;
    for (size_t i = 0; i < b->n && i < LOOK_AT; i++)
        if ((unsigned char)b->p[i] < '\t' || (b->p[i] > '\r' && (unsigned char)b->p[i] < ' '))
            return 0;
    return b->n < sizeof zstd || memcmp(b->p, zstd, sizeof zstd) != 0;
}

static la_ssize_t on_read(struct archive *a, void *user, const void **bytes)
{
    struct source *s = user;
    size_t n;

    if (next_block(s, &n) < 0) {
        la.archive_set_error(a, EXIT_IO, "%s", err_text());
        return ARCHIVE_FATAL;
    }
    *bytes = s->block.p;
    return (la_ssize_t)n;
}

static la_int64_t on_seek(struct archive *a, void *user, la_int64_t offset, int whence)
{
    struct source *s = user;
    const int64_t at = input_seek(s->in, offset, whence);

    if (at < 0)
        la.archive_set_error(a, EXIT_IO, "cannot seek in '%s'", input_name(s->in));
    return at < 0 ? ARCHIVE_FATAL : at;
}

static int fail(struct source *s)
{
    const char *why = la.archive_error_string(s->a);

    if (la.archive_errno(s->a) == EXIT_IO)
        return err_set(EXIT_IO, "%s", why);
    return err_set(EXIT_DATA, "%s: cannot be read: %s; get it again", s->name,
                   why ? why : "not a known format");
}

static int open_archive(struct source *s)
{
    if (libarchive_open() < 0)
        return -1;
    if (s->a)
        la.archive_read_free(s->a);
    s->a = la.archive_read_new();
    if (!s->a)
        die(EXIT_MEMORY, "out of memory: an archive reader was wanted");
    la.archive_read_support_filter_gzip(s->a);
    la.archive_read_support_filter_zstd(s->a);
    la.archive_read_support_format_tar(s->a);
    if (s->digest)
        la.archive_read_support_format_zip_streamable(s->a);
    else /* reads the directory at the end, so a zip that was cut short is none */
        la.archive_read_support_format_zip_seekable(s->a);
    la.archive_read_support_format_raw(s->a);
    la.archive_read_support_format_empty(s->a);
    la.archive_read_set_read_callback(s->a, on_read);
    if (!s->digest)
        la.archive_read_set_seek_callback(s->a, on_seek);
    la.archive_read_set_callback_data(s->a, s);
    return la.archive_read_open1(s->a) == ARCHIVE_OK ? 0 : fail(s);
}

static bool is_table_name(const char *path)
{
    static const char *const suffix[] = { ".csv", ".tsv", ".jsonl", ".ndjson" };
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');

    if (base[0] == '.' || !dot) /* "._news.csv" is what a Mac adds beside a file */
        return false;
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++)
        if (!strcasecmp(dot, suffix[i]))
            return true;
    return false;
}

/* Names for one line of text: the first few, and how many there are. */
struct names {
    struct buf text;
    int n;
};

/* What an archive holds, as far as it was looked through. */
struct census {
    struct names wanted, others;
    char *first; /* of the wanted ones */
};

static void names_add(struct names *l, const char *name)
{
    if (l->n++ < NAMES_SHOWN)
        buf_printf(&l->text, "%s'%s'", l->text.n ? ", " : "", name);
    else if (l->n == NAMES_SHOWN + 1)
        buf_puts(&l->text, ", ...");
}

static void census_free(struct census *c)
{
    buf_free(&c->wanted.text);
    buf_free(&c->others.text);
    free(c->first);
}

/* Goes to the next file: 1 with its NAME, 0 after the last one. */
static int next_member(struct source *s, const char **name)
{
    struct archive_entry *e;

    for (;;) {
        const int rc = la.archive_read_next_header(s->a, &e);

        if (rc == ARCHIVE_EOF)
            return 0;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return fail(s);
        if (la.archive_entry_filetype(e) != AE_IFREG)
            continue;
        *name = la.archive_entry_pathname(e);
        if (!*name) /* not in the encoding of the locale, which we never set */
            *name = la.archive_entry_pathname_utf8(e);
        if (*name)
            return 1;
    }
}

/* Counts members from the present one, NAME, on: to the end, or to the first one that is wanted. */
static int look_through(struct source *s, const char *name, const char *member, bool to_the_end,
                        struct census *c)
{
    int more = 1;

    for (; more > 0; more = next_member(s, &name)) {
        const bool wanted = member ? !strcmp(name, member) : is_table_name(name);

        names_add(wanted ? &c->wanted : &c->others, name);
        if (wanted && !c->first)
            c->first = xstrdup(name);
        if (wanted && !to_the_end)
            return 0;
    }
    return more;
}

static int check_one(const struct source *s, const char *member, const struct census *c)
{
    const char *rest = c->others.n ? c->others.text.p : "nothing";

    if (c->wanted.n == 1)
        return 0;
    if (c->wanted.n > 1)
        return err_set(EXIT_DATA, "%s: holds %d tables: %s; choose one with --member",
                       input_name(s->in), c->wanted.n, c->wanted.text.p);
    if (member)
        return err_set(EXIT_NOINPUT, "%s: has no member '%s'; it holds %s", input_name(s->in),
                       member, rest);
    return err_set(EXIT_DATA,
                   "%s: holds no table (.csv, .tsv, .jsonl), it holds %s; "
                   "name one of these with --member if it is a table",
                   input_name(s->in), rest);
}

/* A file is looked through first and then opened again at its table; a pipe stops at the first. */
static int choose_member(struct source *s, const char *name, const char *member)
{
    struct census c = { 0 };
    int rc = look_through(s, name, member, !s->digest, &c);

    if (rc == 0)
        rc = check_one(s, member, &c);
    if (rc == 0 && !s->digest) {
        struct census again = { 0 };

        rc = rewind_input(s) < 0 ? -1 : open_archive(s);
        if (rc == 0 && (rc = next_member(s, &name)) > 0)
            rc = look_through(s, name, c.first, false, &again);
        census_free(&again);
    }
    if (rc == 0) {
        struct buf full = BUF_INIT;

        buf_printf(&full, "%s/%s", input_name(s->in), c.first);
        free(s->name);
        s->name = full.p;
    }
    census_free(&c);
    return rc;
}

/* After the table's end, on a pipe: the rest of the archive must not hold another one. */
static int check_rest(struct source *s)
{
    struct census c = { 0 };
    const char *name;
    int rc;

    names_add(&c.wanted, s->name + strlen(input_name(s->in)) + 1);
    rc = next_member(s, &name);
    if (rc > 0 && (rc = look_through(s, name, NULL, true, &c)) == 0)
        rc = check_one(s, NULL, &c);
    census_free(&c);
    return rc;
}

static bool is_cut_zip(const char *path)
{
    uint8_t start[4];
    size_t n;

    return input_peek(path, start, sizeof start, &n) == 0 && n == 4 && !memcmp(start, "PK\3\4", 4);
}

/* Not bare: an archive, whose table is chosen, or one compressed file. */
static int open_packed(struct source *s, const char *path, const char *member)
{
    const char *name;
    int rc = open_archive(s);

    if (rc == 0)
        rc = next_member(s, &name);
    if (rc < 0)
        return -1;
    const int format = la.archive_format(s->a) & ARCHIVE_FORMAT_BASE_MASK;

    s->archive = format == ARCHIVE_FORMAT_ZIP || format == ARCHIVE_FORMAT_TAR;
    if (s->archive)
        return rc ? choose_member(s, name, member) : check_one(s, member, &(struct census){ 0 });
    s->ended = rc == 0; /* an empty file */
    return !s->digest && is_cut_zip(path)
               ? err_set(EXIT_DATA, "%s: is a zip without its end; get it again", s->name)
               : 0;
}

/* A file that is read only once is hashed on the way: a bare table, or whatever is on a pipe. */
static int open_any(struct source *s, const char *path, const char *member)
{
    const bool pipe = input_seek(s->in, 0, SEEK_CUR) < 0;
    const int bare = looks_bare(s);

    if (bare < 0)
        return -1;
    if (bare || pipe)
        s->digest = sha256_new();
    if (!bare && !pipe && rewind_input(s) < 0)
        return -1;
    if (!bare && open_packed(s, path, member) < 0)
        return -1;
    return member && !s->archive
               ? err_set(EXIT_USAGE, "%s: is not an archive; leave --member out", s->name)
               : 0;
}

int source_open(struct source **out, const char *path, const char *member, int64_t threads)
{
    struct source *s = xcalloc(1, sizeof *s);

    if (input_open(&s->in, path) < 0) {
        free(s);
        return -1;
    }
    s->name = xstrdup(input_name(s->in));
    s->guessed = !member;
    s->alone = !behind_helps(threads);
    if (open_any(s, path, member) < 0) {
        source_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

/* The table's next block, 0 bytes at its end. */
static int read_packed(struct source *s, const uint8_t **bytes, size_t *n)
{
    const void *block;
    la_int64_t offset;
    const int rc = la.archive_read_data_block(s->a, &block, n, &offset);

    if (rc == ARCHIVE_EOF) {
        s->ended = true;
        *n = 0;
        return s->archive && s->digest && s->guessed ? check_rest(s) : 0;
    }
    if (rc != ARCHIVE_OK)
        return fail(s);
    if (offset != s->at)
        return err_set(EXIT_DATA, "%s: is a sparse file; store it as an ordinary one", s->name);
    *bytes = block;
    s->at += (int64_t)*n;
    return 0;
}

int source_read(struct source *s, const uint8_t **bytes, size_t *n)
{
    int rc = 0;

    *bytes = NULL;
    for (*n = 0; !*n && !s->ended && rc == 0;) {
        rc = s->a ? read_packed(s, bytes, n) : next_block(s, n);
        if (!s->a) {
            *bytes = (const uint8_t *)s->block.p;
            s->ended = !*n;
        }
    }
    return rc;
}

const char *source_name(const struct source *s)
{
    return s->name;
}

int source_digest(struct source *s, uint8_t out[SHA256_BYTES])
{
    const bool again = !s->digest;
    size_t n = 1;

    if (again) {
        if (rewind_input(s) < 0)
            return -1;
        s->digest = sha256_new();
    }
    while (n > 0) /* of a pipe only what the archive reader did not ask for */
        if (next_block(s, &n) < 0)
            return -1;
    behind_free(s->behind);
    s->behind = NULL;
    sha256_done(s->digest, out);
    s->digest = NULL;
    return 0;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    if (s->a)
        la.archive_read_free(s->a);
    input_close(s->in);
    behind_free(s->behind);
    sha256_free(s->digest);
    buf_free(&s->block);
    free(s->name);
    free(s);
}
