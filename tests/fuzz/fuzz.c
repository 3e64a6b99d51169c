#include "fuzz.h"

#include "outfile.h"

#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

static char folder[32];

static void remove_folder(void)
{
    outfile_remove(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    err_set_talk(0);
    (void)strcpy(folder, "/dev/shm/fuzz-XXXXXX"); /* in memory, where the system has that */
    if (!mkdtemp(folder)) {
        (void)strcpy(folder, "/tmp/fuzz-XXXXXX");
        if (!mkdtemp(folder))
            abort();
    }
    (void)atexit(remove_folder);
    return 0;
}

const char *fuzz_folder(void)
{
    return folder;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path); /* some file systems write a file to disk that is cut and written again */
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
    return path;
}
