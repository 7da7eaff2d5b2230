#ifndef C_TALLYSTICK_CLI_H
#define C_TALLYSTICK_CLI_H

#include <stddef.h>

/// Makes this program's own threads run the jobs of Swift's global executor from now on.
///
/// Call it before creating the first task. Returns 0, or the error of pthread_create(3).
int tally_start_executor(void);

/// A file embedded in the program.
typedef struct {
    /// Without a folder.
    const char *name;
    const unsigned char *bytes;
    size_t count;
} tally_carried_file;

/// The files of the demo, and their number.
size_t tally_demo_files(const tally_carried_file **files);

#endif
