/* Weights as stored -> as networks take them. Int8 matrices ("NAME" of type i8 with rows' scales in "NAME.scale", f32) become bf16. */
#include <stdio.h>

#include "lib/model/model.h"
#include "lib/tensor/half.h"

int sorai_model_weight(sorai_package *package, sorai_mem *mem, const char *part, const char *name, sora_tensor **out, sora_error *err) {
    SORA_TRY(sorai_package_lookup(package, part, name, out, err));
    if ((*out)->dtype != SORA_DTYPE_I8)
        return SORA_OK;
    sora_tensor *packed = *out, *scale = NULL;
    char scale_name[560];
    *out = NULL;
    snprintf(scale_name, sizeof scale_name, "%s.scale", name);
    int status = sorai_package_lookup(package, part, scale_name, &scale, err);
    const int64_t rows = packed->rank > 0 ? packed->shape[0] : 0;
    if (status == SORA_OK && (rows < 1 || scale->dtype != SORA_DTYPE_F32 || sorai_tensor_count(scale) != rows))
        status = sorai_fail(err, SORA_E_FORMAT, "%s: %s/%s needs one f32 scale per row", sorai_package_name(package), part, name);
    if (status == SORA_OK)
        status = sorai_tensor_new(out, mem, SORA_DTYPE_BF16, packed->rank, packed->shape, err);
    const int64_t cols = status == SORA_OK ? sorai_tensor_count(packed) / rows : 0;
    for (int64_t r = 0; status == SORA_OK && r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            ((uint16_t *)(*out)->data)[r * cols + c] =
                sorai_f32_to_bf16((float)((const int8_t *)packed->data)[r * cols + c] * ((const float *)scale->data)[r]);
    sorai_tensor_unref(&scale);
    sorai_tensor_unref(&packed);
    return status;
}
