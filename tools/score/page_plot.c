#include "page_parts.h"

void page_plot(struct buf *b, const struct page *p)
{
    if (p->n == 1)
        page_heat(b, p->all[0], "confusion", "Confusion matrix", true);
    else if (page_has_recall(p))
        page_recall(b, p, true);
    else
        page_accuracies(b, p, true);
}
