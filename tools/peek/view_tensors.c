#include "filetype.h"
#include "input.h"
#include "holder.h"
#include "provenance.h"
#include "sha256.h"
#include "view.h"
#include "zframe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tar has "ustar" at byte 257. */
static bool is_model(const uint8_t *p, size_t n)
{
    return (n >= 262 && !memcmp(p + 257, "ustar", 5)) || (n >= 4 && !memcmp(p, "GGUF", 4));
}

bool holds_tensors(const char *path)
{
    static const char *const names[] = { ".safetensors", ".gguf",   ".tar", ".tar.zst",
                                         ".tgz",         ".tar.gz", ".zip", ".whl" };
    uint8_t first[512];
    struct stat st;
    size_t n;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_ends_with(path, names[i]))
            return true;
    if (!strncmp(path, "hf:", 3) || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return true;
    if (!strcmp(path, "-") && isatty(STDIN_FILENO))
        return false; /* to look would be to wait for the keyboard */
    if (input_peek(path, first, sizeof first, &n) < 0)
        return false; /* whoever opens it says why it cannot */
    if (is_model(first, n) || filetype_is_safetensors(first, n))
        return true;
    return zframe_peek(path, first, sizeof first, &n) == 0 && is_model(first, n);
}

/* ---- opening ---- */

/* The part of a file name before ".safetensors": of the only file, an adapter's or a model's. */
static char *stem_of(const struct pack *p)
{
    const char *only = pack_count(p) == 1 ? pack_at(p, 0)->name : "";

    if (text_ends_with(only, ".safetensors"))
        return xstrndup(only, strlen(only) - strlen(".safetensors"));
    return xstrdup(pack_find(p, "adapter_model.safetensors") ? "adapter_model" : "model");
}

int holder_open(struct holder *h, const char *path)
{
    if (pack_open(&h->pack, path) < 0)
        return -1;
    char *stem = stem_of(h->pack);
    const int rc = tensors_open(&h->tensors, h->pack, stem);

    free(stem);
    if (rc < 0)
        pack_close(h->pack);
    return rc;
}

void holder_close(struct holder *h)
{
    tensors_close(h->tensors);
    pack_close(h->pack);
}

/* ---- the views ---- */

void put_shape(struct buf *b, const struct tensor *t)
{
    buf_putc(b, '[');
    for (int i = 0; i < t->rank; i++)
        buf_printf(b, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    buf_putc(b, ']');
}

static void put_row(struct buf *b, const struct tensor *t)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];

    sha256_of(t->data, t->bytes, digest);
    sha256_hex(digest, hex);
    buf_printf(b, "%s\t%s\t", t->name, dtype_name(t->dtype));
    put_shape(b, t);
    buf_printf(b, "\t%zu\t%s\n", t->bytes, hex);
}

static int list_tensors(const struct peek *p, const char *path)
{
    struct holder h;
    struct buf line = BUF_INIT;
    int rc = 0;

    if (holder_open(&h, path) < 0)
        return -1;
    for (int i = 0; !rc && i < tensors_count(h.tensors); i++) {
        buf_clear(&line);
        put_row(&line, tensors_at(h.tensors, i));
        rc = write_text(p, line.p, line.n);
    }
    buf_free(&line);
    holder_close(&h);
    return rc;
}

int view_tensors(const struct peek *p)
{
    static const char head[] = "name\tdtype\tshape\tbytes\tsha256\n";
    static const char *const standard[] = { "-", NULL };
    const char *const *path = p->paths[0] ? p->paths : standard;

    if (write_text(p, head, sizeof head - 1) < 0)
        return -1;
    for (; *path; path++)
        if (list_tensors(p, *path) < 0)
            return -1;
    return 0;
}

int verify_tensors(const struct peek *p, const char *path)
{
    struct holder h;
    struct buf line = BUF_INIT;
    unsigned long long bytes = 0;

    if (holder_open(&h, path) < 0)
        return -1;
    for (int i = 0; i < tensors_count(h.tensors); i++)
        bytes += tensors_at(h.tensors, i)->bytes;
    buf_printf(&line, "%s: %d tensors, %llu bytes, whole\n", pack_name(h.pack),
               tensors_count(h.tensors), bytes);
    const int rc = write_text(p, line.p, line.n);

    buf_free(&line);
    holder_close(&h);
    return rc;
}

/* Adapters that lora-train wrote say how; no other file of tensors does. */
int chain_of_tensors(const struct peek *p, const char *path)
{
    struct buf lines = BUF_INIT;
    struct holder h;

    if (holder_open(&h, path) < 0)
        return -1;
    const char *chain = tensors_metadata(h.tensors, TENSORS_CHAIN);
    int rc = chain
                 ? provenance_put_chain(&lines, chain)
                 : err_set(EXIT_DATA, "it does not say how it was made; adapters of lora-train do");

    if (rc < 0)
        rc = err_in("%s", pack_name(h.pack));
    else
        rc = write_text(p, lines.p, lines.n);
    buf_free(&lines);
    holder_close(&h);
    return rc;
}
