/* Loaded before the C library: records what a process does to the files below one folder, in one order for all
   threads and processes, so that a test can build what a disk may hold after the power was cut.

   DISK_TRACE_FOLDER       the folder, an absolute path without links
   DISK_TRACE_FILE         where records are appended
   DISK_TRACE_FAIL_SYNC    the number of the sync of a file named *-wal that fails with EIO
   DISK_TRACE_FAIL_KILL    set: the process is killed right after that failure

   A record: length (u32), kind (u8), process (u32), inode (u64), number (i64), lengths of two paths and of the data
   (u32 each), then paths, relative to the folder, and data. Shared memory of SQLite (*-shm) does not survive a power
   loss and is not recorded. Whatever this file does not know shows when the test compares the model with the folder. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    OPENED = 1, /* number: 1 created, 2 truncated, 4 without a name */
    WRITTEN = 2, /* number: offset */
    TRUNCATED = 3, /* number: size */
    SYNCED = 4,
    FOLDER_SYNCED = 5,
    RENAMED = 6,
    LINKED = 7,
    UNLINKED = 8,
    FOLDER_MADE = 9,
    FOLDER_REMOVED = 10,
    SYNC_FAILED = 11,
    PRINTED = 12, /* to standard output */
    UNKNOWN = 13, /* a call that the model does not know */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int trace = -1;
static int syncs;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void prepare(void) {
    folder = getenv("DISK_TRACE_FOLDER");
    const char *file = getenv("DISK_TRACE_FILE");
    if (!folder || !file) return;
    folder_length = strlen(folder);
    int opened = REAL(open64)(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Far from the descriptors that the program expects. */
    if (opened >= 0) {
        trace = fcntl(opened, F_DUPFD_CLOEXEC, 900);
        REAL(close)(opened);
    }
    if (trace < 0) abort();
}

/* Calls and their records are one step for all processes. Callers may look at errno afterwards. */
static void enter(void) {
    pthread_mutex_lock(&mutex);
    if (trace >= 0) flock(trace, LOCK_EX);
}

static void leave(void) {
    int kept = errno;
    if (trace >= 0) flock(trace, LOCK_UN);
    pthread_mutex_unlock(&mutex);
    errno = kept;
}

/* The part of a path below the folder; NULL when it lies elsewhere, or is not recorded. */
static const char *inside(const char *path) {
    if (trace < 0 || strncmp(path, folder, folder_length) != 0) return NULL;
    if (path[folder_length] == 0) return "";
    if (path[folder_length] != '/') return NULL;
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return NULL;
    return path + folder_length + 1;
}

static const char *path_of(int descriptor, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    static const char deleted[] = " (deleted)";
    size_t tail = sizeof deleted - 1;
    if ((size_t)length > tail && strcmp(path + length - tail, deleted) == 0) path[length - tail] = 0;
    return inside(path);
}

/* An absolute path without "." and "..". */
static const char *resolve(int at, const char *name, char path[PATH_MAX]) {
    char joined[2 * PATH_MAX] = "";
    if (name[0] != '/') {
        if (at == AT_FDCWD) {
            if (!getcwd(joined, PATH_MAX)) return NULL;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            ssize_t length = readlink(link, joined, PATH_MAX - 1);
            if (length < 0) return NULL;
            joined[length] = 0;
        }
        strcat(joined, "/");
    }
    strncat(joined, name, PATH_MAX - 1);
    size_t end = 0;
    for (char *part = strtok(joined, "/"); part; part = strtok(NULL, "/")) {
        if (strcmp(part, ".") == 0) continue;
        if (strcmp(part, "..") == 0) {
            while (end > 0 && path[--end] != '/') {}
            continue;
        }
        end += (size_t)snprintf(path + end, PATH_MAX - end, "/%s", part);
        if (end >= PATH_MAX) return NULL;
    }
    path[end] = 0;
    return inside(path);
}

static void record(
    enum kind kind, uint64_t inode, int64_t number, const char *path, const char *other,
    const void *data, size_t size
) {
    uint32_t lengths[3] = {(uint32_t)strlen(path), (uint32_t)strlen(other), (uint32_t)size};
    uint32_t total = 1 + 4 + 8 + 8 + 12 + lengths[0] + lengths[1] + lengths[2];
    uint32_t process = (uint32_t)getpid();
    char *bytes = malloc(4 + total), *next = bytes;
    if (!bytes) abort();
#define PUT(source, count) (memcpy(next, source, count), next += count)
    PUT(&total, 4);
    *next++ = (char)kind;
    PUT(&process, 4);
    PUT(&inode, 8);
    PUT(&number, 8);
    PUT(lengths, 12);
    PUT(path, lengths[0]);
    PUT(other, lengths[1]);
    PUT(data, lengths[2]);
#undef PUT
    ssize_t written = REAL(write)(trace, bytes, 4 + total);
    free(bytes);
    if (written != (ssize_t)(4 + total)) abort();
}

static uint64_t inode_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

static int is_folder(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Opening */

static int opening(int at, const char *name, int flags, mode_t mode) {
    char wanted[PATH_MAX], path[PATH_MAX];
    enter();
    const char *place = resolve(at, name, wanted);
    struct stat status;
    int is_there = place && lstat(wanted, &status) == 0;
    int descriptor = REAL(openat64)(at, name, flags, mode);
    int kept = errno;
    if (descriptor >= 0 && path_of(descriptor, path) && !is_folder(descriptor)) {
        int is_nameless = (flags & O_TMPFILE) == O_TMPFILE;
        int is_created = is_nameless || (flags & O_CREAT && !is_there);
        int is_truncated = !is_created && flags & O_TRUNC;
        record(
            OPENED, inode_of(descriptor), is_created | is_truncated << 1 | is_nameless << 2,
            is_nameless ? "" : inside(path), "", "", 0
        );
    }
    errno = kept;
    leave();
    return descriptor;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, last); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *name, int flags, ...) {
    MODE(flags, flags)
    return opening(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) {
    MODE(flags, flags)
    return opening(AT_FDCWD, name, flags, mode);
}

int openat(int at, const char *name, int flags, ...) {
    MODE(flags, flags)
    return opening(at, name, flags, mode);
}

int openat64(int at, const char *name, int flags, ...) {
    MODE(flags, flags)
    return opening(at, name, flags, mode);
}

int creat(const char *name, mode_t mode) {
    return opening(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int creat64(const char *name, mode_t mode) { return creat(name, mode); }

/* Writing */

static void wrote(int descriptor, int64_t offset, const struct iovec *parts, int count, ssize_t size) {
    char path[PATH_MAX];
    int is_output = descriptor == 1;
    const char *place = path_of(descriptor, path);
    if (size <= 0 || trace < 0 || (!place && !is_output)) return;
    char *bytes = malloc((size_t)size);
    if (!bytes) abort();
    size_t copied = 0;
    for (int index = 0; index < count && copied < (size_t)size; index++) {
        size_t part = parts[index].iov_len;
        if (part > (size_t)size - copied) part = (size_t)size - copied;
        memcpy(bytes + copied, parts[index].iov_base, part);
        copied += part;
    }
    if (place) {
        record(WRITTEN, inode_of(descriptor), offset, place, "", bytes, (size_t)size);
    } else {
        record(PRINTED, 0, 0, "", "", bytes, (size_t)size);
    }
    free(bytes);
}

static ssize_t written(int descriptor, const struct iovec *parts, int count) {
    enter();
    ssize_t size = REAL(writev)(descriptor, parts, count);
    int kept = errno;
    /* Where it was written is before where the descriptor stands now, also with O_APPEND. */
    if (size > 0) wrote(descriptor, lseek(descriptor, 0, SEEK_CUR) - size, parts, count, size);
    errno = kept;
    leave();
    return size;
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
    struct iovec part = {(void *)bytes, size};
    return written(descriptor, &part, 1);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    return written(descriptor, parts, count);
}

static ssize_t placed(int descriptor, const struct iovec *parts, int count, off64_t offset) {
    enter();
    ssize_t size = REAL(pwritev64)(descriptor, parts, count, offset);
    int kept = errno;
    if (size > 0) wrote(descriptor, offset, parts, count, size);
    errno = kept;
    leave();
    return size;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset) {
    struct iovec part = {(void *)bytes, size};
    return placed(descriptor, &part, 1, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
    return pwrite64(descriptor, bytes, size, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    return placed(descriptor, parts, count, offset);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
    return placed(descriptor, parts, count, offset);
}

static void sized(int descriptor) {
    char path[PATH_MAX];
    struct stat status;
    const char *place = path_of(descriptor, path);
    if (place && fstat(descriptor, &status) == 0)
        record(TRUNCATED, status.st_ino, status.st_size, place, "", "", 0);
}

#define SIZING(call) \
    enter(); \
    int result = call; \
    int kept = errno; \
    if (result == 0) sized(descriptor); \
    errno = kept; \
    leave(); \
    return result;

int ftruncate64(int descriptor, off64_t size) { SIZING(REAL(ftruncate64)(descriptor, size)) }
int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

/* Ranges that read as zeros, and sizes: holes punched into data are not known to the model. */
int fallocate64(int descriptor, int mode, off64_t offset, off64_t size) {
    SIZING(REAL(fallocate64)(descriptor, mode, offset, size))
}

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
    return fallocate64(descriptor, mode, offset, size);
}

int posix_fallocate64(int descriptor, off64_t offset, off64_t size) {
    SIZING(REAL(posix_fallocate64)(descriptor, offset, size))
}

int posix_fallocate(int descriptor, off_t offset, off_t size) {
    return posix_fallocate64(descriptor, offset, size);
}

int truncate64(const char *name, off64_t size) {
    char path[PATH_MAX];
    struct stat status;
    enter();
    const char *place = resolve(AT_FDCWD, name, path);
    int result = REAL(truncate64)(name, size);
    int kept = errno;
    if (result == 0 && place && stat(path, &status) == 0)
        record(TRUNCATED, status.st_ino, size, place, "", "", 0);
    errno = kept;
    leave();
    return result;
}

int truncate(const char *name, off_t size) { return truncate64(name, size); }

/* Syncing */

static int fails(const char *place) {
    const char *at = getenv("DISK_TRACE_FAIL_SYNC");
    size_t length = strlen(place);
    if (!at || length < 4 || strcmp(place + length - 4, "-wal") != 0) return 0;
    return ++syncs == atoi(at);
}

static int syncing(int descriptor, int (*sync)(int)) {
    char path[PATH_MAX];
    enter();
    const char *place = path_of(descriptor, path);
    int result;
    if (place && fails(place)) {
        record(SYNC_FAILED, inode_of(descriptor), 0, place, "", "", 0);
        if (getenv("DISK_TRACE_FAIL_KILL")) kill(getpid(), SIGKILL);
        errno = EIO;
        result = -1;
    } else {
        result = sync(descriptor);
        int kept = errno;
        if (result == 0 && place)
            record(
                is_folder(descriptor) ? FOLDER_SYNCED : SYNCED, inode_of(descriptor), 0, place, "",
                "", 0
            );
        errno = kept;
    }
    leave();
    return result;
}

int fsync(int descriptor) { return syncing(descriptor, REAL(fsync)); }
int fdatasync(int descriptor) { return syncing(descriptor, REAL(fdatasync)); }

int syncfs(int descriptor) {
    enter();
    int result = REAL(syncfs)(descriptor);
    if (trace >= 0) record(UNKNOWN, 0, 0, "syncfs", "", "", 0);
    leave();
    return result;
}

/* Names */

static int naming(
    enum kind kind, int from_at, const char *from, int to_at, const char *to, int result,
    const char *from_place, const char *to_place
) {
    int kept = errno;
    struct stat status;
    if (result == 0 && (from_place || to_place)) {
        uint64_t inode = fstatat(to_at, to, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino : 0;
        /* Only what stays below the folder can be modelled; a link's source may have no name there. */
        int is_known = to_place && (from_place || kind == LINKED);
        record(
            is_known ? kind : UNKNOWN, inode, 0, from_place ? from_place : "",
            to_place ? to_place : "", "", 0
        );
    }
    (void)from_at;
    (void)from;
    errno = kept;
    leave();
    return result;
}

#define NAMING(kind, from_at, from, to_at, to, call) \
    char from_path[PATH_MAX], to_path[PATH_MAX]; \
    enter(); \
    const char *from_place = resolve(from_at, from, from_path); \
    const char *to_place = resolve(to_at, to, to_path); \
    return naming(kind, from_at, from, to_at, to, call, from_place, to_place);

int rename(const char *from, const char *to) {
    NAMING(RENAMED, AT_FDCWD, from, AT_FDCWD, to, REAL(rename)(from, to))
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    NAMING(RENAMED, from_at, from, to_at, to, REAL(renameat)(from_at, from, to_at, to))
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    NAMING(
        flags & RENAME_EXCHANGE ? UNKNOWN : RENAMED, from_at, from, to_at, to,
        REAL(renameat2)(from_at, from, to_at, to, flags)
    )
}

int link(const char *from, const char *to) {
    NAMING(LINKED, AT_FDCWD, from, AT_FDCWD, to, REAL(link)(from, to))
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    NAMING(LINKED, from_at, from, to_at, to, REAL(linkat)(from_at, from, to_at, to, flags))
}

static int removing(enum kind kind, int at, const char *name, int flags) {
    char path[PATH_MAX];
    enter();
    const char *place = resolve(at, name, path);
    int result = REAL(unlinkat)(at, name, flags);
    int kept = errno;
    if (result == 0 && place) record(kind, 0, 0, place, "", "", 0);
    errno = kept;
    leave();
    return result;
}

int unlink(const char *name) { return removing(UNLINKED, AT_FDCWD, name, 0); }
int rmdir(const char *name) { return removing(FOLDER_REMOVED, AT_FDCWD, name, AT_REMOVEDIR); }

int unlinkat(int at, const char *name, int flags) {
    return removing(flags & AT_REMOVEDIR ? FOLDER_REMOVED : UNLINKED, at, name, flags);
}

int mkdirat(int at, const char *name, mode_t mode) {
    char path[PATH_MAX];
    enter();
    const char *place = resolve(at, name, path);
    int result = REAL(mkdirat)(at, name, mode);
    int kept = errno;
    if (result == 0 && place) record(FOLDER_MADE, 0, 0, place, "", "", 0);
    errno = kept;
    leave();
    return result;
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
