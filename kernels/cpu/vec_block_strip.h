/*
 * vec_block_strip.h - a strip of a block format (block_code.h): 32 elements that begin at a
 * multiple of 32, of one row or of W rows at once. Included by vec_blocks.h and
 * vec_block_rows.h, with
 *
 *   WORD, REAL    a dword, a float: of one row, or of each of W
 *   CODES, PARTS  some dwords of codes, and how many of these are a strip's
 *   PLACE         where the block is, or the blocks are
 *   OF(name)      the name of this one's
 *
 * and, for these, load (dwords), load_codes, low_high (codes of 16 bytes: the low halves of all,
 * then the high ones), fifth_bits (bit e of a dword above the four bits of code e), look_up (IQ4's
 * values), half (the low one of a dword), real (of a number with a sign). No guard.
 */

/* What a block has but its codes. */
struct OF(head) {
    WORD word[4]; /* 16 bytes with the scales; of blocks of 32: the first 4 */
    REAL d, m;    /* the halves, m with the sign that makes it a term */
};

/* Codes in order, each a byte with a sign; the value is scale * code + offset, each for half the
 * strip. In formats without offsets there is none to add. */
struct OF(strip) {
    CODES code[PARTS];
    REAL scale[2], offset[2];
};

/* ---- the codes ---- */

/* 32 bytes AT: some bits of each. */
FORCE_INLINE void OF(bits)(CODES *code, PLACE p, int at, int shift, uint32_t mask)
{
    OF(load_codes)(code, p, at);
    for (int j = 0; j < PARTS; j++)
        code[j] = code[j] >> shift & EACH_BYTE(mask);
}

/* Bits of the 32 bytes AT above those that are there. */
FORCE_INLINE void OF(bits_above)(CODES *code, PLACE p, int at, int shift, uint32_t mask, int above)
{
    CODES high[PARTS];

    OF(bits)(high, p, at, shift, mask);
    for (int j = 0; j < PARTS; j++)
        code[j] |= high[j] << above;
}

/* Less CENTRE, from 4 to 64: no byte carries into the next. */
FORCE_INLINE void OF(centred)(CODES *code, uint32_t centre)
{
    for (int j = 0; j < PARTS; j++)
        code[j] = (code[j] + EACH_BYTE(128 - centre)) ^ EACH_BYTE(128u);
}

FORCE_INLINE void OF(codes_of_32)(const enum dtype t, CODES *code, PLACE p)
{
    switch (t) {
    case DT_Q4_0:
        OF(low_high)(code, p, Q4_0_CODES);
        OF(centred)(code, 8);
        break;
    case DT_Q4_1:
        OF(low_high)(code, p, Q4_1_CODES);
        break;
    case DT_Q5_0:
        OF(low_high)(code, p, Q5_0_CODES);
        OF(fifth_bits)(code, p, Q5_0_HIGH);
        OF(centred)(code, 16);
        break;
    case DT_Q5_1:
        OF(low_high)(code, p, Q5_1_CODES);
        OF(fifth_bits)(code, p, Q5_1_HIGH);
        break;
    case DT_Q8_0:
        OF(load_codes)(code, p, Q8_0_CODES);
        break;
    default:
        OF(low_high)(code, p, IQ4_NL_CODES);
        OF(look_up)(code);
    }
}

/* Of strip S of a block of 256. */
FORCE_INLINE void OF(codes_of_256)(const enum dtype t, CODES *code, PLACE p, int s)
{
    switch (t) {
    case DT_Q2_K:
        OF(bits)(code, p, Q2_K_CODES + 32 * (s / 4), 2 * (s % 4), 3);
        break;
    case DT_Q3_K:
        OF(bits)(code, p, Q3_K_CODES + 32 * (s / 4), 2 * (s % 4), 3);
        OF(bits_above)(code, p, Q3_K_HIGH, s, 1, 2);
        OF(centred)(code, 4);
        break;
    case DT_Q4_K:
        OF(bits)(code, p, Q4_K_CODES + 32 * (s / 2), 4 * (s % 2), 15);
        break;
    case DT_Q5_K:
        OF(bits)(code, p, Q5_K_CODES + 32 * (s / 2), 4 * (s % 2), 15);
        OF(bits_above)(code, p, Q5_K_HIGH, s, 1, 4);
        break;
    case DT_Q6_K:
        OF(bits)(code, p, Q6_K_CODES + 64 * (s / 4) + 32 * (s % 2), 4 * (s % 4 / 2), 15);
        OF(bits_above)(code, p, Q6_K_HIGH + 32 * (s / 4), 2 * (s % 4), 3, 4);
        OF(centred)(code, 32);
        break;
    default:
        OF(low_high)(code, p, IQ4_XS_CODES + 16 * s);
        OF(look_up)(code);
    }
}

/* ---- the scales ---- */

FORCE_INLINE REAL OF(half_at)(PLACE p, int at)
{
    WORD word; /* that ends with the half: nothing is read behind the block */

    OF(load)(&word, p, at - 2, 1);
    return OF(half)(word >> 16);
}

/* The head of a block of 32 that begins with WORD. */
FORCE_INLINE void OF(open_32)(struct OF(head) * h, WORD word)
{
    h->word[0] = word;
    h->d = OF(half)(word);
    h->m = OF(half)(word >> 16);
}

/* The head of the block of 256 at p. */
FORCE_INLINE void OF(open_256)(const enum dtype t, struct OF(head) * h, PLACE p)
{
    switch (t) {
    case DT_Q2_K:
        OF(load)(h->word, p, Q2_K_SCALES, 4);
        h->d = OF(half_at)(p, Q2_K_D);
        h->m = -OF(half_at)(p, Q2_K_DMIN);
        break;
    case DT_Q3_K: /* its scales and d end the block */
        OF(load)(h->word, p, Q3_K_SCALES - 2, 4);
        h->d = OF(half)(h->word[3] >> 16);
        break;
    case DT_Q6_K:
        OF(load)(h->word, p, Q6_K_SCALES, 4);
        h->d = OF(half_at)(p, Q6_K_D);
        break;
    default: /* Q4_K, Q5_K; IQ4_XS has something else for dmin */
        OF(load)(h->word, p, 0, 4);
        h->d = OF(half)(h->word[0]);
        h->m = -OF(half)(h->word[0] >> 16);
    }
}

/* Byte I of the head, and what stands above it. */
FORCE_INLINE WORD OF(byte)(const struct OF(head) * h, int i)
{
    return h->word[i / 4] >> 8 * (i % 4);
}

/* Number I of Q3_K's 16, whose first byte is the head's third. */
FORCE_INLINE WORD OF(q3_k_scale)(const struct OF(head) * h, int i)
{
    const WORD low = OF(byte)(h, 2 + i % 8) >> 4 * (i / 8) & 15;
    const WORD high = OF(byte)(h, 10 + i % 4) >> 2 * (i / 4) & 3;

    return (low | high << 4) - 32;
}

/* Number I of Q4_K's and Q5_K's scales; their mins are 4 bytes on, or 4 bits up. */
FORCE_INLINE WORD OF(q4_k_scale)(const struct OF(head) * h, int i, const bool min)
{
    if (i < 4)
        return OF(byte)(h, 4 + 4 * min + i) & 63;
    return (OF(byte)(h, 8 + i) >> 4 * min & 15) | (OF(byte)(h, 4 * min + i) >> 2 & 48);
}

FORCE_INLINE WORD OF(iq4_xs_scale)(const struct OF(head) * h, int i)
{
    return ((h->word[1] >> 4 * i & 15) | (h->word[0] >> (16 + 2 * i) & 3) << 4) - 32;
}

/* Those of strip S. */
FORCE_INLINE void OF(scales)(const enum dtype t, struct OF(strip) * o, const struct OF(head) * h,
                             int s)
{
    for (int i = 0; i < 2; i++) {
        const WORD byte = OF(byte)(h, (2 * s + i) % 16);

        o->scale[i] = h->d;
        if (block_has_offset(t))
            o->offset[i] = h->m;
        switch (t) {
        case DT_Q2_K:
            o->scale[i] *= OF(real)(byte & 15);
            o->offset[i] *= OF(real)(byte >> 4 & 15);
            break;
        case DT_Q3_K:
            o->scale[i] *= OF(real)(OF(q3_k_scale)(h, 2 * s + i));
            break;
        case DT_Q4_K:
        case DT_Q5_K:
            o->scale[i] *= OF(real)(OF(q4_k_scale)(h, s, false));
            o->offset[i] *= OF(real)(OF(q4_k_scale)(h, s, true));
            break;
        case DT_Q6_K:
            o->scale[i] *= OF(real)(((byte & 255) ^ 128) - 128);
            break;
        case DT_IQ4_XS:
            o->scale[i] *= OF(real)(OF(iq4_xs_scale)(h, s));
            break;
        default:
            break;
        }
    }
}

/* Strip S of the block at p, whose head is H. */
FORCE_INLINE void OF(take)(const enum dtype t, struct OF(strip) * o, const struct OF(head) * h,
                           PLACE p, int s)
{
    if (block_of_32(t))
        OF(codes_of_32)(t, o->code, p);
    else
        OF(codes_of_256)(t, o->code, p, s);
    OF(scales)(t, o, h, s);
}
