#include "kernels/kernel.h"

/* The reference plugin, and a library for other processors, are built without the rows of particular instruction sets. */
#define ROW_ref(...) __VA_ARGS__
#if defined(SORAK_REFERENCE_ONLY) || !defined(__x86_64__)
#define ROW_avx2(...)
#define ROW_avx512(...)
#define ROW_avx512bf16(...)
#define ROW_avx512vnni(...)
#define ROW_amx(...)
#else
#define ROW_avx2(...) __VA_ARGS__
#define ROW_avx512(...) __VA_ARGS__
#define ROW_avx512bf16(...) __VA_ARGS__
#define ROW_avx512vnni(...) __VA_ARGS__
#define ROW_amx(...) __VA_ARGS__
#endif

const sorak_row sorak_table[] = {
#define SORA_KERNEL(op, dt, isa, dev, prio, atol, rtol, nmse)                                                          \
    ROW_##isa({#op "_" #dt "_" #isa, SK_OP_##op, SK_DT_##dt, SK_DEV_##dev, SK_NEED_##isa, prio,                        \
               sorak_##op##_##dt##_##isa, {atol, rtol, nmse}}, )
#include "kernels/kernels.inc"
#undef SORA_KERNEL
};

const size_t sorak_table_len = sizeof sorak_table / sizeof *sorak_table;

static const char *const op_names[SK_OP_COUNT] = {
#define SORAK_OP_NAME(name) #name,
    SORAK_OPS(SORAK_OP_NAME)
#undef SORAK_OP_NAME
};

const char *sorak_op_name(int op) {
    return op >= 0 && op < SK_OP_COUNT ? op_names[op] : "unknown";
}

const sorak_row *sorak_pick(int op, int dtype, int dev, uint32_t flags, const void *args) {
    const sorak_env nothing = {0, 0, NULL};
    const sorak_row *best = NULL;
    for (size_t i = 0; i < sorak_table_len; i++) {
        const sorak_row *row = &sorak_table[i];
        if (row->op != op || row->dtype != dtype || row->dev != dev || (row->need & ~flags))
            continue;
        if (best && row->prio <= best->prio)
            continue;
        if (args && row->fn(args, &nothing) != 0)
            continue;
        best = row;
    }
    return best;
}
