#include <stddef.h>

// Swift reads a program's arguments from /proc/self/cmdline, and has none if /proc is not mounted. glibc passes
// them to constructors, and Swift uses these variables (stdlib/public/stubs/CommandLine.cpp).

extern void _swift_stdlib_overrideUnsafeArgvArgc(char **arguments, int count);

__attribute__((constructor)) static void keep_arguments(int count, char **arguments) {
    if (arguments != NULL && count > 0) _swift_stdlib_overrideUnsafeArgvArgc(arguments, count);
}
