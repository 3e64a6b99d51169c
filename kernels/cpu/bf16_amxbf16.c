/* The tile of products in bfloat16 with the tile registers of AMX: 0-3 hold c, 4 and 5 A, 6 and 7
 * B. */
#include "bf16.h"
#include "simd.h"

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The compilers do not know what memory tile instructions read and write. */
#define MEMORY_IS_UP_TO_DATE() __asm__ volatile("" ::: "memory")

enum { ASK_FOR_STATE = 0x1023, TILE_DATA = 18 }; /* arch_prctl */

bool bf16_amx_allowed(void)
{
    return syscall(SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) == 0;
}

static void begin(void)
{
    /* Every register 16 rows of 64 bytes. */
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = { .palette = 1,
                .row_bytes = { 64, 64, 64, 64, 64, 64, 64, 64 },
                .rows = { 16, 16, 16, 16, 16, 16, 16, 16 } };

    MEMORY_IS_UP_TO_DATE();
    _tile_loadconfig(&shape);
}

static void end(void)
{
    _tile_release();
}

enum {
    A_STRIDE = BF16_STEP * 2, /* bytes */
    B_STRIDE = BF16_TILE * 4,
    C_STRIDE = BF16_TILE * 4,
    STEP_SIZE = BF16_STEP * BF16_TILE,
};

/* What pair P needs that the one before it did not leave in the registers. */
FORCE_INLINE bool needs_a(const int parts, const int b_parts, int p)
{
    return p == 0 || !bf16_counts(parts, b_parts, p - 1) || bf16_pairs[p].a != bf16_pairs[p - 1].a;
}

FORCE_INLINE bool needs_b(const int parts, const int b_parts, int p)
{
    return p == 0 || !bf16_counts(parts, b_parts, p - 1) || bf16_pairs[p].b != bf16_pairs[p - 1].b;
}

/* Past the first cache, which the panel of B fills. A step of split operands reads parts twice. */
#define LOAD_A(tile, from)                                                                         \
    do {                                                                                           \
        if (parts == 1)                                                                            \
            _tile_stream_loadd(tile, from, A_STRIDE);                                              \
        else                                                                                       \
            _tile_loadd(tile, from, A_STRIDE);                                                     \
    } while (0)

FORCE_INLINE void step_16(const int parts, const int b_parts, const uint16_t *a, const uint16_t *b)
{
    UNROLL(6)
    for (int p = 0; p < BF16_PAIRS; p++) {
        if (!bf16_counts(parts, b_parts, p))
            continue;
        if (needs_a(parts, b_parts, p))
            LOAD_A(4, a + bf16_pairs[p].a * STEP_SIZE);
        if (needs_b(parts, b_parts, p)) {
            _tile_loadd(6, b + bf16_pairs[p].b * STEP_SIZE, B_STRIDE);
            _tile_loadd(7, b + bf16_pairs[p].b * STEP_SIZE + BF16_TILE, B_STRIDE);
        }
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
    }
}

FORCE_INLINE void step_32(const int parts, const int b_parts, const uint16_t *a, const uint16_t *b)
{
    UNROLL(6)
    for (int p = 0; p < BF16_PAIRS; p++) {
        const uint16_t *const x = a + bf16_pairs[p].a * STEP_SIZE, *const y = b + bf16_pairs[p].b *
                                                                                      STEP_SIZE;

        if (!bf16_counts(parts, b_parts, p))
            continue;
        if (needs_b(parts, b_parts, p))
            _tile_loadd(6, y, B_STRIDE);
        if (needs_a(parts, b_parts, p))
            LOAD_A(4, x);
        _tile_dpbf16ps(0, 4, 6);
        if (needs_b(parts, b_parts, p))
            _tile_loadd(7, y + BF16_TILE, B_STRIDE);
        _tile_dpbf16ps(1, 4, 7);
        if (needs_a(parts, b_parts, p))
            LOAD_A(5, x + STEP_SIZE / 2);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
}

/* The steps of a tile, with half of the registers where it has up to 16 rows. */
FORCE_INLINE void run_steps(const int parts, const int b_parts, int rows, int64_t steps,
                            const uint16_t *a, const uint16_t *b, const struct bf16_soon *soon)
{
    for (int64_t s = 0; s < steps; s++, a += parts * STEP_SIZE, b += parts * STEP_SIZE) {
        bf16_ask(soon, s);
        if (rows > 16)
            step_32(parts, b_parts, a, b);
        else
            step_16(parts, b_parts, a, b);
    }
}

static void begin_sums(const float *c, bool add)
{
    const float *const below = c + 16 * BF16_TILE;

    MEMORY_IS_UP_TO_DATE();
    if (add) {
        _tile_loadd(0, c, C_STRIDE);
        _tile_loadd(1, c + 16, C_STRIDE);
        _tile_loadd(2, below, C_STRIDE);
        _tile_loadd(3, below + 16, C_STRIDE);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
}

static void end_sums(float *c)
{
    float *const below = c + 16 * BF16_TILE;

    _tile_stored(0, c, C_STRIDE);
    _tile_stored(1, c + 16, C_STRIDE);
    _tile_stored(2, below, C_STRIDE);
    _tile_stored(3, below + 16, C_STRIDE);
    MEMORY_IS_UP_TO_DATE();
}

/*
 * Limit: 16 cycles a product of two tiles, 2,870 GFLOP/s (Xeon with AMX, one core, 2.8 GHz); 2,080
 * where the operands are not zeros, which cost less power. With A and the sums so far in the second
 * cache 1,840 of 2,350: 512 of k at a time move c half as often as 256 do (1,690), and A is loaded
 * past the first cache, which the panel fills (1,400 if it is not).
 */
static void tile(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, int b_parts,
                 float *c, bool add, const struct bf16_soon *soon)
{
    (void)b_parts;
    begin_sums(c, add);
    run_steps(1, 1, rows, steps, a, b, soon);
    end_sums(c);
}

/* Limit: six products of two tiles each step, 96 cycles: 350 GFLOP/s of floats (2,100 of bfloat16)
 * a core, operands in the caches above, where multiply-adds of floats give 170 (performance.md). */
static void tile_x3(int rows, int64_t steps, const uint16_t *a, const uint16_t *b, int b_parts,
                    float *c, bool add, const struct bf16_soon *soon)
{
    begin_sums(c, add);
    if (b_parts == 1)
        run_steps(BF16_PARTS, 1, rows, steps, a, b, soon);
    else if (b_parts == 2)
        run_steps(BF16_PARTS, 2, rows, steps, a, b, soon);
    else
        run_steps(BF16_PARTS, 3, rows, steps, a, b, soon);
    end_sums(c);
}

const struct bf16_isa bf16_amx = {
    .name = "amxbf16",
    .parts = 1,
    .chunk = 512,
    .last_chunk = 640,
    .begin = begin,
    .end = end,
    .pack_a = bf16_pack_a,
    .pack_b = bf16_pack_b,
    .tile = tile,
    .few = bf16_few_by_step,
};

const struct bf16_isa bf16x3_amx = {
    .name = "amxbf16",
    .parts = BF16_PARTS,
    .chunk = 256,
    .last_chunk = 384,
    .begin = begin,
    .end = end,
    .pack_a = bf16x3_pack_a,
    .pack_b = bf16x3_pack_b,
    .tile = tile_x3,
};
