/* Simulates a full or read-only disk: LD_PRELOAD this into a process.

   DISK_UNDER is a folder, DISK_STATE a file outside of it. While the file says `full N`, N more bytes can be written
   under the folder, then writes fail with ENOSPC; while it says `read-only`, nothing can be changed there. While it is
   empty or missing, the disk works normally. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name, result, ...) ((result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char state[64];
static long left;

static int under(const char *path) {
    const char *folder = getenv("DISK_UNDER");
    size_t length = folder ? strlen(folder) : 0;
    return length && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int concerns(int folder, const char *path) {
    char link[64], whole[PATH_MAX];
    if (path[0] == '/') return under(path);
    if (folder == AT_FDCWD) return getcwd(whole, sizeof whole) && under(whole);
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, whole, sizeof whole - 1);
    if (length < 0) return 0;
    whole[length] = 0;
    return under(whole);
}

static int is_open_under(int file) {
    int before = errno, found = concerns(file, "");
    errno = before;
    return found;
}

/* How many of `wanted` bytes the disk accepts; -1 with errno if it accepts none. */
static ssize_t taken(size_t wanted) {
    char now[sizeof state] = "";
    const char *path = getenv("DISK_STATE");
    long said = path ? syscall(SYS_open, path, O_RDONLY | O_CLOEXEC) : -1;
    if (said >= 0) {
        syscall(SYS_read, said, now, sizeof now - 1);
        syscall(SYS_close, said);
    }
    if (strncmp(now, "read-only", 9) == 0) return errno = EROFS, -1;
    if (strncmp(now, "full", 4) != 0) return (ssize_t)wanted;
    pthread_mutex_lock(&lock);
    if (strcmp(now, state) != 0) left = atol(strcpy(state, now) + 4);
    ssize_t given = (ssize_t)wanted < left ? (ssize_t)wanted : left;
    left -= given;
    pthread_mutex_unlock(&lock);
    return given > 0 || !wanted ? given : (errno = ENOSPC, -1);
}

static int refused_to_open(int folder, const char *path, int flags) {
    char followed[PATH_MAX];
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT))) return 0;
    if (!concerns(folder, path) && !(realpath(path, followed) && under(followed))) return 0;
    int there = faccessat(folder, path, F_OK, 0) == 0;
    if (taken(1) > 0) return 0;
    return errno == EROFS ? (there || (flags & O_CREAT)) : !there && (flags & O_CREAT);
}

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...) {                                       \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = va_arg(more, mode_t);                                            \
        va_end(more);                                                                  \
        if (refused_to_open(AT_FDCWD, path, flags)) return -1;                         \
        return REAL(name, int, const char *, int, ...)(path, flags, mode);             \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                   \
    int name(int folder, const char *path, int flags, ...) {                           \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = va_arg(more, mode_t);                                            \
        va_end(more);                                                                  \
        if (refused_to_open(folder, path, flags)) return -1;                           \
        return REAL(name, int, int, const char *, int, ...)(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                                    \
    FILE *name(const char *path, const char *mode) {                                   \
        int flags = mode[0] == 'r' && !strchr(mode, '+') ? O_RDONLY : O_RDWR | O_CREAT; \
        if (refused_to_open(AT_FDCWD, path, flags)) return NULL;                       \
        return REAL(name, FILE *, const char *, const char *)(path, mode);             \
    }
FOPEN(fopen)
FOPEN(fopen64)

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    if (is_open_under(fileno(file)) && taken(size * count) < (ssize_t)(size * count)) return errno = ENOSPC, 0;
    return REAL(fwrite, size_t, const void *, size_t, size_t, FILE *)(data, size, count, file);
}

#define TAKEN(file, count)                                                             \
    if (is_open_under(file) && count) {                                                \
        ssize_t given = taken(count);                                                  \
        if (given < 0) return -1;                                                      \
        count = (size_t)given;                                                         \
    }

ssize_t write(int file, const void *data, size_t count) {
    TAKEN(file, count)
    return syscall(SYS_write, file, data, count);
}

#define PWRITE(name)                                                                   \
    ssize_t name(int file, const void *data, size_t count, off64_t place) {            \
        TAKEN(file, count)                                                             \
        return syscall(SYS_pwrite64, file, data, count, place);                        \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (is_open_under(file) && count) return write(file, parts[0].iov_base, parts[0].iov_len);
    return syscall(SYS_writev, file, parts, count);
}

int access(const char *path, int mode) {
    if ((mode & W_OK) && concerns(AT_FDCWD, path) && taken(0) < 0) return -1;
    return REAL(access, int, const char *, int)(path, mode);
}

#define STATVFS(name, kind)                                                            \
    int name(const char *path, struct kind *told) {                                    \
        int result = REAL(name, int, const char *, struct kind *)(path, told);         \
        if (result == 0 && concerns(AT_FDCWD, path) && taken(1) < 0) told->f_bavail = 0; \
        return result;                                                                 \
    }
STATVFS(statvfs, statvfs)
STATVFS(statvfs64, statvfs64)

static int refused_to_change(int folder, const char *path, int takes_room) {
    if (!concerns(folder, path) || taken(1) > 0) return 0;
    return errno == EROFS || takes_room;
}

int mkdir(const char *path, mode_t mode) {
    return refused_to_change(AT_FDCWD, path, 1) ? -1 : REAL(mkdir, int, const char *, mode_t)(path, mode);
}

int rename(const char *from, const char *to) {
    return refused_to_change(AT_FDCWD, to, 0) ? -1 : REAL(rename, int, const char *, const char *)(from, to);
}

int unlink(const char *path) {
    return refused_to_change(AT_FDCWD, path, 0) ? -1 : REAL(unlink, int, const char *)(path);
}

int unlinkat(int folder, const char *path, int flags) {
    return refused_to_change(folder, path, 0) ? -1 : REAL(unlinkat, int, int, const char *, int)(folder, path, flags);
}
