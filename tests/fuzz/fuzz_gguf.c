/* A GGUF file as a model: what is made of its keys is JSON, and its tensors lie inside of it. */
#include "fuzz.h"
#include "json.h"
#include "pack.h"
#include "tensors.h"

static void look_at(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum ^= p[i];
    must_hold(sum <= 255, "it can be read");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tensors *t;
    struct pack *p;

    if (says_why(pack_open(&p, fuzz_file("m.gguf", data, size))) < 0)
        return 0;
    for (int i = 0; i < pack_count(p); i++) {
        const struct pack_file *f = pack_at(p, i);

        must_hold(!text_ends_with(f->name, ".json") ||
                      json_check((const char *)f->data, f->size) == 0,
                  "what is made is JSON");
    }
    if (pack_find(p, "model.gguf")) {
        must_hold(tensors_open(&t, p, "model") == 0, "its tensors were checked");
        for (int i = 0; i < tensors_count(t); i++) {
            const struct tensor *one = tensors_at(t, i);

            look_at(one->data, one->bytes);
            must_hold(tensors_find(t, one->name) == one, "found by its name");
        }
        tensors_close(t);
    }
    pack_close(p);
    return 0;
}
