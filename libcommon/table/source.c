#include "source.h"

#include "byte_worker.h"
#include "census.h"
#include "input.h"
#include "mem.h"
#include "unarchive.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

struct source {
    struct input *in;
    struct unarchive *u; /* NULL: a bare table */
    char *name;
    struct sha256 *digest; /* of what is read only once, a bare table or a pipe; NULL: a file */
    struct byte_worker *worker; /* hashes, from the second block on: small tables start no thread */
    bool alone;                 /* no thread is wanted */
    bool second;                /* a block was hashed before */
    bool archive;               /* zip or tar */
    char *member;               /* the name that was asked for; NULL: guessed */
    bool may_be_classes;
    struct classes classes; /* n 0: this is one table */
    int class;              /* of these, which is read */
    bool ended;
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

static void hash(void *digest, const void *bytes, size_t n)
{
    sha256_add(digest, bytes, n);
}

/* Hashes the block, if that is wanted, and leaves an empty one. */
static void hash_block(struct source *s)
{
    if (s->digest && s->second && !s->worker && !s->alone) {
        s->worker = byte_worker_new(hash, s->digest);
        s->alone = !s->worker;
    }
    s->second = s->block.n > 0;
    if (s->worker)
        byte_worker_give(s->worker, &s->block);
    else if (s->digest)
        hash(s->digest, s->block.p, s->block.n);
    buf_clear(&s->block);
}

/* The next bytes of the file into block; *N is 0 at its end. */
static int next_block(struct source *s, size_t *n)
{
    *n = s->first;
    s->first = 0;
    if (*n)
        return 0;
    hash_block(s);
    buf_reserve(&s->block, BLOCK);
    if (input_read(s->in, s->block.p, BLOCK, n) < 0)
        return -1;
    s->block.n = *n;
    return 0;
}

/* Reads the beginning: 1 when it is not that of an archive or a compressed file. */
static int looks_bare(struct source *s)
{
    struct buf *b = &s->block;
    size_t got = 1;

    buf_reserve(b, BLOCK);
    for (; b->n < FEED_FIRST && got; b->n += got)
        if (input_read(s->in, b->p + b->n, BLOCK - b->n, &got) < 0)
            return -1;
    s->first = b->n;
    return !unarchive_wants(b->p, b->n);
}

/* ---- archives ---- */

static int on_read(void *from, const uint8_t **bytes, size_t *n)
{
    struct source *s = from;

    if (next_block(s, n) < 0)
        return -1;
    *bytes = (const uint8_t *)s->block.p;
    return 0;
}

static int64_t on_seek(void *from, int64_t offset, int whence)
{
    struct source *s = from;

    s->first = 0;
    buf_clear(&s->block);
    return input_seek(s->in, offset, whence);
}

/* RC of unarchive.h, whose errors name no file; what the input said does already. */
static int named(const struct source *s, int rc)
{
    return rc < 0 && !unarchive_feed_failed(s->u) ? err_in("%s", s->name) : rc;
}

static int open_unarchive(struct source *s)
{
    const struct feed feed = { on_read, s->digest ? NULL : on_seek, s, s->name };

    unarchive_close(s->u);
    return named(s, unarchive_open(&s->u, &feed));
}

/* Goes on to the next wanted file, or TO_THE_END: 1 when the present one is the last wanted. */
static int look_through(struct source *s, struct census *c, bool to_the_end)
{
    struct packed_file f;
    int more;

    while ((more = named(s, unarchive_next(s->u, &f))) > 0) {
        if (f.folder || !census_add(c, f.name, !f.refusal))
            continue;
        if (f.refusal)
            return err_set(EXIT_DATA, "%s/%s: %s", s->name, f.name, f.refusal);
        if (!to_the_end)
            return 0;
    }
    return more;
}

/* The archive from its beginning again. */
static int begin_again(struct source *s)
{
    return rewind_input(s) < 0 ? -1 : open_unarchive(s);
}

/* The table of this name. */
static int choose_table(struct source *s, const char *name)
{
    struct census again = { .member = name };
    struct buf full = BUF_INIT;
    int rc = s->digest ? 0 : begin_again(s);

    if (rc == 0 && !s->digest)
        rc = look_through(s, &again, false);
    if (rc == 0) {
        buf_printf(&full, "%s/%s", s->name, name);
        free(s->name);
        s->name = full.p;
    }
    census_free(&again);
    return rc;
}

static int choose_classes(struct source *s, struct classes *c)
{
    s->classes = *c;
    *c = (struct classes){ 0 };
    return begin_again(s) < 0 || source_next_class(s) < 0 ? -1 : 0;
}

/* A file is looked through first and then opened again at its table; a pipe stops at the first. */
static int choose_member(struct source *s)
{
    struct census c = { .member = s->member, .may_be_classes = s->may_be_classes && !s->digest };
    int rc = look_through(s, &c, !s->digest);

    if (rc == 0)
        rc = census_check(&c, s->name);
    if (rc == 0)
        rc = choose_table(s, c.first);
    else if (rc > 0)
        rc = choose_classes(s, &c.classes);
    census_free(&c);
    return rc;
}

/* After the table's end, on a pipe: the rest of the archive must be whole, and not hold another. */
static int check_rest(struct source *s)
{
    struct census c = { .member = s->member };
    const char *archive = input_name(s->in);

    (void)census_add(&c, s->name + strlen(archive) + 1, true);
    int rc = look_through(s, &c, true);

    if (rc == 0 && !s->member)
        rc = census_check(&c, archive);
    census_free(&c);
    return rc;
}

/* Not bare: an archive, whose table is chosen, or one compressed file. */
static int open_packed(struct source *s)
{
    if (open_unarchive(s) < 0)
        return -1;
    s->archive = unarchive_form(s->u) != UNARCHIVE_BARE;
    return s->archive ? choose_member(s) : 0;
}

/* A file that is read only once is hashed on the way: a bare table, or whatever is on a pipe. */
static int open_any(struct source *s)
{
    const bool pipe = input_seek(s->in, 0, SEEK_CUR) < 0;
    const int bare = looks_bare(s);

    if (bare < 0)
        return -1;
    if (bare || pipe)
        s->digest = sha256_new();
    if (!bare && !pipe && rewind_input(s) < 0)
        return -1;
    if (!bare && open_packed(s) < 0)
        return -1;
    return s->member && !s->archive
               ? err_set(EXIT_USAGE, "%s: is not an archive; leave --member out", s->name)
               : 0;
}

int source_open(struct source **out, const char *path, const char *member, bool may_be_classes,
                int64_t threads)
{
    struct source *s = xcalloc(1, sizeof *s);

    if (input_open(&s->in, path) < 0) {
        free(s);
        return -1;
    }
    s->name = xstrdup(input_name(s->in));
    s->member = member ? xstrdup(member) : NULL;
    s->may_be_classes = may_be_classes;
    s->alone = !byte_worker_helps(threads);
    if (open_any(s) < 0) {
        source_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

const struct classes *source_classes(const struct source *s)
{
    return s->classes.n ? &s->classes : NULL;
}

int source_class(const struct source *s)
{
    return s->class;
}

int source_next_class(struct source *s)
{
    struct packed_file f;
    int more;

    while ((more = named(s, unarchive_next(s->u, &f))) > 0) {
        s->class = f.folder ? -1 : classes_find(&s->classes, f.name);
        s->ended = s->class < 0;
        if (!s->ended)
            return 1;
    }
    return more;
}

int source_read(struct source *s, const uint8_t **bytes, size_t *n)
{
    int rc = 0;

    *n = 0;
    if (s->ended)
        return 0;
    if (s->u) {
        rc = named(s, unarchive_read(s->u, bytes, n));
    } else {
        rc = next_block(s, n);
        *bytes = (const uint8_t *)s->block.p;
    }
    s->ended = rc == 0 && !*n;
    return s->ended && s->archive && s->digest ? check_rest(s) : rc;
}

bool source_is_pipe(const struct source *s)
{
    return input_is_pipe(s->in);
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
    byte_worker_free(s->worker);
    s->worker = NULL;
    sha256_done(s->digest, out);
    s->digest = NULL;
    return 0;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    unarchive_close(s->u);
    input_close(s->in);
    byte_worker_free(s->worker);
    sha256_free(s->digest);
    buf_free(&s->block);
    free(s->name);
    free(s->member);
    classes_free(&s->classes);
    free(s);
}
