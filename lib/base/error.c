#include "lib/base/error.h"

#include <stdarg.h>
#include <stdio.h>

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
    for (char *c = err->message; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return code;
}
