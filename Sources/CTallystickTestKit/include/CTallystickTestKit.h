#ifndef C_TALLYSTICK_TEST_KIT_H
#define C_TALLYSTICK_TEST_KIT_H

#include <stddef.h>

/// Whether bytes hold others: GNU's `memmem`, which Swift's import of the C library leaves out.
int tally_holds(const void *bytes, size_t count, const void *form, size_t form_count);

/// Sets the bytes of stack that each further thread gets: GNU's `pthread_setattr_default_np`.
///
/// Returns how many it was.
size_t tally_set_stack_bytes(size_t bytes);

/// Fails a read of a file that SQLite opens from now on, in this process, under a path that begins with `path`:
/// after `reads` others, with a result code of SQLite; none where `reads` is negative. Begins to count anew.
void tally_fail_read(const char *path, long long reads, int code);

/// Reads of these files since `tally_fail_read`.
long long tally_reads_seen(void);

#endif
