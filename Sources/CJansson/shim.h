#ifndef FERRY_CJANSSON_H
#define FERRY_CJANSSON_H

#include <jansson.h>

/* Every public function of jansson 2.14 that Ferry uses is a plain function or a static inline;
 * its macros (json_typeof, json_is_*, JSON_REAL_PRECISION) are written out in Swift. */

#endif
