/* The instructions of mma_cuda.h against the PTX manual (ISA 8.x, 9.7.14: "Matrix Fragments for
 * mma.m16n8k16 with floating point type", "ldmatrix"; "cp.async", "cp.async.commit_group",
 * "cp.async.wait_group"). Built and run by tests/tools/cuda-mma.t. */
#include "mma_cuda.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int number, bad;

static void check(const char *name, bool good)
{
    number++;
    bad += !good;
    printf("%s %d - %s\n", good ? "ok" : "not ok", number, name);
}

/* What is asked of a warp, and what its lanes got. */
static uint16_t a[16][16], b[16][8], c[32][8], got16[32][4][2];
static float got[32][4];

static uint32_t word(uint16_t first, uint16_t second)
{
    return first | (uint32_t)second << 16;
}

/*
 * The manual's tables: a0..a7, groupID = lane >> 2, threadID_in_group = lane % 4,
 *   row = groupID for ai where 0 <= i < 2 || 4 <= i < 6, else groupID + 8
 *   col = threadID_in_group * 2 + (i & 1) for ai where i < 4, else + 8
 * b0..b3: row = threadID_in_group * 2 + (i & 1), + 8 for bi where i >= 2; col = groupID
 * c0..c3: row = groupID for ci where i < 2, else groupID + 8; col = threadID_in_group * 2 + (i & 1)
 */
template <enum dtype T> static void multiply(int)
{
    const int lane = threadIdx.x, group = lane >> 2, in_group = lane % 4;
    uint16_t x[8], y[4];
    float d[4];

    for (int i = 0; i < 8; i++)
        x[i] = a[i < 2 || (i >= 4 && i < 6) ? group : group + 8][in_group * 2 + (i & 1) + (i < 4 ? 0 : 8)];
    for (int i = 0; i < 4; i++)
        y[i] = b[in_group * 2 + (i & 1) + (i < 2 ? 0 : 8)][group];
    for (int i = 0; i < 4; i++)
        d[i] = 100 * lane + i;
    const uint32_t left[4] = { word(x[0], x[1]), word(x[2], x[3]), word(x[4], x[5]), word(x[6], x[7]) };
    const uint32_t right[2] = { word(y[0], y[1]), word(y[2], y[3]) };

    mma<T>(d, left, right);
    memcpy(got[lane], d, sizeof d);
}

/* Small whole numbers, whose sums are exact. */
template <enum dtype T> static void multiplies(const char *name)
{
    int A[16][16], B[16][8];
    bool good = true;

    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++) {
            A[i][k] = (7 * i + 3 * k + i * k) % 23 - 11;
            a[i][k] = (uint16_t)halves<T>((float)A[i][k], 0);
        }
    for (int k = 0; k < 16; k++)
        for (int j = 0; j < 8; j++) {
            B[k][j] = (5 * k + 11 * j + k * j) % 19 - 9;
            b[k][j] = (uint16_t)(halves<T>(0, (float)B[k][j]) >> 16);
        }
    (void)LAUNCH(multiply<T>, 1, 32, 0, 0);
    (void)cudaStreamSynchronize(cuda_stream);
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++) {
            const int row = (lane >> 2) + (i < 2 ? 0 : 8), col = lane % 4 * 2 + (i & 1);
            int sum = 100 * lane + i;

            for (int k = 0; k < 16; k++)
                sum += A[row][k] * B[k][col];
            good &= got[lane][i] == (float)sum;
        }
    check(name, good);
}

static void load(bool turned)
{
    uint32_t r[4];

    if (turned)
        load_turned(r, c[threadIdx.x]);
    else
        load_matrices(r, c[threadIdx.x]);
    memcpy(got16[threadIdx.x], r, sizeof r);
}

/* Threads 0-7 name the rows of the first matrix, 8-15 of the second ...; thread l receives from row l / 4
 * its elements 2 (l % 4) and the next, with .trans from the transpose. */
static void loads(const char *name, bool turned)
{
    bool good = true;

    for (int l = 0; l < 32; l++)
        for (int e = 0; e < 8; e++)
            c[l][e] = (uint16_t)(l << 8 | e);
    (void)LAUNCH(load, 1, 32, 0, turned);
    (void)cudaStreamSynchronize(cuda_stream);
    for (int l = 0; l < 32; l++)
        for (int m = 0; m < 4; m++)
            for (int i = 0; i < 2; i++) {
                const int row = turned ? 2 * (l % 4) + i : l / 4, col = turned ? l / 4 : 2 * (l % 4) + i;

                good &= got16[l][m][i] == ((8 * m + row) << 8 | col);
            }
    check(name, good);
}

/* ---- copies: what is asked of a warp, each thread for itself, and what it then has ---- */

enum { SLOT = 4, SLOTS = 6, BEFORE = 0x5a5a5a5a };
static uint32_t words[32][SLOTS][SLOT], has[4][32][SLOTS][SLOT];

static void see(int when, const uint32_t *mine)
{
    memcpy(has[when][threadIdx.x], mine, sizeof has[0][0]);
}

static bool run_copies(void (*kernel)(int), const char *order)
{
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < SLOTS * SLOT; i++)
            words[l][i / SLOT][i % SLOT] = (uint32_t)(1 + l << 8 | i);
    setenv("SLMTOOLS_EMULATE_ORDER", order, 1);
    (void)LAUNCH(kernel, 1, 32, sizeof has[0], 0);
    return cudaStreamSynchronize(cuda_stream) == cudaSuccess;
}

static uint32_t *my_slots(void)
{
    SHARED(uint32_t, shared);
    uint32_t *const mine = shared + threadIdx.x * SLOTS * SLOT;

    for (int i = 0; i < SLOTS * SLOT; i++)
        mine[i] = BEFORE;
    return mine;
}

/* "copies cp-size bytes": of 4 or 16; "src-size ... remaining bytes are filled with zeros": of 0. */
static void copy_sizes(int)
{
    uint32_t *const mine = my_slots();

    copy_ahead<16>(mine + SLOT, words[threadIdx.x][1], true);
    copy_ahead<16>(mine + 2 * SLOT, words[threadIdx.x][2], false);
    copy_ahead<4>(mine + 3 * SLOT + 1, words[threadIdx.x][3] + 2, true);
    copy_ahead<4>(mine + 4 * SLOT + 1, words[threadIdx.x][4] + 1, false);
    copy_commit();
    copy_wait<0>();
    see(0, mine);
}

static void copies_have_sizes(const char *order, bool late)
{
    bool good = run_copies(copy_sizes, order);

    for (int l = 0; l < 32; l++)
        for (int i = 0; i < SLOTS * SLOT; i++) {
            const int slot = i / SLOT, at = i % SLOT;
            const uint32_t want = slot == 1               ? words[l][1][at]
                                  : slot == 2             ? 0
                                  : slot == 3 && at == 1  ? words[l][3][2]
                                  : slot == 4 && at == 1  ? 0
                                                          : BEFORE;

            good &= has[0][l][slot][at] == want;
        }
    check(late ? "cp.async: so many bytes, or zeros, and none beside" : "the same where they come at once", good);
}

/* "commit_group commits all prior initiated but uncommitted cp.async into a cp.async-group"; without any, "an
 * empty one"; "wait_group waits until only N or fewer of the most recent groups are pending". */
static void copy_groups(int)
{
    uint32_t *const mine = my_slots();

    copy_ahead<16>(mine, words[threadIdx.x][0], true);
    copy_ahead<16>(mine + SLOT, words[threadIdx.x][1], true);
    copy_commit();
    copy_commit();
    copy_ahead<16>(mine + 2 * SLOT, words[threadIdx.x][2], true);
    copy_commit();
    copy_ahead<16>(mine + 3 * SLOT, words[threadIdx.x][3], true);
    copy_wait<3>();
    see(0, mine);
    copy_wait<2>();
    see(1, mine);
    copy_wait<0>();
    see(2, mine);
    copy_commit();
    copy_wait<0>();
    see(3, mine);
}

/* There are after each wait the copies of these slots at least; where they come as late as may be, no others,
 * and a group sooner or later than its turn would be seen. */
static void copies_have_groups(const char *order, bool late)
{
    static const int there[] = { 0, 2, 3, 4 };
    bool good = run_copies(copy_groups, order);

    for (int when = 0; when < 4; when++)
        for (int l = 0; l < 32; l++)
            for (int slot = 0; slot < 4; slot++) {
                const bool is = !memcmp(has[when][l][slot], words[l][slot], sizeof words[l][slot]);

                good &= is == (slot < there[when] || !late);
            }
    check(late ? "cp.async: groups that come when they are waited for" : "cp.async: groups that come at once", good);
}

static void never_waits(int)
{
    copy_ahead<16>(my_slots(), words[0], true);
    copy_commit();
}

static void never_commits(int)
{
    copy_ahead<16>(my_slots(), words[0], true);
    copy_wait<0>();
}

static void between_words(int)
{
    copy_ahead<16>(my_slots() + 1, words[0], true);
}

static void to_global(int)
{
    copy_ahead<16>(words[1], words[0], true);
}

static void is_refused(const char *name, void (*kernel)(int))
{
    int status = 0;

    (void)fflush(stdout);
    if (fork() == 0) {
        (void)freopen("/dev/null", "w", stderr);
        (void)run_copies(kernel, "forward");
        _exit(0);
    }
    (void)wait(&status);
    check(name, WIFSIGNALED(status));
}

cudaStream_t cuda_stream;
plugin_fail *cuda_fail;

int cuda_check(cudaError_t e, const char *)
{
    return e == cudaSuccess ? 0 : -1;
}

int main()
{
    (void)cudaStreamCreateWithFlags(&cuda_stream, cudaStreamNonBlocking);
    multiplies<DT_F16>("mma of float16");
    multiplies<DT_BF16>("mma of bfloat16");
    loads("ldmatrix", false);
    loads("ldmatrix turned", true);
    check("two halves, rounded to even", halves<DT_BF16>(1 + 0x1p-8f, 1 + 3 * 0x1p-8f) == 0x3f823f80 &&
                                             halves<DT_F16>(1 + 0x1p-11f, -2) == 0xc0003c00);
    copies_have_sizes("forward", true);
    copies_have_sizes("reverse", false);
    copies_have_groups("forward", true);
    copies_have_groups("reverse", false);
    is_refused("cp.async: a thread that ends before its copies come", never_waits);
    is_refused("cp.async: a copy of no group", never_commits);
    is_refused("cp.async: between multiples of 16", between_words);
    is_refused("cp.async: to what is not shared", to_global);
    printf("1..%d\n", number);
    return bad > 0;
}
