/* The device contract: what a backend must be able to do, and nothing more: memory, copies, and to run one operation.
 * A device is opened per context. Calls on a device come from one thread at a time per stream of work; the CPU runs them at once, an
 * asynchronous device may queue them until sync. Made so that CUDA fits: all pointers in kernel arguments are device pointers. */
#ifndef SORAI_BACKEND_IFACE_H
#define SORAI_BACKEND_IFACE_H

#include "kernels/kernel.h"
#include "lib/base/alloc.h"
#include "lib/base/error.h"
#include "lib/base/pool.h"

#define SORAI_BACKEND_ABI 1u

typedef struct sorai_device sorai_device;

typedef struct sorai_backend {
    uint32_t abi; /* SORAI_BACKEND_ABI */
    const char *name, *description;
    int (*open)(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err);
    void (*close)(sorai_device *dev);
} sorai_backend;

/* Every backend's device begins with this. */
struct sorai_device {
    const sorai_backend *backend;
    uint32_t host_memory; /* 1: device pointers may be read and written by the host directly */
    void *(*alloc)(sorai_device *dev, size_t size); /* aligned to SORAI_ALIGN; NULL on failure */
    void (*free)(sorai_device *dev, void *ptr);
    int (*upload)(sorai_device *dev, void *dst, const void *src, size_t size);
    int (*download)(sorai_device *dev, void *dst, const void *src, size_t size);
    int (*copy)(sorai_device *dev, void *dst, const void *src, size_t size);
    int (*zero)(sorai_device *dev, void *dst, size_t size);
    /* Runs units 0..units-1 of an operation with the best kernel for the arguments. Unit counts come from the operation's header.
     * SORA_E_UNSUPPORTED when no row takes them. */
    int (*run)(sorai_device *dev, int op, int dtype, const void *args, int64_t units);
    int (*sync)(sorai_device *dev);
};

/* The built-in backend; and what a plugin .so exports under the name "sora_backend_entry". */
const sorai_backend *sorai_backend_cpu(void);
typedef const sorai_backend *sorai_backend_entry_fn(void);

/* Feature bits of this processor (SK_CPU_*), as far as the operating system lets them be used. */
uint32_t sorai_cpu_flags(void);
/* SORA_DTYPE_F32 or SORA_DTYPE_BF16: the type of matrix products that is faster on this processor, for callers who leave the choice to
 * the library. bf16 with tiles, and where VDPBF16PS runs at the rate of an f32 multiply-add. Intel's cores issue it every other cycle on
 * one port, which is half the arithmetic of their two f32 units: there f32 is faster, and exact. */
int32_t sorai_cpu_products(void);

#endif
