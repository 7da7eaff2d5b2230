#include <stddef.h>

// Swift reads the arguments of a program from /proc/self/cmdline, and has none where /proc is not mounted. glibc hands
// them to constructors, and Swift takes them from there (stdlib/public/stubs/CommandLine.cpp).

extern void _swift_stdlib_overrideUnsafeArgvArgc(char **arguments, int count);

__attribute__((constructor)) static void keep_arguments(int count, char **arguments) {
    if (arguments != NULL && count > 0) _swift_stdlib_overrideUnsafeArgvArgc(arguments, count);
}
