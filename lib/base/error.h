/* Errors: every function that can fail returns a status and may fill a caller-owned sora_error. */
#ifndef SORAI_BASE_ERROR_H
#define SORAI_BASE_ERROR_H

#include "sora/base.h"

/* Fills err (may be NULL) with code and a formatted line (cut to fit; control characters become '?'), returns code.
 * Only %s %d %u %ld %zu %lld %llu-like conversions: floating point would depend on the locale. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int sorai_fail(sora_error *err, int code, const char *format, ...);

/* Forwards a failure to the caller. Only for functions without anything to release; others write
 * `if ((status = f()) != SORA_OK) goto fail;`. */
#define SORA_TRY(expr)                     \
    do {                                   \
        int sora_try_status = (expr);      \
        if (sora_try_status != SORA_OK)    \
            return sora_try_status;        \
    } while (0)

#endif
