#include "lib/ops/product.h"

#include "lib/ops/util.h"

static void lock(sorai_store *store) {
    while (atomic_flag_test_and_set_explicit(&store->packing, memory_order_acquire)) {
        /* Another thread packs a weight of the same model, which takes milliseconds and happens once. */
    }
}

static void unlock(sorai_store *store) {
    atomic_flag_clear_explicit(&store->packing, memory_order_release);
}

static int slot_of(const sorai_exec *x, int form) {
    return form == SORAI_FORM_INT8 ? 4 : form + (x->product == SORA_DTYPE_BF16 ? 2 : 0);
}

int sorai_streamed(sorai_exec *x, sorai_param *p, int form) {
    if (!x->streamed || x->tape)
        return 0;
    /* Packed for another pipeline of the model? Then it is there until the model goes. */
    sorai_store *const store = p->store;
    lock(store);
    const int kept = p->packed[slot_of(x, form)].data && p->packed[slot_of(x, form)].version == p->version;
    unlock(store);
    return !kept;
}

const void *sorai_packed(sorai_exec *x, sorai_param *p, int form, size_t bytes, sorai_pack_fn *pack,
                         const void *how) {
    const int slot = slot_of(x, form);
    const void *result = NULL;
    if (x->status != SORA_OK)
        return NULL;
    sorai_store *const store = p->store;
    if (sorai_streamed(x, p, form)) {
        void *const dst = sorai_temp_bytes(x, bytes);
        if (dst)
            pack(x, p, form, how, dst);
        return x->status == SORA_OK ? dst : NULL;
    }
    lock(store);
    if (p->packed[slot].data && p->packed[slot].bytes != bytes) {
        store->device->free(store->device, p->packed[slot].data);
        p->packed[slot].data = NULL;
    }
    if (!p->packed[slot].data) {
        p->packed[slot].data = store->device->alloc(store->device, bytes);
        p->packed[slot].bytes = bytes;
        p->packed[slot].version = p->version - 1;
    }
    if (!p->packed[slot].data) {
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory to pack %s (%zu bytes)", p->name, bytes);
    } else {
        if (p->packed[slot].version != p->version) {
            const sorai_exec_mark mark = sorai_exec_here(x);
            pack(x, p, form, how, p->packed[slot].data); /* a weight of 16 bits is a temporary in f32 on the way */
            sorai_drop_scratch(x, mark);
            if (x->status == SORA_OK)
                p->packed[slot].version = p->version;
        }
        if (x->status == SORA_OK)
            result = p->packed[slot].data;
    }
    unlock(store);
    return result;
}

void sorai_drop_scratch(sorai_exec *x, sorai_exec_mark mark) {
    sorai_tape *const tape = x->tape;
    x->tape = NULL;
    sorai_exec_rewind(x, mark);
    x->tape = tape;
}

void sorai_bias_grad(sorai_exec *x, sorai_param *bias, const float *dy, int64_t rows, int64_t cols) {
    if (!sorai_wants_param(bias) || x->status != SORA_OK)
        return;
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *const sum = sorai_sum_middle(x, dy, 1, rows, cols, 1.0);
    sorai_param_add_grad(x, bias, sum);
    sorai_drop_scratch(x, mark);
}
