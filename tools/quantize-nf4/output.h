/* output.h - the model that is written: its config and the files that stay as they are. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "cli.h"
#include "quant_source.h"

/* What goes into quantization_config. */
struct quantization {
    const char *compute; /* bnb_4bit_compute_dtype */
    bool nested;
    const char *skip; /* "a,b", NULL: only the head */
};

/* Begins COMMON->output with everything of S but the weights; config.json gets Q as its
 * quantization_config, NULL: none, and DTYPE as the type of the model, NULL: as it was. The caller
 * writes the weights, then commits or aborts OUT. */
MUST_USE int output_begin(struct pack_writer **out, const struct quant_source *s,
                          const struct quantization *q, const char *dtype,
                          const struct cli_common *common);

#endif
