#define _GNU_SOURCE
#include "CTallystickTestSupport.h"

#include <pthread.h>
#include <string.h>

int tally_holds(const void *bytes, size_t count, const void *form, size_t form_count) {
    return memmem(bytes, count, form, form_count) != NULL;
}

size_t tally_set_stack_bytes(size_t bytes) {
    pthread_attr_t attributes;
    size_t before = 0;
    pthread_getattr_default_np(&attributes);
    pthread_attr_getstacksize(&attributes, &before);
    pthread_attr_setstacksize(&attributes, bytes);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
    return before;
}
