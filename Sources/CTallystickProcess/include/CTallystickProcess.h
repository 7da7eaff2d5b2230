#ifndef C_TALLYSTICK_PROCESS_H
#define C_TALLYSTICK_PROCESS_H

/// Keeps the process's memory out of core dumps, and out of reach of other processes of the same user, until it
/// ends. Returns 0, or -1 if the kernel refused.
int tally_turn_dumps_off(void);

/// Whether core dumps are off.
int tally_dumps_are_off(void);

/// Renames a file unless the new name exists (EEXIST). Returns 0, or -1 with errno.
int tally_rename_new(const char *from, const char *to);

#endif
