/* A record stream, the bytes of a file. */
#include "fuzz.h"
#include "stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *paths[] = { fuzz_file("s.zst", data, size), NULL };
    struct cli_common common = CLI_COMMON_INIT;
    struct reader *in;
    struct record *rec;
    int got;

    common.threads = 1;
    if (says_why(reader_open(&in, paths, KIND_ANY, &common)) < 0)
        return 0;
    do
        got = says_why(reader_next(in, &rec));
    while (got > 0);
    reader_close(in);
    return 0;
}
