/* Parameters: weights with names, as networks see them, and the store that hands them out.
 *
 * A network binds its parameters by calling sorai_store_get(name, shape) for each, in one function for both lives: a store opened for
 * inference looks the name up (missing or wrong shape: an error that names it), a store opened for a new training creates it. */
#ifndef SORAI_OPS_PARAM_H
#define SORAI_OPS_PARAM_H

#include "lib/ops/exec.h"

typedef struct sorai_param {
    const char *name;     /* as in the diffusers checkpoint, e.g. "blocks.0.attn1.to_q.weight" */
    sora_tensor *value;   /* f32 when trainable, else as stored: f32, bf16, f16 or a small type, with scale and factors; on the store's device */
    sora_tensor *grad;    /* f32, same shape, persistent; NULL unless trainable */
    int32_t trainable;
    int32_t mapped;       /* value looks into a mapped file: it takes no memory */
    int32_t eight;        /* a linear layer that does with eight bits: products may round it to int8 */
    uint64_t version;     /* raised whenever value changes */
    /* the packed forms that products use, made on first use by the op (under the store's lock: models are shared between threads) and
     * again when version changed: [0] forward, [1] transposed for the gradient of the input; [+ 2]: in bf16 instead of f32;
     * [4] forward in int8 */
    struct {
        void *data;
        size_t bytes;
        uint64_t version;
    } packed[5];
    struct sorai_store *store;
} sorai_param;

/* How a new parameter begins. */
enum sorai_init {
    SORAI_INIT_ZERO,
    SORAI_INIT_ONE,
    SORAI_INIT_NORMAL,  /* standard deviation given */
    SORAI_INIT_FAN_IN,  /* uniform +-sqrt(1 / fan_in) * gain, fan_in = product of all axes but the first */
};

/* Finds the stored value of a name: sets *out to a tensor (reference given to the caller) or NULL when there is none. */
typedef int sorai_lookup_fn(void *user, const char *name, sora_tensor **out, sora_error *err);

/* What is known of a value that is not read: its type, whether it would be mapped, and of what lies beside it (lib/tensor/tensor.h) the numbers of the
 * scale, the rank of the factors and their type. 0: there is none. */
typedef struct sorai_blank {
    int32_t dtype, mapped, factor_dtype;
    int64_t scales, added;
} sorai_blank;

typedef struct sorai_store {
    sorai_mem *mem;
    sorai_device *device;
    sorai_lookup_fn *lookup; /* NULL: a new network */
    void *lookup_user;
    void (*blank)(void *user, const char *name, sorai_blank *out); /* on a device that only counts memory: values stay undefined. NULL otherwise */
    const char *prefix;      /* put before every name when asking lookup; "" by default */
    uint64_t seed;           /* of the initial values */
    int32_t grow;            /* what lookup does not have is new; what it has smaller fills the first places of a new value */
    int32_t trainable;       /* parameters get gradients and f32 values */
    int32_t eight;           /* what parameters are asked for now are allowed: set by networks around their blocks */
    sorai_param **params;    /* in order of first request */
    size_t count, capacity;
    atomic_flag packing;     /* held while a parameter is packed */
} sorai_store;

int sorai_store_init(sorai_store *s, sorai_mem *mem, sorai_device *device);
void sorai_store_release(sorai_store *s);
/* The parameter `name` with exactly this shape (name is copied). With lookup: found, converted and uploaded as needed, else
 * SORA_E_NOTFOUND / SORA_E_FORMAT naming it. Without: created with `init` (scale: deviation or gain), its random values depending on
 * seed and name only. Asked again, the same one. */
int sorai_store_get(sorai_store *s, sorai_param **out, const char *name, int32_t rank, const int64_t *shape, enum sorai_init init,
                    double scale, sora_error *err);
sorai_param *sorai_store_find(const sorai_store *s, const char *name); /* NULL when it was never requested */
/* Adds g (f32 device tensor of the same shape) to the parameter's gradient. */
void sorai_param_add_grad(sorai_exec *x, sorai_param *p, const sora_tensor *g);
int sorai_store_zero_grad(sorai_store *s);


/* A zeroed, reference-counted tensor in the device's memory, for what outlives an exec's temporaries: weights, caches, averages. */
int sorai_device_tensor(sora_tensor **out, sorai_mem *mem, sorai_device *device, int32_t dtype, int32_t rank, const int64_t *shape,
                        sora_error *err);

#endif
