#include "CTallystickProcess.h"

#include <sys/prctl.h>
#include <sys/resource.h>

int tally_turn_dumps_off(void) {
    // prctl takes a variable list of arguments, which Swift cannot call.
    const struct rlimit none = {0, 0};
    int limited = setrlimit(RLIMIT_CORE, &none);
    int hidden = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return limited == 0 && hidden == 0 ? 0 : -1;
}

int tally_dumps_are_off(void) {
    struct rlimit limit;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0
        && limit.rlim_cur == 0;
}
