/* Configs of the family's parts as files have them: published values, other spellings, and what is refused. */
#include <check.h>
#include <jansson.h>
#include <string.h>

#include "lib/io/json.h"
#include "lib/model/config.h"
#include "sora/pipeline.h"

typedef int read_fn(json_t *json, void *out, sora_error *err);

static int read_dit(json_t *json, void *out, sora_error *err) { return sorai_config_dit(json, out, err); }
static int read_vae(json_t *json, void *out, sora_error *err) { return sorai_config_vae(json, out, err); }
static int read_vision(json_t *json, void *out, sora_error *err) { return sorai_config_vision(json, out, err); }
static int read_prepare(json_t *json, void *out, sora_error *err) { return sorai_config_prepare(json, out, err); }
static int read_ltx(json_t *json, void *out, sora_error *err) { return sorai_config_ltx(json, out, err); }
static int read_ltx_vae(json_t *json, void *out, sora_error *err) { return sorai_config_ltx_vae(json, out, err); }

static int read_scheduler(json_t *json, void *out, sora_error *err) { return sorai_config_scheduler(json, 0, out, err); }
static int read_scheduler_ltx(json_t *json, void *out, sora_error *err) { return sorai_config_scheduler(json, 1, out, err); }

static int parse(read_fn *read, const char *text, void *out, sora_error *err) {
    json_error_t where;
    json_t *json = json_loads(text, 0, &where);
    ck_assert_msg(json != NULL, "%s: %s", text, where.text);
    memset(err, 0, sizeof *err);
    err->struct_size = sizeof *err;
    const int status = read(json, out, err);
    json_decref(json);
    return status;
}

START_TEST(published_values) {
    sora_error err;
    sorai_dit_config dit;
    /* Wan 2.1 I2V 14B, first + last frame, and VACE 14B with nothing said. */
    ck_assert_int_eq(parse(read_dit,
                           "{\"_class_name\": \"WanTransformer3DModel\", \"in_channels\": 36, \"image_dim\": 1280, "
                           "\"added_kv_proj_dim\": 5120, \"pos_embed_seq_len\": 514}",
                           &dit, &err),
                     SORA_OK);
    ck_assert(dit.in_channels == 36 && dit.out_channels == 16 && dit.pos_embed_seq_len == 514 && dit.vace_count == 0);
    ck_assert_int_eq(parse(read_dit, "{\"_class_name\": \"WanVACETransformer3DModel\"}", &dit, &err), SORA_OK);
    ck_assert(dit.vace_count == 8 && dit.vace_layers[7] == 35 && dit.vace_in_channels == 96);
    ck_assert_int_eq(
        parse(read_dit, "{\"num_layers\": 30, \"vace_layers\": [2, 0, 28], \"vace_in_channels\": 96}", &dit, &err),
        SORA_OK);
    ck_assert(dit.vace_count == 3 && dit.vace_layers[1] == 2 && dit.vace_layers[2] == 28);

    sorai_vision_config vision;
    ck_assert_int_eq(parse(read_vision,
                           "{\"hidden_size\": 1280, \"intermediate_size\": 5120, \"num_hidden_layers\": 32, "
                           "\"num_attention_heads\": 16, \"patch_size\": 14, \"hidden_act\": \"gelu\"}",
                           &vision, &err),
                     SORA_OK);
    ck_assert(sorai_vision_rows(&vision) == 257 && vision.hidden_act == SORAI_VISION_GELU);
    ck_assert_int_eq(parse(read_vision, "{\"vision_config\": {\"patch_size\": 16}}", &vision, &err), SORA_OK);
    ck_assert(sorai_vision_rows(&vision) == 197 && vision.hidden_act == SORAI_VISION_QUICK_GELU);

    sorai_vision_prepare prepare;
    ck_assert_int_eq(parse(read_prepare, "{}", &prepare, &err), SORA_OK);
    ck_assert(prepare.shortest == 224 && prepare.crop_width == 224 && prepare.filter == SORAI_FILTER_BICUBIC);
    ck_assert_int_eq(parse(read_prepare, "{\"size\": 30, \"crop_size\": 20}", &prepare, &err), SORA_OK);
    ck_assert(prepare.shortest == 30 && prepare.crop_height == 20 && prepare.crop_width == 20);
    ck_assert_int_eq(parse(read_prepare, "{\"size\": {\"height\": 5, \"width\": 7}}", &prepare, &err), SORA_OK);
    ck_assert(prepare.shortest == 0 && prepare.height == 5 && prepare.width == 7);

    sorai_ltx_config ltx;
    sorai_ltx_vae_config vae;
    sorai_vae_config wan;
    ck_assert_int_eq(parse(read_vae, "{}", &wan, &err), SORA_OK); /* of 16 channels: statistics are published */
    ck_assert(wan.latents_mean[0] == -0.7571f && wan.latents_mean[15] == -0.2921f && wan.latents_std[15] == 1.916f);
    ck_assert_int_eq(parse(read_vae, "{\"z_dim\": 15}", &wan, &err), SORA_OK);
    ck_assert(wan.latents_mean[0] == 0.0f && wan.latents_std[14] == 1.0f);
    ck_assert_int_eq(parse(read_ltx, "{}", &ltx, &err), SORA_OK);
    ck_assert(ltx.num_layers == 28 && ltx.in_channels == 128 && ltx.caption_channels == 4096);
    ck_assert_int_eq(parse(read_ltx_vae, "{}", &vae, &err), SORA_OK);
    ck_assert(sorai_ltx_vae_space_factor(&vae) == 32 && sorai_ltx_vae_time_factor(&vae) == 8);
    ck_assert_int_eq(
        parse(
            read_ltx_vae,
            "{\"block_out_channels\": [128, 256, 512, 1024, 2048], \"down_block_types\": "
            "[\"LTXVideo095DownBlock3D\", \"LTXVideo095DownBlock3D\", \"LTXVideo095DownBlock3D\", "
            "\"LTXVideo095DownBlock3D\"], \"downsample_type\": [\"spatial\", \"temporal\", "
            "\"spatiotemporal\", \"spatiotemporal\"], \"layers_per_block\": [4, 6, 6, 2, 2], "
            "\"spatio_temporal_scaling\": [true, true, true, true], \"decoder_block_out_channels\": [256, 512, 1024], "
            "\"decoder_layers_per_block\": [5, 5, 5, 5], \"decoder_spatio_temporal_scaling\": [true, true, true], "
            "\"decoder_inject_noise\": [false, false, false, false], \"upsample_residual\": [true, true, true], "
            "\"upsample_factor\": [2, 2, 2], \"timestep_conditioning\": true}",
            &vae, &err),
        SORA_OK);
    ck_assert(vae.levels == 4 && sorai_ltx_vae_space_factor(&vae) == 32 && sorai_ltx_vae_time_factor(&vae) == 8);
}
END_TEST

#define UNIPC "{\"_class_name\": \"UniPCMultistepScheduler\", "
#define DPMPP "{\"_class_name\": \"DPMSolverMultistepScheduler\", "
#define EULER "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", "
#define LCM "{\"_class_name\": \"FlowMatchLCMScheduler\", "

START_TEST(schedulers) {
    sora_error err;
    sorai_scheduler_config s;
    /* Wan 2.2's file. */
    ck_assert_msg(parse(read_scheduler,
                        UNIPC "\"_diffusers_version\": \"0.35.0.dev0\", \"beta_end\": 0.02, \"beta_schedule\": \"linear\", "
                              "\"beta_start\": 0.0001, \"disable_corrector\": [], \"dynamic_thresholding_ratio\": 0.995, "
                              "\"final_sigmas_type\": \"zero\", \"flow_shift\": 5.0, \"lower_order_final\": true, "
                              "\"num_train_timesteps\": 1000, \"predict_x0\": true, \"prediction_type\": \"flow_prediction\", "
                              "\"rescale_betas_zero_snr\": false, \"sample_max_value\": 1.0, \"sigma_max\": null, \"sigma_min\": null, "
                              "\"solver_order\": 2, \"solver_p\": null, \"solver_type\": \"bh2\", \"steps_offset\": 0, "
                              "\"thresholding\": false, \"time_shift_type\": \"exponential\", \"timestep_spacing\": \"linspace\", "
                              "\"trained_betas\": null, \"use_beta_sigmas\": false, \"use_dynamic_shifting\": false, "
                              "\"use_exponential_sigmas\": false, \"use_flow_sigmas\": true, \"use_karras_sigmas\": false}",
                        &s, &err) == SORA_OK,
                  "%s", err.message);
    ck_assert(s.solver == SORA_SAMPLER_UNIPC && s.shift == 5.0 && !s.dynamic);
    /* LTX-Video 0.9.1's. */
    ck_assert_msg(parse(read_scheduler_ltx,
                        EULER "\"base_image_seq_len\": 1024, \"base_shift\": 0.95, \"invert_sigmas\": false, \"max_image_seq_len\": 4096, "
                              "\"max_shift\": 2.05, \"num_train_timesteps\": 1000, \"shift\": 1.0, \"shift_terminal\": 0.1, "
                              "\"use_beta_sigmas\": false, \"use_dynamic_shifting\": true, \"use_exponential_sigmas\": false, "
                              "\"use_karras_sigmas\": false}",
                        &s, &err) == SORA_OK,
                  "%s", err.message);
    ck_assert(s.solver == SORA_SAMPLER_EULER && s.dynamic && s.low == 0.95 && s.high_tokens == 4096 && s.terminal == 0.1);
    /* Made from another class's config: that one's shift is left over. */
    ck_assert_int_eq(parse(read_scheduler, EULER "\"flow_shift\": 3.0, \"shift\": 8, \"solver_order\": 3}", &s, &err), SORA_OK);
    ck_assert(s.solver == SORA_SAMPLER_EULER && s.shift == 8.0);
    ck_assert_int_eq(parse(read_scheduler, UNIPC "\"flow_shift\": 3.0, \"shift\": 8, \"shift_terminal\": 0.0}", &s, &err), SORA_OK);
    ck_assert(s.shift == 3.0 && s.terminal == 0.0);
    ck_assert_int_eq(parse(read_scheduler, EULER "\"stochastic_sampling\": true}", &s, &err), SORA_OK);
    ck_assert(s.solver == SORA_SAMPLER_LCM && s.shift == 1.0);
    ck_assert_int_eq(parse(read_scheduler, DPMPP "\"lambda_min_clipped\": \"-Infinity\", \"solver_type\": \"midpoint\"}", &s, &err), SORA_OK);
    ck_assert_int_eq(s.solver, SORA_SAMPLER_DPMPP);
}
END_TEST

START_TEST(refused) {
    static const struct {
        read_fn *read;
        int status;
        const char *text, *word;
    } cases[] = {
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": [1, 2]}", "vace_layers"},
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": [0, 40]}", "vace_layers"},
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": [0, 5, 5]}", "vace_layers"},
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": [0, -3]}", "vace_layers"},
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": [0, 2000000000]}", "vace_layers"},
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": [], \"vace_in_channels\": 96}", "vace_layers"},
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": \"all\"}", "vace_layers"},
        {read_dit, SORA_E_FORMAT, "{\"vace_layers\": [0], \"vace_in_channels\": 0}", "vace_in_channels"},
        {read_dit, SORA_E_FORMAT, "{\"added_kv_proj_dim\": 5120}", "added_kv_proj_dim"},
        {read_dit, SORA_E_FORMAT, "{\"image_dim\": 1280, \"added_kv_proj_dim\": 1280}", "added_kv_proj_dim"},
        {read_dit, SORA_E_UNSUPPORTED, "{\"_class_name\": \"WanAnimateTransformer3DModel\"}", "WanAnimate"},
        {read_vae, SORA_E_UNSUPPORTED, "{\"_class_name\": \"AutoencoderKLMochi\"}", "AutoencoderKLMochi"},
        {read_vision, SORA_E_FORMAT, "[]", "image_encoder"},
        {read_vision, SORA_E_FORMAT, "{\"hidden_size\": 100, \"num_attention_heads\": 3}", "num_attention_heads"},
        {read_vision, SORA_E_FORMAT, "{\"image_size\": 8, \"patch_size\": 9}", "patch_size"},
        {read_vision, SORA_E_FORMAT, "{\"image_size\": [224, 224]}", "image_size"},
        {read_vision, SORA_E_FORMAT, "{\"num_hidden_layers\": 2000000}", "num_hidden_layers"},
        {read_vision, SORA_E_FORMAT, "{\"num_channels\": 4}", "num_channels"},
        {read_vision, SORA_E_FORMAT, "{\"layer_norm_eps\": -1}", "layer_norm_eps"},
        {read_vision, SORA_E_UNSUPPORTED, "{\"hidden_act\": \"relu\"}", "hidden_act"},
        {read_prepare, SORA_E_FORMAT, "{\"image_std\": [1, 1, 0]}", "image_std"},
        {read_prepare, SORA_E_FORMAT, "{\"image_mean\": [1, 1]}", "image_mean"},
        {read_prepare, SORA_E_FORMAT, "{\"size\": {\"shortest_edge\": 0}}", "shortest_edge"},
        {read_prepare, SORA_E_FORMAT, "{\"size\": \"big\"}", "size"},
        {read_prepare, SORA_E_FORMAT, "{\"resample\": 6}", "resample"},
        {read_ltx, SORA_E_FORMAT, "{\"cross_attention_dim\": 1024}", "cross_attention_dim"},
        {read_ltx, SORA_E_FORMAT, "{\"in_channels\": 128, \"patch_size\": 3}", "in_channels"},
        {read_ltx, SORA_E_FORMAT, "{\"num_layers\": 0}", "num_layers"},
        {read_ltx, SORA_E_UNSUPPORTED, "{\"qk_norm\": \"layer_norm\"}", "qk_norm"},
        {read_ltx, SORA_E_UNSUPPORTED, "{\"activation_fn\": \"swiglu\"}", "activation_fn"},
        {read_ltx_vae, SORA_E_FORMAT, "{\"latent_channels\": 100000}", "latent_channels"},
        {read_ltx_vae, SORA_E_FORMAT, "{\"block_out_channels\": [128, 256]}", "layers_per_block"},
        {read_ltx_vae, SORA_E_FORMAT, "{\"layers_per_block\": [4, 3, 3, 3, 400]}", "layers_per_block"},
        {read_ltx_vae, SORA_E_FORMAT, "{\"upsample_factor\": [3, 1, 1, 1]}", "upsample_factor"},
        {read_ltx_vae, SORA_E_FORMAT, "{\"scaling_factor\": 0}", "scaling_factor"},
        {read_ltx_vae, SORA_E_FORMAT, "{\"patch_size_t\": 2}", "patch_size_t"},
        {read_ltx_vae, SORA_E_UNSUPPORTED, "{\"decoder_inject_noise\": [true, false, false, false, false]}",
         "inject_noise"},
        {read_ltx_vae, SORA_E_UNSUPPORTED, "{\"down_block_types\": [\"Other\"]}", "down_block_types"},
        {read_scheduler, SORA_E_FORMAT, "[]", "scheduler"},
        {read_scheduler, SORA_E_UNSUPPORTED, "{\"_class_name\": \"DDIMScheduler\"}", "DDIMScheduler"},
        {read_scheduler, SORA_E_FORMAT, "{\"flow_shift\": 0}", "flow_shift"},
        {read_scheduler, SORA_E_UNSUPPORTED, "{\"solver_order\": 3}", "solver_order 3"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"prediction_type\": \"epsilon\"}", "prediction_type epsilon"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"use_flow_sigmas\": false}", "use_flow_sigmas false"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"thresholding\": true}", "thresholding"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"final_sigmas_type\": \"sigma_min\"}", "final_sigmas_type"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"predict_x0\": false}", "predict_x0"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"solver_type\": \"bh1\"}", "solver_type"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"lower_order_final\": false}", "lower_order_final"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"disable_corrector\": [0]}", "disable_corrector"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"solver_p\": {}}", "solver_p"},
        {read_scheduler, SORA_E_UNSUPPORTED, UNIPC "\"shift_terminal\": 0.1}", "shift_terminal 0.1"},
        {read_scheduler_ltx, SORA_E_UNSUPPORTED, UNIPC "\"use_dynamic_shifting\": true}", "use_dynamic_shifting"},
        {read_scheduler, SORA_E_UNSUPPORTED, DPMPP "\"algorithm_type\": \"sde-dpmsolver++\"}", "algorithm_type"},
        {read_scheduler, SORA_E_UNSUPPORTED, DPMPP "\"solver_type\": \"heun\"}", "solver_type"},
        {read_scheduler, SORA_E_UNSUPPORTED, DPMPP "\"use_lu_lambdas\": true}", "use_lu_lambdas"},
        {read_scheduler, SORA_E_UNSUPPORTED, EULER "\"num_train_timesteps\": 500}", "num_train_timesteps 500"},
        {read_scheduler, SORA_E_UNSUPPORTED, EULER "\"use_karras_sigmas\": true}", "use_karras_sigmas"},
        {read_scheduler, SORA_E_UNSUPPORTED, EULER "\"use_exponential_sigmas\": true}", "use_exponential_sigmas"},
        {read_scheduler, SORA_E_UNSUPPORTED, EULER "\"use_beta_sigmas\": true}", "use_beta_sigmas"},
        {read_scheduler, SORA_E_UNSUPPORTED, EULER "\"invert_sigmas\": true}", "invert_sigmas"},
        {read_scheduler, SORA_E_UNSUPPORTED, EULER "\"use_dynamic_shifting\": true}", "use_dynamic_shifting"},
        {read_scheduler, SORA_E_UNSUPPORTED, LCM "\"scale_factors\": [0.5, 1]}", "scale_factors"},
        {read_scheduler_ltx, SORA_E_UNSUPPORTED, EULER "\"use_dynamic_shifting\": true, \"time_shift_type\": \"linear\"}", "time_shift_type"},
        {read_scheduler_ltx, SORA_E_UNSUPPORTED, EULER "\"shift_terminal\": 0.1}", "shift_terminal"},
        {read_scheduler_ltx, SORA_E_FORMAT, EULER "\"use_dynamic_shifting\": true, \"shift_terminal\": 1}", "dynamic"},
    };
    union {
        sorai_dit_config dit;
        sorai_vision_config vision;
        sorai_vision_prepare prepare;
        sorai_ltx_config ltx;
        sorai_ltx_vae_config vae;
        sorai_vae_config wan_vae;
        sorai_scheduler_config scheduler;
    } out;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sora_error err;
        const int status = parse(cases[i].read, cases[i].text, &out, &err);
        ck_assert_msg(status == cases[i].status, "%s: %d %s", cases[i].text, status, err.message);
        ck_assert_msg(strstr(err.message, cases[i].word) != NULL, "%s: %s", cases[i].text, err.message);
    }
}
END_TEST

/* What Python's json writes beyond JSON: DPMSolverMultistepScheduler saves "lambda_min_clipped": -Infinity, tokenizers a
 * model_max_length of 31 digits. */
START_TEST(numbers_of_python) {
    static const char text[] = "{\"lambda_min_clipped\": -Infinity, \"eps\": NaN, \"list\": [Infinity, 1], \"NaN\": \"Infinity \\\" NaN\","
                               "\"model_max_length\": 1000000000000000019884624838656, \"least\": -999999999999999999, \"f\": 0.1234567890123456789}";
    sorai_mem mem;
    sorai_source *source;
    json_t *json;
    sora_error err = {.struct_size = sizeof err};
    sorai_mem_init(&mem, NULL, 0);
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "config.json", text, sizeof text - 1, NULL, NULL, NULL), SORA_OK);
    ck_assert_msg(sorai_json_load(&json, source, "config", &err) == SORA_OK, "%s", err.message);
    ck_assert_str_eq(json_string_value(json_object_get(json, "lambda_min_clipped")), "-Infinity");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "list"), 0)), "Infinity");
    ck_assert_str_eq(json_string_value(json_object_get(json, "NaN")), "Infinity \" NaN");
    ck_assert(json_real_value(json_object_get(json, "model_max_length")) == 1e30);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "least")), -999999999999999999);
    ck_assert(json_real_value(json_object_get(json, "f")) == 0.1234567890123456789);
    sorai_dit_config dit;
    ck_assert_int_eq(sorai_config_dit(json, &dit, &err), SORA_E_FORMAT); /* a field that is read must be a number */
    ck_assert_msg(strstr(err.message, "eps") != NULL, "%s", err.message);
    json_decref(json);
    sorai_source_unref(&source);
    static const char *const wrong[] = {"{\"a\": Infinit}", "{\"a\": nan}", "{\"a\": -NaN}", "{\"a\": 1Infinity}", "\"", "NaN\"", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(sorai_source_memory(&source, &mem, "config.json", wrong[i], strlen(wrong[i]), NULL, NULL, NULL), SORA_OK);
        ck_assert_msg(sorai_json_load(&json, source, "config", &err) == SORA_E_FORMAT, "%s", wrong[i]);
        sorai_source_unref(&source);
    }
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

Suite *suite_configs(void) {
    Suite *s = suite_create("configs");
    TCase *c = tcase_create("all");
    tcase_add_test(c, published_values);
    tcase_add_test(c, schedulers);
    tcase_add_test(c, refused);
    tcase_add_test(c, numbers_of_python);
    suite_add_tcase(s, c);
    return s;
}
