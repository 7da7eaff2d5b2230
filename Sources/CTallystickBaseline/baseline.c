#include "baseline.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

const char *tally_baseline_sqlite_version(void) { return sqlite3_libversion(); }

int64_t tally_baseline_file_system(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 ? (int64_t)status.f_type : 0;
}

struct tally_loop {
    sqlite3 *db;
    sqlite3_stmt *event, *identity, *revision, *stream;
    int64_t position;
};

static void bind_text(sqlite3_stmt *s, int i, tally_text t) {
    if (t.bytes) sqlite3_bind_text(s, i, t.bytes, (int)t.count, SQLITE_STATIC);
    else sqlite3_bind_null(s, i);
}

static int run(sqlite3_stmt *s) {
    int code = sqlite3_step(s);
    int reset = sqlite3_reset(s);
    return code == SQLITE_DONE ? reset : code;
}

static int open_store(const char *path, const char *schema, int page_size, int log_pages, sqlite3 **db) {
    int code = sqlite3_open(path, db);
    if (code) return code;
    char *sql = sqlite3_mprintf(
        "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = %d;", page_size, log_pages);
    code = sqlite3_exec(*db, sql, 0, 0, 0);
    sqlite3_free(sql);
    if (!code && schema) code = sqlite3_exec(*db, schema, 0, 0, 0);
    /* The library's own connection runs without the guards as well. */
    if (!code) code = sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)0);
    return code;
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement) {
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, 0);
}

int tally_loop_open(const char *path, const char *schema, int page_size, int log_pages,
                    tally_loop **loop) {
    tally_loop *l = *loop = calloc(1, sizeof *l);
    if (!l) return SQLITE_NOMEM;
    int code = open_store(path, schema, page_size, log_pages, &l->db);
    /* One index over all identities, as anybody would write it first. */
    if (!code)
        code = sqlite3_exec(
            l->db,
            "CREATE TABLE plain_identities (event_id TEXT NOT NULL, source_id INTEGER NOT NULL,"
            " position INTEGER NOT NULL, PRIMARY KEY (event_id, source_id)) STRICT, WITHOUT ROWID",
            0, 0, 0);
    if (!code)
        code = prepare(
            l->db,
            "INSERT INTO events (position, source_id, event_id, stream_id, revision, type_id,"
            " category_id, origin_id, recorded_at, checksum_algorithm, checksum_key_id, checksum,"
            " subject, time, data_content_type, attributes, delivery_attributes, data)"
            " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,NULL,?11,?12,?13,?14,?15,?16,?17)",
            &l->event);
    if (!code)
        code = prepare(
            l->db, "INSERT INTO plain_identities (event_id, source_id, position) VALUES (?1,?2,?3)",
            &l->identity);
    if (!code)
        code = prepare(
            l->db, "INSERT INTO stream_revisions (stream_id, revision, position) VALUES (?1,?2,?3)",
            &l->revision);
    if (!code)
        code = prepare(l->db, "INSERT INTO streams (stream_id, name) VALUES (?1,?2)", &l->stream);
    return code;
}

static int insert(tally_loop *l, const tally_row *r) {
    int code = 0;
    int64_t position = ++l->position;
    if (r->new_stream.bytes) {
        sqlite3_bind_int64(l->stream, 1, r->stream_id);
        bind_text(l->stream, 2, r->new_stream);
        code = run(l->stream);
        if (code) return code;
    }
    sqlite3_bind_int64(l->event, 1, position);
    sqlite3_bind_int64(l->event, 2, r->source_id);
    bind_text(l->event, 3, r->id);
    sqlite3_bind_int64(l->event, 4, r->stream_id);
    sqlite3_bind_int64(l->event, 5, r->revision);
    sqlite3_bind_int64(l->event, 6, r->type_id);
    sqlite3_bind_int64(l->event, 7, r->category_id);
    sqlite3_bind_int64(l->event, 8, r->origin_id);
    sqlite3_bind_int64(l->event, 9, r->recorded_at);
    bind_text(l->event, 10, r->algorithm);
    sqlite3_bind_blob(l->event, 11, r->checksum.bytes, (int)r->checksum.count, SQLITE_STATIC);
    bind_text(l->event, 12, r->subject);
    bind_text(l->event, 13, r->time);
    bind_text(l->event, 14, r->content_type);
    bind_text(l->event, 15, r->attributes);
    bind_text(l->event, 16, r->delivery);
    bind_text(l->event, 17, r->data);
    code = run(l->event);
    if (code) return code;
    bind_text(l->identity, 1, r->id);
    sqlite3_bind_int64(l->identity, 2, r->source_id);
    sqlite3_bind_int64(l->identity, 3, position);
    code = run(l->identity);
    if (code) return code;
    sqlite3_bind_int64(l->revision, 1, r->stream_id);
    sqlite3_bind_int64(l->revision, 2, r->revision);
    sqlite3_bind_int64(l->revision, 3, position);
    return run(l->revision);
}

int tally_loop_insert(tally_loop *l, const tally_row *rows, int64_t count, int64_t batch) {
    int code = 0;
    for (int64_t i = 0; !code && i < count; i++) {
        if (i % batch == 0) code = sqlite3_exec(l->db, "BEGIN IMMEDIATE", 0, 0, 0);
        if (!code) code = insert(l, &rows[i]);
        if (!code && (i % batch == batch - 1 || i == count - 1))
            code = sqlite3_exec(l->db, "COMMIT", 0, 0, 0);
    }
    return code;
}

int tally_loop_close(tally_loop *l) {
    sqlite3_finalize(l->event);
    sqlite3_finalize(l->identity);
    sqlite3_finalize(l->revision);
    sqlite3_finalize(l->stream);
    int code = sqlite3_close(l->db);
    free(l);
    return code;
}

int tally_baseline_replay(const char *path, const char *setup, const char *statement, int64_t batch,
                          int64_t *applied) {
    sqlite3 *db = 0;
    sqlite3_stmt *read = 0, *apply = 0;
    int code = open_store(path, setup, 4096, 16384, &db);
    if (!code)
        code = prepare(
            db, "SELECT position, data FROM events WHERE position > ?1 ORDER BY position LIMIT ?2",
            &read);
    if (!code) code = prepare(db, statement, &apply);
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
            if (position_index) sqlite3_bind_int64(apply, position_index, position);
            if (data_index) {
                const char *text = (const char *)sqlite3_column_text(read, 1);
                sqlite3_bind_text(apply, data_index, text, sqlite3_column_bytes(read, 1), SQLITE_STATIC);
            }
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
