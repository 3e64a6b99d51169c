#include "share.h"

#include "filetype.h"
#include "input.h"
#include "utf8.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Appends the folder of the running program and a slash; false where /proc is not there. */
static bool put_program_folder(struct buf *b)
{
    char at[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", at, sizeof at);
    const char *slash = n > 0 ? memrchr(at, '/', (size_t)n) : NULL;

    if (slash)
        buf_add(b, at, (size_t)(slash + 1 - at));
    return slash != NULL;
}

enum { SET, INSTALLED, BUILT, ROOTS };

/* The place number I to look in, best first; false: there is none. */
static bool find_root(struct buf *root, int i)
{
    const char *set = getenv("SLMTOOLS_SHARE");

    buf_clear(root);
    if (i == SET && set)
        buf_puts(root, set);
    else if (i != SET && put_program_folder(root))
        buf_puts(root, i == INSTALLED ? "../share/slmtools" : "../../../share");
    return root->n > 0;
}

/* Appends "a, b, c": the names in FOLDER that end in SUFFIX, without it. */
static void list_names(struct buf *out, const char *folder, const char *suffix)
{
    DIR *d = opendir(folder);
    const size_t tail = strlen(suffix);
    char **name = NULL;
    int n = 0;

    if (!d)
        return;
    for (const struct dirent *e; (e = readdir(d));) {
        const size_t len = strlen(e->d_name);

        if (e->d_name[0] == '.' || len <= tail || strcmp(e->d_name + len - tail, suffix) != 0)
            continue;
        name = xnrealloc(name, (size_t)n + 1, sizeof *name);
        name[n++] = xstrndup(e->d_name, len - tail);
    }
    (void)closedir(d);
    if (n)
        qsort(name, (size_t)n, sizeof *name, text_order);
    for (int i = 0; i < n; i++) {
        buf_printf(out, "%s%s", out->n ? ", " : "", name[i]);
        free(name[i]);
    }
    free(name);
}

/* 1: PATH can be read; 0: it is not there; -1: it is there and cannot be read. */
static int is_there(const char *path)
{
    if (access(path, R_OK) == 0)
        return 1;
    return errno == ENOENT ? 0
                           : err_set(EXIT_NOINPUT, "%s: cannot read: %s", path, strerror(errno));
}

static int no_share(const struct buf *roots)
{
    return err_set(EXIT_NOINPUT, "there is no share folder (%s); set SLMTOOLS_SHARE to it",
                   roots->n ? roots->p : "this system does not say where the program is");
}

/* The error for a name that is nowhere: the names that are, where it is not meant as a path. */
static void no_name(const char *kind, const char *name, const struct buf *known)
{
    if (strchr(name, '/'))
        (void)err_set(EXIT_NOINPUT, "%s: cannot open: %s", name, strerror(ENOENT));
    else
        (void)err_set(EXIT_NOINPUT, "no '%s' in share/%s; there are: %s", name, kind,
                      known->n ? known->p : "none (set SLMTOOLS_SHARE to the folder 'share')");
}

int share_find(char **found, const char *kind, const char *name, const char *suffix)
{
    struct buf root = BUF_INIT, roots = BUF_INIT, path = BUF_INIT, known = BUF_INIT;
    const bool plain = *name && !strchr(name, '/') && name[0] != '.' && strlen(name) < NAME_MAX / 2;
    bool share = false;
    int rc = 0;

    for (int i = 0; rc == 0 && i < ROOTS; i++) {
        if (!find_root(&root, i))
            continue;
        buf_printf(&roots, "%s%s", roots.n ? ", " : "", root.p);
        rc = is_there(root.p);
        if (rc == 0 && i == SET)
            rc = err_set(EXIT_NOINPUT, "SLMTOOLS_SHARE is %s, which is not there; correct it",
                         root.p);
        if (rc <= 0)
            continue;
        share = true;
        buf_printf(&root, "/%s", kind);
        buf_clear(&path);
        buf_printf(&path, "%s/%s%s", root.p, name, suffix);
        rc = plain ? is_there(path.p) : 0;
        if (rc == 0 && !known.n)
            list_names(&known, root.p, suffix);
    }
    if (rc > 0)
        *found = xstrdup(path.p);
    else if (rc == 0 && !share)
        rc = no_share(&roots);
    else if (rc == 0)
        no_name(kind, name, &known);
    buf_free(&root);
    buf_free(&roots);
    buf_free(&path);
    buf_free(&known);
    return rc;
}

int lib_find(char **found, const char *name)
{
    const char *const set = getenv("SLMTOOLS_LIB");
    struct buf path = BUF_INIT;

    if (set && *set)
        buf_printf(&path, "%s/%s", set, name);
    else if (put_program_folder(&path))
        buf_printf(&path, "../lib/slmtools/%s", name);
    if (path.n && access(path.p, R_OK) == 0) {
        *found = path.p;
        return 1;
    }
    (void)err_set(
        EXIT_NODEVICE,
        "the plug-in '%s' is not there (%s); build it where nvcc is (make), or use --device cpu",
        name, path.n ? path.p : "this system does not say where the program is");
    buf_free(&path);
    return 0;
}

int read_file(struct buf *b, const char *path, size_t max)
{
    enum { BLOCK = 1 << 16 };
    struct input *in;
    size_t got = 1;
    int rc = input_open(&in, path);

    if (rc < 0)
        return -1;
    while (!rc && got) {
        buf_reserve(b, BLOCK);
        rc = input_read(in, b->p + b->n, BLOCK, &got);
        if (!rc)
            b->n += got;
        b->p[b->n] = 0;
        if (!rc && b->n > max)
            rc = err_set(EXIT_DATA, "%s: larger than %zu bytes; this is not the file meant",
                         input_name(in), max);
    }
    input_close(in);
    return rc;
}

/* ---- text that people write ---- */

/* Other programs' "Unicode": a mark, or a first character of ASCII with a zero byte beside it. */
static bool is_utf16(const unsigned char *p, size_t n)
{
    return n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff) ||
                      (p[0] == 0) != (p[1] == 0));
}

/* The first byte that a text has not, N when there is none. */
static size_t first_bad(const char *p, size_t n)
{
    const size_t good = utf8_valid(p, n);
    const char *zero = memchr(p, 0, good);

    return zero ? (size_t)(zero - p) : good;
}

static int refuse_byte(const struct buf *b, size_t at, const char *name)
{
    const char *what = filetype_of(b->p, b->n);
    size_t line = 1, start = 0;

    if (what)
        return err_set(EXIT_DATA, "%s: is %s", name, what);
    for (size_t i = 0; i < at; i++)
        if (b->p[i] == '\n') {
            line++;
            start = i + 1;
        }
    return err_set(EXIT_DATA, "%s:%zu: byte %zu is %s; save the file as UTF-8 text", name, line,
                   at - start + 1, b->p[at] ? "not valid UTF-8" : "zero");
}

/* Line ends: as many CR as there are before an LF are a part of it, any other CR is one. */
static void unify_lines(struct buf *b)
{
    size_t to = 0;

    for (size_t i = 0; i < b->n;) {
        const size_t returns = strspn(b->p + i, "\r");

        i += returns;
        for (size_t k = 0; b->p[i] != '\n' && k < returns; k++)
            b->p[to++] = '\n';
        if (i < b->n)
            b->p[to++] = b->p[i++];
    }
    b->n = to;
    b->p[to] = 0;
}

int text_tidy(struct buf *b, const char *name)
{
    buf_reserve(b, 0);
    b->p[b->n] = 0;
    if (is_utf16((const unsigned char *)b->p, b->n))
        return err_set(EXIT_DATA, "%s: is UTF-16 text; save it as UTF-8", name);
    const size_t bad = first_bad(b->p, b->n);

    if (bad < b->n)
        return refuse_byte(b, bad, name);
    const size_t mark = utf8_mark(b->p, b->n);

    b->n -= mark;
    memmove(b->p, b->p + mark, b->n + 1);
    if (memchr(b->p, '\r', b->n))
        unify_lines(b);
    return 0;
}

int read_text(struct buf *b, const char *path, size_t max)
{
    if (read_file(b, path, max) < 0)
        return -1;
    return text_tidy(b, strcmp(path, "-") ? path : "standard input");
}
