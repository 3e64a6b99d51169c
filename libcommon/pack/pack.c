#include "pack_parts.h"

#include "claim.h"
#include "filetype.h"
#include "gguf.h"
#include "mem.h"
#include "pack_gguf.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JSON_BYTES_MAX = 1 << 28 }; /* the largest tokenizer.json that is known has 2^25 */

void pack_add(struct pack *p, const char *name, const uint8_t *data, size_t size)
{
    p->file = xnrealloc(p->file, (size_t)p->n + 1, sizeof *p->file);
    p->file[p->n++] = (struct pack_file){ xstrdup(name), data, size };
}

void pack_keep(struct pack *p, void *memory, size_t n, bool mapped)
{
    p->region = xnrealloc(p->region, (size_t)p->regions + 1, sizeof *p->region);
    p->region[p->regions++] = (struct region){ memory, n, mapped };
}

int pack_check_size(const char *name, uint64_t size)
{
    if (!text_ends_with(name, ".json") || size <= JSON_BYTES_MAX)
        return 0;
    return err_set(EXIT_DATA, "%llu bytes of JSON are more than the %d MiB that any model has",
                   (unsigned long long)size, JSON_BYTES_MAX >> 20);
}

int pack_map(struct pack *p, const char *path, int fd, size_t size, const uint8_t **data)
{
    if (!size) {
        *data = (const uint8_t *)"";
        return 0;
    }
    void *at = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

    if (at == MAP_FAILED)
        return err_set(errno == ENOMEM ? EXIT_MEMORY : EXIT_NOINPUT, "cannot map: %s",
                       strerror(errno));
    watch_begin(path, fd, at, size);
    pack_keep(p, at, size, true);
    *data = at;
    return 0;
}

static void give_back(const struct region *r)
{
    if (!r->mapped) {
        free(r->p);
        return;
    }
    watch_end(r->p);
    munmap(r->p, r->n);
}

/* The archive, the first region, is not wanted any more when all of it was unpacked. */
static void unmap_unused(struct pack *p)
{
    struct region *r = &p->region[0];
    const uintptr_t start = (uintptr_t)r->p;

    for (int i = 0; i < p->n; i++)
        if (p->file[i].size && (uintptr_t)p->file[i].data - start < r->n)
            return;
    give_back(r);
    *r = p->region[--p->regions];
}

/* One safetensors file alone is a pack of one file, under the name of a model's where its own does
 * not say what it is, as a checkpoint's; a GGUF file is told by its bytes. */
static int read_mapped(struct pack *p, const char *path, int fd, size_t size)
{
    const char *slash = strrchr(path, '/');
    const uint8_t *data = NULL;
    int rc = 0;

    if (pack_map(p, strcmp(path, "-") ? path : NULL, fd, size, &data) < 0)
        return -1;
    if (gguf_is(data, size)) {
        pack_add(p, PACK_GGUF_NAME, data, size);
    } else if (text_ends_with(path, ".safetensors")) {
        pack_add(p, slash ? slash + 1 : path, data, size);
    } else if (filetype_is_safetensors(data, size)) {
        pack_add(p, "model.safetensors", data, size);
    } else {
        rc = pack_read_archive(p, data, size);
        if (size)
            unmap_unused(p);
    }
    return rc;
}

static int read_regular(struct pack *p, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc = -1;

    if (fd < 0)
        return err_set(EXIT_NOINPUT, "cannot open: %s", strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        err_set(EXIT_NOINPUT, "cannot open: it changed meanwhile");
    else if (claim_input(fd, path) == 0)
        rc = read_mapped(p, path, fd, (size_t)st.st_size);
    close(fd);
    return rc;
}

/* "org/name", as the hub names models. */
static bool is_hub_name(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash && slash != path && slash[1] && !strchr(slash + 1, '/') && *path != '.' &&
           *path != '~' && strncmp(path, "hf:", 3) != 0;
}

static int not_there(const char *path)
{
    if (errno == ENOENT && is_hub_name(path))
        return err_set(EXIT_NOINPUT,
                       "no such file or folder; a model in the local Hugging Face cache is hf:%s",
                       path);
    return err_set(EXIT_NOINPUT, "cannot open: %s", strerror(errno));
}

/* A pipe with a name is opened once only: its writer may be done before a second time. */
static int read_path(struct pack *p, const char *path)
{
    const bool standard = !strcmp(path, "-");
    struct stat st;

    if ((standard ? fstat(STDIN_FILENO, &st) : stat(path, &st)) < 0)
        return not_there(path);
    if (S_ISDIR(st.st_mode) && !standard)
        return pack_read_folder(p, path);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        return err_set(EXIT_DATA, "is a device; name a folder, an archive or a pipe of one");
    if (!S_ISREG(st.st_mode))
        return pack_read_archive_pipe(p, path);
    if (!standard)
        return read_regular(p, path);
    return claim_input(STDIN_FILENO, p->name) < 0
               ? -1
               : read_mapped(p, path, STDIN_FILENO, (size_t)st.st_size);
}

/* The hub's folder in the local cache; the environment variables are Hugging Face's. */
static void put_hub(struct buf *b)
{
    const char *hub = getenv("HF_HUB_CACHE"), *hf = getenv("HF_HOME"), *home = getenv("HOME");

    if (hub && *hub)
        buf_puts(b, hub);
    else if (hf && *hf)
        buf_printf(b, "%s/hub", hf);
    else
        buf_printf(b, "%s/.cache/huggingface/hub", home ? home : "");
}

/* The commit that refs/main names: one word without a slash. */
static int read_revision(const char *repo, char *revision, size_t size)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, "%s/refs/main", repo);
    FILE *f = fopen(path.p, "re");
    const bool got = f && fgets(revision, (int)size, f);

    if (f)
        fclose(f);
    buf_free(&path);
    if (!got)
        return err_set(EXIT_NOINPUT, "not in the local Hugging Face cache (%s); download it first",
                       repo);
    revision[strcspn(revision, "\r\n")] = 0;
    if (!*revision || *revision == '.' || strchr(revision, '/'))
        return err_set(EXIT_DATA, "%s/refs/main does not name a revision", repo);
    return 0;
}

/* "org/name" to HUB/models--org--name/snapshots/REVISION. */
static int read_hub(struct pack *p, const char *id)
{
    const char *slash = strchr(id, '/');
    char revision[128];
    struct buf repo = BUF_INIT;
    int rc = -1;

    if (!*id || *id == '.' || *id == '/' || strstr(id, "..") || (slash && strchr(slash + 1, '/'))) {
        err_set(EXIT_USAGE, "'hf:' wants org/name");
        goto done;
    }
    put_hub(&repo);
    buf_puts(&repo, "/models--");
    for (const char *c = id; *c; c++)
        *c == '/' ? buf_puts(&repo, "--") : buf_putc(&repo, *c);
    if (read_revision(repo.p, revision, sizeof revision) < 0)
        goto done;
    buf_printf(&repo, "/snapshots/%s", revision);
    rc = read_path(p, repo.p);
done:
    buf_free(&repo);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pack_file *)a)->name, ((const struct pack_file *)b)->name);
}

int pack_open(struct pack **out, const char *path)
{
    struct pack *p = xcalloc(1, sizeof *p);

    p->name = xstrdup(strcmp(path, "-") ? path : "standard input");
    int rc = strncmp(path, "hf:", 3) ? read_path(p, path) : read_hub(p, path + 3);

    if (!rc)
        rc = pack_take_gguf(p);
    if (p->n)
        qsort(p->file, (size_t)p->n, sizeof *p->file, by_name);
    for (int i = 1; i < p->n && !rc; i++)
        if (!by_name(&p->file[i - 1], &p->file[i]))
            rc = err_set(EXIT_DATA, "'%s' is in it twice", p->file[i].name);
    if (!rc) {
        *out = p;
        return 0;
    }
    err_in("%s", p->name);
    pack_close(p);
    return -1;
}

void pack_close(struct pack *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->regions; i++)
        give_back(&p->region[i]);
    for (int i = 0; i < p->n; i++)
        free((char *)(uintptr_t)p->file[i].name);
    pack_gguf_free(p->gguf);
    free(p->region);
    free(p->file);
    free(p->name);
    free(p);
}

/*
 * Whole pages, and those before them that a fault maps along: what is read from beginning to end
 * in pieces leaves none behind.
 */
void pack_let_go(const struct pack *p, const uint8_t *data, size_t n)
{
    enum { MAPPED_ALONG = 1 << 16 };

    for (int i = 0; i < p->regions; i++) {
        const struct region *r = &p->region[i];
        const uintptr_t start = (uintptr_t)r->p, from = (uintptr_t)data, end = from + n;

        if (!r->mapped || from < start || end > start + r->n)
            continue;
        const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), behind = end / page * page;
        const uintptr_t before = from / MAPPED_ALONG * MAPPED_ALONG;
        const uintptr_t first = before > start ? before : start;

        if (behind > first)
            (void)madvise((char *)r->p + (first - start), behind - first, MADV_DONTNEED);
    }
}

const char *pack_name(const struct pack *p)
{
    return p->name;
}

/* Some are made when they are asked for first. */
static const struct pack_file *with_bytes(const struct pack *p, struct pack_file *f)
{
    if (f && !f->data)
        pack_make(p, f);
    return f;
}

const struct pack_file *pack_find(const struct pack *p, const char *name)
{
    const struct pack_file key = { .name = name };

    return p->n ? with_bytes(p, bsearch(&key, p->file, (size_t)p->n, sizeof *p->file, by_name))
                : NULL;
}

int pack_no_model(const struct pack *p)
{
    if (pack_find(p, "adapter_config.json"))
        return err_set(EXIT_DATA,
                       "%s: is an adapter and no model; give the model that it was trained on, and "
                       "the adapter to predict --adapter or lora-train --init-adapter",
                       p->name);
    return err_set(EXIT_NOINPUT,
                   "%s: there is no config.json in it; give the folder or archive of a model",
                   p->name);
}

int pack_count(const struct pack *p)
{
    return p->n;
}

const struct pack_file *pack_at(const struct pack *p, int i)
{
    return with_bytes(p, &p->file[i]);
}

void pack_add_digest(struct sha256 *s, const char *name, const void *bytes, size_t n)
{
    uint8_t size[8];

    for (int b = 0; b < 8; b++)
        size[b] = (uint8_t)((uint64_t)n >> 8 * b);
    sha256_add(s, name, strlen(name) + 1);
    sha256_add(s, size, sizeof size);
    sha256_add(s, bytes, n);
}

void pack_digest(const struct pack *p, uint8_t out[SHA256_BYTES])
{
    struct sha256 *s = sha256_new();

    for (int i = 0; i < p->n; i++) {
        const struct pack_file *f = &p->file[i];

        if (p->gguf ? !strcmp(f->name, PACK_GGUF_NAME)
                    : text_ends_with(f->name, ".json") || text_ends_with(f->name, ".safetensors"))
            pack_add_digest(s, f->name, f->data, f->size);
    }
    sha256_done(s, out);
}
