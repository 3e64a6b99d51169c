/* One safetensors file: tensors lie inside of it. */
#include "fuzz.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tensors *t;

    if (says_why(tensors_parse(&t, "fuzz", data, size)) < 0)
        return 0;
    for (int i = 0; i < tensors_count(t); i++) {
        const struct tensor *one = tensors_at(t, i);
        uint8_t sum = 0;

        for (size_t b = 0; b < one->bytes; b++)
            sum ^= one->data[b];
        must_hold(sum <= 255 && tensors_find(t, one->name) == one, "found by its name");
    }
    (void)tensors_metadata(t, "format");
    tensors_close(t);
    return 0;
}
