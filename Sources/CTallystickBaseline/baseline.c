#include "baseline.h"
#include <sqlite3.h>

const char *tally_baseline_sqlite_version(void) { return sqlite3_libversion(); }
