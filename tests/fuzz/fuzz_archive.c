/* Archives, as models and as tables; the first byte says which. */
#include "fuzz.h"
#include "pack.h"
#include "source.h"

static void as_model(const char *path)
{
    struct pack *p;

    if (says_why(pack_open(&p, path)) < 0)
        return;
    for (int i = 0; i < pack_count(p); i++) {
        const struct pack_file *f = pack_at(p, i);
        uint8_t sum = 0;

        for (size_t b = 0; b < f->size; b++)
            sum ^= f->data[b];
        must_hold(sum <= 255 && pack_find(p, f->name), "found by its name");
    }
    pack_close(p);
}

static void as_table(const char *path)
{
    struct source *s;
    const uint8_t *bytes;
    size_t n;

    if (says_why(source_open(&s, path, NULL, true, 1)) < 0)
        return;
    do
        while (says_why(source_read(s, &bytes, &n)) == 0 && n > 0)
            ;
    while (source_classes(s) && says_why(source_next_class(s)) > 0);
    source_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "a.tar", "a.tar.zst", "a.zip", "a.csv.gz" };

    if (!size)
        return 0;
    const char *path = fuzz_file(names[*data & 3], data + 1, size - 1);

    if (*data & 4)
        as_table(path);
    else
        as_model(path);
    return 0;
}
