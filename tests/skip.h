/* skip.h - a test that cannot be done here says why, which tests/run shows. */
#ifndef SKIP_H
#define SKIP_H

#include <stdio.h>

#define SKIP(why)                                                                                  \
    do {                                                                                           \
        (void)printf("# skip: %s\n", why);                                                         \
        skip();                                                                                    \
    } while (0)

#endif
