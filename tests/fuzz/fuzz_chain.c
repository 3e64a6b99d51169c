/* Chains of adapters: what is taken for one can be shown, and is the same after another round. */
#include "chain.h"
#include "fuzz.h"
#include "provenance.h"
#include "show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf json = BUF_INIT, chain = BUF_INIT, lines = BUF_INIT, shown = BUF_INIT,
               again = BUF_INIT;

    buf_add(&json, data, size); /* a C string, as tensors_metadata gives it */
    buf_puts(&json, "");
    if (says_why(chain_parse(&chain, json.p)) == 0) {
        must_hold(provenance_put_chain(&lines, json.p) == 0, "what is a chain has lines");
        show_item(&shown, (const uint8_t *)chain.p, chain.n);
        must_hold(chain_parse(&again, shown.p) == 0, "a chain is one again");
        must_hold(again.n == chain.n && !memcmp(again.p, chain.p, chain.n), "and the same");
    }
    buf_free(&json);
    buf_free(&chain);
    buf_free(&lines);
    buf_free(&shown);
    buf_free(&again);
    return 0;
}
