/* Outputs appear whole or not at all, and replace only what may be replaced. */
#include "outfile.h"

#include "claim.h"
#include "mem.h"
#include "outdir.h"
#include "share.h"
#include "stop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/test_outfile.XXXXXX";
static const char *const names[] = { "config.json", "new*", NULL };

/* FOLDER/NAME; one at a time. */
static const char *in(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int setup(void **unused)
{
    (void)unused;
    err_set_tool("test");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **unused)
{
    char command[64];

    (void)unused;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2;
}

static void file_is(const char *path, const char *want)
{
    struct buf b = BUF_INIT;

    assert_int_equal(read_file(&b, path, 1 << 20), 0);
    assert_int_equal(b.n, strlen(want));
    assert_memory_equal(b.p ? b.p : "", want, b.n);
    buf_free(&b);
    claim_spare(path); /* the next test is another command */
}

static void write_file(const char *path, const char *text, bool force)
{
    struct outfile *f;

    assert_int_equal(outfile_open(&f, path, force, true), 0);
    assert_int_equal(outfile_write(f, text, strlen(text)), 0);
    assert_int_equal(outfile_commit(f), 0);
}

static void a_file_appears_at_commit(void **unused)
{
    struct outfile *f;
    struct stat st;

    (void)unused;
    assert_int_equal(outfile_open(&f, in("a"), false, false), 0);
    assert_int_equal(outfile_write(f, "one", 3), 0);
    assert_int_equal(access(in("a"), F_OK), -1);
    assert_int_equal(outfile_commit(f), 0);
    file_is(in("a"), "one");
    (void)umask(022);
    write_file(in("b"), "", false);
    assert_int_equal(stat(in("b"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(entries(folder), 2);
}

static void an_aborted_file_leaves_nothing(void **unused)
{
    struct outfile *f;

    (void)unused;
    write_file(in("a"), "old", true);
    assert_int_equal(outfile_open(&f, in("a"), true, false), 0);
    assert_int_equal(outfile_write(f, "new", 3), 0);
    outfile_abort(f);
    outfile_abort(NULL);
    file_is(in("a"), "old");
    assert_int_equal(entries(folder), 2);
}

static void what_is_there_is_kept(void **unused)
{
    struct outfile *f;

    (void)unused;
    assert_int_equal(outfile_open(&f, in("a"), false, false), -1);
    assert_int_equal(err_code(), EXIT_CREATE);
    assert_non_null(strstr(err_text(), "use --force"));
    /* also what comes while we write */
    assert_int_equal(outfile_open(&f, in("late"), false, false), 0);
    assert_int_equal(symlink("a", "late"), 0);
    assert_int_equal(outfile_commit(f), -1);
    assert_int_equal(err_code(), EXIT_CREATE);
    assert_int_equal(unlink(in("late")), 0);
    assert_int_equal(outfile_open(&f, folder, true, false), -1);
    assert_int_equal(outfile_open(&f, in("none/x"), true, false), -1);
    assert_int_equal(err_code(), EXIT_CREATE);
    assert_int_equal(outfile_open(&f, "", true, false), -1);
    assert_int_equal(entries(folder), 2);
}

static void a_link_stays_a_link(void **unused)
{
    struct stat st;

    (void)unused;
    assert_int_equal(symlink("a", "link"), 0);
    write_file(in("link"), "through", true);
    assert_int_equal(lstat(in("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    file_is(in("a"), "through");
    assert_int_equal(chmod("a", 0600), 0);
    write_file(in("a"), "mine", true);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink("link"), 0);
}

static void large_writes_and_small_ones(void **unused)
{
    struct outfile *f;
    struct buf want = BUF_INIT, got = BUF_INIT;

    (void)unused;
    assert_int_equal(outfile_open(&f, in("a"), true, false), 0);
    for (size_t i = 0; i < 300; i++) {
        char piece[4096];

        memset(piece, (int)('a' + i % 26), sizeof piece);
        buf_add(&want, piece, i * 13);
        assert_int_equal(outfile_write(f, piece, i * 13), 0);
        if (i % 100 == 99) {
            buf_reserve(&want, want.n);
            buf_add(&want, want.p, want.n);
            assert_int_equal(outfile_write(f, want.p, want.n / 2), 0);
        }
    }
    assert_int_equal(outfile_commit(f), 0);
    assert_int_equal(read_file(&got, in("a"), 1 << 30), 0);
    claim_spare(in("a"));
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    buf_free(&want);
    buf_free(&got);
}

static void a_full_disk_is_an_error(void **unused)
{
    struct outfile *f;

    (void)unused;
    assert_int_equal(outfile_open(&f, "/dev/full", false, true), 0);
    assert_int_equal(outfile_write(f, "x", 1), 0);
    assert_int_equal(outfile_commit(f), -1);
    assert_int_equal(err_code(), EXIT_IO);
    write_file("/dev/null", "x", false);
}

static void room_is_set_aside_and_given_back(void **unused)
{
    struct outfile *f;
    struct stat st;

    (void)unused;
    assert_int_equal(outfile_open(&f, in("a"), true, false), 0);
    assert_int_equal(outfile_reserve(f, 1 << 22), 0);
    assert_int_equal(outfile_write(f, "small", 5), 0);
    assert_int_equal(outfile_commit(f), 0);
    assert_int_equal(stat("a", &st), 0);
    assert_true(st.st_size == 5 && st.st_blocks * 512 < 1 << 20);
    assert_int_equal(outfile_open(&f, in("a"), true, false), 0);
    assert_int_equal(outfile_reserve(f, UINT64_C(1) << 61), -1);
    assert_int_equal(err_code(), EXIT_IO);
    outfile_abort(f);
    assert_int_equal(entries(folder), 2);
}

/* Every way out of a process removes what is not finished. */
static void exit_and_signals_clean_up(void **unused)
{
    static const int signals[] = { 0, SIGINT, SIGTERM, SIGHUP };

    (void)unused;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int status;
        const pid_t pid = fork();

        if (pid == 0) {
            struct outfile *f;
            struct outfile *g, *h;
            struct outdir *d;

            (void)close(2);
            if (outfile_open(&f, in("new"), false, false) < 0 ||
                outdir_open(&d, in("dir"), false, names) < 0 || outdir_file(d, &g, "new") < 0 ||
                outfile_commit(g) < 0 || outdir_file(d, &h, "config.json") < 0 ||
                entries(folder) != 4)
                _exit(1);
            if (signals[i])
                (void)raise(signals[i]);
            exit(EXIT_STOPPED);
        }
        (void)waitpid(pid, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_STOPPED);
        assert_int_equal(entries(folder), 2);
    }
}

/* The first signal is the program's to answer, the second ends it. */
static void the_first_signal_may_be_deferred(void **unused)
{
    int status;
    const pid_t pid = fork();

    (void)unused;
    if (pid == 0) {
        static const char large[1 << 20]; /* more than the buffer */
        struct outfile *f;

        (void)close(2);
        if (outfile_open(&f, in("new"), false, false) < 0)
            _exit(1);
        stop_defer();
        if (stop_asked())
            _exit(2);
        (void)raise(SIGTERM);
        (void)raise(SIGTERM); /* its echo */
        if (!stop_asked() || outfile_write(f, large, sizeof large) < 0)
            _exit(3);
        (void)usleep(150000);
        (void)raise(SIGINT);
        _exit(4);
    }
    (void)waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_STOPPED);
    assert_int_equal(entries(folder), 2);
}

/* A folder DIR whose file NAME holds TEXT. */
static int write_folder(const char *dir, bool force, const char *name, const char *text)
{
    struct outdir *d;
    struct outfile *f;

    if (outdir_open(&d, dir, force, names) < 0)
        return -1;
    assert_int_equal(outdir_file(d, &f, name), 0);
    assert_int_equal(outfile_write(f, text, strlen(text)), 0);
    assert_int_equal(outfile_commit(f), 0);
    assert_int_not_equal(access(in("m/new"), F_OK), 0);
    return outdir_commit(d);
}

static void folders(void **unused)
{
    struct outdir *d;

    (void)unused;
    assert_int_equal(write_folder("m/", false, "config.json", "{}"), 0);
    file_is("m/config.json", "{}");
    assert_int_equal(write_folder("m", false, "new", "1"), -1);
    assert_int_equal(err_code(), EXIT_CREATE);
    assert_int_equal(write_folder("m", true, "new", "1"), 0);
    file_is("m/new", "1");
    assert_int_equal(entries("m"), 1);
    /* a user's file, or folder: not ours to remove, force or not */
    write_file("m/notes", "mine", false);
    assert_int_equal(write_folder("m", true, "x", "1"), -1);
    assert_int_equal(err_code(), EXIT_CREATE);
    assert_non_null(strstr(err_text(), "holds 'notes'"));
    file_is("m/new", "1");
    assert_int_equal(unlink("m/notes"), 0);
    assert_int_equal(mkdir("m/config.json", 0777), 0);
    assert_int_equal(write_folder("m", true, "x", "1"), -1);
    assert_non_null(strstr(err_text(), "holds 'config.json'"));
    assert_int_equal(rmdir("m/config.json"), 0);
    assert_int_equal(unlink("m/new"), 0);
    assert_int_equal(write_folder("m", false, "config.json", "{}"), 0); /* empty: fine */
    assert_int_equal(outdir_open(&d, "m", true, names), 0);
    outdir_abort(d);
    file_is("m/config.json", "{}");
    assert_int_equal(outdir_open(&d, "a", true, names), -1); /* a file */
    assert_int_equal(outdir_open(&d, "./", true, names), -1);
    assert_non_null(strstr(err_text(), "that you are in"));
    assert_int_equal(symlink("nothing", "nowhere"), 0);
    assert_int_equal(outdir_open(&d, "nowhere/", true, names), -1);
    assert_int_equal(unlink("nowhere"), 0);
    assert_int_equal(entries(folder), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_appears_at_commit),
        cmocka_unit_test(an_aborted_file_leaves_nothing),
        cmocka_unit_test(what_is_there_is_kept),
        cmocka_unit_test(a_link_stays_a_link),
        cmocka_unit_test(large_writes_and_small_ones),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(room_is_set_aside_and_given_back),
        cmocka_unit_test(exit_and_signals_clean_up),
        cmocka_unit_test(the_first_signal_may_be_deferred),
        cmocka_unit_test(folders),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
