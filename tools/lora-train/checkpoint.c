#include "checkpoint.h"

#include "history.h"
#include "run_identity.h"
#include "mem.h"
#include "outfile.h"
#include "sha256.h"
#include "tensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE = 1 << 18, /* elements that pass through the host together */
    PREFIX = 8,      /* the length of the header */
    ARRAYS = LORA_ARRAYS + 1,
};
static const char format[] = "slmtools checkpoint 1";
static const char *const names[ARRAYS] = { "weights", "first_moment", "second_moment",
                                           "best_weights" };

/* ---- writing ---- */

struct sink { /* a file and the digest of what went into it */
    struct outfile *file;
    struct sha256 *sha;
};

static int put(struct sink *s, const void *bytes, size_t n)
{
    sha256_add(s->sha, bytes, n);
    return outfile_write(s->file, bytes, n);
}

static void put_member(struct buf *b, const char *name, const char *text, size_t n)
{
    buf_printf(b, "\"%s\":", name);
    json_put_text(b, text, n);
}

static void put_entry(struct buf *b, const char *name, const char *dtype, int64_t n, size_t from,
                      size_t bytes)
{
    buf_printf(b, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%lld],\"data_offsets\":[%zu,%zu]}", name,
               dtype, (long long)n, from, from + bytes);
}

static void put_header(struct buf *b, const struct checkpoint *c, int64_t params, bool best,
                       const struct buf *state)
{
    const size_t bytes = (size_t)params * sizeof(float);
    const int arrays = best ? ARRAYS : LORA_ARRAYS;

    buf_puts(b, "{\"__metadata__\":{");
    put_member(b, "format", format, strlen(format));
    buf_putc(b, ',');
    put_member(b, "identity", c->identity, strlen(c->identity));
    buf_putc(b, ',');
    put_member(b, "state", state->p, state->n);
    buf_putc(b, '}');
    for (int i = 0; i < arrays; i++)
        put_entry(b, names[i], "F32", params, (size_t)i * bytes, bytes);
    put_entry(b, "sha256", "U8", SHA256_BYTES, (size_t)arrays * bytes, SHA256_BYTES);
    buf_putc(b, '}');
    while (b->n % PREFIX)
        buf_putc(b, ' ');
}

static int write_header(struct sink *s, const struct checkpoint *c, int64_t params, bool best,
                        const struct buf *state)
{
    struct buf b = BUF_INIT;
    uint8_t length[PREFIX];

    put_header(&b, c, params, best, state);
    for (int i = 0; i < PREFIX; i++)
        length[i] = (uint8_t)((uint64_t)b.n >> 8 * i);

    const int rc = put(s, length, sizeof length) < 0 ? -1 : put(s, b.p, b.n);

    buf_free(&b);
    return rc;
}

static int write_arrays(struct sink *s, const struct lora_set *l)
{
    float *host = xnmalloc(PIECE, sizeof *host);
    int rc = 0;

    for (int which = 0; which < LORA_ARRAYS; which++)
        for (int64_t at = 0; at < l->params && rc == 0; at += PIECE) {
            const int64_t n = l->params - at < PIECE ? l->params - at : PIECE;

            rc = lora_get(l, (enum lora_array)which, at, host, n);
            if (rc == 0)
                rc = put(s, host, (size_t)n * sizeof *host);
        }
    free(host);
    return rc;
}

static int write_all(struct sink *s, const struct checkpoint *c, const struct lora_set *l,
                     const float *best, const struct buf *state)
{
    uint8_t digest[SHA256_BYTES];
    int rc = write_header(s, c, l->params, best != NULL, state);

    if (rc == 0)
        rc = write_arrays(s, l);
    if (rc == 0 && best)
        rc = put(s, best, (size_t)l->params * sizeof *best);
    sha256_done(s->sha, digest);
    return rc < 0 ? -1 : outfile_write(s->file, digest, sizeof digest);
}

int checkpoint_reserve(struct checkpoint *c, const struct lora_set *l)
{
    enum { REST = 4096 + HISTORY_BYTES }; /* names, offsets, the state */
    const uint64_t arrays = LORA_ARRAYS + c->keeps_best,
                   bytes = arrays * (uint64_t)l->params * sizeof(float) + 2 * strlen(c->identity) +
                           REST;

    if (!c->next && outfile_open(&c->next, c->path, c->replaces, false) < 0)
        return -1;
    return outfile_reserve(c->next, bytes);
}

int checkpoint_write(struct checkpoint *c, const struct lora_set *l, const float *best,
                     const struct buf *state)
{
    struct sink s = { .file = c->next };

    if (!s.file && outfile_open(&s.file, c->path, c->replaces, false) < 0)
        return -1;
    c->next = NULL;
    s.sha = sha256_new();
    if (write_all(&s, c, l, best, state) < 0) {
        outfile_abort(s.file);
        return -1;
    }
    if (outfile_commit(s.file) < 0)
        return -1;
    c->replaces = true;
    if (checkpoint_reserve(c, l) < 0)
        checkpoint_close(c); /* the run may well end before the next one is due */
    return 0;
}

void checkpoint_close(struct checkpoint *c)
{
    outfile_abort(c->next);
    c->next = NULL;
}

/* ---- reading ---- */

struct mapped {
    const uint8_t *data;
    size_t size;
};

/* 1, or 0 when nothing is there. */
static int map(struct mapped *m, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int rc = 1;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_set(EXIT_NOINPUT, "cannot open: %s", strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        rc = err_set(EXIT_NOINPUT, "is no file; name the checkpoint of a run");
    else if (st.st_size < PREFIX + SHA256_BYTES)
        rc =
            err_set(EXIT_DATA, "is no checkpoint, it is too short; give --checkpoint another name");
    if (rc > 0) {
        void *const at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        *m = (struct mapped){ at, (size_t)st.st_size };
        if (at == MAP_FAILED)
            rc = err_set(EXIT_IO, "cannot map: %s", strerror(errno));
    }
    (void)close(fd);
    return rc;
}

static int check_digest(const struct mapped *m)
{
    const size_t n = m->size - SHA256_BYTES;
    uint8_t digest[SHA256_BYTES];

    sha256_of(m->data, n, digest);
    return memcmp(digest, m->data + n, sizeof digest)
               ? err_set(EXIT_DATA, "is damaged, or no checkpoint: its digest is not that of its "
                                    "bytes; give --checkpoint another name, or begin anew with "
                                    "--force and without --resume")
               : 0;
}

/* The metadata of NAME; it has to be there. */
static const char *need_text(const struct tensors *t, const char *name)
{
    const char *text = tensors_metadata(t, name);

    if (!text)
        err_set(EXIT_DATA, "is no checkpoint: it has no '%s'; give --checkpoint another name",
                name);
    return text;
}

static int check_run(const struct tensors *t, const char *identity)
{
    const char *theirs = need_text(t, "format");

    if (!theirs)
        return -1;
    if (strcmp(theirs, format) != 0)
        return err_set(EXIT_DATA, "its format is '%.40s' and not '%s'" CHECKPOINT_ADVICE, theirs,
                       format);
    theirs = need_text(t, "identity");
    return theirs ? run_identity_check(theirs, identity) : -1;
}

/* The best weights need not be there. */
static int check_arrays(const struct tensors *t, const struct lora_set *l)
{
    for (int i = 0; i < ARRAYS; i++) {
        const struct tensor *x = tensors_find(t, names[i]);

        if (!x && i == LORA_ARRAYS)
            continue;
        if (!x || x->dtype != DT_F32 || x->rank != 1 || x->n != l->params)
            return err_set(EXIT_DATA, "its '%s' is not float32 [%lld]" CHECKPOINT_ADVICE, names[i],
                           (long long)l->params);
    }
    return 0;
}

static int take_arrays(struct lora_set *l, const struct tensors *t)
{
    for (int i = 0; i < LORA_ARRAYS; i++)
        if (lora_put(l, (enum lora_array)i, 0,
                     (const float *)(const void *)tensors_find(t, names[i])->data, l->params) < 0)
            return -1;
    return 0;
}

static int take(const struct checkpoint *c, struct lora_set *l, float **best, cJSON **state,
                const struct tensors *t)
{
    const struct tensor *const kept = tensors_find(t, names[LORA_ARRAYS]);
    const char *text = NULL;

    if (check_run(t, c->identity) < 0 || check_arrays(t, l) < 0 || !(text = need_text(t, "state")))
        return -1;
    *state = json_parse(text, strlen(text));
    if (!*state || take_arrays(l, t) < 0)
        return -1;
    if (kept) {
        *best = xnmalloc((size_t)l->params, sizeof **best);
        memcpy(*best, kept->data, (size_t)l->params * sizeof **best);
    }
    return 0;
}

int checkpoint_read(const struct checkpoint *c, struct lora_set *l, float **best, cJSON **state)
{
    struct mapped m = { 0 };
    struct tensors *t = NULL;
    int rc = map(&m, c->path);

    if (rc <= 0)
        return rc < 0 ? err_in("%s", c->path) : 0;
    rc = check_digest(&m);
    if (rc == 0)
        rc = tensors_parse(&t, "checkpoint", m.data, m.size);
    if (rc == 0)
        rc = take(c, l, best, state, t);
    tensors_close(t);
    (void)munmap((void *)(uintptr_t)m.data, m.size);
    return rc < 0 ? err_in("%s", c->path) : 1;
}
