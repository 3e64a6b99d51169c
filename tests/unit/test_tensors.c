/* safetensors: what is written reads back, types convert exactly, and no bad header gets through.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"
#include "rng.h"
#include "tensors.h"

static const char *const any[] = { "*", NULL }; /* a folder may hold what it likes */

/* A file in memory: HEADER behind its length, then N bytes 0, 1, 2, ...; AT is where it begins. */
static uint8_t *file_of(const char *header, size_t n, size_t *size, size_t at)
{
    const size_t length = strlen(header);
    uint8_t *room = xaligned(at + 8 + length + n), *file = room + at;

    memset(room, 0, at + 8);
    file[0] = (uint8_t)length;
    file[1] = (uint8_t)(length >> 8);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < n; i++)
        file[8 + length + i] = (uint8_t)i;
    *size = 8 + length + n;
    return room;
}

static int parse(const char *header, size_t n)
{
    struct tensors *t = NULL;
    size_t size;
    uint8_t *file = file_of(header, n, &size, 0);
    const int rc = tensors_parse(&t, "test", file, size);

    if (!rc)
        tensors_close(t);
    free(file);
    return rc;
}

static void good_headers_are_taken(void **state)
{
    (void)state;
    assert_int_equal(parse("{}", 0), 0);
    assert_int_equal(parse("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}   ", 3),
                     0);
    assert_int_equal(parse("{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4),
                     0);
    assert_int_equal(parse("{\"e\":{\"dtype\":\"F16\",\"shape\":[0,7],\"data_offsets\":[2,2]},"
                           "\"f\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}",
                           2),
                     0);
}

static void bad_headers_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        " {}",
        "{}x",
        "null",
        "{\"a\":1}",
        "{\"__metadata__\":1}",
        "{\"__metadata__\":{\"a\":1}}",
        "{\"a\":{}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3]}}",
        "{\"a\":{\"dtype\":\"u8\",\"shape\":[3],\"data_offsets\":[0,3]}}",
        "{\"a\":{\"dtype\":\"NF4\",\"shape\":[3],\"data_offsets\":[0,3]}}",
        "{\"a\":{\"dtype\":3,\"shape\":[3],\"data_offsets\":[0,3]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":3,\"data_offsets\":[0,3]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[\"3\"],\"data_offsets\":[0,3]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3,3]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[-3,0]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[3,0]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,1e300]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", /* a byte too many */
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", /* one in front */
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", /* overlap */
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}", /* hole */
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
        "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[3,3]}}", /* twice */
        "{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i], 3) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(err_code(), EXIT_DATA);
        assert_int_equal(strncmp(err_text(), "test: ", 6), 0);
    }
}

static void short_files_are_refused(void **state)
{
    static const uint8_t bytes[16] = { 255, 255, 255, 255, 255, 255, 255, 255 };
    struct tensors *t;

    (void)state;
    for (size_t n = 0; n <= sizeof bytes; n++)
        assert_int_equal(tensors_parse(&t, "test", bytes, n), -1);
}

static void unaligned_data_are_copied(void **state)
{
    static const char header[] = "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                 "\"f\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[1,17]}}";

    (void)state;
    for (size_t at = 0; at < 8; at++) {
        struct tensors *t;
        size_t size;
        uint8_t *room = file_of(header, 17, &size, at);

        assert_int_equal(tensors_parse(&t, "test", room + at, size), 0);
        const struct tensor *f = tensors_find(t, "f");

        assert_int_equal((uintptr_t)f->data % 8, 0);
        for (int i = 0; i < 16; i++)
            assert_int_equal(f->data[i], i + 1);
        tensors_close(t);
        free(room);
    }
}

/* Whatever happens to a header, what is accepted lies inside the file. */
static void changed_headers_do_no_harm(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[24,31]}}";
    static const char letters[] = "0123456789-+.eE{}[]\",: \\ufFUI\x80\xff";
    struct mt19937 g;
    int taken = 0;

    (void)state;
    mt19937_seed(&g, 1);
    for (int turn = 0; turn < 20000; turn++) {
        size_t size;
        uint8_t *file = file_of(header, 31, &size, 0);
        struct tensors *t;

        for (uint32_t i = 0, n = 1 + mt19937_u32(&g) % 3; i < n; i++)
            file[mt19937_u32(&g) % (7 + sizeof header)] =
                (uint8_t)letters[mt19937_u32(&g) % (sizeof letters - 1)];
        if (tensors_parse(&t, "test", file, size) == 0) {
            taken++;
            for (int i = 0; i < tensors_count(t); i++)
                for (size_t k = 0; k < tensors_at(t, i)->bytes; k++)
                    assert_true(tensors_at(t, i)->data[k] < 31);
            tensors_close(t);
        }
        free(file);
    }
    assert_in_range(taken, 10, 10000);
}

static const struct {
    const char *name;
    enum dtype dtype;
    int rank;
    int64_t shape[2];
} samples[] = {
    { "z", DT_F32, 2, { 2, 3 } }, { "a\"b", DT_U8, 1, { 5 } }, { "h", DT_F16, 2, { 3, 1 } },
    { "e", DT_I64, 1, { 0 } },    { "b", DT_BF16, 1, { 1 } },  { "d", DT_F64, 0, { 0 } },
    { "a", DT_F32, 1, { 1 } },
};

enum { SAMPLES = sizeof samples / sizeof *samples };

/* The bytes of a sample, N: in two pieces, or the second half first. */
static void write_sample(struct tensors_writer *w, int which, size_t n, bool anywhere)
{
    static const uint8_t bytes[64] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

    if (anywhere) {
        assert_int_equal(tensors_write_at(w, which, n / 2, bytes + n / 2, n - n / 2), 0);
        assert_int_equal(tensors_write_at(w, which, 0, bytes, n / 2), 0);
    } else {
        assert_int_equal(tensors_write_data(w, bytes, n / 2), 0);
        assert_int_equal(tensors_write_data(w, bytes + n / 2, n - n / 2), 0);
    }
}

/* Into a folder from the last to the first, else in the order of the file. */
static void write_samples(const char *path)
{
    const bool anywhere = path[strlen(path) - 1] == '/';
    struct tensors_writer *w = tensors_writer_new();
    struct pack_writer *out;

    assert_int_equal(pack_create(&out, path, true, 3, any), 0);
    for (int i = 0; i < SAMPLES; i++)
        assert_int_equal(tensors_declare(w, samples[i].name, samples[i].dtype, samples[i].rank,
                                         samples[i].shape),
                         i);
    assert_int_equal(tensors_write_begin(w, out, "model.safetensors"), 0);
    for (int i = 0; i < SAMPLES; i++) {
        const int which = tensors_write_order(w)[anywhere ? SAMPLES - 1 - i : i];
        size_t n = dtype_size(samples[which].dtype);

        for (int d = 0; d < samples[which].rank; d++)
            n *= (size_t)samples[which].shape[d];
        write_sample(w, which, n, anywhere);
    }
    assert_int_equal(tensors_write_end(w), 0);
    assert_int_equal(pack_commit(out), 0);
}

static void what_is_written_reads_back(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"e\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[0,0]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
        "\"z\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[12,36]},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[36,38]},"
        "\"h\":{\"dtype\":\"F16\",\"shape\":[3,1],\"data_offsets\":[38,44]},"
        "\"a\\\"b\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[44,49]}}";
    char dir[] = "/tmp/tensors-test-XXXXXX", path[64];
    struct tensors *t;
    struct pack *p;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/a.tar", dir);
    write_samples(path);
    assert_int_equal(pack_open(&p, path), 0);
    const struct pack_file *f = pack_find(p, "model.safetensors");

    assert_memory_equal(f->data + 8, header, strlen(header));
    assert_int_equal((f->size - 49) % 8, 0);
    assert_int_equal(tensors_open(&t, p, "model"), 0);
    assert_int_equal(tensors_count(t), SAMPLES);
    assert_string_equal(tensors_metadata(t, "format"), "pt");
    assert_null(tensors_metadata(t, "Format"));
    for (int i = 0; i < SAMPLES; i++) {
        const struct tensor *x = tensors_find(t, samples[i].name);

        assert_non_null(x);
        assert_int_equal(x->dtype, samples[i].dtype);
        assert_int_equal(x->rank, samples[i].rank);
        assert_true(!x->n || x->data[0] == 1);
        assert_true(!i || strcmp(tensors_at(t, i - 1)->name, tensors_at(t, i)->name) < 0);
    }
    assert_null(tensors_find(t, "A"));
    tensors_close(t);
    pack_close(p);
    (void)unlink(path);
    (void)rmdir(dir);
}

/* Every half and bfloat16 goes to float and back; rounding is to the nearest, ties to even. */
static void any_order_gives_the_same_file(void **state)
{
    char dir[] = "/tmp/tensors-test-XXXXXX", path[2][64];
    const struct pack_file *f[2];
    struct pack *p[2];

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path[i], sizeof path[i], i ? "%s/a/" : "%s/a.tar", dir);
        write_samples(path[i]);
        assert_int_equal(pack_open(&p[i], path[i]), 0);
        f[i] = pack_find(p[i], "model.safetensors");
    }
    assert_int_equal(f[0]->size, f[1]->size);
    assert_memory_equal(f[0]->data, f[1]->data, f[0]->size);
    for (int i = 0; i < 2; i++) {
        pack_close(p[i]);
        outfile_remove(path[i]);
    }
    (void)rmdir(dir);
}

static void types_convert_exactly(void **state)
{
    (void)state;
    for (unsigned h = 0; h <= 0xffff; h++) {
        const float f = f32_of_f16((uint16_t)h), b = f32_of_bf16((uint16_t)h);

        assert_true(isnan(f) ? isnan(f32_of_f16(f16_of_f32(f))) : f16_of_f32(f) == h);
        assert_true(isnan(b) ? isnan(f32_of_bf16(bf16_of_f32(b))) : bf16_of_f32(b) == h);
    }
    for (unsigned h = 0; h < 0x7bff; h++) { /* between neighbouring halves */
        const float low = f32_of_f16((uint16_t)h), high = f32_of_f16((uint16_t)(h + 1));
        const float middle = (low + high) / 2;

        assert_int_equal(f16_of_f32(middle), h + h % 2);
        assert_int_equal(f16_of_f32(nextafterf(middle, high)), h + 1);
        assert_int_equal(f16_of_f32(nextafterf(middle, low)), h);
        assert_int_equal(f16_of_f32(-middle), 0x8000 | (h + h % 2));
    }
    assert_int_equal(f16_of_f32(65519.99f), 0x7bff);
    assert_int_equal(f16_of_f32(65520), 0x7c00);
    assert_int_equal(f16_of_f32(1e30f), 0x7c00);
    assert_int_equal(f16_of_f32(-INFINITY), 0xfc00);
    assert_int_equal(f16_of_f32(0x1p-25f), 0);
    assert_int_equal(f16_of_f32(0x1.000002p-25f), 1);
    for (unsigned h = 0; h < 0x7f7f; h++) {
        const uint32_t bits = h << 16 | 0x8000;
        float middle;

        memcpy(&middle, &bits, sizeof middle);
        assert_int_equal(bf16_of_f32(middle), h + h % 2);
        assert_int_equal(bf16_of_f32(nextafterf(middle, INFINITY)), h + 1);
    }
}

static void types_have_both_names(void **state)
{
    (void)state;
    for (int t = DT_BOOL; t < DT_NF4; t++) {
        assert_int_equal(dtype_of(dtype_name((enum dtype)t)), t);
        assert_int_equal(dtype_of(dtype_torch_name((enum dtype)t)), t);
        assert_true(dtype_size((enum dtype)t) > 0);
    }
    assert_int_equal(dtype_of("none"), DT_NONE);
    assert_int_equal(dtype_of("NF4"), DT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_headers_are_taken),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(short_files_are_refused),
        cmocka_unit_test(unaligned_data_are_copied),
        cmocka_unit_test(changed_headers_do_no_harm),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(any_order_gives_the_same_file),
        cmocka_unit_test(types_convert_exactly),
        cmocka_unit_test(types_have_both_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
