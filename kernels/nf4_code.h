/*
 * nf4_code.h - the 16 values of NF4 and the 15 thresholds between them (Dettmers et al. 2023,
 * arXiv 2305.14314; bitsandbytes 0.41 to 0.50). A code is the number of thresholds strictly below
 * the scaled value, so a tie goes to the lower code. Each threshold is the float nearest to the
 * middle of its neighbours, which often lies half-way between two floats: written with more digits,
 * a compiler rounds some of them the other way. tests/ops/test_nf4.c computes them again.
 */
#ifndef NF4_CODE_H
#define NF4_CODE_H

#define NF4_VALUES                                                                                 \
    {                                                                                              \
        -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,                  \
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,                 \
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,    \
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f                       \
    }

#define NF4_THRESHOLDS                                                                             \
    {                                                                                              \
        -0.848096371f, -0.610632896f, -0.45999527f, -0.33967942f, -0.234607399f, -0.137911737f,    \
        -0.0455250181f, 0.0397901498f, 0.120255247f, 0.203521252f, 0.292013764f, 0.389312536f,     \
        0.501663446f, 0.64278692f, 0.861478448f                                                    \
    }

#endif
