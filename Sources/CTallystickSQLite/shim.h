#ifndef TALLYSTICK_SQLITE_SHIM_H
#define TALLYSTICK_SQLITE_SHIM_H

#include <sqlite3.h>

#endif
