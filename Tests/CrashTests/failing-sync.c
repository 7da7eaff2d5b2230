/* Loaded before the C library: the FAIL_SYNC_AT-th sync of a write-ahead log fails, as a disk's does. Later ones
   succeed, as they do on Linux, where the kernel has dropped the pages meanwhile. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int syncs;

static int is_log(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    return length > 4 && memcmp(path + length - 4, "-wal", 4) == 0;
}

static int fails(int descriptor) {
    const char *at = getenv("FAIL_SYNC_AT");
    if (!at || !is_log(descriptor) || ++syncs != atoi(at)) return 0;
    errno = EIO;
    return 1;
}

int fdatasync(int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return fails(descriptor) ? -1 : real(descriptor);
}

int fsync(int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return fails(descriptor) ? -1 : real(descriptor);
}
