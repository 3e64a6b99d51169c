/* Attention of one query a sequence over a cache of keys, as in decoding, where halves are computed
 * with: not rounded by any device, and in a form of its own on some. */
#include "ops_test.h"

enum { MOST = 4 };

struct shape {
    int keys[MOST], n; /* of each sequence */
    int64_t H, K, D, window;
    int32_t shared; /* rows that every query sees besides */
    int64_t gap;    /* elements between the rows' ends and the next */
};

/* Keys around tiles of 32 and rounds of 16 of them; every head size there is; grouped heads;
 * windows that begin in a tile, at one, and in the shared rows. */
static const struct shape shapes[] = {
    { { 1, 31, 32, 33 }, 4, 2, 2, 80, 0, 0, 0 }, { { 700 }, 1, 1, 1, 64, 0, 0, 8 },
    { { 512, 513, 3 }, 3, 7, 1, 32, 0, 0, 0 },   { { 64, 65 }, 2, 4, 2, 96, 40, 0, 0 },
    { { 9, 200 }, 2, 2, 1, 128, 64, 50, 16 },    { { 5, 40, 1, 2 }, 4, 2, 2, 256, 0, 33, 0 },
    { { 600, 20 }, 2, 3, 3, 16, 550, 7, 0 },     { { 33 }, 1, 2, 1, 112, 1, 5, 4 },
    { { 70, 2, 130 }, 3, 2, 2, 37, 0, 11, 1 },
};

static void run_one(struct outputs *out, const struct ops *o, const void *shape)
{
    const struct shape *const s = shape;
    const int64_t HD = s->H * s->D, KD = s->K * s->D;
    const struct attention a = { .heads = s->H,
                                 .kv_heads = s->K,
                                 .head_dim = s->D,
                                 .q_ld = HD + s->gap,
                                 .kv_ld = KD + s->gap,
                                 .window = s->window,
                                 .scale = 2 / sqrtf((float)s->D),
                                 .round = DT_BF16 };
    struct seq seq[MOST];
    int32_t rows = s->shared;

    for (int i = 0; i < s->n; i++) {
        seq[i] = (struct seq){
            .q_start = i, .q_len = 1, .k_start = rows, .k_len = s->keys[i], .shared_len = s->shared
        };
        rows += s->keys[i];
    }
    const struct packed packed = pack(o, seq, s->n);
    struct dev *const to = act_room(o, s->n * HD);

    assert_int_equal(o->attention_forward(to, NULL, put_random_act(o, s->n * a.q_ld, 1),
                                          put_random_act(o, rows * a.kv_ld, 2),
                                          put_random_act(o, rows * a.kv_ld, 3), &packed, &a),
                     0);
    give_act(out, o, "out", to, s->n * HD);
}

static void one_query_sees_all_keys(void **state)
{
    (void)state;
    CHECK_OP(run_one, shapes, 1e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = { OP_TEST(one_query_sees_all_keys) };

    return RUN_TESTS(tests);
}
