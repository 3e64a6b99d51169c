#include "share.h"

#include "claim.h"
#include "filetype.h"
#include "utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Folder of the running program, without a slash at the end; false where /proc is not there. */
static bool program_folder(char *at, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", at, size - 1);

    if (n <= 0)
        return false;
    at[n] = 0;
    char *slash = strrchr(at, '/');

    if (!slash)
        return false;
    *slash = 0;
    return true;
}

/* The places to look in, best first; NULL behind the last. */
static char **roots(void)
{
    char **root = xcalloc(4, sizeof *root), bin[PATH_MAX];
    const char *set = getenv("SLMTOOLS_SHARE");
    struct buf b = BUF_INIT;
    int n = 0;

    if (set && *set)
        root[n++] = xstrdup(set);
    if (program_folder(bin, sizeof bin)) {
        buf_printf(&b, "%s/../share/slmtools", bin);
        root[n++] = xstrdup(b.p);
        buf_clear(&b);
        buf_printf(&b, "%s/../../../share", bin);
        root[n++] = xstrdup(b.p);
    }
    buf_free(&b);
    return root;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
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
        qsort(name, (size_t)n, sizeof *name, by_name);
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

/* The roots that are there move to the front. */
static int keep_roots(char **root)
{
    const char *set = getenv("SLMTOOLS_SHARE");
    struct buf all = BUF_INIT;
    int n = 0, rc = 1;

    for (int i = 0; rc >= 0 && root[i]; i++) {
        char *const one = root[i];

        buf_printf(&all, "%s%s", i ? ", " : "", one);
        rc = is_there(one);
        if (rc == 0 && set && !strcmp(one, set))
            rc = err_set(EXIT_NOINPUT, "SLMTOOLS_SHARE is %s, which is not there; correct it", one);
        root[i] = root[n];
        root[n] = one;
        n += rc > 0;
    }
    if (rc >= 0 && n == 0)
        rc = err_set(EXIT_NOINPUT, "there is no share folder (%s); set SLMTOOLS_SHARE to it",
                     all.p ? all.p : "this system does not say where the program is");
    buf_free(&all);
    return rc < 0 ? -1 : n;
}

/* The error for a name that is nowhere: the names that are, where it is not meant as a path. */
static void list_known(char *const *root, int n, const char *kind, const char *name,
                       const char *suffix)
{
    struct buf path = BUF_INIT, known = BUF_INIT;

    if (strchr(name, '/')) {
        (void)err_set(EXIT_NOINPUT, "%s: cannot open: %s", name, strerror(ENOENT));
        return;
    }
    for (int i = 0; i < n && !known.n; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", root[i], kind);
        list_names(&known, path.p, suffix);
    }
    (void)err_set(EXIT_NOINPUT, "no '%s' in share/%s; there are: %s", name, kind,
                  known.n ? known.p : "none (set SLMTOOLS_SHARE to the folder 'share')");
    buf_free(&path);
    buf_free(&known);
}

int share_find(char **found, const char *kind, const char *name, const char *suffix)
{
    char **root = roots();
    struct buf path = BUF_INIT;
    const bool plain = *name && !strchr(name, '/') && name[0] != '.' && strlen(name) < NAME_MAX / 2;
    const int n = keep_roots(root);
    int rc = n < 0 ? -1 : 0;

    for (int i = 0; plain && rc == 0 && i < n; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s/%s%s", root[i], kind, name, suffix);
        rc = is_there(path.p);
    }
    if (rc > 0)
        *found = xstrdup(path.p);
    if (rc == 0)
        list_known(root, n, kind, name, suffix);
    for (int i = 0; root[i]; i++)
        free(root[i]);
    free(root);
    buf_free(&path);
    return rc;
}

int lib_find(char **found, const char *name)
{
    const char *const set = getenv("SLMTOOLS_LIB");
    struct buf path = BUF_INIT;
    char bin[PATH_MAX];

    if (set && *set)
        buf_printf(&path, "%s/%s", set, name);
    else if (program_folder(bin, sizeof bin))
        buf_printf(&path, "%s/../lib/slmtools/%s", bin, name);
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
    const bool standard = !strcmp(path, "-");
    const int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    const char *name = standard ? "standard input" : path;

    if (fd < 0)
        return err_set(EXIT_NOINPUT, "%s: cannot open: %s", name, strerror(errno));
    int rc = claim_input(fd, name);

    while (!rc) {
        buf_reserve(b, 1 << 16);
        const ssize_t got = read(fd, b->p + b->n, 1 << 16);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EISDIR)
            rc = err_set(EXIT_NOINPUT, "%s: is a folder; give a file", name);
        else if (got < 0)
            rc = err_set(EXIT_IO, "%s: cannot read: %s; check the disk or network that it is on",
                         name, strerror(errno));
        if (got <= 0)
            break;
        b->n += (size_t)got;
        b->p[b->n] = 0;
        if (b->n > max)
            rc = err_set(EXIT_DATA, "%s: larger than %zu bytes; this is not the file meant", name,
                         max);
    }
    if (!standard)
        (void)close(fd);
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
    static const char mark[] = "\xef\xbb\xbf";

    buf_reserve(b, 0);
    b->p[b->n] = 0;
    if (is_utf16((const unsigned char *)b->p, b->n))
        return err_set(EXIT_DATA, "%s: is UTF-16 text; save it as UTF-8", name);
    const size_t bad = first_bad(b->p, b->n);

    if (bad < b->n)
        return refuse_byte(b, bad, name);
    if (!strncmp(b->p, mark, strlen(mark))) {
        b->n -= strlen(mark);
        memmove(b->p, b->p + strlen(mark), b->n + 1);
    }
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
