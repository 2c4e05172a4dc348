#include "lib/train/patches.h"

#include <string.h>

#include "lib/io/encoding.h"
#include "lib/model/config.h"
#include "lib/model/model.h"

/* One array of values for each place of a large patch: [outer, places, inner], to [outer, places of a small one, inner], those that fall on the same
 * place added up, times `factor`. */
static void fold(const sorai_patches *p, const float *from, float *to, int64_t outer, int64_t inner, float factor) {
    const int32_t *const l = p->large, *const s = p->small;
    const int64_t places = (int64_t)l[0] * l[1] * l[2], kept = (int64_t)s[0] * s[1] * s[2];
    memset(to, 0, (size_t)(outer * kept * inner) * sizeof *to);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t at = 0; at < places; at++) {
            const int64_t t = at / (l[1] * l[2]) % s[0], h = at / l[2] % l[1] % s[1], w = at % l[2] % s[2];
            for (int64_t i = 0; i < inner; i++)
                to[(o * kept + (t * s[1] + h) * s[2] + w) * inner + i] += factor * from[(o * places + at) * inner + i];
        }
}

static int lookup(void *user, const char *name, sora_tensor **out, sora_error *err) {
    const sorai_patches *const p = user;
    sorai_mem *const mem = p->part->store.mem;
    sora_tensor *large = NULL, *small = NULL;
    *out = NULL;
    SORA_TRY(sorai_model_weight(p->part->init, mem, p->part->name, name, &large, err));
    const int embeds = strcmp(name, "patch_embedding.weight") == 0, weight = strcmp(name, "proj_out.weight") == 0;
    if (!embeds && !weight && strcmp(name, "proj_out.bias") != 0) {
        *out = large;
        return SORA_OK;
    }
    const int64_t places = (int64_t)p->large[0] * p->large[1] * p->large[2], kept = (int64_t)p->small[0] * p->small[1] * p->small[2];
    const int64_t count = sorai_tensor_count(large);
    int64_t shape[5] = {large->shape[0], large->rank > 1 ? large->shape[1] : 1, p->small[0], p->small[1], p->small[2]};
    int status = SORA_OK;
    if (large->rank != (embeds ? 5 : weight ? 2 : 1) || count % places || (!embeds && shape[0] % places) ||
        (embeds && (large->shape[2] != p->large[0] || large->shape[3] != p->large[1] || large->shape[4] != p->large[2])))
        status = sorai_fail(err, SORA_E_FORMAT, "tensor %s: its shape does not fit the config", name);
    if (!embeds)
        shape[0] = shape[0] / places * kept;
    if (status == SORA_OK)
        status = sorai_tensor_to_f32(mem, &large, err);
    if (status == SORA_OK)
        status = sorai_tensor_new(&small, mem, SORA_DTYPE_F32, large->rank, shape, err);
    if (status == SORA_OK && embeds)
        fold(p, large->data, small->data, count / places, 1, 1.0f);
    else if (status == SORA_OK)
        fold(p, large->data, small->data, 1, count / places, (float)kept / (float)places);
    sorai_tensor_unref(&large);
    *out = small;
    return status;
}

int sorai_patches_open(sorai_patches *p, sorai_trained_part *part, const int32_t patch[3], int32_t grow, sora_error *err) {
    sorai_dit_config init;
    json_t *json = NULL;
    int same = 1, fits = 1;
    if (!part->init || !grow)
        return SORA_OK;
    SORA_TRY(sorai_package_config(part->init, part->name, &json, err));
    SORA_TRY(sorai_config_dit(json, &init, err));
    for (int i = 0; i < 3; i++) {
        same = same && init.patch_size[i] == patch[i];
        fits = fits && init.patch_size[i] % patch[i] == 0;
    }
    if (same)
        return SORA_OK;
    if (!fits)
        return sorai_fail(err, SORA_E_INVALID, "recipe: patch_size: that of init must be a multiple of it");
    *p = (sorai_patches){.part = part};
    memcpy(p->large, init.patch_size, sizeof p->large);
    memcpy(p->small, patch, sizeof p->small);
    part->store.lookup = lookup;
    part->store.lookup_user = p;
    return SORA_OK;
}
