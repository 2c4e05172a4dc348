#define _GNU_SOURCE /* syscall */
/* Which instruction sets may be used: what CPUID offers and the operating system saves on a task switch (XGETBV). */
#include "lib/backend/iface.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static uint64_t xgetbv0(void) {
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* Tile registers must be asked for, per process; granting is permanent and harmless. */
static int tiles_granted(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, REQ_XCOMP_PERM, XTILEDATA) == 0;
#else
    return 0;
#endif
}

uint32_t sorai_cpu_flags(void) {
    uint32_t a, b, c, d, flags = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    const uint32_t need1 = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C;
    if ((c & need1) != need1)
        return 0;
    const uint64_t saved = xgetbv0();
    if ((saved & 0x6) != 0x6) /* XMM and YMM */
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    const uint32_t b7 = b, c7 = c, d7 = d, last = a;
    if (!(b7 & bit_AVX2))
        return 0;
    flags |= SK_CPU_AVX2;
    const uint32_t need512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((b7 & need512) != need512 || (saved & 0xe0) != 0xe0) /* opmask, upper halves, upper registers */
        return flags;
    flags |= SK_CPU_AVX512;
    if (c7 & (1u << 11))
        flags |= SK_CPU_AVX512VNNI;
    if (last < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & (1u << 5)))
        return flags;
    flags |= SK_CPU_AVX512BF16;
    const uint32_t tiles = 1u << 22 | 1u << 24 | 1u << 25; /* AMX-BF16, AMX-TILE, AMX-INT8 */
    if ((d7 & tiles) == tiles && (saved & 0x60000) == 0x60000 && tiles_granted())
        flags |= SK_CPU_AMXBF16;
    return flags;
}

int32_t sorai_cpu_products(void) {
    uint32_t a, b, c, d;
    const uint32_t flags = sorai_cpu_flags();
    if (flags & SK_CPU_AMXBF16)
        return SORA_DTYPE_BF16;
    if (!(flags & SK_CPU_AVX512BF16) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return SORA_DTYPE_F32;
    /* AVX512-FP16 came with the cores whose VDPBF16PS is slow; those where it is fast do not have it. */
    return d & (1u << 23) ? SORA_DTYPE_F32 : SORA_DTYPE_BF16;
}
#else
uint32_t sorai_cpu_flags(void) {
    return 0;
}

int32_t sorai_cpu_products(void) {
    return SORA_DTYPE_F32;
}
#endif
