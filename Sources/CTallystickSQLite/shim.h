#ifndef TALLYSTICK_SQLITE_SHIM_H
#define TALLYSTICK_SQLITE_SHIM_H

#include <sqlite3.h>

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

static inline void tally_prefetch(const void *address) { __builtin_prefetch(address); }

#endif
