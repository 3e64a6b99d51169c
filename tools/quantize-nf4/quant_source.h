/* quant_source.h - the model that is to be quantised, or back: files, config and tensors, checked. */
#ifndef QUANT_SOURCE_H
#define QUANT_SOURCE_H

#include "json.h"
#include "kernels.h"
#include "tensors.h"

struct quant_source {
    struct pack *pack;
    cJSON *config; /* config.json: an object */
    struct tensors *tensors;
    bool quantised; /* config.json has a quantization_config */
};

/*
 * PATH as pack_open takes it. Where the engine knows the architecture, sizes in the config and
 * names, types and shapes of all tensors are checked against each other; another architecture is
 * taken as it is. Values are not looked at.
 */
MUST_USE int source_open(struct quant_source *s, const char *path);
void source_close(struct quant_source *s);
/* The type of the model's weights as its config says, "float32" when it does not. */
const char *source_dtype(const struct quant_source *s);

#endif
