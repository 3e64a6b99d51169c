#include "pack_parts.h"

#include "claim.h"
#include "mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_under(const char *path, const char *folder, size_t n)
{
    return !strncmp(path, folder, n) && path[n] == '/';
}

/* TARGET is inside the folder ROOT, or, where ROOT is CACHE/models--X/snapshots/REVISION, inside
 * CACHE/models--X/blobs. Both are real paths. */
static bool link_stays(const char *root, const char *target)
{
    const char *snapshots = strstr(root, "/snapshots/"), *models = strstr(root, "/models--");

    if (is_under(target, root, strlen(root)))
        return true;
    if (!snapshots || !models || models > snapshots)
        return false;
    const size_t repo = (size_t)(snapshots - root);

    return is_under(target, root, repo) && !strncmp(target + repo, "/blobs/", 7);
}

/* PATH is ROOT/NAME, here and below. */
static int check_link(int dir, const char *root, const char *path, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(EXIT_NOINPUT, "cannot look at it: %s", strerror(errno));
    if (!S_ISLNK(st.st_mode))
        return 0;
    char *target = realpath(path, NULL);

    if (!target)
        return err_set(err_cause(EXIT_NOINPUT), "cannot follow the link: %s", strerror(errno));
    const bool stays = link_stays(root, target);

    free(target);
    return stays ? 0
                 : err_set(EXIT_DATA,
                           "the link leads out of the folder; put a copy of the file there");
}

/* Subfolders, devices and hidden files are no part of a model. */
static int add_file(struct pack *p, int dir, const char *root, const char *path, const char *name)
{
    const uint8_t *data;
    struct stat st;

    if (check_link(dir, root, path, name) < 0)
        return -1;
    if (fstatat(dir, name, &st, 0) < 0)
        return err_set(EXIT_NOINPUT, "cannot look at it: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return 0;
    const int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set(EXIT_NOINPUT, "cannot open: %s", strerror(errno));
    int rc = -1;

    if (fstat(fd, &st) < 0)
        err_set(EXIT_NOINPUT, "cannot look at it: %s", strerror(errno));
    else if (pack_check_size(name, (uint64_t)st.st_size) == 0 &&
             (!st.st_size || claim_input(fd, name) == 0)) /* an empty one may be the output's */
        rc = pack_map(p, path, fd, (size_t)st.st_size, &data);
    close(fd);
    if (!rc)
        pack_add(p, name, data, (size_t)st.st_size);
    return rc;
}

int pack_read_folder(struct pack *p, const char *path)
{
    DIR *d = opendir(path);
    char *root = d ? realpath(path, NULL) : NULL;
    struct buf file = BUF_INIT;
    int rc = d ? claim_input(dirfd(d), path) : 0;

    if (!root) {
        err_set(err_cause(EXIT_NOINPUT), "cannot open the folder: %s", strerror(errno));
        if (d)
            closedir(d);
        return -1;
    }
    while (!rc) {
        errno = 0;
        const struct dirent *e = readdir(d);

        if (!e) {
            if (errno)
                rc = err_set(EXIT_IO, "cannot read the folder: %s", strerror(errno));
            break;
        }
        if (*e->d_name == '.')
            continue;
        buf_clear(&file);
        buf_printf(&file, "%s/%s", root, e->d_name);
        if (add_file(p, dirfd(d), root, file.p, e->d_name) < 0)
            rc = err_in("%s", e->d_name);
    }
    buf_free(&file);
    free(root);
    closedir(d);
    return rc;
}
