#ifndef C_TALLYSTICK_TEST_SUPPORT_H
#define C_TALLYSTICK_TEST_SUPPORT_H

#include <stddef.h>

/// Whether one byte sequence contains another: GNU's `memmem`, which Swift's import of the C library omits.
int tally_holds(const void *bytes, size_t count, const void *form, size_t form_count);

/// Sets the stack size of new threads, in bytes: GNU's `pthread_setattr_default_np`.
///
/// Returns the previous size.
size_t tally_set_stack_bytes(size_t bytes);

/// Makes a read of a file fail, once: a file that SQLite opens from now on, in this process, under a path that
/// begins with `path`. The read after `reads` others fails with the given result code of SQLite; none does if
/// `reads` is negative. Restarts the count.
void tally_fail_read(const char *path, long long reads, int code);

/// The number of reads of these files since `tally_fail_read`.
long long tally_reads_seen(void);

#endif
