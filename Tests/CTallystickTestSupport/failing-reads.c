#include "CTallystickTestSupport.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

// A layer over the default VFS (sqlite.org/vfs.html) that fails one read of one file on request, and passes every
// other call through.

typedef struct {
    sqlite3_file base;
    int is_target;
    sqlite3_file *real;
} File;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs layer;
static sqlite3_vfs *real_vfs;
static char target[1024];
static int failing_code;
static long long reads_left = -1;
static long long reads_seen;

static sqlite3_file *real(sqlite3_file *file) { return ((File *)file)->real; }

static int read_file(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    if (((File *)file)->is_target) {
        pthread_mutex_lock(&mutex);
        reads_seen++;
        int fails = reads_left == 0;
        if (reads_left >= 0) reads_left--;
        int code = failing_code;
        pthread_mutex_unlock(&mutex);
        if (fails) return code;
    }
    return real(file)->pMethods->xRead(real(file), bytes, count, offset);
}

static int close_file(sqlite3_file *file) { return real(file)->pMethods->xClose(real(file)); }
static int write_file(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    return real(file)->pMethods->xWrite(real(file), bytes, count, offset);
}
static int truncate_file(sqlite3_file *file, sqlite3_int64 size) {
    return real(file)->pMethods->xTruncate(real(file), size);
}
static int sync_file(sqlite3_file *file, int flags) {
    return real(file)->pMethods->xSync(real(file), flags);
}
static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real(file)->pMethods->xFileSize(real(file), size);
}
static int lock_file(sqlite3_file *file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
}
static int unlock_file(sqlite3_file *file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
}
static int check_lock(sqlite3_file *file, int *result) {
    return real(file)->pMethods->xCheckReservedLock(real(file), result);
}
static int control_file(sqlite3_file *file, int operation, void *argument) {
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}
static int sector_size(sqlite3_file *file) { return real(file)->pMethods->xSectorSize(real(file)); }
static int characteristics(sqlite3_file *file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
static int map_shared(sqlite3_file *file, int page, int size, int extends, void volatile **map) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extends, map);
}
static int lock_shared(sqlite3_file *file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
static void barrier(sqlite3_file *file) { real(file)->pMethods->xShmBarrier(real(file)); }
static int unmap_shared(sqlite3_file *file, int deletes) {
    return real(file)->pMethods->xShmUnmap(real(file), deletes);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = barrier,
    .xShmUnmap = unmap_shared,
};

static int open_file(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out) {
    (void)vfs;
    File *opened = (File *)file;
    opened->base.pMethods = NULL;
    opened->real = (sqlite3_file *)(opened + 1);
    pthread_mutex_lock(&mutex);
    opened->is_target = name && target[0] && strncmp(name, target, strlen(target)) == 0;
    pthread_mutex_unlock(&mutex);
    int code = real_vfs->xOpen(real_vfs, name, opened->real, flags, flags_out);
    if (opened->real->pMethods) opened->base.pMethods = &methods;
    return code;
}

static void install(void) {
    real_vfs = sqlite3_vfs_find(NULL);
    layer = *real_vfs;
    layer.zName = "tally-failing-reads";
    layer.szOsFile = (int)sizeof(File) + real_vfs->szOsFile;
    layer.pNext = NULL;
    layer.xOpen = open_file;
    sqlite3_vfs_register(&layer, 1);
}

void tally_fail_read(const char *path, long long reads, int code) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    pthread_mutex_lock(&mutex);
    target[0] = 0;
    strncat(target, path, sizeof target - 1);
    reads_left = reads;
    reads_seen = 0;
    failing_code = code;
    pthread_mutex_unlock(&mutex);
}

long long tally_reads_seen(void) {
    pthread_mutex_lock(&mutex);
    long long seen = reads_seen;
    pthread_mutex_unlock(&mutex);
    return seen;
}
