/* folder.h - a scratch folder that a test fills with the files of a model. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

static char folder[] = "/tmp/model-test-XXXXXX";

static inline void folder_write(const char *name, const void *bytes, size_t n)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
        die(EXIT_IO, "cannot write %s", path);
}

static inline void folder_remove(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path);
}

static inline void folder_make(void)
{
    if (!mkdtemp(folder))
        die(EXIT_IO, "cannot make %s", folder);
}

#endif
