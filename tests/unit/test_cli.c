/* What cli.h promises: strict values, one clear line, exit 2, and a canonical chain. */
#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct values {
    struct cli_common common;
    int64_t r, steps, later;
    double rate;
    bool shuffle, both;
    const char *text, *name, *file, *choice, *kind;
    struct cli_list words;
};

/* Prints what became of ARGV, as a tool would use it. Runs in a child: cli_parse exits. */
static void tool(int argc, char **argv)
{
    struct values v = {
        .common = CLI_COMMON_INIT, .r = 16, .rate = 2e-4, .shuffle = true, .choice = "a"
    };
    const struct cli_opt opts[] = {
        { 'r', "rank", CLI_INT, &v.r, .arg = "N", .help = "rank", .min = 1, .max = 64 },
        { 0, "rate", CLI_FLOAT, &v.rate, .arg = "X", .help = "rate" },
        { 's', "shuffle", CLI_FLAG, &v.shuffle, .help = "mix", .negatable = true },
        { 'b', "both", CLI_FLAG, &v.both, .help = "both" },
        { 't', "text", CLI_TEXT, &v.text, .arg = "TEXT", .help = "text" },
        { 'n', "name", CLI_NAME, &v.name, .arg = "NAME|FILE", .help = "name" },
        { 'f', "file", CLI_FILE, &v.file, .arg = "FILE", .help = "file" },
        { 'c', "choice", CLI_CHOICE, &v.choice, .arg = "a|bc|d", .help = "choice" },
        { 0, "max-steps", CLI_INT, &v.steps, .arg = "N", .help = "steps" },
        { 0, "kind", CLI_CHOICE, &v.kind, .arg = "now|later", .help = "kind", .offered = "now" },
        { 0, "later", CLI_INT, &v.later, .arg = "N", .help = "later", .offered = "" },
        { 'w', "word", CLI_LIST, &v.words, .arg = "WORD", .help = "word" },
        { .type = CLI_END },
    };
    const struct cli cli = { "tool", "[options] [FILE]", "Does nothing at some length.",
                             opts,   &v.common,          1 };
    const char *const *operand = cli_parse(argc, argv, &cli);
    int n;
    const char *const *chain = cli_chain_options(&n);

    for (int i = 0; i < n; i++)
        printf("%s%s", i ? " " : "", chain[i]);
    printf("|%s", operand[0] ? operand[0] : "");
    exit(fflush(stdout));
}

/* Runs tool with the words of ARGS (separated by single blanks); both streams end up in OUT. */
static int run(const char *args, char *out, size_t size)
{
    char words[512], *argv[32] = { (char *)(uintptr_t) "tool" };
    int fd[2], argc = 1, status;
    size_t n = 0;

    (void)snprintf(words, sizeof words, "%s", args);
    for (char *p = words; *words && p; argc++) {
        argv[argc] = p;
        if ((p = strchr(p, ' ')))
            *p++ = 0;
    }
    assert_int_equal(pipe(fd), 0);
    (void)fflush(stdout);
    const pid_t pid = fork();

    if (pid == 0) {
        (void)dup2(fd[1], 1);
        (void)dup2(fd[1], 2);
        (void)close(fd[0]);
        tool(argc, argv);
    }
    (void)close(fd[1]);
    for (ssize_t got; n + 1 < size && (got = read(fd[0], out + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    out[n] = 0;
    (void)close(fd[0]);
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *args, int code, const char *want)
{
    char out[8192];
    const int rc = run(args, out, sizeof out);

    if (rc != code || strcmp(out, want) != 0)
        fail_msg("'%s': exit %d, wanted %d: '%s', wanted '%s'", args, rc, code, out, want);
}

static void chain_is_canonical(void **unused)
{
    (void)unused;
    expect("", 0, "|");
    expect("--rank 7 --rate 0.00020 x", 0, "rank=7 rate=0.0002|x");
    expect("x --rate=2e-4 -r7", 0, "rank=7 rate=0.0002|x");
    expect("--rate 4e1", 0, "rate=40|");
    expect("--rate -1e3", 0, "rate=-1000|");
    expect("--rate 1e22", 0, "rate=1e+22|");
    expect("--no-shuffle --both", 0, "no-shuffle both|");
    expect("-bc bc", 0, "both choice=bc|");
    expect("-n share/x/name.txt -f some/file", 0, "name=name.txt|");
    expect("-w b -w a --only z=1 --only a=2", 0, "word=b word=a only=a=2 only=z=1|");
    expect("--seed 3 --limit 5 -j 2 -l 9 --device ref -o - --force -q --progress never", 0,
           "limit=5 seed=3|");
    expect("-t @x -- -r", 0, "text=@x|-r");
    expect("-r 2 -r 3", 0, "rank=3|");
    expect("-", 0, "|-");
}

static void mistakes_are_one_line(void **unused)
{
    (void)unused;
    expect("--x", 2, "tool: error: unknown option '--x'; see tool --help\n");
    expect("--ran 3", 2, "tool: error: unknown option '--ran'; did you mean '--rank'?\n");
    expect("--shufle", 2, "tool: error: unknown option '--shufle'; did you mean '--shuffle'?\n");
    expect("--raet 3", 2, "tool: error: unknown option '--raet'; did you mean '--rate'?\n");
    expect("--verson", 2, "tool: error: unknown option '--verson'; did you mean '--version'?\n");
    expect("--ve", 2, "tool: error: unknown option '--ve'; see tool --help\n");
    expect("-bx", 2, "tool: error: unknown option '-x'; see tool --help\n");
    expect("--no-both", 2, "tool: error: unknown option '--no-both'; see tool --help\n");
    expect("--both=1", 2, "tool: error: option '--both' takes no value; leave '=1' out\n");
    expect("--rank", 2, "tool: error: option '--rank' wants a value: N; see --help\n");
    expect("--rank 3x", 2,
           "tool: error: option '--rank': '3x' is not a whole number; see --help\n");
    expect("--rank=", 2, "tool: error: option '--rank': '' is not a whole number; see --help\n");
    expect("--rank +3", 2,
           "tool: error: option '--rank': '+3' is not a whole number; see --help\n");
    expect("--rank 65", 2, "tool: error: option '--rank': 65 is out of range; from 1 to 64\n");
    expect("--rank 99999999999999999999", 2,
           "tool: error: option '--rank': 99999999999999999999 is too large; see --help\n");
    expect("--rate nan", 2, "tool: error: option '--rate': 'nan' is not a number; see --help\n");
    expect("--rate 0x1p3", 2,
           "tool: error: option '--rate': '0x1p3' is not a number; see --help\n");
    expect("--rate 1e999", 2, "tool: error: option '--rate': 1e999 is too large; see --help\n");
    expect("-c b", 2, "tool: error: option '--choice': 'b' is not one of a, bc, d; see --help\n");
    expect("-t \xff", 2,
           "tool: error: option '--text': the value is not valid UTF-8; see --help\n");
    expect("x y", 2, "tool: error: 'y' is one operand too many; usage: tool [options] [FILE]\n");
    expect("--device gpu", 2,
           "tool: error: option '--device': 'gpu' is not one of auto, cpu, cuda, cuda:N, ref; see "
           "--help\n");
    expect("--device cuda:", 2,
           "tool: error: option '--device': 'cuda:' is not one of auto, cpu, cuda, cuda:N, ref; "
           "see --help\n");
    expect("--only a", 2, "tool: error: option '--only': 'a' is not FIELD=VALUE; see --help\n");
    expect("@/nowhere/x", 66,
           "tool: error: /nowhere/x: cannot open: No such file or directory; check the name and "
           "the permissions\n");
}

static void names_of_hugging_face_are_understood(void **unused)
{
    (void)unused;
    expect("--max_steps 3 --max_steps=4", 0, "max-steps=4|");
    expect("--no_shuffle", 0, "no-shuffle|");
    expect("--max_step 3", 2,
           "tool: error: unknown option '--max_step'; did you mean '--max-steps'?\n");
    expect("--max_text a_b", 2, "tool: error: unknown option '--max_text'; see tool --help\n");
    expect("-t a_b", 0, "text=a_b|");
}

/* What a build cannot do is not offered, but known: its refusal is the tool's, with a reason. */
static void help_offers_what_there_is(void **unused)
{
    char out[8192], same[8192];

    (void)unused;
    assert_int_equal(run("-h", out, sizeof out), 0);
    assert_int_equal(run("--help", same, sizeof same), 0);
    assert_string_equal(out, same);
    assert_non_null(strstr(out, "--device auto|cpu|cuda|ref\n"));
    assert_non_null(strstr(out, "--kind now  "));
    assert_null(strstr(out, "later"));
    expect("--kind later --later 2", 0, "kind=later later=2|");
}

static void option_files_are_words(void **unused)
{
    static const char text[] = "--rank 5 # five\n\t-t 'a  #b'\"c\"\n''\n";
    char path[] = "/tmp/test_cli.XXXXXX", args[64];
    const int fd = mkstemp(path);

    static const char marked[] = "\xef\xbb\xbf--rank 7\r\n-b\r\n#";

    (void)unused;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    (void)snprintf(args, sizeof args, "-b @%s", path);
    expect(args, 0, "rank=5 both text=a  #bc|");
    assert_int_equal(pwrite(fd, "'", 1, 0), 1);
    char out[256];
    assert_int_equal(run(args, out, sizeof out), 2);
    assert_int_equal(pwrite(fd, marked, sizeof marked - 1, 0), sizeof marked - 1);
    assert_int_equal(ftruncate(fd, sizeof marked - 1), 0);
    expect(args, 0, "rank=7 both|");
    (void)close(fd);
    (void)unlink(path);
}

static void help_shows_defaults_in_80_columns(void **unused)
{
    char out[8192];

    (void)unused;
    assert_int_equal(run("-r 3 --help", out, sizeof out), 0);
    assert_non_null(strstr(out, "Usage: tool [options] [FILE]\nDoes nothing at some length.\n"));
    assert_non_null(strstr(out, "  -r, --rank N              rank [16]\n"));
    assert_non_null(strstr(out, "      --rate X              rate [0.0002]\n"));
    assert_non_null(strstr(out, "  -s, --[no-]shuffle        mix [on]\n"));
    assert_non_null(strstr(out, "  -n, --name NAME|FILE      name\n"));
    assert_non_null(strstr(out, "\nCommon options:\n  -o, --output FILE         where"));
    for (const char *p = out; *p; p += strcspn(p, "\n") + 1)
        assert_true(strcspn(p, "\n") <= 80);
    expect("--version", 0, "tool (slmtools) 0.1.0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_is_canonical),
        cmocka_unit_test(mistakes_are_one_line),
        cmocka_unit_test(names_of_hugging_face_are_understood),
        cmocka_unit_test(help_offers_what_there_is),
        cmocka_unit_test(option_files_are_words),
        cmocka_unit_test(help_shows_defaults_in_80_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
