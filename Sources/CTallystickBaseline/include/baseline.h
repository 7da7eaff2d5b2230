#ifndef TALLYSTICK_BASELINE_H
#define TALLYSTICK_BASELINE_H

const char *tally_baseline_sqlite_version(void);

#endif
