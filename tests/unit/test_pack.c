/* Packs: the same files from a folder, an archive or a pipe, and nothing from anywhere else. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"
#include "pack.h"
#include "share.h"

static const char *const any[] = { "*", NULL }; /* a folder may hold what it likes */

static char scratch[] = "/tmp/pack-test-XXXXXX";

static const char *at(const char *name)
{
    static char path[4][128];
    static int turn;

    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", scratch, name);
    return path[turn];
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* Runs a shell line in the scratch folder. */
static void sh(const char *line)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "cd %s && { %s; } >/dev/null 2>&1", scratch, line);
    if (system(b.p))
        fail_msg("%s", line);
    buf_free(&b);
}

static void digest_of(const char *name, uint8_t digest[SHA256_BYTES])
{
    struct pack *p;

    if (pack_open(&p, at(name)) < 0)
        fail_msg("%s", err_text());
    assert_int_equal(pack_count(p), 4);
    assert_string_equal(pack_at(p, 0)->name, "a.json");
    assert_int_equal(pack_find(p, "empty")->size, 0);
    assert_memory_equal(pack_find(p, "model.safetensors")->data, "weights", 7);
    assert_null(pack_find(p, "hidden"));
    assert_null(pack_find(p, "A.json"));
    pack_digest(p, digest);
    pack_close(p);
}

static int refused(const char *name, int code, const char *text)
{
    struct pack *p;

    if (pack_open(&p, at(name)) == 0)
        fail_msg("'%s' was taken", name);
    if (err_code() != code || !strstr(err_text(), text))
        fail_msg("'%s': %d %s", name, err_code(), err_text());
    return 0;
}

static int make_scratch(void **state)
{
    (void)state;
    if (!mkdtemp(scratch))
        return -1;
    sh("mkdir -p m/sub");
    put("m/a.json", "{}");
    put("m/model.safetensors", "weights");
    put("m/empty", "");
    put("m/notes.txt", "notes");
    put("m/.hidden", "x");
    put("m/sub/more.json", "{}");
    return 0;
}

static int remove_scratch(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    buf_printf(&b, "rm -rf %s", scratch);
    const int rc = system(b.p);

    buf_free(&b);
    return rc;
}

static void all_forms_are_the_same_model(void **state)
{
    static const char *const forms[] = { "t.tar", "dot.tar", "t.tar.zst", "t.tgz",
                                         "t.zip", "gnu.tar", "pax.tar" };
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];

    (void)state;
    sh("tar -cf t.tar m; tar -C m -cf dot.tar .; zstd -q t.tar; gzip -c t.tar > t.tgz; tar "
       "--format=gnu -cf gnu.tar m;"
       "tar --format=pax -cf pax.tar m; python3 -c 'import shutil; shutil.make_archive(\"t\", "
       "\"zip\", \".\", \"m\")'");
    digest_of("m", want);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        digest_of(forms[i], got);
        assert_memory_equal(got, want, sizeof want);
    }
    put("m/notes.txt", "other notes"); /* no part of the digest */
    digest_of("m", got);
    assert_memory_equal(got, want, sizeof want);
    put("m/a.json", "{ }");
    digest_of("m", got);
    assert_true(memcmp(got, want, sizeof want) != 0);
    put("m/a.json", "{}");
}

static void a_pipe_is_read_too(void **state)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];

    (void)state;
    digest_of("m", want);
    sh("tar -cf p.tar m; mkfifo fifo; (cat p.tar > fifo &)");
    digest_of("fifo", got);
    assert_memory_equal(got, want, sizeof want);
}

/* A plain tar of a large file must not be copied into memory: its data lie in the mapping, which is
 * one piece with the first file's. */
static void a_plain_tar_is_not_copied(void **state)
{
    struct pack *p;

    (void)state;
    sh("mkdir big; head -c 50000000 /dev/zero > big/model.safetensors; echo {} > big/a.json;"
       "tar -C big -cf big.tar a.json model.safetensors");
    assert_int_equal(pack_open(&p, at("big.tar")), 0);
    assert_ptr_equal(pack_find(p, "model.safetensors")->data, pack_find(p, "a.json")->data + 1024);
    pack_close(p);
}

static void one_safetensors_file_is_a_pack(void **state)
{
    struct pack *p;

    (void)state;
    assert_int_equal(pack_open(&p, at("m/model.safetensors")), 0);
    assert_int_equal(pack_count(p), 1);
    assert_string_equal(pack_at(p, 0)->name, "model.safetensors");
    pack_close(p);
}

static void links_stay_inside(void **state)
{
    struct pack *p;

    (void)state;
    sh("cp -r m in; ln -s a.json in/b.json; cp -r m out; ln -s /etc/passwd out/b.json; cp -r m up;"
       "ln -s ../m/a.json up/b.json; cp -r m gone; ln -s nothing gone/b.json; ln -s m way");
    assert_int_equal(pack_open(&p, at("in")), 0);
    pack_close(p);
    assert_int_equal(pack_open(&p, at("way")), 0);
    pack_close(p);
    refused("out", EXIT_DATA, "b.json: the link leads out of the folder");
    refused("up", EXIT_DATA, "b.json: the link leads out of the folder");
    refused("gone", EXIT_NOINPUT, "b.json: cannot follow the link");
}

static void hub_cache_is_found(void **state)
{
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];
    struct pack *p;

    (void)state;
    sh("r=hf/hub/models--some--model; mkdir -p $r/refs $r/blobs $r/snapshots/abc; printf abc > "
       "$r/refs/main;"
       "for f in a.json empty model.safetensors notes.txt; do cp m/$f $r/blobs/$f; ln -s "
       "../../blobs/$f $r/snapshots/abc/$f; done;"
       "r=hf/hub/models--bad--ref; mkdir -p $r/refs; printf ../x > $r/refs/main");
    assert_int_equal(setenv("HF_HOME", at("hf"), 1), 0);
    assert_int_equal(unsetenv("HF_HUB_CACHE"), 0);
    digest_of("m", want);
    assert_int_equal(pack_open(&p, "hf:some/model"), 0);
    pack_digest(p, got);
    assert_memory_equal(got, want, sizeof want);
    pack_close(p);
    assert_int_equal(pack_open(&p, "hf:no/model"), -1);
    assert_int_equal(err_code(), EXIT_NOINPUT);
    assert_int_equal(pack_open(&p, "hf:bad/ref"), -1);
    assert_int_equal(err_code(), EXIT_DATA);
    assert_int_equal(pack_open(&p, "hf:../../etc"), -1);
    assert_int_equal(err_code(), EXIT_USAGE);
}

static void hostile_archives_are_refused(void **state)
{
    (void)state;
    sh("python3 - <<'E'\n"
       "import tarfile, io\n"
       "def make(path, *members):\n"
       "    with tarfile.open(path, 'w') as t:\n"
       "        for name, kind, link in members:\n"
       "            i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.size = 2 * "
       "(kind == tarfile.REGTYPE)\n"
       "            t.addfile(i, io.BytesIO(b'{}'))\n"
       "R = tarfile.REGTYPE\n"
       "make('up.tar', ('../a.json', R, ''))\n"
       "make('deep.tar', ('m/../../a.json', R, ''))\n"
       "make('root.tar', ('/a.json', R, ''))\n"
       "make('sym.tar', ('a.json', tarfile.SYMTYPE, '/etc/passwd'))\n"
       "make('hard.tar', ('b.json', R, ''), ('a.json', tarfile.LNKTYPE, 'b.json'))\n"
       "make('device.tar', ('a.json', tarfile.CHRTYPE, ''))\n"
       "make('twice.tar', ('a.json', R, ''), ('./a.json', R, ''))\n"
       "make('none.tar', ('m', tarfile.DIRTYPE, ''))\n"
       "make('many.tar', *[(str(i), R, '') for i in range(5000)])\n"
       "E\n"
       "truncate -s 1G sparse; echo x >> sparse; tar --sparse -cf sparse.tar sparse; rm sparse;"
       "tar -cf t.tar m; head -c 2000 t.tar > cut.tar;"
       "tar -b 1 -cf e.tar m; head -c -1024 e.tar > end.tar;"
       "zstd -qf t.tar; head -c 100 t.tar.zst > cut.tar.zst; : > nothing; head -c 3000 "
       "/dev/urandom > noise");
    refused("up.tar", EXIT_DATA, "is not allowed");
    refused("deep.tar", EXIT_DATA, "is not allowed");
    refused("root.tar", EXIT_DATA, "is not allowed");
    refused("sym.tar", EXIT_DATA, "is a link or a device");
    refused("hard.tar", EXIT_DATA, "is a link or a device");
    refused("device.tar", EXIT_DATA, "is a link or a device");
    refused("twice.tar", EXIT_DATA, "'a.json' is in it twice");
    refused("none.tar", EXIT_DATA, "no files");
    refused("many.tar", EXIT_DATA, "more than");
    refused("sparse.tar", EXIT_DATA, "sparse");
    refused("cut.tar", EXIT_DATA, "");
    refused("end.tar", EXIT_DATA, "no end mark");
    refused("cut.tar.zst", EXIT_DATA, "");
    refused("nothing", EXIT_NOINPUT, "empty");
    refused("noise", EXIT_DATA, "neither a folder nor");
    refused("absent", EXIT_NOINPUT, "No such file");
}

static void write_model(const char *path)
{
    struct pack_writer *w;

    assert_int_equal(pack_create(&w, path, false, 3, any), 0);
    assert_int_equal(pack_reserve(w, UINT64_C(1) << 61), -1);
    assert_int_equal(err_code(), EXIT_IO);
    assert_int_equal(pack_reserve(w, 1 << 20), 0);
    assert_int_equal(pack_put(w, "notes.txt", "notes", 5), 0);
    assert_int_equal(pack_begin(w, "model.safetensors", 7), 0);
    assert_int_equal(pack_write(w, "wei", 3), 0);
    assert_int_equal(pack_write(w, "ghts", 4), 0);
    assert_int_equal(pack_end(w), 0);
    assert_int_equal(pack_put(w, "empty", "", 0), 0);
    assert_int_equal(pack_put(w, "a.json", "{}", 2), 0);
    assert_int_equal(pack_commit(w), 0);
}

static void what_is_written_reads_back(void **state)
{
    static const char *const forms[] = { "w/", "w.tar", "w.tar.zst" };
    uint8_t want[SHA256_BYTES], got[SHA256_BYTES];

    (void)state;
    digest_of("m", want);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        write_model(at(forms[i]));
        digest_of(forms[i], got);
        assert_memory_equal(got, want, sizeof want);
    }
    sh("mkdir again; zstd -dqc w.tar.zst | cmp - w.tar; tar -C again -xf w.tar; diff -r again w");
}

static void a_folder_takes_bytes_in_any_order(void **state)
{
    struct pack_writer *w;
    struct pack *p;

    (void)state;
    assert_int_equal(pack_create(&w, at("any/"), false, 3, any), 0);
    assert_true(pack_is_folder(w));
    assert_int_equal(pack_begin(w, "a", 10), 0);
    assert_int_equal(pack_write_at(w, 7, "hij", 3), 0);
    assert_int_equal(pack_write(w, "abc", 3), 0);
    assert_int_equal(pack_write_at(w, 4, "efg", 3), 0);
    assert_int_equal(pack_write_at(w, 3, "d", 1), 0);
    assert_int_equal(pack_end(w), 0);
    assert_int_equal(pack_commit(w), 0);
    assert_int_equal(pack_open(&p, at("any")), 0);
    assert_int_equal(pack_find(p, "a")->size, 10);
    assert_memory_equal(pack_find(p, "a")->data, "abcdefghij", 10);
    pack_close(p);
    assert_int_equal(pack_create(&w, at("any.tar"), false, 3, any), 0);
    assert_false(pack_is_folder(w));
    pack_abort(w);
}

static long resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
    assert_int_equal(fclose(f), 0);
    return pages * sysconf(_SC_PAGESIZE);
}

/* Odd pieces in turn, as tensors lie in a file. Mapped pages go; what was unpacked must stay. */
static void what_was_let_go_is_still_there(void **state)
{
    static const char *const forms[] = { "large", "large.tar", "large.tar.zst" };
    enum { SIZE = 40000000, STEP = 999999 };

    (void)state;
    sh("mkdir large; yes weights | head -c 40000000 > large/a; tar -C large -cf large.tar a; zstd "
       "-q large.tar");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct pack *p;
        long sum[2] = { 0 };

        assert_int_equal(pack_open(&p, at(forms[i])), 0);
        const long before = resident_bytes();
        const uint8_t *a = pack_find(p, "a")->data;

        for (int turn = 0; turn < 2; turn++)
            for (size_t from = 0; from < SIZE; from += STEP) {
                const size_t n = SIZE - from < STEP ? SIZE - from : STEP;

                for (size_t k = 0; k < n; k++)
                    sum[turn] += a[from + k];
                pack_let_go(p, a + from, n);
            }
        assert_true(sum[0] == SIZE / 8 * (119L + 101 + 105 + 103 + 104 + 116 + 115 + 10));
        assert_true(sum[0] == sum[1]);
        assert_true(resident_bytes() - before < 4000000);
        pack_close(p);
    }
}

static void archives_are_deterministic(void **state)
{
    (void)state;
    write_model(at("1.tar.zst"));
    sh("TZ=Asia/Tokyo; umask 077; sleep 0.1");
    write_model(at("2.tar.zst"));
    sh("cmp 1.tar.zst 2.tar.zst; tar -tvf 2.tar.zst | grep -q '^-rw-r--r-- 0/0 .* 1970-01-01'");
}

/* ... and at once, however much was still to come. */
static void an_aborted_pack_leaves_nothing(void **state)
{
    static const char *const forms[] = { "x/", "x.tar", "x.tar.zst" };
    struct pack_writer *w;

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        assert_int_equal(pack_create(&w, at(forms[i]), false, 3, any), 0);
        assert_int_equal(pack_put(w, "a.json", "{}", 2), 0);
        assert_int_equal(pack_begin(w, "model.safetensors", UINT64_C(1) << (i == 2 ? 50 : 24)), 0);
        assert_int_equal(pack_write(w, "wei", 3), 0);
        pack_abort(w);
        assert_int_equal(access(at(forms[i]), F_OK), -1);
    }
    assert_int_equal(pack_create(&w, at("x/"), false, 3, any), 0); /* no disk has as much */
    assert_int_equal(pack_begin(w, "model.safetensors", UINT64_C(1) << 60), -1);
    assert_int_equal(err_code(), EXIT_IO);
    pack_abort(w);
    pack_abort(NULL);
    sh("! ls -A | grep -q tmp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_the_same_model),
        cmocka_unit_test(a_pipe_is_read_too),
        cmocka_unit_test(a_plain_tar_is_not_copied),
        cmocka_unit_test(one_safetensors_file_is_a_pack),
        cmocka_unit_test(links_stay_inside),
        cmocka_unit_test(hub_cache_is_found),
        cmocka_unit_test(hostile_archives_are_refused),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_folder_takes_bytes_in_any_order),
        cmocka_unit_test(what_was_let_go_is_still_there),
        cmocka_unit_test(archives_are_deterministic),
        cmocka_unit_test(an_aborted_pack_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
