#include "baseline.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *tally_baseline_sqlite_version(void) { return sqlite3_libversion(); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bind_text(sqlite3_stmt *s, int i, tally_text t) {
    if (t.bytes) sqlite3_bind_text(s, i, t.bytes, (int)t.count, SQLITE_STATIC);
    else sqlite3_bind_null(s, i);
}

static int run(sqlite3_stmt *s) {
    int code = sqlite3_step(s);
    int reset = sqlite3_reset(s);
    return code == SQLITE_DONE ? reset : code;
}

static int open_store(const char *path, int page_size, const char *schema, sqlite3 **db) {
    int code = sqlite3_open(path, db);
    if (code) return code;
    char *sql = sqlite3_mprintf(
        "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA cache_size = -65536;", page_size);
    code = sqlite3_exec(*db, sql, 0, 0, 0);
    sqlite3_free(sql);
    if (!code && schema) code = sqlite3_exec(*db, schema, 0, 0, 0);
    /* The library's own connection runs without the guards as well. */
    if (!code) code = sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)0);
    return code;
}

int tally_baseline_ingest(const char *path, const char *schema, int page_size, int use_append_loop,
                          const tally_row *rows, int64_t count, const tally_name *names,
                          int64_t name_count, int64_t batch, double *last_tenth_seconds) {
    sqlite3 *db = 0;
    sqlite3_stmt *event = 0, *identity = 0, *revision = 0, *stream = 0;
    int code = open_store(path, page_size, schema, &db);
    char *known = calloc((size_t)name_count + 1, 1);
    double tenth = 0;
    if (!code)
        code = sqlite3_prepare_v3(
            db,
            "INSERT INTO events (position, source_id, event_id, stream_id, revision, type_id,"
            " category_id, origin_id, recorded_at, checksum_algorithm, checksum_key_id, checksum,"
            " subject, time, data_content_type, attributes, delivery_attributes, data)"
            " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,NULL,?11,?12,?13,?14,?15,?16,?17)",
            -1, SQLITE_PREPARE_PERSISTENT, &event, 0);
    if (!code)
        code = sqlite3_prepare_v3(
            db, "INSERT INTO event_identities (event_id, source_id, position) VALUES (?1,?2,?3)", -1,
            SQLITE_PREPARE_PERSISTENT, &identity, 0);
    if (!code)
        code = sqlite3_prepare_v3(
            db, "INSERT INTO stream_revisions (stream_id, revision, position) VALUES (?1,?2,?3)", -1,
            SQLITE_PREPARE_PERSISTENT, &revision, 0);
    if (!code)
        code = sqlite3_prepare_v3(db, "INSERT INTO streams (stream_id, name) VALUES (?1,?2)", -1,
                                  SQLITE_PREPARE_PERSISTENT, &stream, 0);
    if (use_append_loop) batch = 1;
    for (int64_t i = 0; !code && i < count; i++) {
        const tally_row *r = &rows[i];
        if (i % batch == 0) code = sqlite3_exec(db, "BEGIN IMMEDIATE", 0, 0, 0);
        if (i == count - count / 10) tenth = now();
        if (!code && !known[r->stream]) {
            known[r->stream] = 1;
            sqlite3_bind_int64(stream, 1, names[r->stream].id);
            bind_text(stream, 2, names[r->stream].name);
            code = run(stream);
        }
        if (code) break;
        sqlite3_bind_int64(event, 1, i + 1);
        sqlite3_bind_int64(event, 2, r->source_id);
        bind_text(event, 3, r->id);
        sqlite3_bind_int64(event, 4, names[r->stream].id);
        sqlite3_bind_int64(event, 5, r->revision);
        sqlite3_bind_int64(event, 6, r->type_id);
        sqlite3_bind_int64(event, 7, r->category_id);
        sqlite3_bind_int64(event, 8, r->origin_id);
        sqlite3_bind_int64(event, 9, r->recorded_at);
        bind_text(event, 10, r->algorithm);
        sqlite3_bind_blob(event, 11, r->checksum.bytes, (int)r->checksum.count, SQLITE_STATIC);
        bind_text(event, 12, r->subject);
        bind_text(event, 13, r->time);
        bind_text(event, 14, r->content_type);
        bind_text(event, 15, r->attributes);
        bind_text(event, 16, r->delivery);
        bind_text(event, 17, r->data);
        code = run(event);
        if (code) break;
        bind_text(identity, 1, r->id);
        sqlite3_bind_int64(identity, 2, r->source_id);
        sqlite3_bind_int64(identity, 3, i + 1);
        code = run(identity);
        if (code) break;
        sqlite3_bind_int64(revision, 1, names[r->stream].id);
        sqlite3_bind_int64(revision, 2, r->revision);
        sqlite3_bind_int64(revision, 3, i + 1);
        code = run(revision);
        if (!code && (i % batch == batch - 1 || i == count - 1))
            code = sqlite3_exec(db, "COMMIT", 0, 0, 0);
    }
    sqlite3_finalize(event);
    sqlite3_finalize(identity);
    sqlite3_finalize(revision);
    sqlite3_finalize(stream);
    free(known);
    /* The last connection's close writes the log back, as the library's close does. */
    if (!code) code = sqlite3_close(db);
    else sqlite3_close(db);
    if (last_tenth_seconds) *last_tenth_seconds = tenth > 0 ? now() - tenth : 0;
    return code;
}

int tally_baseline_replay(const char *path, const char *setup, const char *statement, int64_t type_id,
                          int64_t batch, int64_t *applied) {
    sqlite3 *db = 0;
    sqlite3_stmt *read = 0, *apply = 0;
    int code = open_store(path, 4096, setup, &db);
    if (!code)
        code = sqlite3_prepare_v2(
            db, "SELECT position, type_id, data FROM events WHERE position > ?1 ORDER BY position"
                " LIMIT ?2", -1, &read, 0);
    if (!code) code = sqlite3_prepare_v2(db, statement, -1, &apply, 0);
    int position_index = code ? 0 : sqlite3_bind_parameter_index(apply, ":position");
    int data_index = code ? 0 : sqlite3_bind_parameter_index(apply, ":data");
    int64_t position = 0, rows = 1;
    *applied = 0;
    while (!code && rows > 0) {
        rows = 0;
        code = sqlite3_exec(db, "BEGIN IMMEDIATE", 0, 0, 0);
        sqlite3_bind_int64(read, 1, position);
        sqlite3_bind_int64(read, 2, batch);
        while (!code && sqlite3_step(read) == SQLITE_ROW) {
            rows++;
            position = sqlite3_column_int64(read, 0);
            if (type_id != 0 && sqlite3_column_int64(read, 1) != type_id) continue;
            if (position_index) sqlite3_bind_int64(apply, position_index, position);
            if (data_index)
                sqlite3_bind_text(apply, data_index, (const char *)sqlite3_column_text(read, 2),
                                  sqlite3_column_bytes(read, 2), SQLITE_STATIC);
            code = run(apply);
            (*applied)++;
        }
        sqlite3_reset(read);
        if (!code) code = sqlite3_exec(db, "COMMIT", 0, 0, 0);
    }
    sqlite3_finalize(read);
    sqlite3_finalize(apply);
    sqlite3_close(db);
    return code;
}
