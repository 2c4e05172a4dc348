/* Encodings against the Python package gguf and torch; readers of containers; names of tensors. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/io/encoding.h"
#include "lib/io/gguf.h"
#include "lib/io/package.h"
#include "lib/io/safetensors.h"
#include "lib/io/part.h"
#include "lib/io/weights.h"
#include "lib/model/files.h"
#include "lib/model/lora.h"
#include "lib/model/names.h"
#include "lib/tensor/half.h"
#include "sora/sora.h"

#define FIXTURES "test/parity/fixtures/containers/"

static sorai_mem mem;
static sora_error error;

static void setup(void) {
    sorai_mem_init(&mem, NULL, 0);
    memset(&error, 0, sizeof error);
}

static void teardown(void) { ck_assert_uint_eq(atomic_load(&mem.used), 0); }

START_TEST(test_encodings) {
    sorai_safetensors *st;
    ck_assert_msg(sorai_safetensors_open_path(&st, &mem, FIXTURES "blocks.safetensors", &error) == SORA_OK, "%s",
                  error.message);
    for (int32_t e = SORAI_PLAIN + 1; e < SORAI_F64; e++) {
        const sorai_encoding_info *info = sorai_encoding_find(e);
        sora_tensor *blocks, *values;
        char name[64];
        snprintf(name, sizeof name, "%s.blocks", info->name);
        ck_assert_msg(sorai_safetensors_lookup(st, name, &blocks, &error) == SORA_OK, "%s", error.message);
        snprintf(name, sizeof name, "%s.values", info->name);
        ck_assert_msg(sorai_safetensors_lookup(st, name, &values, &error) == SORA_OK, "%s", error.message);
        const size_t count = (size_t)blocks->shape[0];
        ck_assert_uint_eq((uint64_t)blocks->shape[1], info->bytes);
        ck_assert_uint_eq((uint64_t)sorai_tensor_count(values), count * info->values);
        void *got = calloc(count * info->values, sizeof(float));
        sorai_encoding_expand(e, blocks->data, count, got);
        for (size_t i = 0; i < count * info->values; i++) {
            const float want = ((const float *)values->data)[i];
            const float have =
                info->dtype == SORA_DTYPE_BF16 ? sorai_bf16_to_f32(((uint16_t *)got)[i]) : ((float *)got)[i];
            ck_assert_msg(have == want || (isnan(have) && isnan(want)), "%s: value %zu is %g, not %g", info->name, i,
                          (double)have, (double)want);
        }
        free(got);
        sorai_tensor_unref(&blocks);
        sorai_tensor_unref(&values);
    }
    ck_assert_ptr_null(sorai_encoding_find(SORAI_PLAIN));
    ck_assert_ptr_null(sorai_encoding_find(SORAI_ENCODINGS));
    sorai_safetensors_close(&st);
}
END_TEST

/* Doubles as torch and the package gguf store them, rounded as torch rounds them; neither kept as stored nor narrowed. */
START_TEST(test_doubles) {
    static const char *const files[] = {"f64.safetensors", "f64.pth", "f64.gguf"};
    static const double made[] = {1.0 / 3.0, -1e300, 1e-42, 16777217.0, -0.0, 0.1};
    char path[128];
    snprintf(path, sizeof path, FIXTURES "doubles/%s", files[_i]);
    sorai_weights *w;
    sora_tensor *t;
    ck_assert_msg(sorai_weights_open(&w, &mem, path, &error) == SORA_OK, "%s", error.message);
    const sorai_tensor_info *info = sorai_table_find(sorai_weights_table(w), "a.weight");
    ck_assert_ptr_nonnull(info);
    ck_assert(info->dtype == SORA_DTYPE_F32 && info->rank == 2 && info->shape[0] == 3 && info->shape[1] == 2);
    ck_assert(info->size == 24 && info->stored == 48);
    sorai_tensor_info kept = *info;
    ck_assert(!sorai_keep_stored(sorai_weights_table(w), &kept));
    ck_assert_msg(sorai_weights_load(w, info, &t, &error) == SORA_OK, "%s", error.message);
    for (int i = 0; i < 6; i++) {
        const float want = (float)made[i];
        ck_assert_msg(memcmp(&want, (float *)t->data + i, sizeof want) == 0, "value %d is %g, not %g", i, (double)((float *)t->data)[i], (double)want);
    }
    sorai_tensor_unref(&t);
    sorai_weights_unref(&w);
}
END_TEST

/* Containers of the same weights give the same tensors as the folder. */
static void same_part(const char *path, const char *part, const char *folder) {
    const sorai_model_files files = {.path = path};
    sorai_package *a, *b;
    size_t n, m;
    ck_assert_msg(sorai_files_open(&a, &mem, &files, &error) == SORA_OK, "%s", error.message);
    ck_assert_msg(sorai_package_open(&b, &mem, folder, &error) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(sorai_package_tensor_count(a, part, &n, &error), SORA_OK);
    ck_assert_int_eq(sorai_package_tensor_count(b, part, &m, &error), SORA_OK);
    ck_assert_uint_eq(n, m);
    for (size_t i = 0; i < n; i++) {
        sorai_tensor_info x, y;
        sora_tensor *s, *t;
        ck_assert_int_eq(sorai_package_tensor(a, part, i, &x, &error), SORA_OK);
        ck_assert_int_eq(sorai_package_tensor(b, part, i, &y, &error), SORA_OK);
        ck_assert_str_eq(x.name, y.name);
        ck_assert_int_eq(sorai_package_lookup(a, part, x.name, &s, &error), SORA_OK);
        ck_assert_int_eq(sorai_package_lookup(b, part, x.name, &t, &error), SORA_OK);
        ck_assert_int_eq(sorai_tensor_count(s), sorai_tensor_count(t));
        ck_assert_int_eq(s->dtype, x.dtype);
        ck_assert_int_eq(s->rank, x.rank);
        for (int64_t k = 0; k < sorai_tensor_count(s); k++) {
            float v[2];
            for (int w = 0; w < 2; w++) {
                const sora_tensor *z = w ? t : s;
                const uint16_t *half = z->data;
                v[w] = z->dtype == SORA_DTYPE_BF16  ? sorai_bf16_to_f32(half[k])
                       : z->dtype == SORA_DTYPE_F16 ? sorai_f16_to_f32(half[k])
                                                    : ((float *)z->data)[k];
            }
            ck_assert_msg(v[0] == v[1], "%s: %s differs at %lld", path, x.name, (long long)k);
        }
        sorai_tensor_unref(&s);
        sorai_tensor_unref(&t);
    }
    sorai_package_close(&a);
    sorai_package_close(&b);
}

START_TEST(test_containers) {
    same_part(FIXTURES "official/dit.safetensors", "transformer", FIXTURES "folder");
    same_part(FIXTURES "official/dit.pth", "transformer", FIXTURES "folder");
    same_part(FIXTURES "comfy/dit_f8.safetensors", "transformer", FIXTURES "folder");
    same_part(FIXTURES "gguf/dit_f16.gguf", "transformer", FIXTURES "folder");
    same_part(FIXTURES "official/clip.pth", "image_encoder", FIXTURES "folder");
    same_part(FIXTURES "comfy/clip.safetensors", "image_encoder", FIXTURES "folder");
    same_part(FIXTURES "official/vae.safetensors", "vae", FIXTURES "folder");
    same_part(FIXTURES "comfy/vae.safetensors", "vae", FIXTURES "folder");
    same_part(FIXTURES "official/t5.safetensors", "text_encoder", FIXTURES "folder");
    same_part(FIXTURES "official/t5.pth", "text_encoder", FIXTURES "folder");
    same_part(FIXTURES "comfy/t5_f8.safetensors", "text_encoder", FIXTURES "folder");
    same_part(FIXTURES "gguf/t5_f16.gguf", "text_encoder", FIXTURES "folder");
}
END_TEST

/* Configs that are read off shapes say what the folder's say. */
START_TEST(test_inferred) {
    static const struct {
        const char *file, *part, *fields[18];
    } cases[] = {
        {FIXTURES "official/vae.safetensors",
         "vae",
         {"base_dim", "z_dim", "dim_mult", "num_res_blocks", "attn_scales", "temperal_downsample", "is_residual",
          "in_channels", "out_channels", "latents_mean", "latents_std"}},
        {FIXTURES "official/clip.pth",
         "image_encoder",
         {"hidden_act", "hidden_size", "image_size", "intermediate_size", "layer_norm_eps", "num_attention_heads",
          "num_channels", "num_hidden_layers", "patch_size"}},
        {FIXTURES "gguf/t5_f16.gguf",
         "text_encoder",
         {"vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "relative_attention_num_buckets",
          "relative_attention_max_distance", "layer_norm_epsilon", "feed_forward_proj", "model_type"}},
        {FIXTURES "comfy/dit_f8.safetensors",
         "transformer",
         {"patch_size", "num_attention_heads", "attention_head_dim", "in_channels", "out_channels", "text_dim",
          "freq_dim", "ffn_dim", "num_layers", "cross_attn_norm", "eps", "qk_norm"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const sorai_model_files files = {.path = cases[i].file};
        sorai_package *a, *b;
        json_t *x, *y;
        ck_assert_msg(sorai_files_open(&a, &mem, &files, &error) == SORA_OK, "%s", error.message);
        ck_assert_int_eq(sorai_package_open(&b, &mem, FIXTURES "folder", &error), SORA_OK);
        ck_assert_int_eq(sorai_package_config(a, cases[i].part, &x, &error), SORA_OK);
        ck_assert_int_eq(sorai_package_config(b, cases[i].part, &y, &error), SORA_OK);
        for (size_t k = 0; cases[i].fields[k]; k++)
            ck_assert_msg(json_equal(json_object_get(x, cases[i].fields[k]), json_object_get(y, cases[i].fields[k])),
                          "%s: %s", cases[i].file, cases[i].fields[k]);
        sorai_package_close(&a);
        sorai_package_close(&b);
    }
}
END_TEST

START_TEST(test_names) {
    char out[SORAI_NAME_ROOM], back[SORAI_NAME_ROOM];
    static const char *const pairs[][2] = {
        {"blocks.12.cross_attn.norm_k_img.weight", "blocks.12.attn2.norm_added_k.weight"},
        {"blocks.0.norm3.bias", "blocks.0.norm2.bias"},
        {"vace_blocks.3.after_proj.weight", "vace_blocks.3.proj_out.weight"},
        {"img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"},
        {"head.modulation", "scale_shift_table"},
        {"blocks.7.modulation", "blocks.7.scale_shift_table"},
    };
    sorai_table none;
    sorai_table_init(&none, &mem);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert(sorai_names_map(SORAI_KIND_DIT, SORAI_NAMES_OFFICIAL, &none, "", pairs[i][0], out));
        ck_assert_str_eq(out, pairs[i][1]);
        ck_assert(sorai_names_official(out, back));
        ck_assert_str_eq(back, pairs[i][0]);
    }
    static const char *const strange[] = {"blocks.self_attn.q.weight",
                                          "blocks.1.self_attn.x.weight",
                                          "blocks.99999999999.norm3.weight",
                                          "head",
                                          "modulation",
                                          "blocks.1.",
                                          "blocks.",
                                          ""};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        ck_assert(!sorai_names_map(SORAI_KIND_DIT, SORAI_NAMES_OFFICIAL, &none, "", strange[i], out));
    ck_assert(sorai_names_map(SORAI_KIND_VAE, SORAI_NAMES_OFFICIAL22, &none, "",
                              "decoder.upsamples.2.upsamples.3.time_conv.bias", out));
    ck_assert_str_eq(out, "decoder.up_blocks.2.upsampler.time_conv.bias");
    ck_assert(sorai_names_map(SORAI_KIND_VAE, SORAI_NAMES_OFFICIAL22, &none, "",
                              "encoder.downsamples.1.downsamples.0.shortcut.weight", out));
    ck_assert_str_eq(out, "encoder.down_blocks.1.resnets.0.conv_shortcut.weight");
    ck_assert(
        !sorai_names_map(SORAI_KIND_VAE, SORAI_NAMES_OFFICIAL, &none, "", "encoder.middle.3.residual.0.gamma", out));
    sorai_table_release(&none);
}
END_TEST

/* A small GGUF file by hand; each number can be wrong. */
typedef struct bytes {
    unsigned char data[512];
    size_t size;
} bytes;
static void number(bytes *b, uint64_t x, int n) {
    for (int i = 0; i < n; i++) b->data[b->size++] = (unsigned char)(x >> (8 * i));
}
static void text(bytes *b, const char *s) {
    number(b, strlen(s), 8);
    memcpy(b->data + b->size, s, strlen(s));
    b->size += strlen(s);
}

typedef struct lies {
    uint64_t version, tensors, pairs, rank, extent, type, offset, second;
} lies;
static const lies truth = {3, 2, 1, 2, 3, 0, 0, 32};

static int open_gguf(const lies *l, size_t cut) {
    bytes b = {{0}, 0};
    memcpy(b.data, "GGUF", 4);
    b.size = 4;
    number(&b, l->version, 4);
    number(&b, l->tensors, 8);
    number(&b, l->pairs, 8);
    text(&b, "general.architecture");
    number(&b, 8, 4);
    text(&b, "wan");
    for (int i = 0; i < 2; i++) {
        text(&b, i ? "b" : "a");
        number(&b, i ? 1 : l->rank, 4);
        for (uint64_t k = 0; k < (i ? 1 : l->rank < 8 ? l->rank : 8); k++) number(&b, i ? 2 : k ? 2 : l->extent, 8);
        number(&b, i ? 0 : l->type, 4);
        number(&b, i ? l->second : l->offset, 8);
    }
    b.size = (b.size + 31) / 32 * 32 + 64;
    sorai_source *source;
    sorai_gguf *g;
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "x.gguf", b.data, b.size - cut, NULL, NULL, NULL), SORA_OK);
    const int status = sorai_gguf_open(&g, &mem, source, &error);
    if (status == SORA_OK) {
        const sorai_tensor_info *a = sorai_table_find(sorai_gguf_table(g), "a");
        sora_tensor *t;
        ck_assert_ptr_nonnull(a);
        ck_assert_str_eq(json_string_value(json_object_get(sorai_gguf_metadata(g), "general.architecture")), "wan");
        if (l->type == 0) {
            ck_assert_int_eq(a->shape[0], 2);
            ck_assert_int_eq(a->shape[1], 3);
            ck_assert_int_eq(sorai_gguf_load(g, a, &t, &error), SORA_OK);
            sorai_tensor_unref(&t);
        } else {
            ck_assert_int_eq(sorai_gguf_load(g, a, &t, &error), SORA_E_UNSUPPORTED);
        }
    }
    sorai_gguf_close(&g);
    sorai_source_unref(&source);
    return status;
}

START_TEST(test_gguf_lies) {
    ck_assert_msg(open_gguf(&truth, 0) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(open_gguf(&truth, 24), SORA_OK); /* up to the last value */
    for (size_t cut = 25; cut < 200; cut++) ck_assert_int_eq(open_gguf(&truth, cut), SORA_E_FORMAT);
#define LIE(member, value, status)                                                                                     \
    do {                                                                                                               \
        lies l = truth;                                                                                                \
        l.member = (value);                                                                                            \
        ck_assert_msg(open_gguf(&l, 0) == (status), #member " " #value ": %s", error.message);                         \
    } while (0)
    LIE(version, 1, SORA_E_UNSUPPORTED);
    LIE(version, 0x03000000, SORA_E_UNSUPPORTED); /* the other byte order */
    LIE(tensors, 3, SORA_E_FORMAT);
    LIE(tensors, UINT64_MAX, SORA_E_FORMAT);
    LIE(pairs, UINT64_MAX, SORA_E_FORMAT);
    LIE(pairs, 2, SORA_E_FORMAT);
    LIE(rank, 9, SORA_E_FORMAT);
    LIE(extent, UINT64_C(1) << 62, SORA_E_FORMAT);
    LIE(extent, UINT64_C(1) << 40, SORA_E_FORMAT);
    LIE(extent, 100, SORA_E_FORMAT);
    LIE(type, 8, SORA_E_FORMAT); /* rows of 3 are no blocks */
    LIE(type, 20, SORA_OK);      /* listed */
    LIE(type, 100000, SORA_E_FORMAT);
    LIE(offset, 1, SORA_E_FORMAT);
    LIE(offset, UINT64_MAX - 31, SORA_E_FORMAT);
    LIE(second, 0, SORA_E_FORMAT);
    LIE(second, 64, SORA_E_FORMAT);
#undef LIE
}
END_TEST

/* Eight-bit floats with a scale beside them, in a folder too. */
START_TEST(test_scaled_folder) {
    static const char header[] = "{\"a.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,2],\"data_offsets\":[0,4]},"
                                 "\"a.scale_weight\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}}";
    static const unsigned char values[] = {0x38, 0x40, 0xb8, 0x7e, 0, 0, 0, 0x3f}; /* 1, 2, -1, 448; 0.5 */
    static const float want[] = {0.5f, 1.0f, -0.5f, 224.0f};
    char folder[64] = "/tmp/sora-test-XXXXXX", path[128], command[128];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "mkdir %s/transformer && echo '{}' >%s/transformer/config.json", folder, folder);
    ck_assert_int_eq(system(command), 0);
    snprintf(path, sizeof path, "%s/transformer/diffusion_pytorch_model.safetensors", folder);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    const unsigned char length[8] = {(unsigned char)(sizeof header - 1)};
    ck_assert_uint_eq(fwrite(length, 1, 8, f) + fwrite(header, 1, sizeof header - 1, f) + fwrite(values, 1, 8, f),
                      sizeof header + 15);
    fclose(f);
    sorai_package *p;
    sora_tensor *t;
    ck_assert_msg(sorai_package_open(&p, &mem, folder, &error) == SORA_OK, "%s", error.message);
    ck_assert_msg(sorai_package_lookup(p, "transformer", "a.weight", &t, &error) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(t->dtype, SORA_DTYPE_F32);
    for (int i = 0; i < 4; i++) ck_assert(((float *)t->data)[i] == want[i]);
    sorai_tensor_unref(&t);
    /* and as it is stored, the scale beside it */
    sorai_tensor_info info;
    sorai_package_keep(p, true);
    ck_assert_msg(sorai_package_lookup(p, "transformer", "a.weight", &t, &error) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(t->dtype, SORAI_DTYPE_F8_E4M3);
    ck_assert_ptr_nonnull(t->scale);
    ck_assert(sorai_tensor_count(t->scale) == 1 && ((float *)t->scale->data)[0] == 0.5f);
    ck_assert_int_eq(sorai_package_find(p, "transformer", "a.weight", &info, &error), SORA_OK);
    ck_assert(info.dtype == SORAI_DTYPE_F8_E4M3 && info.scales == 1 && info.size == 4);
    sorai_tensor_unref(&t);
    sorai_package_close(&p);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* The Nth allocation fails, for every N: a clean error, nothing left. */
static struct { long made, fails; } fate;
static void *fated_alloc(void *user, size_t size, size_t align) {
    (void)user;
    return ++fate.made == fate.fails ? NULL : aligned_alloc(align, (size + align - 1) / align * align);
}
static void fated_free(void *user, void *block) {
    (void)user;
    free(block);
}

static int open_everything(void) {
    const sorai_model_files files = {.dit = FIXTURES "official/dit.pth",
                                     .dit2 = FIXTURES "comfy/dit_scaled.safetensors",
                                     .text = FIXTURES "gguf/t5_q4_0.gguf",
                                     .tokenizer = "test/tiny/tokenizer.json"};
    sorai_package *pkg;
    sorai_loras *loras = NULL;
    sora_tensor *t;
    int status = sorai_files_open(&pkg, &mem, &files, &error);
    if (status == SORA_OK) status = sorai_loras_create(&loras, &mem, &error);
    if (status == SORA_OK)
        status = sorai_loras_add(loras, pkg, FIXTURES "lora/comfy.safetensors", 1.0, SORAI_LORA_BOTH, &error);
    if (status == SORA_OK)
        sorai_loras_install(loras, pkg);
    else
        sorai_loras_free(&loras);
    static const char *const wanted[][2] = {{"transformer", "blocks.0.attn1.to_q.weight"},
                                            {"transformer_2", "blocks.1.ffn.net.0.proj.weight"},
                                            {"text_encoder", "shared.weight"}};
    for (int i = 0; i < 6 && status == SORA_OK; i++) { /* multiplied out; as they are stored, factors beside them */
        sorai_package_keep(pkg, i > 2);
        sorai_package_narrow(pkg, i > 2);
        status = sorai_package_lookup(pkg, wanted[i % 3][0], wanted[i % 3][1], &t, &error);
        if (status == SORA_OK && i == 4)
            ck_assert(t->dtype == SORAI_DTYPE_F8_E4M3 && t->scale && t->down->shape[0] == 4 && t->up->dtype == SORA_DTYPE_BF16);
        sorai_tensor_unref(&t);
    }
    sorai_package_close(&pkg);
    return status;
}

/* What a package says of a tensor is what a lookup gives, whatever is kept, narrowed or changed. */
START_TEST(test_told_as_given) {
    const sorai_model_files files = {.dit = FIXTURES "official/dit.pth", .dit2 = _i % 3 ? FIXTURES "comfy/dit_scaled.safetensors" : FIXTURES "gguf/dit_q4_1.gguf"};
    sorai_package *pkg;
    sorai_loras *loras;
    size_t n, beside = 0, merged = 0;
    ck_assert_int_eq(sorai_files_open(&pkg, &mem, &files, &error), SORA_OK);
    ck_assert_int_eq(sorai_loras_create(&loras, &mem, &error), SORA_OK);
    for (int i = 0; i < 2; i++) /* ranks follow each other */
        ck_assert_int_eq(sorai_loras_add(loras, pkg, i ? FIXTURES "lora/peft.safetensors" : FIXTURES "lora/comfy.safetensors", 0.5, SORAI_LORA_BOTH, &error), SORA_OK);
    sorai_loras_install(loras, pkg);
    sorai_package_keep(pkg, _i & 1);
    sorai_package_narrow(pkg, _i & 2);
    for (int part = 0; part < 2; part++) {
        const char *const name = part ? "transformer_2" : "transformer";
        ck_assert_int_eq(sorai_package_tensor_count(pkg, name, &n, &error), SORA_OK);
        for (size_t i = 0; i < n; i++) {
            sorai_tensor_info info;
            sora_tensor *t;
            ck_assert_int_eq(sorai_package_tensor(pkg, name, i, &info, &error), SORA_OK);
            ck_assert_msg(sorai_package_lookup(pkg, name, info.name, &t, &error) == SORA_OK, "%s", error.message);
            ck_assert_msg(info.dtype == t->dtype && info.size == sorai_tensor_bytes(t), "%s/%s: told %s, given %s", name, info.name,
                          sorai_dtype_name(info.dtype), sorai_dtype_name(t->dtype));
            ck_assert_int_eq(info.scales, t->scale ? sorai_tensor_count(t->scale) : 0);
            ck_assert_int_eq(info.added, t->down ? t->down->shape[0] : 0);
            ck_assert(!t->up || (t->up->shape[1] == info.added && t->up->dtype == (_i & 2 ? SORA_DTYPE_BF16 : SORA_DTYPE_F32)));
            ck_assert_int_eq(sorai_package_maps(pkg, name, &info), sorai_tensor_borrows(t));
            beside += t->up != NULL;
            merged += !t->up && strstr(info.name, "blocks.0.attn1.to_q.weight");
            sorai_tensor_unref(&t);
        }
    }
    ck_assert_uint_eq(beside, _i & 1 ? 3 : 0);
    ck_assert_uint_eq(merged, _i & 1 ? 1 : 2);
    sorai_package_close(&pkg);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(test_no_memory) {
    const sora_allocator host = {NULL, fated_alloc, fated_free};
    sorai_mem_init(&mem, &host, 0);
    int status = SORA_E_NOMEM;
    for (fate.fails = 1; status != SORA_OK; fate.fails++) {
        fate.made = 0;
        memset(&error, 0, sizeof error);
        status = open_everything();
        ck_assert_uint_eq(atomic_load(&mem.used), 0);
        if (status != SORA_OK)
            ck_assert_msg(status == SORA_E_NOMEM && error.message[0], "allocation %ld: %d, %s", fate.fails, status,
                          error.message);
        ck_assert_int_lt(fate.fails, 100000);
        if (fate.fails > 300) fate.fails += 37; /* names: one is as good as the next */
    }
    ck_assert_int_gt(fate.fails, 100);
}
END_TEST

/* Factors that are none for their weight are refused before memory is taken for them, merged or beside. */
START_TEST(test_lora_lies) {
    static const char header[] = "{\"diffusion_model.blocks.0.self_attn.q.lora_down.weight\":{\"dtype\":\"F32\",\"shape\":[1099511627776,0],\"data_offsets\":[0,0]},"
                                 "\"diffusion_model.blocks.0.self_attn.q.lora_up.weight\":{\"dtype\":\"F32\",\"shape\":[32,1],\"data_offsets\":[0,128]}}";
    static unsigned char made_up[sizeof header + 7 + 128] = {(sizeof header - 1) & 255, (sizeof header - 1) >> 8};
    memcpy(made_up + 8, header, sizeof header - 1);
    const sorai_model_files files = {.dit = FIXTURES "comfy/dit_scaled.safetensors"};
    sorai_package *pkg;
    sorai_source *source;
    sorai_weights *weights;
    sorai_loras *loras;
    sora_tensor *t;
    ck_assert_int_eq(sorai_files_open(&pkg, &mem, &files, &error), SORA_OK);
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "lies", made_up, sizeof made_up, NULL, NULL, &error), SORA_OK);
    ck_assert_msg(sorai_weights_open_source(&weights, &mem, source, &error) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(sorai_loras_create(&loras, &mem, &error), SORA_OK);
    ck_assert_msg(sorai_loras_add_weights(loras, pkg, weights, 1.0, SORAI_LORA_BOTH, &error) == SORA_OK, "%s", error.message);
    sorai_loras_install(loras, pkg);
    for (int keep = 0; keep < 2; keep++) {
        sorai_package_keep(pkg, keep);
        ck_assert_int_eq(sorai_package_lookup(pkg, "transformer", "blocks.0.attn1.to_q.weight", &t, &error), SORA_E_FORMAT);
        ck_assert_ptr_nonnull(strstr(error.message, "does not fit"));
        ck_assert_ptr_null(t);
    }
    ck_assert_uint_lt(atomic_load(&mem.peak), 1 << 20);
    sorai_weights_unref(&weights);
    sorai_source_unref(&source);
    sorai_package_close(&pkg);
}
END_TEST

static int64_t read_at(void *user, uint64_t offset, void *dst, size_t n) {
    memcpy(dst, (char *)user + offset, n);
    return (int64_t)n;
}

START_TEST(test_public) {
    sora_context *ctx;
    sora_model *model;
    sora_model_opts o;
    sora_model_desc d = {.struct_size = sizeof d};
    ck_assert_int_eq(sora_context_create(&ctx, NULL, &error), SORA_OK);
    sora_model_opts_init(&o);
    ck_assert_int_eq(sora_model_open(&model, ctx, NULL, &o, &error), SORA_E_INVALID);
    o.transformer = FIXTURES "gguf/dit_f16.gguf";
    o.vae = FIXTURES "official/vae.safetensors";
    o.tokenizer = "test/tiny/tokenizer.json";
    ck_assert_msg(sora_model_open(&model, ctx, NULL, &o, &error) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(sora_model_info(model, &d), SORA_OK);
    ck_assert_uint_eq(d.parts, SORA_PART_TRANSFORMER | SORA_PART_VAE | SORA_PART_TOKENIZER);
    ck_assert_str_eq(d.format, "files");
    ck_assert_int_eq(d.latent_channels, 16);
    ck_assert_ptr_nonnull(strstr(sora_model_json(model, &error), "\"text_encoder\""));
    sora_model_unref(&model);
    /* a caller of the version before: its struct ends earlier */
    o.struct_size = offsetof(sora_model_opts, transformer);
    ck_assert_int_eq(sora_model_open(&model, ctx, NULL, &o, &error), SORA_E_INVALID);
    ck_assert_int_eq(sora_model_open(&model, ctx, FIXTURES "folder", &o, &error), SORA_OK);
    sora_model_unref(&model);
    sora_model_opts_init(&o);
    o.lora_count = 1;
    ck_assert_int_eq(sora_model_open(&model, ctx, FIXTURES "folder", &o, &error), SORA_E_INVALID);
    const char *lora = FIXTURES "lora/peft.safetensors";
    const int32_t low = SORA_LORA_LOW, none = 7;
    o.loras = &lora;
    o.lora_targets = &low;
    ck_assert_int_eq(sora_model_open(&model, ctx, FIXTURES "folder", &o, &error), SORA_E_NOTFOUND);
    o.lora_targets = &none;
    ck_assert_int_eq(sora_model_open(&model, ctx, FIXTURES "folder", &o, &error), SORA_E_INVALID);
    o.lora_targets = NULL;
    ck_assert_msg(sora_model_open(&model, ctx, FIXTURES "folder", &o, &error) == SORA_OK, "%s", error.message);
    sora_model_unref(&model);
    /* weights through the caller's I/O */
    FILE *f = fopen(FIXTURES "gguf/t5_q4_0.gguf", "rb");
    static char data[200000];
    ck_assert_ptr_nonnull(f);
    const size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    const sora_io io = {data, read_at, n, "memory.gguf"};
    ck_assert_msg(sora_model_open_io(&model, ctx, &io, NULL, &error) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(sora_model_info(model, &d), SORA_OK);
    ck_assert_uint_eq(d.parts, SORA_PART_TEXT_ENCODER | SORA_PART_TOKENIZER);
    ck_assert_str_eq(d.format, "gguf");
    sora_model_unref(&model);
    sora_context_unref(&ctx);
}
END_TEST

Suite *suite_io_weights(void);
Suite *suite_io_weights(void) {
    Suite *s = suite_create("io_weights");
    TCase *c = tcase_create("weights");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_encodings);
    tcase_add_loop_test(c, test_doubles, 0, 3);
    tcase_add_test(c, test_containers);
    tcase_add_test(c, test_inferred);
    tcase_add_test(c, test_names);
    tcase_add_test(c, test_gguf_lies);
    tcase_add_test(c, test_scaled_folder);
    tcase_add_loop_test(c, test_told_as_given, 0, 4);
    tcase_add_test(c, test_lora_lies);
    tcase_add_test(c, test_no_memory);
    tcase_add_test(c, test_public);
    suite_add_tcase(s, c);
    return s;
}
