/* pack_parts.h - what the files of this folder share; nobody else includes it. */
#ifndef PACK_PARTS_H
#define PACK_PARTS_H

#include "pack.h"

struct region {                 /* memory that pack_close gives back */
    void *p;
    size_t n;
    bool mapped;
};

struct pack_gguf;

struct pack {
    char *name;
    struct pack_gguf *gguf;     /* NULL: it is none */
    struct pack_file *file;
    struct region *region;
    int n, regions;
};

/* Adds a file; NAME is copied, DATA belongs to a region. */
void pack_add(struct pack *p, const char *name, const uint8_t *data, size_t size);
/* Makes N bytes, from malloc or MAPPED, the pack's: pack_close gives them back. */
void pack_keep(struct pack *p, void *memory, size_t n, bool mapped);
/* Maps the regular file FD of SIZE bytes at PATH (NULL: standard input); an empty one gives "". -1 with
 * errno's text. */
MUST_USE int pack_map(struct pack *p, const char *path, int fd, size_t size, const uint8_t **data);

/* -1 when nobody means SIZE bytes of JSON: asked before they are unpacked or read. */
MUST_USE int pack_check_size(const char *name, uint64_t size);

/* All files of the folder PATH, mapped. */
MUST_USE int pack_read_folder(struct pack *p, const char *path);
/* All files of an archive in memory: those of a plain tar stay where they are, others are copied. */
MUST_USE int pack_read_archive(struct pack *p, const uint8_t *data, size_t size);
/* The same from something that cannot be mapped, PATH or "-". */
MUST_USE int pack_read_archive_pipe(struct pack *p, const char *path);

/* Leaves, of an archive's files with their paths, what a folder would give: those of the model's
 * folder, which is where config.json, weights or a tokenizer are, or else of the top folder that all
 * have. Two such folders beside each other are refused by their names. */
MUST_USE int pack_flatten(struct pack *p);

#endif
