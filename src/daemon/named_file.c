#include "daemon/named_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *named_file_resolve(const char *path)
{
    static char resolved[PATH_MAX];

    return realpath(path, resolved);
}

enum file_result named_file_read(const char *path, char *text, size_t cap, size_t *n,
                                 struct stat *st)
{
    *n = 0;
    memset(st, 0, sizeof(*st));
    const char *resolved = named_file_resolve(path);
    if (resolved != NULL && strcmp(resolved, "/dev/null") == 0)
        return FILE_OK;
    if (resolved != NULL)
        return file_read(AT_FDCWD, resolved, text, cap, n, st);
    if (errno == EACCES)
        return FILE_DENIED;
    return errno == ENOENT || errno == ENOTDIR ? FILE_ABSENT : FILE_FAULT;
}

bool named_file_is_open(const struct stat *st)
{
    return (st->st_mode & S_IRWXO) != 0;
}
