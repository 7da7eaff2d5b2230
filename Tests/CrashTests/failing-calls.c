/* Loaded before the C library. Counts a program's calls by class, and makes one of them fail, or all from one on.

   FAIL_REPORT   a file that receives the counts (one unsigned 64-bit number per class, in the order of `classes`
                 below) and, from byte 1024 on, a line about the call that was made to fail
   FAIL_CLASS    the name of the class whose call fails; without it calls are only counted
   FAIL_AT       its number, from 1; with FAIL_STICKY=1 every later one fails too
   FAIL_ERRNO    the error's number; 0 makes a read or a write transfer only half of its bytes
   FAIL_PATH     count only the calls on files whose path ends like this
   FAIL_DROP     when a sync fails, put back what the file held at its last sync, as a disk that drops the pages
   FAIL_LIE      report a failed sync as a success: what a campaign must notice
   FAIL_TRACE    with 1, the report goes on at byte 4096 with two 64-bit numbers for each call: its class (the highest
                 eight bits) and number, and a hash of the stack that it was made from, the same in every run
   FAIL_SECONDS  end the program with SIGALRM after so many seconds: it hangs

   Calls count from the beginning of main, in this process alone (its children run undisturbed), and only where the
   program, Foundation or SQLite makes them: not the loader, the C library and the runtime of Swift.
   Of the allocations SQLite's count: a Swift program cannot survive its own. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OPEN, READ, WRITE, SYNC, TRUNCATE, ALLOCATE, RENAME, LINK, UNLINK, MAP, LOCK, STAT, CLOSE, FOLDER, LIST, MODE,
    THREAD, RANDOM, SPAWN, WAIT, MEMORY, CLASSES
};
static const char *const classes[CLASSES] = {
    "open", "read", "write", "sync", "truncate", "allocate", "rename", "link", "unlink", "map", "lock", "stat",
    "close", "folder", "list", "mode", "thread", "random", "spawn", "wait", "memory"
};

#define REPORT_SIZE 4096
#define LINE_OFFSET 1024
#define TRACE_LENGTH (1 << 20)

static struct {
    int class, error, sticky, drop, lie;
    uint64_t at;
    const char *path;
    _Atomic uint64_t *counts;
    char *line;
    uint64_t (*trace)[2];
} plan = {.class = -1};
static atomic_int is_active;
static atomic_int is_fired;

/* Where code lies whose calls count. */
static struct { uintptr_t from, to; } counted[8], sqlite;
static int counted_count;

#define REAL(name) ({ \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    real; })

/* MARK: The plan */

static int find(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size, (void)data;
    const char *name = info->dlpi_name ? info->dlpi_name : "";
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    int is_sqlite = strncmp(base, "libsqlite3", 10) == 0;
    if (*base && !is_sqlite && strncmp(base, "libFoundation", 13) != 0) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || counted_count == 8) continue;
        counted[counted_count].from = info->dlpi_addr + part->p_vaddr;
        counted[counted_count].to = counted[counted_count].from + part->p_memsz;
        if (is_sqlite) sqlite.from = counted[counted_count].from, sqlite.to = counted[counted_count].to;
        counted_count++;
    }
    return 0;
}

static const char *value(const char *name) {
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static void read_plan(void) {
    dl_iterate_phdr(find, NULL);
    const char *report = value("FAIL_REPORT"), *class = value("FAIL_CLASS");
    for (int i = 0; class && i < CLASSES; i++) if (!strcmp(classes[i], class)) plan.class = i;
    if (class && plan.class < 0) {
        fprintf(stderr, "failing-calls: there is no class %s\n", class);
        _exit(125);
    }
    plan.at = value("FAIL_AT") ? strtoull(value("FAIL_AT"), NULL, 10) : 0;
    plan.error = value("FAIL_ERRNO") ? atoi(value("FAIL_ERRNO")) : EIO;
    plan.sticky = value("FAIL_STICKY") != NULL;
    plan.drop = value("FAIL_DROP") != NULL;
    plan.lie = value("FAIL_LIE") != NULL;
    plan.path = value("FAIL_PATH") ? strdup(value("FAIL_PATH")) : NULL;
    int is_traced = value("FAIL_TRACE") != NULL;
    size_t size = REPORT_SIZE + (is_traced ? TRACE_LENGTH * sizeof *plan.trace : 0);
    void *memory = MAP_FAILED;
    if (report) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, report, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file >= 0 && syscall(SYS_ftruncate, file, size) == 0)
            memory = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (file >= 0) syscall(SYS_close, file);
    } else {
        memory = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (memory == MAP_FAILED) _exit(125);
    plan.counts = memory;
    plan.line = (char *)memory + LINE_OFFSET;
    if (is_traced) {
        plan.trace = (void *)((char *)memory + REPORT_SIZE);
        /* Loads what unwinds stacks. */
        void *frame;
        backtrace(&frame, 1);
    }
    if (value("FAIL_SECONDS")) alarm((unsigned)atoi(value("FAIL_SECONDS")));
    /* Programs that are started run undisturbed. */
    static const char *const names[] = {
        "LD_PRELOAD", "FAIL_REPORT", "FAIL_CLASS", "FAIL_AT", "FAIL_ERRNO", "FAIL_STICKY", "FAIL_DROP", "FAIL_LIE",
        "FAIL_PATH", "FAIL_SECONDS", "FAIL_TRACE"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
}

static int (*program)(int, char **, char **);

static int begin(int count, char **words, char **environment) {
    read_plan();
    atomic_store(&is_active, 1);
    return program(count, words, environment);
}

int __libc_start_main(
    int (*main)(int, char **, char **), int count, char **words, void (*init)(void), void (*fini)(void),
    void (*rtld_fini)(void), void *stack
) {
    __typeof__(&__libc_start_main) real = (__typeof__(&__libc_start_main))dlsym(RTLD_NEXT, "__libc_start_main");
    program = main;
    return real(begin, count, words, init, fini, rtld_fini, stack);
}

/* MARK: Counting */

static int path_of(int descriptor, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    long length = syscall(SYS_readlink, link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

static int ends(const char *path, const char *end) {
    size_t length = strlen(path), of_end = strlen(end);
    return length >= of_end && !strcmp(path + length - of_end, end);
}

/* Deep enough to tell callers apart, and not how deep a recursion was. */
#define DEPTH 12

static void trace(int class, uint64_t number) {
    static _Atomic uint64_t length;
    void *frames[DEPTH];
    uint64_t index = atomic_fetch_add(&length, 1), hash = 14695981039346656037u;
    if (index >= TRACE_LENGTH) return;
    int count = backtrace(frames, DEPTH);
    for (int i = 2; i < count; i++) {
        struct dl_find_object module;
        uintptr_t place = (uintptr_t)frames[i];
        if (!_dl_find_object(frames[i], &module)) place -= module.dlfo_link_map->l_addr;
        hash = (hash ^ place) * 1099511628211u;
    }
    plan.trace[index][0] = (uint64_t)class << 56 | number;
    plan.trace[index][1] = hash;
}

/* Whether this call fails. `path` is NULL where a call has a descriptor only. */
static int fails(int class, const char *call, const char *path, int descriptor, void *caller) {
    if (!atomic_load_explicit(&is_active, memory_order_relaxed)) return 0;
    uintptr_t from = (uintptr_t)caller;
    int is_counted = 0;
    if (class == MEMORY) is_counted = from >= sqlite.from && from < sqlite.to;
    /* Threads are started by Dispatch on behalf of all. */
    else if (class == THREAD) is_counted = 1;
    else for (int i = 0; i < counted_count && !is_counted; i++) is_counted = from >= counted[i].from && from < counted[i].to;
    if (!is_counted) return 0;
    int saved = errno;
    char name[1024] = "";
    if (plan.path) {
        if (!path && descriptor >= 0 && path_of(descriptor, name, sizeof name)) path = name;
        if (!path || !ends(path, plan.path)) return errno = saved, 0;
    }
    uint64_t number = atomic_fetch_add(&plan.counts[class], 1) + 1;
    static _Thread_local int is_tracing;
    if (plan.trace && !is_tracing) {
        is_tracing = 1;
        trace(class, number);
        is_tracing = 0;
    }
    if (class != plan.class || (plan.sticky ? number < plan.at : number != plan.at)) return errno = saved, 0;
    if (!atomic_exchange(&is_fired, 1)) {
        if (!path && descriptor >= 0 && path_of(descriptor, name, sizeof name)) path = name;
        snprintf(plan.line, REPORT_SIZE - LINE_OFFSET, "%s %s", call, path ? path : "");
    }
    errno = plan.error ? plan.error : saved;
    return 1;
}

#define HERE __builtin_return_address(0)
#define FAILS(class, path, descriptor) fails(class, __func__, path, descriptor, HERE)

/* MARK: What a disk forgets */

struct change {
    struct change *earlier;
    dev_t device;
    ino_t file;
    off_t offset;
    size_t length;
    char bytes[];
};
static struct change *changes;
static pthread_mutex_t changes_lock = PTHREAD_MUTEX_INITIALIZER;

/* Keeps what a file holds where it is about to be written. */
static void remember(int descriptor, off_t offset, size_t length) {
    struct stat status;
    if (!plan.drop || !atomic_load(&is_active) || !length) return;
    int saved = errno;
    if (REAL(fstat)(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        if (offset < 0) offset = REAL(lseek)(descriptor, 0, SEEK_CUR);
        struct change *change = calloc(1, sizeof *change + length);
        if (change) {
            *change = (struct change){.device = status.st_dev, .file = status.st_ino, .offset = offset, .length = length};
            /* A file that is open for writing only cannot be read: its bytes are then zeros. */
            if (syscall(SYS_pread64, descriptor, change->bytes, length, offset) < 0) memset(change->bytes, 0, length);
            pthread_mutex_lock(&changes_lock);
            change->earlier = changes, changes = change;
            pthread_mutex_unlock(&changes_lock);
        }
    }
    errno = saved;
}

/* What is not synced is forgotten, newest first, or what is synced is kept. */
static void settle(int descriptor, int is_forgotten) {
    struct stat status;
    if (!plan.drop || !changes) return;
    int saved = errno;
    if (REAL(fstat)(descriptor, &status) == 0) {
        pthread_mutex_lock(&changes_lock);
        for (struct change **place = &changes; *place;) {
            struct change *change = *place;
            if (change->device != status.st_dev || change->file != status.st_ino) {
                place = &change->earlier;
                continue;
            }
            if (is_forgotten) syscall(SYS_pwrite64, descriptor, change->bytes, change->length, change->offset);
            *place = change->earlier;
            free(change);
        }
        pthread_mutex_unlock(&changes_lock);
    }
    errno = saved;
}

/* MARK: Opening and closing */

#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list list; \
            va_start(list, flags); \
            mode = va_arg(list, mode_t); \
            va_end(list); \
        } \
        return FAILS(OPEN, path, -1) ? -1 : REAL(name)(path, flags, mode); \
    }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list list; \
            va_start(list, flags); \
            mode = va_arg(list, mode_t); \
            va_end(list); \
        } \
        return FAILS(OPEN, path, -1) ? -1 : REAL(name)(folder, path, flags, mode); \
    }
OPENING_AT(openat)
OPENING_AT(openat64)

FILE *fopen(const char *path, const char *mode) {
    return FAILS(OPEN, path, -1) ? NULL : REAL(fopen)(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
    return FAILS(OPEN, path, -1) ? NULL : REAL(fopen64)(path, mode);
}
int dup(int descriptor) { return FAILS(OPEN, NULL, descriptor) ? -1 : REAL(dup)(descriptor); }
int dup2(int from, int to) { return FAILS(OPEN, NULL, from) ? -1 : REAL(dup2)(from, to); }
int dup3(int from, int to, int flags) { return FAILS(OPEN, NULL, from) ? -1 : REAL(dup3)(from, to, flags); }
int pipe(int ends[2]) { return FAILS(OPEN, "pipe", -1) ? -1 : REAL(pipe)(ends); }
int pipe2(int ends[2], int flags) { return FAILS(OPEN, "pipe", -1) ? -1 : REAL(pipe2)(ends, flags); }

/* Linux closes the descriptor whatever it answers. */
int close(int descriptor) {
    int fail = FAILS(CLOSE, NULL, descriptor), error = errno, result = REAL(close)(descriptor);
    if (!fail) return result;
    errno = error;
    return -1;
}
int fclose(FILE *file) {
    int fail = FAILS(CLOSE, NULL, fileno(file)), error = errno, result = REAL(fclose)(file);
    if (!fail) return result;
    errno = error;
    return EOF;
}

/* MARK: Reading and writing */

static size_t half(size_t length) { return length > 1 ? length / 2 : length; }

ssize_t read(int descriptor, void *bytes, size_t length) {
    if (FAILS(READ, NULL, descriptor)) {
        if (plan.error) return -1;
        length = half(length);
    }
    return REAL(read)(descriptor, bytes, length);
}

#define READING_AT(name, type) \
    ssize_t name(int descriptor, void *bytes, size_t length, type offset) { \
        if (FAILS(READ, NULL, descriptor)) { \
            if (plan.error) return -1; \
            length = half(length); \
        } \
        return REAL(name)(descriptor, bytes, length, offset); \
    }
READING_AT(pread, off_t)
READING_AT(pread64, off64_t)

size_t fread(void *bytes, size_t size, size_t count, FILE *file) {
    if (FAILS(READ, NULL, fileno(file))) {
        if (plan.error) {
            /* As the C library does: the flag is set, and nothing is read. */
            file->_flags |= 0x20;
            return 0;
        }
        count = half(count);
    }
    return REAL(fread)(bytes, size, count, file);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    if (FAILS(WRITE, NULL, descriptor)) {
        if (plan.error) return -1;
        length = half(length);
    }
    remember(descriptor, -1, length);
    return REAL(write)(descriptor, bytes, length);
}

#define WRITING_AT(name, type) \
    ssize_t name(int descriptor, const void *bytes, size_t length, type offset) { \
        if (FAILS(WRITE, NULL, descriptor)) { \
            if (plan.error) return -1; \
            length = half(length); \
        } \
        remember(descriptor, offset, length); \
        return REAL(name)(descriptor, bytes, length, offset); \
    }
WRITING_AT(pwrite, off_t)
WRITING_AT(pwrite64, off64_t)

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file) {
    if (FAILS(WRITE, NULL, fileno(file))) {
        if (plan.error) {
            file->_flags |= 0x20;
            return 0;
        }
        count = half(count);
    }
    return REAL(fwrite)(bytes, size, count, file);
}
int fflush(FILE *file) {
    return file && FAILS(WRITE, NULL, fileno(file)) && plan.error ? EOF : REAL(fflush)(file);
}

/* MARK: Syncing and sizes */

#define SYNCING(name) \
    int name(int descriptor) { \
        if (FAILS(SYNC, NULL, descriptor)) { \
            int error = errno; \
            settle(descriptor, 1); \
            errno = error; \
            return plan.lie ? 0 : -1; \
        } \
        int result = REAL(name)(descriptor); \
        if (result == 0) settle(descriptor, 0); \
        return result; \
    }
SYNCING(fsync)
SYNCING(fdatasync)

#define SIZING(name, type) \
    int name(int descriptor, type length) { \
        return FAILS(TRUNCATE, NULL, descriptor) ? -1 : REAL(name)(descriptor, length); \
    }
SIZING(ftruncate, off_t)
SIZING(ftruncate64, off64_t)
int truncate(const char *path, off_t length) {
    return FAILS(TRUNCATE, path, -1) ? -1 : REAL(truncate)(path, length);
}

int fallocate(int descriptor, int mode, off_t from, off_t length) {
    return FAILS(ALLOCATE, NULL, descriptor) ? -1 : REAL(fallocate)(descriptor, mode, from, length);
}
int posix_fallocate(int descriptor, off_t from, off_t length) {
    return FAILS(ALLOCATE, NULL, descriptor) ? errno : REAL(posix_fallocate)(descriptor, from, length);
}
int posix_fallocate64(int descriptor, off64_t from, off64_t length) {
    return FAILS(ALLOCATE, NULL, descriptor) ? errno : REAL(posix_fallocate64)(descriptor, from, length);
}

/* MARK: Names */

int rename(const char *from, const char *to) {
    return FAILS(RENAME, to, -1) ? -1 : REAL(rename)(from, to);
}
int renameat(int at, const char *from, int beside, const char *to) {
    return FAILS(RENAME, to, -1) ? -1 : REAL(renameat)(at, from, beside, to);
}
int renameat2(int at, const char *from, int beside, const char *to, unsigned flags) {
    return FAILS(RENAME, to, -1) ? -1 : REAL(renameat2)(at, from, beside, to, flags);
}
int link(const char *from, const char *to) { return FAILS(LINK, to, -1) ? -1 : REAL(link)(from, to); }
int linkat(int at, const char *from, int beside, const char *to, int flags) {
    return FAILS(LINK, to, -1) ? -1 : REAL(linkat)(at, from, beside, to, flags);
}
int symlink(const char *from, const char *to) { return FAILS(LINK, to, -1) ? -1 : REAL(symlink)(from, to); }
int unlink(const char *path) { return FAILS(UNLINK, path, -1) ? -1 : REAL(unlink)(path); }
int unlinkat(int folder, const char *path, int flags) {
    return FAILS(UNLINK, path, -1) ? -1 : REAL(unlinkat)(folder, path, flags);
}
int rmdir(const char *path) { return FAILS(UNLINK, path, -1) ? -1 : REAL(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { return FAILS(FOLDER, path, -1) ? -1 : REAL(mkdir)(path, mode); }
char *mkdtemp(char *path) { return FAILS(FOLDER, path, -1) ? NULL : REAL(mkdtemp)(path); }
char *getcwd(char *path, size_t size) { return FAILS(FOLDER, "getcwd", -1) ? NULL : REAL(getcwd)(path, size); }
char *realpath(const char *path, char *resolved) {
    return FAILS(FOLDER, path, -1) ? NULL : REAL(realpath)(path, resolved);
}
DIR *opendir(const char *path) { return FAILS(LIST, path, -1) ? NULL : REAL(opendir)(path); }
DIR *fdopendir(int descriptor) { return FAILS(LIST, NULL, descriptor) ? NULL : REAL(fdopendir)(descriptor); }
struct dirent *readdir(DIR *folder) {
    return FAILS(LIST, NULL, dirfd(folder)) ? NULL : REAL(readdir)(folder);
}

/* MARK: Facts about files */

#define STATING(name, type) \
    int name(const char *path, type *status) { \
        return FAILS(STAT, path, -1) ? -1 : REAL(name)(path, status); \
    }
STATING(stat, struct stat)
STATING(stat64, struct stat64)
STATING(lstat, struct stat)
STATING(lstat64, struct stat64)

#define STATING_OPEN(name, type) \
    int name(int descriptor, type *status) { \
        return FAILS(STAT, NULL, descriptor) ? -1 : REAL(name)(descriptor, status); \
    }
STATING_OPEN(fstat, struct stat)
STATING_OPEN(fstat64, struct stat64)
int fstatat(int folder, const char *path, struct stat *status, int flags) {
    return FAILS(STAT, path, -1) ? -1 : REAL(fstatat)(folder, path, status, flags);
}
int access(const char *path, int mode) { return FAILS(STAT, path, -1) ? -1 : REAL(access)(path, mode); }
int statvfs(const char *path, struct statvfs *status) {
    return FAILS(STAT, path, -1) ? -1 : REAL(statvfs)(path, status);
}
ssize_t readlink(const char *path, char *bytes, size_t length) {
    return FAILS(STAT, path, -1) ? -1 : REAL(readlink)(path, bytes, length);
}
off_t lseek(int descriptor, off_t offset, int from) {
    return FAILS(STAT, NULL, descriptor) ? -1 : REAL(lseek)(descriptor, offset, from);
}

int fchmod(int descriptor, mode_t mode) { return FAILS(MODE, NULL, descriptor) ? -1 : REAL(fchmod)(descriptor, mode); }
int chmod(const char *path, mode_t mode) { return FAILS(MODE, path, -1) ? -1 : REAL(chmod)(path, mode); }
int fchown(int descriptor, uid_t user, gid_t group) {
    return FAILS(MODE, NULL, descriptor) ? -1 : REAL(fchown)(descriptor, user, group);
}

/* MARK: Locks and memory */

static int is_lock(int command) {
    switch (command) {
    case F_SETLK: case F_SETLKW: case F_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW: case F_OFD_GETLK: return 1;
    default: return 0;
    }
}

#define CONTROLLING(name) \
    int name(int descriptor, int command, ...) { \
        va_list list; \
        va_start(list, command); \
        void *argument = va_arg(list, void *); \
        va_end(list); \
        if (is_lock(command) && FAILS(LOCK, NULL, descriptor)) return -1; \
        return REAL(name)(descriptor, command, argument); \
    }
CONTROLLING(fcntl)
CONTROLLING(fcntl64)
int flock(int descriptor, int operation) { return FAILS(LOCK, NULL, descriptor) ? -1 : REAL(flock)(descriptor, operation); }

#define MAPPING(name, type) \
    void *name(void *at, size_t length, int protection, int flags, int descriptor, type offset) { \
        return FAILS(MAP, NULL, descriptor) ? MAP_FAILED : REAL(name)(at, length, protection, flags, descriptor, offset); \
    }
MAPPING(mmap, off_t)
MAPPING(mmap64, off64_t)

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t size) { return FAILS(MEMORY, NULL, -1) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return FAILS(MEMORY, NULL, -1) ? NULL : __libc_calloc(count, size); }
void *realloc(void *at, size_t size) { return FAILS(MEMORY, NULL, -1) ? NULL : __libc_realloc(at, size); }

/* MARK: Processes, threads, randomness */

int pthread_create(pthread_t *thread, const pthread_attr_t *options, void *(*body)(void *), void *argument) {
    return FAILS(THREAD, NULL, -1) ? errno : REAL(pthread_create)(thread, options, body, argument);
}
ssize_t getrandom(void *bytes, size_t length, unsigned flags) {
    return FAILS(RANDOM, NULL, -1) ? -1 : REAL(getrandom)(bytes, length, flags);
}
int posix_spawn(
    pid_t *child, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *options,
    char *const words[], char *const environment[]
) {
    return FAILS(SPAWN, path, -1) ? errno : REAL(posix_spawn)(child, path, actions, options, words, environment);
}
pid_t waitpid(pid_t child, int *status, int options) {
    return FAILS(WAIT, NULL, -1) ? -1 : REAL(waitpid)(child, status, options);
}
int poll(struct pollfd *files, nfds_t count, int milliseconds) {
    return FAILS(WAIT, NULL, -1) ? -1 : REAL(poll)(files, count, milliseconds);
}
