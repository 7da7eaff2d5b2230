#ifndef TALLYSTICK_SQLITE_SHIM_H
#define TALLYSTICK_SQLITE_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>

/* Swift cannot call variadic functions, nor read casts in macros, nor ask the processor to fetch. */

static inline int tally_db_config_flag(sqlite3 *db, int option, int value) {
    return sqlite3_db_config(db, option, value, (int *)0);
}

static inline int tally_bind_text_static(sqlite3_stmt *s, int i, const char *text, sqlite3_uint64 n) {
    return sqlite3_bind_text64(s, i, text, n, SQLITE_STATIC, SQLITE_UTF8);
}

static inline int tally_bind_text_copy(sqlite3_stmt *s, int i, const char *text, sqlite3_uint64 n) {
    return sqlite3_bind_text64(s, i, text, n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static inline int tally_bind_blob_static(sqlite3_stmt *s, int i, const void *bytes, sqlite3_uint64 n) {
    return sqlite3_bind_blob64(s, i, bytes, n, SQLITE_STATIC);
}

static inline int tally_bind_blob_copy(sqlite3_stmt *s, int i, const void *bytes, sqlite3_uint64 n) {
    return sqlite3_bind_blob64(s, i, bytes, n, SQLITE_TRANSIENT);
}

/* Of Linux 3.15 and later, and macOS; the headers show them only with extensions on. */
#if !defined(F_OFD_SETLK) && defined(__linux__)
#define F_OFD_SETLK 37
#endif

/* Takes a shared lock on a range of bytes that belongs to the descriptor, not to the process: closing another
   descriptor of the file does not drop it. Returns 0 or an error number. */
static inline int tally_lock_shared(int descriptor, int64_t start, int64_t count) {
#ifdef F_OFD_SETLK
    struct flock lock = {.l_type = F_RDLCK, .l_whence = 0 /* SEEK_SET */, .l_start = start, .l_len = count};
    while (fcntl(descriptor, F_OFD_SETLK, &lock) != 0) {
        if (errno != EINTR) return errno;
    }
    return 0;
#else
    (void)descriptor, (void)start, (void)count;
    return ENOTSUP;
#endif
}

/* The checksum of a write-ahead log (sqlite.org/fileformat2.html#checksum_algorithm), continued from `sums` over
   `count` bytes, a multiple of 8. `swapped`: the log's byte order is not this machine's. */
static inline void tally_wal_checksum(const void *bytes, uint64_t count, int swapped, uint32_t sums[2]) {
    const unsigned char *next = bytes, *end = next + count;
    uint32_t s0 = sums[0], s1 = sums[1];
    for (; next < end; next += 8) {
        uint32_t a, b;
        __builtin_memcpy(&a, next, 4);
        __builtin_memcpy(&b, next + 4, 4);
        if (swapped) a = __builtin_bswap32(a), b = __builtin_bswap32(b);
        s0 += a + s1;
        s1 += b + s0;
    }
    sums[0] = s0;
    sums[1] = s1;
}

static inline void tally_prefetch(const void *address) { __builtin_prefetch(address); }

#endif
