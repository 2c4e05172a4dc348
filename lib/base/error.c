#include "lib/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"

int sorai_fail(sora_error *err, int code, const char *format, ...) {
    if (!err)
        return code;
    /* A caller compiled against an older, smaller struct must not be written past its end. 0 means "this header's". */
    size_t room = sizeof err->message;
    if (err->struct_size) {
        const size_t head = offsetof(sora_error, message);
        if (err->struct_size <= head)
            return code;
        if (err->struct_size < sizeof *err)
            room = err->struct_size - head;
    }
    err->code = code;
    va_list args;
    va_start(args, format);
    if (vsnprintf(err->message, room, format, args) < 0)
        err->message[0] = 0;
    va_end(args);
    /* Parts of the line come from files: no control characters (U+0080..U+009F too), nothing that is not UTF-8, not even a
     * character that the cut left half. */
    const size_t length = strlen(err->message);
    for (size_t i = 0, used; i < length; i += used) {
        uint32_t cp;
        used = sorai_utf8_decode(err->message + i, length - i, &cp);
        if (!used || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029) {
            used = used ? used : 1;
            memset(err->message + i, '?', used);
        }
    }
    return code;
}
