#include "lora/loss_scale.h"

enum { INTERVAL = 2000 };
static const double most = 0x1p127; /* of the powers of two in a float */

void loss_scale_next(struct loss_scale *s, bool finite)
{
    if (!finite) {
        s->now /= 2;
        s->good = 0;
        s->skipped++;
    } else if (++s->good == INTERVAL) {
        s->now = s->now < most ? 2 * s->now : s->now;
        s->good = 0;
    }
}
