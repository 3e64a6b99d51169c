/*
 * config_load.h - config.json and generation_config.json into a checked struct config.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config.h"
#include "err.h"
#include "json.h"
#include "pack.h"

/* From config.json and generation_config.json of P. EXIT_DATA names the key; an architecture or a
 * feature we do not have is EXIT_NODEVICE by its name. Every size is positive, within limits, and
 * consistent with the others. */
MUST_USE int config_load(struct config *c, const struct pack *p);
/* The same from what config.json says alone. JSON is the caller's; C keeps nothing of it. */
MUST_USE int config_read(struct config *c, const cJSON *json);

#endif
