/* config_edit.h - config.json for another form of the same weights, everything else as it was. */
#ifndef CONFIG_EDIT_H
#define CONFIG_EDIT_H

#include "mem.h"

/*
 * Appends TEXT (a JSON object that json_check has passed) as Python's
 * json.dumps(..., indent=2, sort_keys=True) lays it out, numbers and strings spelt as they are;
 * without its member "quantization_config", and with one of the text QUANTIZATION unless that is
 * NULL; with the text DTYPE as its "dtype" or "torch_dtype" unless that is NULL.
 */
void config_edit(struct buf *out, const char *text, const char *quantization, const char *dtype);

#endif
