#ifndef C_TALLYSTICK_CLI_H
#define C_TALLYSTICK_CLI_H

#include <stddef.h>

/// Has the jobs of Swift's global executor run on threads of this program's own from now on.
///
/// Call it before the first task is made. Returns 0, or the error of pthread_create(3).
int tally_start_executor(void);

/// A file that the program carries.
typedef struct {
    /// Without a folder.
    const char *name;
    const unsigned char *bytes;
    size_t count;
} tally_carried_file;

/// The files of the demo; their number.
size_t tally_demo_files(const tally_carried_file **files);

#endif
