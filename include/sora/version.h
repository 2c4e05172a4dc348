/* libsora: version of the header and of the library in use. Since 0.1. */
#ifndef SORA_VERSION_H
#define SORA_VERSION_H

#include "sora/base.h"

#define SORA_VERSION_MAJOR 0
#define SORA_VERSION_MINOR 1
#define SORA_VERSION_PATCH 0
#define SORA_VERSION (SORA_VERSION_MAJOR * 1000000 + SORA_VERSION_MINOR * 1000 + SORA_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/* The library's SORA_VERSION: compare with the header's when the library is loaded at run time. Any thread. */
SORA_API uint32_t sora_version(void);
/* "0.1.0". Static. */
SORA_API const char *sora_version_string(void);
/* One line: version, compiler, products of matrices through which library, instruction sets built in. Static. */
SORA_API const char *sora_build_info(void);

#ifdef __cplusplus
}
#endif
#endif
