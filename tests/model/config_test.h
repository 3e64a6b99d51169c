/* config_test.h - a config.json as text, loaded or refused; for tests of what it may say. */
#ifndef CONFIG_TEST_H
#define CONFIG_TEST_H

#include "golden.h"

#include "folder.h"

static inline int load(struct config *c, const char *config, const char *generation)
{
    struct pack *p;

    folder_write("config.json", config, strlen(config));
    if (generation)
        folder_write("generation_config.json", generation, strlen(generation));
    else
        folder_remove("generation_config.json");
    must(pack_open(&p, folder));
    const int rc = config_load(c, p);

    pack_close(p);
    return rc;
}

static inline void refused(const char *config, int code, const char *why)
{
    struct config c;

    assert_int_equal(load(&c, config, NULL), -1);
    if (err_code() != code || !strstr(err_text(), why))
        fail_msg("'%s' (%d) for %s, wanted '%s' (%d)", err_text(), err_code(), config, why, code);
}

static inline int clean_up(void **state)
{
    (void)state;
    folder_remove("config.json");
    folder_remove("generation_config.json");
    return rmdir(folder);
}

#endif
