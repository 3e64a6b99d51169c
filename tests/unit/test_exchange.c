/*
 * A folder takes the place of another one, and SIGTERM or SIGKILL comes at every system call of it,
 * with a second thread that may take the signal: the old folder or the new one stands, whole, and
 * what is left the next run sweeps. Also where the file system cannot exchange names.
 */
#include "outdir.h"
#include "skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In memory where that is there: hundreds of folders are brought to the disk. */
static char folder[] = "/dev/shm/test_exchange.XXXXXX";
static const char *const names[] = { "a", "b", NULL };

static int setup(void **unused)
{
    (void)unused;
    err_set_tool("test");
    if (!mkdtemp(folder)) {
        (void)strcpy(folder, "/tmp/test_exchange.XXXXXX");
        if (!mkdtemp(folder))
            return -1;
    }
    return chdir(folder);
}

static int teardown(void **unused)
{
    char command[64];

    (void)unused;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

/* ---- the process that is stopped ---- */

static int write_folder(const char *text)
{
    struct outdir *d;

    if (outdir_open(&d, "m/", true, names) < 0)
        return -1;
    for (const char *const *name = names; *name; name++) {
        struct outfile *f;

        if (outdir_file(d, &f, *name) < 0 || outfile_write(f, text, strlen(text)) < 0 ||
            outfile_commit(f) < 0)
            return -1;
    }
    return outdir_commit(d);
}

static int new_folder(void)
{
    return write_folder("new");
}

/* Two files of one command. */
static int new_files(void)
{
    struct outfile *f[2];

    for (int i = 0; i < 2; i++)
        if (outfile_open(&f[i], names[i], false, false) < 0 || outfile_write(f[i], "new", 3) < 0)
            return -1;
    for (int i = 0; i < 2; i++)
        if (outfile_sync(f[i]) < 0)
            return -1;
    for (int i = 0; i < 2; i++)
        if (outfile_commit(f[i]) < 0)
            return -1;
    return 0;
}

static void *wait_for_signals(void *unused)
{
    for (;;)
        (void)pause();
    return unused;
}

/* System call NUMBER fails with ERROR, with FLAGS only where its fifth argument is not 0. */
static void forbid(int number, bool flags, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, flags, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = { sizeof code / sizeof *code, code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        _exit(101);
}

/* Runs JOB, to be stopped. */
static _Noreturn void run(int (*job)(void), bool exchange)
{
    pthread_t thread;

    (void)close(STDERR_FILENO);
    outfile_prepare();
    if (!exchange)
        forbid(SYS_renameat2, true, EINVAL);
    if (pthread_create(&thread, NULL, wait_for_signals, NULL) != 0)
        _exit(100);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(101);
    (void)raise(SIGSTOP);
    _exit(job() < 0 ? 100 : 0);
}

/* A process that nothing stops. */
static void replace_again(void)
{
    int status;
    const pid_t pid = fork();

    if (pid == 0)
        _exit(write_folder("again") < 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- what is there ---- */

static void make_old(void)
{
    assert_int_equal(system("rm -rf m; mkdir m; for f in a b; do printf old >m/$f; done"), 0);
}

/* "old" or "new" when all files of the folder PATH hold it, else "broken"; "none" without it. */
static const char *content(const char *path)
{
    static const char *const whole[] = { "old", "new" };
    char got[2][8] = { "" };

    if (access(path, F_OK) < 0)
        return "none";
    for (int i = 0; i < 2; i++) {
        char file[300];
        FILE *f;

        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        f = fopen(file, "re");
        if (!f || !fgets(got[i], sizeof got[i], f))
            got[i][0] = 0;
        if (f)
            (void)fclose(f);
    }
    for (int i = 0; i < 2; i++)
        if (!strcmp(got[0], whole[i]) && !strcmp(got[1], whole[i]))
            return whole[i];
    return "broken";
}

/* How many names there are but "m"; the last of them in NAME. */
static int others(char name[256])
{
    DIR *d = opendir(".");
    int n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            strcmp(e->d_name, "m") != 0) {
            n++;
            (void)snprintf(name, 256, "%s", e->d_name);
        }
    (void)closedir(d);
    return n;
}

/* ---- one step after another ---- */

/* Lets PID run until it has begun its system call number AT (from 1), sends SIGNAL there and lets
 * it end. False when it ended before: there are no more. */
static bool stop_at(pid_t pid, int at, int signal, int *status)
{
    bool sent = false;

    (void)waitpid(pid, status, 0); /* its SIGSTOP */
    (void)ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
    for (int stops = 0, pass = 0;;) {
        (void)ptrace(sent ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)pass);
        if (waitpid(pid, status, 0) != pid || !WIFSTOPPED(*status))
            return sent;
        pass = WSTOPSIG(*status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(*status);
        if (pass == 0 && !sent && ++stops == 2 * at - 1) { /* entry and exit are a stop each */
            (void)kill(pid, signal);
            sent = true;
        }
    }
}

/* The old folder, replaced and stopped. Whatever happens, M or the one other name that a person
 * finds is whole, and once more leaves M alone. */
static void check_after(int signal, bool exchange, int status)
{
    const char *m = content("m");
    char name[256] = "";
    const int n = others(name);
    const bool ended = WIFEXITED(status);

    if (ended && WEXITSTATUS(status) == 0)
        assert_string_equal(m, "new");
    else if (ended)
        assert_int_equal(WEXITSTATUS(status), EXIT_STOPPED);
    if (ended && WEXITSTATUS(status) == EXIT_STOPPED)
        assert_string_equal(m, "old");
    assert_true(ended ? signal == SIGTERM : signal == SIGKILL);
    if (signal == SIGTERM)
        assert_int_equal(n, 0);
    if (exchange || signal == SIGTERM)
        assert_true(!strcmp(m, "old") || !strcmp(m, "new"));
    else if (!strcmp(m, "none"))
        assert_string_equal(content("m.old"), "old");
    else
        assert_string_not_equal(m, "broken");
    replace_again();
    if (!exchange && access("m.old", F_OK) == 0) /* a person's, as any other */
        assert_int_equal(system("rm -r m.old"), 0);
    assert_int_equal(others(name), 0);
}

static void stop_everywhere(int signal, bool exchange)
{
    int at = 0, status;

    for (bool more = true; more;) {
        make_old();
        const pid_t pid = fork();

        if (pid == 0)
            run(new_folder, exchange);
        more = stop_at(pid, ++at, signal, &status);
        if (!more && WIFEXITED(status) && WEXITSTATUS(status) > 100)
            SKIP("no process may be traced here"); /* not allowed to be traced here */
        if (more)
            check_after(signal, exchange, status);
        assert_true(at < 1000);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(content("m"), "new");
    assert_true(at > 40); /* it was there to be stopped */
}

/* SIGTERM leaves both of them, or none and nothing else. */
static void both_files_or_none(void **unused)
{
    int at = 0, status, both = 0, none = 0;

    (void)unused;
    for (bool more = true; more;) {
        assert_int_equal(system("rm -rf m a b"), 0);
        const pid_t pid = fork();
        char name[256];

        if (pid == 0)
            run(new_files, true);
        more = stop_at(pid, ++at, SIGTERM, &status);
        assert_true(WIFEXITED(status) && at < 1000);
        if (WEXITSTATUS(status) > 100)
            SKIP("no process may be traced here");
        const bool done = WEXITSTATUS(status) == 0;

        assert_true(done || WEXITSTATUS(status) == EXIT_STOPPED);
        assert_string_equal(content("."), done ? "new" : "broken");
        assert_int_equal(others(name), done ? 2 : 0);
        both += more && done;
        none += !done;
    }
    assert_true(both > 1 && none > 10);
    assert_int_equal(system("rm -f a b"), 0);
}

/* What cannot be brought to the disk gets no name; some files have no disk. */
static void nothing_is_named_before_it_is_on_the_disk(void **unused)
{
    static const struct {
        int error, code;
        const char *left;
    } cases[] = { { EIO, EXIT_IO, "old" }, { ENOSPC, EXIT_IO, "old" }, { EINVAL, 0, "new" } };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        char name[256];

        make_old();
        const pid_t pid = fork();

        if (pid == 0) {
            forbid(SYS_fsync, false, cases[i].error);
            _exit(new_folder() < 0 ? err_code() : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 101)
            SKIP("no system call may be forbidden here");
        assert_int_equal(WEXITSTATUS(status), cases[i].code);
        assert_string_equal(content("m"), cases[i].left);
        assert_int_equal(others(name), 0);
    }
}

static void sigterm(void **unused)
{
    (void)unused;
    stop_everywhere(SIGTERM, true);
}

static void sigkill(void **unused)
{
    (void)unused;
    stop_everywhere(SIGKILL, true);
}

static void sigterm_without_exchange(void **unused)
{
    (void)unused;
    stop_everywhere(SIGTERM, false);
}

static void sigkill_without_exchange(void **unused)
{
    (void)unused;
    stop_everywhere(SIGKILL, false);
}

/* Where nothing can be set aside, free bytes are counted. */
static void room_is_looked_for(void **unused)
{
    int status;
    const pid_t pid = fork();

    (void)unused;
    if (pid == 0) {
        struct outfile *f;

        forbid(SYS_fallocate, false, EOPNOTSUPP);
        if (outfile_open(&f, "room", false, false) < 0 || outfile_reserve(f, 1) < 0)
            _exit(1);
        if (outfile_reserve(f, UINT64_C(1) << 61) == 0 || !strstr(err_text(), "are free"))
            _exit(2);
        exit(err_code());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 101)
        SKIP("no system call may be forbidden here");
    assert_int_equal(WEXITSTATUS(status), EXIT_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigterm),
        cmocka_unit_test(sigkill),
        cmocka_unit_test(sigterm_without_exchange),
        cmocka_unit_test(sigkill_without_exchange),
        cmocka_unit_test(both_files_or_none),
        cmocka_unit_test(nothing_is_named_before_it_is_on_the_disk),
        cmocka_unit_test(room_is_looked_for),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
