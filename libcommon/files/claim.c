#include "claim.h"

#include "beside.h"
#include "mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct file {
    dev_t dev;
    ino_t ino;
};

struct input {
    struct file file;
    char *name;
};

/* What is replaced, if anything is there, and the place: a name in a folder. */
struct claim {
    struct claim *next;
    char *name, *base; /* BASE NULL: no place */
    struct file folder;
    struct file *file; /* what goes: the output itself, what is inside it */
    int files;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct input *input;
static int inputs;
static struct claim *claims;

static struct file file_of(const struct stat *st)
{
    return (struct file){ st->st_dev, st->st_ino };
}

static bool same(const struct file *a, const struct file *b)
{
    return a->dev == b->dev && a->ino == b->ino;
}

static bool counts(const struct stat *st)
{
    return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

/* ---- inputs ---- */

static const struct input *find_input(const struct file *f)
{
    for (int i = 0; i < inputs; i++)
        if (same(&input[i].file, f))
            return &input[i];
    return NULL;
}

static const struct claim *find_claim(const struct file *f)
{
    for (const struct claim *c = claims; c; c = c->next)
        for (int i = 0; i < c->files; i++)
            if (same(&c->file[i], f))
                return c;
    return NULL;
}

int claim_input(int fd, const char *name)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !counts(&st))
        return 0;
    const struct file f = file_of(&st);

    (void)pthread_mutex_lock(&lock);
    const struct claim *c = find_claim(&f);

    if (!c) {
        input = xnrealloc(input, (size_t)inputs + 1, sizeof *input);
        input[inputs++] = (struct input){ f, xstrdup(name) };
    }
    (void)pthread_mutex_unlock(&lock);
    return c ? err_set(EXIT_CREATE,
                       "%s: the output %s would replace this input; give the output another name",
                       name, c->name)
             : 0;
}

void claim_spare(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return;
    const struct file f = file_of(&st);

    (void)pthread_mutex_lock(&lock);
    for (int i = inputs; i-- > 0;)
        if (same(&input[i].file, &f)) {
            free(input[i].name);
            input[i] = input[--inputs];
        }
    (void)pthread_mutex_unlock(&lock);
}

/* ---- outputs ---- */

static int add_file(struct claim *c, const struct stat *st)
{
    const struct file f = file_of(st);
    const struct input *in = find_input(&f);

    if (in)
        return err_set(EXIT_CREATE,
                       c->files ? "%s: holds the input %s; give the output another name"
                                : "%s: is the input %s as well; give the output another name",
                       c->name, in->name);
    c->file = xnrealloc(c->file, (size_t)c->files + 1, sizeof *c->file);
    c->file[c->files++] = f;
    return 0;
}

static bool same_place(const struct claim *a, const struct claim *b)
{
    return a->base && b->base && same(&a->folder, &b->folder) && !strcmp(a->base, b->base);
}

/* In turn: all that is known of C, whose file, when it is there, is ST. */
static int check(struct claim *c, const struct stat *st)
{
    for (const struct claim *other = claims; other; other = other->next)
        if (same_place(c, other) ||
            (st && other->files && same(&other->file[0], &(struct file){ st->st_dev, st->st_ino })))
            return err_set(EXIT_CREATE,
                           "%s: is another output of the same command as well; give each its name",
                           c->name);
    return st ? add_file(c, st) : 0;
}

static int enter(struct claim **out, struct claim *c, const struct stat *st)
{
    (void)pthread_mutex_lock(&lock);
    const int rc = check(c, st);

    if (!rc) {
        c->next = claims;
        claims = c;
    }
    (void)pthread_mutex_unlock(&lock);
    if (rc)
        claim_release(c);
    else
        *out = c;
    return rc;
}

int claim_output(struct claim **out, const char *path, const char *name)
{
    struct claim *c = xcalloc(1, sizeof *c);
    const char *slash = strrchr(path, '/');
    struct buf folder = BUF_INIT;
    struct stat st, place;

    c->name = xstrdup(name);
    beside_folder_of(&folder, path);
    if (stat(folder.p, &place) == 0) {
        c->folder = file_of(&place);
        c->base = xstrdup(slash ? slash + 1 : path);
    }
    buf_free(&folder);
    return enter(out, c, stat(path, &st) == 0 && counts(&st) ? &st : NULL);
}

int claim_output_fd(struct claim **out, int fd, const char *name)
{
    struct claim *c = xcalloc(1, sizeof *c);
    struct stat st;

    c->name = xstrdup(name);
    return enter(out, c, fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? &st : NULL);
}

int claim_inside(struct claim *c, const char *file)
{
    struct stat st;

    if (stat(file, &st) < 0)
        return 0;
    (void)pthread_mutex_lock(&lock);
    const int rc = add_file(c, &st);

    (void)pthread_mutex_unlock(&lock);
    return rc;
}

void claim_release(struct claim *c)
{
    if (!c)
        return;
    (void)pthread_mutex_lock(&lock);
    for (struct claim **at = &claims; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    (void)pthread_mutex_unlock(&lock);
    free(c->name);
    free(c->base);
    free(c->file);
    free(c);
}
