/* What reader and writer of .sora files share: numbers of the format. */
#ifndef SORAI_IO_SORA_FORMAT_H
#define SORAI_IO_SORA_FORMAT_H

#define SORA_FORMAT_MAGIC      "\x89SORA\r\n\x1a" /* a copy that went through text mode no longer has it */
#define SORA_FORMAT_VERSION    1u
#define SORA_FORMAT_PREAMBLE   64u
#define SORA_FORMAT_ALIGN      64u
#define SORA_FORMAT_MAX_HEADER 100000000u
#define SORA_FORMAT_MAX_BLOB   (1u << 30)
/* Packed data may grow at most so much: a few damaged bytes must not ask for gigabytes. The writer keeps to it. */
#define SORA_FORMAT_MAX_GROWTH   256u
#define SORA_FORMAT_GROWTH_SLACK 4096u

#endif
