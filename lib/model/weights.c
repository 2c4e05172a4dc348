/* Weights as stored -> as a training takes them: int8 matrices are multiplied out. */
#include "lib/io/encoding.h"
#include "lib/model/model.h"

int sorai_model_weight(sorai_package *package, sorai_mem *mem, const char *part, const char *name, sora_tensor **out, sora_error *err) {
    SORA_TRY(sorai_package_lookup(package, part, name, out, err));
    sora_tensor *packed = *out;
    if (packed->dtype != SORA_DTYPE_I8)
        return SORA_OK;
    *out = NULL;
    const int status = packed->scale ? sorai_tensor_new(out, mem, SORA_DTYPE_F32, packed->rank, packed->shape, err)
                                     : sorai_fail(err, SORA_E_FORMAT, "%s: %s/%s needs a scale for each row", sorai_package_name(package), part, name);
    if (status == SORA_OK)
        sorai_stored_expand(packed, (*out)->data);
    sorai_tensor_unref(&packed);
    return status;
}
