#include "pack_parts.h"

#include "filetype.h"
#include "input.h"
#include "mem.h"
#include "pack_gguf.h"
#include "unarchive.h"
#include "unpack.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILES_MAX = 4096, /* a model has a dozen files; shards make it hundreds */
    PIPE_BYTES = 1 << 18,
    FIRST_BYTES = 1 << 20, /* grown as data really arrive, whatever a header promises */
};

struct reading {
    struct pack *pack;
    struct unarchive *u;
    const uint8_t *map; /* the archive in memory, NULL when it comes through a pipe */
    size_t map_size, map_at;
    struct input *in;
    uint8_t *bytes;    /* of the pipe */
    size_t total;      /* what the files say that they unpack to, and what they did */
    size_t memory_max; /* no more than the machine has is ever asked for */
};

/* ---- where the bytes come from ---- */

static int read_map(void *from, const uint8_t **bytes, size_t *n)
{
    struct reading *r = from;

    *bytes = r->map + r->map_at;
    *n = r->map_size - r->map_at;
    r->map_at = r->map_size;
    return 0;
}

static int64_t seek_map(void *from, int64_t offset, int whence)
{
    struct reading *r = from;
    const int64_t size = (int64_t)r->map_size;
    const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)r->map_at : size;

    if (offset < -base || offset > size - base)
        return -1;
    r->map_at = (size_t)(base + offset);
    return base + offset;
}

static int read_pipe(void *from, const uint8_t **bytes, size_t *n)
{
    struct reading *r = from;
    size_t got = 1;

    for (*n = 0; *n < FEED_FIRST && got; *n += got)
        if (input_read(r->in, r->bytes + *n, PIPE_BYTES - *n, &got) < 0)
            return -1;
    *bytes = r->bytes;
    return 0;
}

/* ---- one file ---- */

struct content {
    uint8_t *copy; /* NULL while all blocks lie end to end in the map */
    const uint8_t *mapped;
    size_t n, cap;
};

static bool in_map(const struct reading *r, const uint8_t *p, size_t n)
{
    const uintptr_t map = (uintptr_t)r->map, at = (uintptr_t)p;

    return r->map && at >= map && at - map <= r->map_size && n <= r->map_size - (at - map);
}

/* All files together are bound by the memory there is, and by what can come out of the archive. */
static int check_total(struct reading *r, size_t more)
{
    if (add_size(&r->total, r->total, more) < 0 || r->total > r->memory_max)
        return err_set(EXIT_DATA, "the archive unpacks to more than the memory of this machine");
    return r->map ? unpack_bound(r->map_size, r->total) : 0;
}

static void reserve(struct content *c, size_t want)
{
    if (want <= c->cap)
        return;
    c->cap = want > FIRST_BYTES ? want : FIRST_BYTES;
    if (c->cap < 2 * c->n)
        c->cap = 2 * c->n;
    c->copy = xrealloc(c->copy, c->cap);
}

static void append(const struct reading *r, struct content *c, const uint8_t *p, size_t n)
{
    if (!c->copy && in_map(r, p, n) && (!c->n || p == c->mapped + c->n)) {
        if (!c->n)
            c->mapped = p;
        c->n += n;
        return;
    }
    const size_t before = c->copy ? 0 : c->n;

    reserve(c, c->n + n);
    if (before)
        memcpy(c->copy, c->mapped, before);
    memcpy(c->copy + c->n, p, n);
    c->n += n;
}

/* SIZE as the archive says it, -1: it does not. */
static int read_content(struct reading *r, struct content *c, const char *name, int64_t size)
{
    const bool packed = unarchive_is_packed(r->u), known = size >= 0;
    const uint8_t *p;
    size_t n;

    if (known &&
        (pack_check_size(name, (uint64_t)size) < 0 || (packed && check_total(r, (size_t)size) < 0)))
        return -1;
    for (;;) {
        if (unarchive_read(r->u, &p, &n) < 0)
            return -1;
        if (!n)
            return 0;
        if (!known && (check_total(r, n) < 0 || pack_check_size(name, c->n + n) < 0))
            return -1;
        append(r, c, p, n);
    }
}

/* C: what was read of it already. */
static int read_file(struct reading *r, struct content c, const char *name, int64_t size)
{
    if (read_content(r, &c, name, size) < 0) {
        free(c.copy);
        return -1;
    }
    if (c.copy)
        pack_keep(r->pack, c.copy, c.cap, false);
    pack_add(r->pack, name, c.copy ? c.copy : c.n ? c.mapped : (const uint8_t *)"", c.n);
    return 0;
}

/* One file that is in no archive: a GGUF file out of a pipe or a compressed one. P: its first N
 * bytes. */
static int read_bare(struct reading *r, const uint8_t *p, size_t n)
{
    struct content c = { 0 };

    if (!n)
        return err_set(EXIT_NOINPUT, "empty; the program that should have written it has failed");
    if (!gguf_is(p, n))
        return filetype_refuse(p, n) < 0
                   ? -1
                   : err_set(EXIT_DATA,
                             "neither a folder nor a tar, tar.zst, tgz or zip archive, nor a GGUF "
                             "file; give a model or an adapter");
    if (check_total(r, n) < 0)
        return -1;
    append(r, &c, p, n);
    return read_file(r, c, PACK_GGUF_NAME, -1);
}

/* ---- all files ---- */

/* Relative, without ".." anywhere; a leading "./" is dropped. NULL: not allowed. */
static const char *plain_name(const char *name)
{
    while (!strncmp(name, "./", 2))
        name += 2;
    if (*name == '/')
        return NULL;
    for (const char *part = name; part; part = strchr(part, '/'), part += part ? 1 : 0)
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2]))
            return NULL;
    return name;
}

static int read_one(struct reading *r, const struct packed_file *f)
{
    const char *name = plain_name(f->name);

    if (!name)
        return err_set(EXIT_DATA, "file name '%s' is not allowed in a model", f->name);
    if (f->folder || unarchive_is_hidden(name))
        return 0;
    if (f->refusal)
        return err_set(EXIT_DATA, "'%s' %s", name, f->refusal);
    if (r->pack->n == FILES_MAX)
        return err_set(EXIT_DATA, "more than %d files", FILES_MAX);
    return read_file(r, (struct content){ 0 }, name, f->size) < 0 ? err_in("%s", name) : 0;
}

static int read_all(struct reading *r)
{
    struct packed_file f;
    int more;

    if (unarchive_form(r->u) == UNARCHIVE_BARE) {
        const uint8_t *p;
        size_t n;

        return unarchive_read(r->u, &p, &n) < 0 ? -1 : read_bare(r, p, n);
    }
    while ((more = unarchive_next(r->u, &f)) > 0)
        if (read_one(r, &f) < 0)
            return -1;
    return more < 0 ? -1 : pack_flatten(r->pack);
}

static size_t machine_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
}

static int read_archive(struct reading *r, const struct feed *feed)
{
    r->memory_max = machine_memory();
    const int rc = unarchive_open(&r->u, feed) < 0 ? -1 : read_all(r);

    unarchive_close(r->u);
    return rc;
}

int pack_read_archive(struct pack *p, const uint8_t *data, size_t size)
{
    struct reading r = { .pack = p, .map = data, .map_size = size };
    const struct feed feed = { read_map, seek_map, &r, pack_name(p) };

    return read_archive(&r, &feed);
}

int pack_read_archive_pipe(struct pack *p, const char *path)
{
    struct reading r = { .pack = p };
    const struct feed feed = { read_pipe, NULL, &r, pack_name(p) };

    if (input_open(&r.in, path) < 0)
        return -1;
    r.bytes = xmalloc(PIPE_BYTES);
    const int rc = read_archive(&r, &feed);

    free(r.bytes);
    input_close(r.in);
    return rc;
}
