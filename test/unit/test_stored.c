/* Models whose weights stay as they are stored, with and without LoRAs beside them: what they make is what the same makes multiplied out, in less
 * memory, and as estimated. The tests' tiny model with a larger transformer, so that its weights count. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/io/safetensors.h"
#include "lib/pipeline/pipeline.h"
#include "test/unit/rig.h"

enum { HEADS = 24, DIM = 12 * HEADS, FFN = 1024, RANK = 24 };
#define WEIGHTS (2.0 * (8.0 * DIM * DIM + 2.0 * DIM * FFN)) /* those of the two blocks */

static char path[128]; /* room for names in the model's folder */
static const char *in_folder(const char *name) {
    snprintf(path, sizeof path, "%s/%s", rig_model(), name);
    return path;
}

static uint8_t to_e4m3(float v) {
    int exponent;
    const float size = fminf(fabsf(v), 448.0f), f = frexpf(size, &exponent); /* size = f 2^exponent, f in 1/2 .. 1 */
    if (size < 0x1p-6f)
        return (uint8_t)((v < 0) << 7 | (int)(size * 0x1p9f));
    return (uint8_t)((v < 0) << 7 | (exponent + 6) << 3 | (int)(f * 16.0f - 8.0f));
}

/* The transformer's file: blocks' matrices as eight-bit floats, scaled by one number or one for each row, or all as f32. */
static void write_weights(const sorai_store *s, int eight) {
    FILE *const f = fopen(in_folder("transformer/diffusion_pytorch_model.safetensors"), "wb");
    char *header = malloc(1 << 16), *at = header + sprintf(header, "{");
    size_t offset = 0;
    ck_assert_ptr_nonnull(f);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < s->count; i++) {
            const sorai_param *p = s->params[i];
            const int64_t *shape = p->value->shape, count = sorai_tensor_count(p->value), rows = i % 2 ? shape[0] : 1;
            const float *const v = p->value->data;
            if (eight && p->value->rank == 2 && strncmp(p->name, "blocks", 6) == 0) {
                if (pass == 0) {
                    at += sprintf(at, "\"%s\":{\"dtype\":\"F8_E4M3\",\"shape\":[%lld,%lld],\"data_offsets\":[%zu,%zu]},", p->name, (long long)shape[0],
                                  (long long)shape[1], offset, offset + (size_t)count);
                    at += sprintf(at, "\"%.*sscale_weight\":{\"dtype\":\"F32\",\"shape\":[%lld],\"data_offsets\":[%zu,%zu]},", (int)strlen(p->name) - 6, p->name,
                                  (long long)rows, offset + (size_t)count, offset + (size_t)(count + 4 * rows));
                } else {
                    for (int64_t k = 0; k < count; k++)
                        fputc(to_e4m3(v[k] * 256.0f), f);
                    for (int64_t r = 0; r < rows; r++)
                        fwrite(&(const float){(0.9f + 0.1f * (float)(r % 3)) / 256.0f}, 4, 1, f);
                }
                offset += (size_t)(count + 4 * rows);
                continue;
            }
            if (pass == 0) {
                at += sprintf(at, "\"%s\":{\"dtype\":\"F32\",\"shape\":[", p->name);
                for (int32_t a = 0; a < p->value->rank; a++)
                    at += sprintf(at, "%s%lld", a ? "," : "", (long long)shape[a]);
                at += sprintf(at, "],\"data_offsets\":[%zu,%zu]},", offset, offset + (size_t)count * 4);
            } else {
                fwrite(v, 4, (size_t)count, f);
            }
            offset += (size_t)count * 4;
        }
        if (pass == 0) {
            at[-1] = '}';
            const uint64_t length = (uint64_t)(at - header);
            for (int i = 0; i < 8; i++)
                fputc((int)(length >> (8 * i) & 255), f);
            fwrite(header, 1, (size_t)length, f);
        }
    }
    fclose(f);
    free(header);
}

/* Two LoRAs on some layers of the second block: stronger, and weaker the other way. */
static void write_lora(sorai_mem *mem) {
    static const struct { const char *name; int64_t rows, columns; } on[] = {
        {"attn1.to_q", DIM, DIM}, {"attn2.to_v", DIM, DIM}, {"ffn.net.0.proj", FFN, DIM}, {"ffn.net.2", DIM, FFN}};
    sorai_named_tensor list[8];
    char names[8][80];
    for (int i = 0; i < 8; i++) {
        const int64_t shape[2] = {i % 2 ? on[i / 2].rows : RANK, i % 2 ? RANK : on[i / 2].columns};
        sora_tensor *t;
        snprintf(names[i], sizeof names[i], "transformer.blocks.1.%s.lora_%c.weight", on[i / 2].name, i % 2 ? 'B' : 'A');
        ck_assert_int_eq(sorai_tensor_new(&t, mem, SORA_DTYPE_F32, 2, shape, NULL), SORA_OK);
        sorai_rng_normals(3, (uint64_t)i, 0, t->data, (size_t)(shape[0] * shape[1]));
        for (int64_t k = 0; k < shape[0] * shape[1]; k++)
            ((float *)t->data)[k] *= 0.05f;
        list[i] = (sorai_named_tensor){names[i], t};
    }
    ck_assert_int_eq(sorai_safetensors_write(mem, in_folder("lora.safetensors"), list, 8, NULL, NULL), SORA_OK);
    for (int i = 0; i < 8; i++) {
        sora_tensor *t = (sora_tensor *)(uintptr_t)list[i].tensor;
        sorai_tensor_unref(&t);
    }
}

static void make_models(int eight) {
    char command[400];
    sora_context *ctx;
    sorai_mem mem;
    sorai_store s;
    sorai_dit dit;
    rig r;
    snprintf(command, sizeof command, "sed -i 's/\"num_attention_heads\": 2/\"num_attention_heads\": %d/;s/\"ffn_dim\": 40/\"ffn_dim\": %d/' %s/transformer/config.json",
             HEADS, FFN, rig_model());
    ck_assert_int_eq(system(command), 0);
    open_rig(&r, 1, 0); /* for its config */
    ck_assert_int_eq(r.model->dit_config.num_attention_heads, HEADS);
    sorai_mem_init(&mem, NULL, 0);
    ck_assert_int_eq(sorai_store_init(&s, &mem, r.model->device), SORA_OK);
    ck_assert_int_eq(sorai_dit_bind(&dit, &s, &r.model->dit_config, NULL), SORA_OK);
    for (size_t i = 0; i < s.count; i++) { /* a new network gives nothing: the last layer is zero */
        const int64_t count = sorai_tensor_count(s.params[i]->value), rows = s.params[i]->value->shape[0];
        float *const v = s.params[i]->value->data;
        sorai_rng_normals(2, i, 0, v, (size_t)count);
        for (int64_t k = 0; k < count; k++)
            v[k] = s.params[i]->value->rank == 1 ? 1.0f + 0.1f * v[k] : v[k] * sqrtf((float)rows / (float)count);
    }
    write_weights(&s, eight);
    write_lora(&mem);
    sorai_dit_release(&dit);
    sorai_store_release(&s);
    close_rig(&r);
    ck_assert_int_eq(sora_context_create(&ctx, NULL, NULL), SORA_OK);
    char stored[128];
    snprintf(stored, sizeof stored, "%s", in_folder("i8.sora"));
    if (!eight)
        ck_assert_int_eq(sora_model_convert(ctx, rig_model(), stored, SORA_DTYPE_I8, NULL), SORA_OK);
    ck_assert_int_eq(sora_model_convert(ctx, eight ? rig_model() : stored, in_folder("plain"), SORA_DTYPE_F32, NULL), SORA_OK);
    sora_context_unref(&ctx);
}

/* Runs a model with so many LoRAs as estimated; its frames, and what was taken from opening it on. */
static uint8_t *run_model(const char *name, int32_t dtype, uint32_t loras, size_t *size, double *peak) {
    static const double strengths[] = {0.9, -0.3};
    char model[128], lora[128];
    rig r = {.err = {.struct_size = sizeof r.err}};
    sora_memory m = {.struct_size = sizeof m};
    sora_model_opts opts;
    sora_model_opts_init(&opts);
    snprintf(model, sizeof model, "%s", in_folder(name));
    snprintf(lora, sizeof lora, "%s", in_folder("lora.safetensors"));
    const char *const both[] = {lora, lora};
    opts.dtype = dtype;
    opts.loras = both;
    opts.lora_strengths = strengths;
    opts.lora_count = loras;
    ck_assert_int_eq(sora_context_create(&r.ctx, NULL, &r.err), SORA_OK);
    ck_assert_msg(sora_model_open(&r.model, r.ctx, model, &opts, &r.err) == SORA_OK, "%s", r.err.message);
    ck_assert_int_eq(sora_pipeline_create(&r.p, r.model, &r.err), SORA_OK);
    sora_pipeline_set_text(r.p, SORA_PARAM_PROMPT, "a cat", (size_t)-1);
    sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 2);
    run_as_estimated(&r, 0.10, 65536, name);
    sora_context_memory(r.ctx, &m);
    *peak = (double)m.peak;
    uint8_t *const frames = frames_of(&r, size);
    close_rig(&r);
    return frames;
}

static const int32_t dtypes[] = {SORA_DTYPE_F32, SORA_DTYPE_BF16};

/* Eight-bit floats with scales, and int8: the bits of the same weights multiplied out, and less memory, by what the panels of those take. */
START_TEST(same_bits_in_less_memory) {
    const int eight = _i / 2;
    size_t n, m;
    double stored, plain;
    make_models(eight);
    uint8_t *const a = run_model(eight ? "" : "i8.sora", dtypes[_i % 2], 0, &n, &stored);
    uint8_t *const b = run_model("plain", dtypes[_i % 2], 0, &m, &plain);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(a, b, n);
    ck_assert_msg(plain - stored > (_i % 2 ? 0.7 : 2.5) * WEIGHTS, "taken: %.2f MiB, multiplied out %.2f", stored / 1048576, plain / 1048576);
    free(a);
    free(b);
}
END_TEST

/* The same with two LoRAs beside them, near to what it is when those are merged. */
START_TEST(loras_beside) {
    const int eight = _i / 2;
    size_t n, m, k;
    double stored, merged, without;
    make_models(eight);
    const char *const name = eight ? "" : "i8.sora";
    uint8_t *const a = run_model(name, dtypes[_i % 2], 2, &n, &stored);
    uint8_t *const b = run_model("plain", dtypes[_i % 2], 2, &m, &merged);
    uint8_t *const c = run_model(name, dtypes[_i % 2], 0, &k, &without);
    long far = 0, changed = 0;
    ck_assert(n == m && n == k);
    for (size_t i = 0; i < n; i++) {
        far += labs((long)a[i] - b[i]) > (_i % 2 ? 8 : 1);
        changed += labs((long)a[i] - c[i]) > 1;
    }
    ck_assert_msg(far * 100 < (long)n && changed * 4 > (long)n, "%ld of %zu differ, %ld changed", far, n, changed);
    ck_assert_msg(merged - stored > (_i % 2 ? 0.7 : 2.5) * WEIGHTS && stored - without < WEIGHTS, "taken: %.2f MiB, merged %.2f, without %.2f",
                  stored / 1048576, merged / 1048576, without / 1048576);
    free(a);
    free(b);
    free(c);
}
END_TEST

Suite *suite_stored(void) {
    Suite *s = suite_create("stored");
    TCase *c = tcase_create("stored");
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_loop_test(c, same_bits_in_less_memory, 0, 4);
    tcase_add_loop_test(c, loras_beside, 0, 4);
    suite_add_tcase(s, c);
    return s;
}
