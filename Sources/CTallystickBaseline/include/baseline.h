#ifndef TALLYSTICK_BASELINE_H
#define TALLYSTICK_BASELINE_H

#include <stddef.h>
#include <stdint.h>

/* The loops that a C programmer would write by hand over SQLite: the same rows, already parsed, in the
   same tables, with the same page size, batch size and durability; no hashing, no Merkle tree. Every
   function returns an SQLite result code. */

typedef struct {
    const char *bytes; /* NULL means SQL NULL */
    int64_t count;
} tally_text;

typedef struct {
    int64_t source_id, stream, revision, type_id, category_id, origin_id, recorded_at;
    tally_text id, algorithm, checksum, subject, time, content_type, attributes, delivery, data;
} tally_row;

typedef struct {
    int64_t id;
    tally_text name;
} tally_name;

/* Creates the tables (`schema` is SQL), adds `names` of streams when a row first uses them (names[i] is the
   stream with index i), and inserts `count` rows, `batch` to a transaction. `first_position` is the first
   row's position; 1 creates the tables. `last_tenth_seconds`, when not NULL, receives the time of the last
   tenth of the rows. */
int tally_baseline_ingest(const char *path, const char *schema, int page_size, int use_append_loop,
                          const tally_row *rows, int64_t count, const tally_name *names,
                          int64_t name_count, int64_t batch, double *last_tenth_seconds);

/* The version of the SQLite library that is linked. */
const char *tally_baseline_sqlite_version(void);

/* Reads events in order and runs `statement` for each of type `type`, with :data and :position bound, in
   transactions of `batch` events. */
int tally_baseline_replay(const char *path, const char *setup, const char *statement, int64_t type_id,
                          int64_t batch, int64_t *applied);

#endif
