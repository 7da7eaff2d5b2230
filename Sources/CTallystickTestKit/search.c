#define _GNU_SOURCE
#include "CTallystickTestKit.h"

#include <string.h>

int tally_holds(const void *bytes, size_t count, const void *form, size_t form_count) {
    return memmem(bytes, count, form, form_count) != NULL;
}
