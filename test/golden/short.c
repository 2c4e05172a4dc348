/* A short generation, text to pixels, against stored numbers: short.safetensors has the latent after the last step and
 * the frames.
 *
 *     build/test/golden/short [--write]     in the repository's root; --write stores anew what this build makes
 *
 * Tolerances. In f32 the paths that a machine may take (reference kernels, AVX2, AVX-512, OpenBLAS or not) round sums
 * in different orders: measured on the latent, the reference kernels differ from AVX-512 by a relative squared error
 * of 1.1e-13, OpenBLAS by 1.7e-13, and one byte of 18000 falls to the other side of a rounding. 1e-10 and a byte in a
 * thousand, by one, leave room for orders not met here. In bf16 (products of rounded numbers) the measured error
 * is 2.1e-5, and 12 steps of 255 at most; 5e-4 and 24 are allowed. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sora/sora.h>

static const char *const file = "test/golden/short.safetensors";
static int failed, passed;

static void check(const char *what, int good) {
    printf("%s %s\n", good ? "ok  " : "FAIL", what);
    failed += !good;
    passed += good;
}

/* Latent and frames of the run that is stored. */
static int generate(const char *model_path, const char *plugin, const char *device, int32_t dtype, int threads, sora_tensor **latent,
                    uint8_t **rgb, size_t *size) {
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *p = NULL;
    sora_context_opts context;
    sora_model_opts opts;
    int32_t width = 0, height = 0;
    int64_t frames = 0;
    sora_context_opts_init(&context);
    sora_model_opts_init(&opts);
    context.threads = threads;
    opts.dtype = dtype;
    int status = sora_context_create(&ctx, &context, &err);
    if (status == SORA_OK && plugin) {
        status = sora_backend_load(ctx, plugin, &err);
        opts.device = device;
    }
    if (status == SORA_OK) status = sora_model_open(&model, ctx, model_path, &opts, &err);
    if (status == SORA_OK) status = sora_pipeline_create(&p, model, &err);
    if (status == SORA_OK) {
        sora_pipeline_set_text(p, SORA_PARAM_PROMPT, "a cat runs in the rain", (size_t)-1);
        sora_pipeline_set_text(p, SORA_PARAM_NEGATIVE, "snow", (size_t)-1);
        sora_pipeline_set_i64(p, SORA_PARAM_SEED, 7);
        sora_pipeline_set_i64(p, SORA_PARAM_STEPS, 4);
        sora_pipeline_set_i64(p, SORA_PARAM_WIDTH, 40);
        sora_pipeline_set_i64(p, SORA_PARAM_HEIGHT, 30);
        sora_pipeline_set_i64(p, SORA_PARAM_FRAMES, 5);
        status = sora_pipeline_run(p, &err);
    }
    if (status == SORA_OK) status = sora_pipeline_get_tensor(p, SORA_SLOT_LATENT, latent);
    if (status == SORA_OK) {
        sora_pipeline_video_info(p, &width, &height, &frames, NULL);
        *size = (size_t)width * (size_t)height * 3 * (size_t)frames;
        *rgb = malloc(*size);
        status = *rgb ? sora_pipeline_read_frames(p, 0, frames, *rgb, *size) : SORA_E_NOMEM;
    }
    if (status != SORA_OK) printf("FAIL generation: %s\n", err.message);
    sora_pipeline_destroy(&p);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return status;
}

static void compare(const char *name, sora_tensor *latent, const uint8_t *rgb, size_t size, sora_tensor *want,
                    sora_tensor *want_rgb, double limit, int most) {
    char line[160];
    double diff = 0.0, norm = 0.0;
    size_t off = 0;
    int worst = 0;
    const float *a = sora_tensor_data(latent), *b = sora_tensor_data(want);
    const size_t n = sora_tensor_bytes(want) / sizeof(float);
    if (sora_tensor_bytes(latent) != sora_tensor_bytes(want) || sora_tensor_bytes(want_rgb) != size) {
        check("sizes", 0);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        diff += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    for (size_t i = 0; i < size; i++) {
        const int d = abs(rgb[i] - ((const uint8_t *)sora_tensor_data(want_rgb))[i]);
        off += d != 0;
        worst = d > worst ? d : worst;
    }
    snprintf(line, sizeof line, "%s: latent nmse %.2g (limit %.0e)", name, diff / norm, limit);
    check(line, diff <= limit * norm);
    snprintf(line, sizeof line, "%s: %zu of %zu bytes differ, by %d at most (limit %d)", name, off, size, worst, most);
    check(line, worst <= most && (most > 1 || off * 1000 <= size));
}

static int store(sora_tensor *latent, uint8_t *rgb, size_t size) {
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_tensor *frames = NULL;
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 1, 0, {(int64_t)size}};
    const char *const names[] = {"latent", "frames"};
    int status = sora_context_create(&ctx, NULL, &err);
    if (status == SORA_OK) status = sora_tensor_wrap(&frames, ctx, &shape, rgb, NULL, NULL, &err);
    sora_tensor *const tensors[] = {latent, frames};
    if (status == SORA_OK) status = sora_tensors_save(ctx, file, names, tensors, 2, &err);
    sora_tensor_unref(&frames);
    sora_context_unref(&ctx);
    return status;
}

int main(int argc, char **argv) {
    char folder[] = "/tmp/sora-golden-XXXXXX", command[200], plugin[1100];
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_tensor *want = NULL, *want_rgb = NULL, *latent = NULL;
    uint8_t *rgb = NULL;
    size_t size = 0;
    snprintf(command, sizeof command, "sh test/tiny/make.sh %s", mkdtemp(folder) ? folder : "");
    if (system(command) != 0) return 2;
    const char *slash = strrchr(argv[0], '/');
    if (argc > 1 && strcmp(argv[1], "--write") == 0) {
        const int status = generate(folder, NULL, NULL, SORA_DTYPE_F32, 2, &latent, &rgb, &size);
        check("stored", status == SORA_OK && store(latent, rgb, size) == SORA_OK);
    } else if (sora_context_create(&ctx, NULL, &err) == SORA_OK &&
               sora_tensor_load(&want, ctx, file, "latent", &err) == SORA_OK &&
               sora_tensor_load(&want_rgb, ctx, file, "frames", &err) == SORA_OK) {
        static const struct {
            const char *name;
            int32_t dtype;
            int threads;
            const char *device;
            int most;
            double limit;
        } ways[] = {{"f32, two threads", SORA_DTYPE_F32, 2, NULL, 1, 1e-10},
                    {"f32, one thread", SORA_DTYPE_F32, 1, NULL, 1, 1e-10},
                    {"f32, reference kernels", SORA_DTYPE_F32, 2, "reference", 1, 1e-10},
                    {"f32, OpenBLAS", SORA_DTYPE_F32, 2, "blas", 1, 1e-10},
                    {"bf16", SORA_DTYPE_BF16, 2, NULL, 24, 5e-4}};
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            const char *device = ways[i].device;
            snprintf(plugin, sizeof plugin, "%.*s/../../libsora-%s.so", slash ? (int)(slash - argv[0]) : 1,
                     slash ? argv[0] : ".", device ? device : "");
            if (device && access(plugin, R_OK) != 0) {
                printf("SKIP %s: %s is not built\n", ways[i].name, plugin);
                continue;
            }
            const int status = generate(folder, device ? plugin : NULL, device, ways[i].dtype, ways[i].threads, &latent,
                                        &rgb, &size);
            if (status == SORA_OK)
                compare(ways[i].name, latent, rgb, size, want, want_rgb, ways[i].limit, ways[i].most);
            else
                failed++;
            sora_tensor_unref(&latent);
            free(rgb);
            rgb = NULL;
        }
    } else {
        check(err.message, 0);
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    failed += system(command) != 0;
    sora_tensor_unref(&want);
    sora_tensor_unref(&want_rgb);
    sora_tensor_unref(&latent);
    sora_context_unref(&ctx);
    free(rgb);
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}
