/* Makes a disk fail: while the file named by EIO_WHILE exists, writing to or syncing a file of the store ends in EIO.
 * To be preloaded. The store's files are told by `thingcall.db` in their names, as /proc says them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd) {
    const char *flag = getenv("EIO_WHILE");
    if (flag == NULL || access(flag, F_OK) != 0) {
        return 0;
    }
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) {
        return 0;
    }
    name[length] = '\0';
    return strstr(name, "thingcall.db") != NULL;
}

#define REAL(type, name, ...)                                  \
    static type (*real)(__VA_ARGS__);                          \
    if (real == NULL) {                                        \
        real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name); \
    }

#define FAIL(fd)      \
    if (fails(fd)) {  \
        errno = EIO;  \
        return -1;    \
    }

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t)
    FAIL(fd)
    return real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t)
    FAIL(fd)
    return real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
    FAIL(fd)
    return real(fd, bytes, count, at);
}

int fsync(int fd) {
    REAL(int, fsync, int)
    FAIL(fd)
    return real(fd);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int)
    FAIL(fd)
    return real(fd);
}

int ftruncate(int fd, off_t length) {
    REAL(int, ftruncate, int, off_t)
    FAIL(fd)
    return real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t)
    FAIL(fd)
    return real(fd, length);
}
