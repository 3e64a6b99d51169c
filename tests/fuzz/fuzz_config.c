/* config.json of a model, and the quant_state of a tensor of bitsandbytes'. */
#include "files/config_load.h"
#include "fuzz.h"
#include "files/quant_state.h"

#include <math.h>

static void as_config(const uint8_t *data, size_t size)
{
    struct config c;
    struct pack *p;

    (void)fuzz_file("config.json", data, size);
    must_hold(pack_open(&p, fuzz_folder()) == 0, "a folder is opened");
    if (says_why(config_load(&c, p)) == 0) {
        must_hold(c.vocab > 0 && c.dim > 0 && c.layers > 0 && c.heads > 0, "sizes");
        must_hold(c.rope.rot >= 0 && c.rope.rot <= c.head_dim && c.rope.rot % 2 == 0,
                  "dimensions that turn");
        must_hold(isfinite(c.rope.theta) && isfinite(c.norm_eps), "numbers");
    }
    pack_close(p);
}

static void as_quant_state(const uint8_t *data, size_t size)
{
    const struct tensor t = { .name = "w.quant_state.bitsandbytes__nf4",
                              .dtype = DT_U8,
                              .rank = 1,
                              .shape = { (int64_t)size },
                              .n = (int64_t)size,
                              .data = data,
                              .bytes = size };
    struct quant_state q;

    if (says_why(quant_state_parse(&q, &t)) == 0)
        must_hold(q.rows > 0 && q.cols > 0 && q.block > 0, "sizes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_config(data, size);
    as_quant_state(data, size);
    return 0;
}
