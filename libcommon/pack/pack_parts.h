/* pack_parts.h - what pack.c, pack_folder.c and pack_archive.c share; nobody else includes it. */
#ifndef PACK_PARTS_H
#define PACK_PARTS_H

#include "pack.h"

struct region {                 /* memory that pack_close gives back */
    void *p;
    size_t n;
    bool mapped;
};

struct pack {
    char *name;
    struct pack_file *file;
    struct region *region;
    int n, regions;
};

/* Adds a file; NAME is copied, DATA belongs to a region. */
void pack_add(struct pack *p, const char *name, const uint8_t *data, size_t size);
void pack_keep(struct pack *p, void *memory, size_t n, bool mapped);
/* Maps the regular file FD of SIZE bytes; an empty one gives "". -1 with errno's text. */
MUST_USE int pack_map(struct pack *p, int fd, size_t size, const uint8_t **data);

/* All files of the folder PATH, mapped. */
MUST_USE int pack_read_folder(struct pack *p, const char *path);
/* All files of an archive in memory: those of a plain tar stay where they are, others are copied. */
MUST_USE int pack_read_archive(struct pack *p, const uint8_t *data, size_t size);
/* The same from something that cannot be mapped, PATH or "-". */
MUST_USE int pack_read_archive_pipe(struct pack *p, const char *path);

#endif
