#ifndef TALLYSTICK_BASELINE_H
#define TALLYSTICK_BASELINE_H

#include <stddef.h>
#include <stdint.h>

/* The loops that a C programmer would write by hand over SQLite: the same rows, already parsed, in the
   same tables and order of arrival, with the same page size, batch, size of the log before it is written
   back, and durability; no hashing, no Merkle tree. Identities are in one index without segments, the page
   cache is 64 MiB. Every function that returns an int returns an SQLite result code. */

typedef struct {
    const char *bytes; /* NULL means SQL NULL */
    int64_t count;
} tally_text;

typedef struct {
    int64_t source_id, stream_id, revision, type_id, category_id, origin_id, recorded_at;
    tally_text id, algorithm, checksum, subject, time, content_type, attributes, delivery, data;
    tally_text new_stream; /* the stream's name, in the first row that uses it; else NULL */
} tally_row;

/* A database that rows are inserted into. */
typedef struct tally_loop tally_loop;

/* Creates the tables: `schema` is SQL. `log_pages` is when the log is written back. */
int tally_loop_open(const char *path, const char *schema, int page_size, int log_pages,
                    tally_loop **loop);

/* Inserts rows in their order, `batch` to a transaction, after those inserted before. */
int tally_loop_insert(tally_loop *loop, const tally_row *rows, int64_t count, int64_t batch);

/* The last connection's close writes the log back, as the library's close does. */
int tally_loop_close(tally_loop *loop);

/* Reads events in order and runs `statement` for each, with :data and :position bound, in transactions of
   `batch` events. */
int tally_baseline_replay(const char *path, const char *setup, const char *statement, int64_t batch,
                          int64_t *applied);

/* The version of the SQLite library that is linked. */
const char *tally_baseline_sqlite_version(void);
/* The type of the file system that a path is on, as in linux/magic.h; 0 where it is not known. */
int64_t tally_baseline_file_system(const char *path);

/* SHA-256 in C, by the processor's SHA extensions where it has them. */
void tally_baseline_sha256(const uint8_t *bytes, int64_t count, uint8_t digest[32]);
int tally_baseline_has_sha(void);

/* Hashes what a verification hashes: for each event `content` and `leaf` bytes, shared out to threads. */
int tally_baseline_hash(int threads, int64_t events, int64_t content, int64_t leaf);

#endif
