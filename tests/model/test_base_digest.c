/* One model in the forms that bitsandbytes and transformers gave it has one digest; another has
 * another.
 */
#include "lora_test.h"

#include "files/base_digest.h"

static void digest_of(const char *name, const char *device, const char *form,
                      char hex[SHA256_HEX + 1])
{
    struct golden g;

    golden_open(&g, name, device, form);
    must(base_digest(model_weights(g.model), hex));
    golden_close(&g);
}

static void forms_of_one_model_are_one(void **state)
{
    static const char *const forms[] = { "model", "nf4", "nf4-dq" }, *const devices[] = { "ref",
                                                                                          "cpu" };
    char first[SHA256_HEX + 1], other[SHA256_HEX + 1];

    (void)state;
    digest_of("phi-tiny", "cpu", "model", first);
    for (int i = 0; i < 6; i++) {
        digest_of("phi-tiny", devices[i / 3], forms[i % 3], other);
        assert_string_equal(first, other);
    }
}

static void models_differ(void **state)
{
    char one[SHA256_HEX + 1], other[SHA256_HEX + 1];

    (void)state;
    digest_of("phi-tiny", "cpu", "nf4", one);
    digest_of("phi-odd", "cpu", "nf4", other);
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_one_model_are_one),
        cmocka_unit_test(models_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
