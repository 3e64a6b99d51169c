#include "filetype.h"

#include "utf8.h"

#include <string.h>
#include <strings.h>

static const char lfs[] = "a git-lfs pointer; fetch the file itself with 'git lfs pull'";
static const char page[] = "a web page; a login or an error message was saved instead of the file: "
                           "download it again, logged in";
static const char answer[] = "an XML document, perhaps a server's error message; download the file "
                             "again";
static const char pickle[] = "a pickle, which can run code and is not read; save the model as "
                             "safetensors";
static const char office[] = "a spreadsheet or another office document; save it as CSV in UTF-8";
static const char zip[] = "a zip archive; unpack it first";
static const char zstd[] = "compressed with zstd; unpack it with 'zstd -d'";
static const char gguf[] = "a GGUF file; name it where a model is wanted";
static const char utf16[] = "UTF-16; convert it with iconv -f UTF-16 -t UTF-8";

/* What stands at one place of a file, and at the beginning of no text that anyone means as one. */
static const struct {
    size_t at;
    const char *bytes, *what;
} magics[] = {
    { 0, "version https://git-lfs.github.com/spec/", lfs },
    { 0, "\x1f\x8b", "compressed with gzip; unpack it with gunzip" },
    { 0, "\x1f\x9d", "compressed with compress; unpack it with gunzip" },
    { 0, "\3757zXZ", "compressed with xz; unpack it with unxz" },
    { 0, "LZIP\1", "compressed with lzip; unpack it with lzip -d" },
    { 0, "\x04\x22\x4d\x18", "compressed with lz4; unpack it with unlz4" },
    { 4, "1AY&SY", "compressed with bzip2; unpack it with bunzip2" },
    { 0, "\x28\xb5\x2f\xfd", zstd },
    { 1, "\x2a\x4d\x18", zstd }, /* a skippable frame, which pzstd puts first */
    { 0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it with 7z x" },
    { 0, "Rar!\x1a\x07", "a RAR archive; unpack it with unrar x" },
    { 257, "ustar", "a tar archive; unpack it first" },
    { 0, "GGUF\3", gguf },
    { 0, "GGUF\2", gguf },
    { 0, "tjgg", "a GGML file; give the folder with safetensors that it was made from" },
    { 0, "\x89HDF\r\n\x1a\n", "an HDF5 file; save the model as safetensors" },
    { 0, "\x93NUMPY", "a NumPy array; save it as safetensors, or a table as CSV" },
    { 0, "PAR1\x15", "a Parquet file; save it as CSV, with pandas: read_parquet and to_csv" },
    { 0, "ARROW1", "an Arrow file; save it as CSV, with pandas: read_feather and to_csv" },
    { 0, "Obj\x01", "an Avro file; save it as CSV" },
    { 0, "SQLite format 3", "an SQLite database; export the table as CSV" },
    { 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", office },
    { 0, "%PDF-", "a PDF document; get the table or the text itself" },
    { 0, "\x89PNG\r\n", "a picture; get the file itself" },
    { 0, "\xff\xd8\xff", "a picture; get the file itself" },
    { 0, "\177ELF", "a program; name a file with data" },
    { 0, "\xff\xfe", utf16 },
    { 0, "\xfe\xff", utf16 },
};

static bool has(const char *p, size_t n, size_t at, const char *bytes, size_t len)
{
    return n >= at && n - at >= len && !memcmp(p + at, bytes, len);
}

/* A text that begins, behind white space and a byte order mark, as documents of the web do. */
static const char *of_text(const char *p, size_t n)
{
    static const char *const pages[] = { "<!doctype html", "<html", "<head>", "<script" };
    size_t at = utf8_mark(p, n);

    while (at < n && strchr(" \t\r\n", p[at]) && p[at])
        at++;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (n - at >= strlen(pages[i]) && !strncasecmp(p + at, pages[i], strlen(pages[i])))
            return page;
    return has(p, n, at, "<?xml", 5) ? answer : NULL;
}

/* Many formats are zip archives; the name of the first file tells which. */
static const char *of_zip(const char *p, size_t n)
{
    enum { NAME_AT = 30 };

    if (has(p, n, 0, "PK\5\6", 4))
        return "an empty zip archive; get it again";
    if (!has(p, n, 0, "PK\3\4", 4))
        return NULL;
    const char *name = p + NAME_AT;
    const size_t left = n > NAME_AT ? n - NAME_AT : 0;

    if (memmem(name, left, "data.pkl", 8))
        return pickle;
    if (memmem(name, left, "[Content_Types].xml", 19) || has(p, n, NAME_AT, "xl/", 3) ||
        memmem(name, left, "mimetypeapplication/vnd.oasis", 29))
        return office;
    return memmem(name, left, ".npy", 4) ? "an archive of NumPy arrays; save them as safetensors"
                                         : zip;
}

/* Protobuf: field 1 is the version, field 2 the name of the program that wrote it. */
static bool is_onnx(const char *p, size_t n)
{
    return n > 4 && p[0] == 0x08 && p[1] > 0 && p[1] < 32 && p[2] == 0x12 && p[3] > 0 &&
           p[4] >= ' ';
}

/* Protocol 2 and later; older ones are text that nobody writes weights in. */
static bool is_pickle(const char *p, size_t n)
{
    return n > 2 && (unsigned char)p[0] == 0x80 && p[1] >= 2 && p[1] <= 5;
}

/* A length below 100 MB, and a JSON object. */
bool filetype_is_safetensors(const void *bytes, size_t n)
{
    const char *p = bytes;

    return n > 9 && !memcmp(p + 4, "\0\0\0", 4) && (unsigned char)p[3] < 6 && p[8] == '{';
}

const char *filetype_of(const void *bytes, size_t n)
{
    const char *p = bytes, *found;

    if (n > FILETYPE_LOOK)
        n = FILETYPE_LOOK;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (has(p, n, magics[i].at, magics[i].bytes, strlen(magics[i].bytes)))
            return magics[i].what;
    if ((found = of_zip(p, n)) || (found = of_text(p, n)))
        return found;
    if (is_pickle(p, n))
        return pickle;
    if (is_onnx(p, n))
        return "an ONNX model; give the one with safetensors that it was made from";
    return filetype_is_safetensors(p, n) ? "a safetensors file; name it where weights are wanted"
                                         : NULL;
}

int filetype_refuse(const void *bytes, size_t n)
{
    const char *what = filetype_of(bytes, n);

    return what ? err_set(EXIT_DATA, "is %s", what) : 0;
}
