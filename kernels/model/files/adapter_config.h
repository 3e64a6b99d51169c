/*
 * adapter_config.h - adapter_config.json as PEFT writes it: what changes the numbers is read, or
 * refused by its name; for adapter_load.c.
 */
#ifndef ADAPTER_CONFIG_H
#define ADAPTER_CONFIG_H

#include "files/module_pattern.h"
#include "lora/lora.h"
#include "pack.h"

struct adapter_patterns {
    struct module_pattern *v;
    double *value; /* (n) of each, where they give one; else NULL */
    int n;
};

struct adapter_config {
    struct lora_options opt;
    char *base; /* base_model_name_or_path, "" where it is not there */
    struct adapter_patterns rank, alpha, targets, exclude, layers_pattern;
    bool all_linear;
    bool lists_layers; /* layers_to_transform */
    int64_t *layer;    /* (n_layers) what it lists */
    int n_layers;
};

/* Reads the config of ADAPTER: EXIT_NODEVICE names a feature that is not supported. A key that
 * nobody knows is a warning. Call adapter_config_free in both cases; *C need not be cleared. */
MUST_USE int adapter_config_load(struct adapter_config *c, const struct pack *adapter);
void adapter_config_free(struct adapter_config *c);

/* What C says of the linear at PATH ("model.layers.3.mlp.fc1") in LAYER. */
int64_t adapter_config_rank(const struct adapter_config *c, const char *path);
double adapter_config_alpha(const struct adapter_config *c, const char *path);
/* Whether it is adapted. */
bool adapter_config_claims(const struct adapter_config *c, const char *path, int layer);
/* Whether C says at all which linears are adapted. */
bool adapter_config_has_targets(const struct adapter_config *c);

#endif
