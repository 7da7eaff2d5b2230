#include "CTallystickCLI.h"

// C23, which clang has for C17 too.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char websocket[] = {
#embed "../../fixtures/events/websocket.ndjson"
};
static const unsigned char realtime[] = {
#embed "../../fixtures/events/realtime.ndjson"
};
static const unsigned char error_counts[] = {
#embed "../../fixtures/projections/error_counts.sql"
};
static const unsigned char settings[] = {
#embed "../../fixtures/settings.json"
};

static const tally_carried_file carried[] = {
    {"websocket.ndjson", websocket, sizeof websocket},
    {"realtime.ndjson", realtime, sizeof realtime},
    {"error_counts.sql", error_counts, sizeof error_counts},
    {"settings.json", settings, sizeof settings},
};

size_t tally_demo_files(const tally_carried_file **files) {
    *files = carried;
    return sizeof carried / sizeof carried[0];
}
