/* The block formats of GGUF files, an element at a time: block_code.h says what is where. */
#include "ref_impl.h"
#include "block_value.h"

void ref_block_span(float *out, const struct weight *w, int64_t first, int64_t n)
{
    const uint8_t *const blocks = (const uint8_t *)(const void *)w->data;
    const int64_t block = dtype_block(w->dtype);
    const size_t size = dtype_bytes(w->dtype, (size_t)block);

    for (int64_t i = first; i < first + n; i++)
        *out++ = block_value(w->dtype, blocks + (size_t)(i / block) * size, (int)(i % block));
}
