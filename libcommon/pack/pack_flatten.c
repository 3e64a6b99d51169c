#include "pack_parts.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the folder in front of the name, with its slash. */
static size_t folder_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? (size_t)(slash - name) + 1 : 0;
}

/* A file that makes the folder it is in a model, an adapter or a tokenizer. */
static bool is_mark(const char *path)
{
    static const char *const names[] = { "config.json", "adapter_config.json", "tokenizer.json",
                                         "vocab.json", "model.safetensors.index.json" };
    const char *name = path + folder_of(path);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]))
            return true;
    return text_ends_with(name, ".safetensors") || text_ends_with(name, ".gguf");
}

static bool is_under(const char *path, const char *folder, size_t n)
{
    return !strncmp(path, folder, n);
}

/* The folder that all marks are in or under, by a file of it; NULL: no mark, or one has no such
 * folder and the error is set. */
static int find_folder(const struct pack *p, const char **found)
{
    *found = NULL;
    for (int i = 0; i < p->n; i++)
        if (is_mark(p->file[i].name) && (!*found || folder_of(p->file[i].name) < folder_of(*found)))
            *found = p->file[i].name;
    for (int i = 0; *found && i < p->n; i++) {
        const char *other = p->file[i].name;
        const size_t n = folder_of(*found);

        if (is_mark(other) && !is_under(other, *found, n))
            return err_set(EXIT_DATA,
                           "the archive holds two models, '%.*s' and '%.*s'; make one of each",
                           (int)n, *found, (int)folder_of(other), other);
    }
    return 0;
}

/* Bytes of the top folder that every name has. */
static size_t common_top(const struct pack *p)
{
    const char *slash = p->n ? strchr(p->file[0].name, '/') : NULL;
    size_t top = slash ? (size_t)(slash - p->file[0].name) + 1 : 0;

    for (int i = 0; i < p->n; i++)
        if (!is_under(p->file[i].name, p->file[0].name, top))
            top = 0;
    return top;
}

int pack_flatten(struct pack *p)
{
    const char *mark;
    int kept = 0;

    if (find_folder(p, &mark) < 0)
        return -1;
    const size_t n = mark ? folder_of(mark) : common_top(p);
    char *folder = p->n ? xstrndup(mark ? mark : p->file[0].name, n) : xstrdup("");

    for (int i = 0; i < p->n; i++) {
        char *name = (char *)(uintptr_t)p->file[i].name;

        if (is_under(name, folder, n) && folder_of(name) == n && name[n]) {
            memmove(name, name + n, strlen(name + n) + 1);
            p->file[kept++] = p->file[i];
        } else {
            free(name);
        }
    }
    free(folder);
    p->n = kept;
    return kept ? 0 : err_set(EXIT_DATA, "the archive has no files");
}
