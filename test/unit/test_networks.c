/* What the parity check does not see of the networks: new ones without a file, misuse, cancellation, memory, threads. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/backend/context.h"
#include "lib/dit/dit.h"
#include "lib/text/t5.h"
#include "lib/vae/vae.h"

static const sorai_dit_config dit_config = {
    .patch_size = {1, 2, 2}, .num_attention_heads = 2, .attention_head_dim = 16, .in_channels = 4, .out_channels = 4, .text_dim = 12,
    .freq_dim = 16, .ffn_dim = 48, .num_layers = 2, .cross_attn_norm = 1, .eps = 1e-6};
static const sorai_t5_config t5_config = {
    .vocab_size = 40, .d_model = 12, .d_kv = 8, .d_ff = 20, .num_layers = 2, .num_heads = 2, .relative_attention_num_buckets = 32,
    .relative_attention_max_distance = 128, .layer_norm_epsilon = 1e-6};

static sorai_vae_config vae_config(int residual) {
    sorai_vae_config c = {.base_dim = 8, .z_dim = 4, .levels = 3, .dim_mult = {1, 2, 2}, .num_res_blocks = 1, .temperal_downsample = {0, 1},
                          .is_residual = residual, .in_channels = residual ? 12 : 3, .out_channels = residual ? 12 : 3,
                          .patch_size = residual ? 2 : 0};
    for (int i = 0; i < 4; i++) {
        c.latents_mean[i] = 0.1f * (float)i;
        c.latents_std[i] = 1.5f;
    }
    return c;
}

typedef struct world {
    sora_context *context;
    sorai_store store;
    sorai_dit dit;
    sorai_t5 t5;
    sorai_vae vae;
    sorai_exec x;
    float *noise;
} world;

#define NOISE 65536

static int begin(world *w, const sora_allocator *allocator, int threads, int trainable, int32_t product, sora_error *err) {
    const sorai_context_config config = {.allocator = allocator, .threads = threads};
    const sorai_vae_config vae = vae_config(1);
    memset(w, 0, sizeof *w);
    SORA_TRY(sorai_context_create(&w->context, &config, err));
    sorai_device *device = sorai_context_device(w->context, NULL);
    SORA_TRY(sorai_store_init(&w->store, &w->context->mem, device));
    w->store.trainable = trainable;
    w->store.seed = 7;
    SORA_TRY(sorai_dit_bind(&w->dit, &w->store, &dit_config, err));
    SORA_TRY(sorai_t5_bind(&w->t5, &w->store, &t5_config, err));
    SORA_TRY(sorai_vae_bind(&w->vae, &w->store, &vae, SORAI_VAE_ENCODER | SORAI_VAE_DECODER, err));
    w->noise = malloc(NOISE * sizeof *w->noise);
    uint32_t s = 1;
    for (int i = 0; w->noise && i < NOISE; i++) {
        s = s * 1664525u + 1013904223u;
        w->noise[i] = (float)(s >> 8) / (float)(1 << 23) - 1.0f;
    }
    return sorai_exec_init(&w->x, device, &w->context->mem, product, err);
}

static void finish(world *w) {
    sorai_exec_release(&w->x);
    sorai_dit_release(&w->dit);
    sorai_t5_release(&w->t5);
    if (w->store.mem)
        sorai_store_release(&w->store);
    free(w->noise);
    sorai_context_unref(&w->context);
}

static void start(world *w, int threads, int trainable, int32_t product) {
    sora_error err = {0};
    ck_assert_msg(begin(w, NULL, threads, trainable, product, &err) == SORA_OK, "%s", err.message);
}

static sora_tensor *noise(world *w, int32_t rank, const int64_t *shape) {
    return sorai_upload(&w->x, SORA_DTYPE_F32, rank, shape, w->noise);
}

static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, lengths[] = {5, 3};

/* Text -> transformer, then the autoencoder on its result: a scalar that depends on every network. */
static sora_tensor *everything(world *w) {
    sorai_exec *x = &w->x;
    const int64_t latent[] = {2, 2, 4, 6, 4};
    const float times[] = {0.0f, 300.0f, 0.0f, 700.0f};
    sora_tensor *text = sorai_t5_pad(x, sorai_t5_forward(x, &w->t5, ids, lengths, 2, 5), lengths, 7);
    sora_tensor *in = noise(w, 5, latent);
    sora_tensor *v = sorai_dit_forward(x, &w->dit, in, times, 2, sorai_dit_prepare(x, &w->dit, text, NULL));
    sora_tensor *clip = sorai_vae_decode(x, &w->vae, NULL, sorai_vae_denormalize(x, &w->vae, sorai_axpby(x, 1.0, in, -0.5, v)));
    sora_tensor *logvar = NULL, *mean = sorai_vae_encode(x, &w->vae, NULL, clip, &logvar);
    return sorai_axpby(x, 1.0, sorai_mse(x, mean, in, NULL), 0.01, sorai_kl(x, mean, logvar));
}

static float run_everything(world *w, float *gradients) {
    sorai_tape tape = {0};
    float value = NAN;
    size_t n = 0;
    w->x.tape = &tape;
    sorai_store_zero_grad(&w->store);
    sora_tensor *loss = everything(w);
    ck_assert_msg(loss && sorai_download(&w->x, loss, &value) == SORA_OK, "%s", w->x.error.message);
    sorai_tape_backward(&w->x, &tape, loss, 1.0);
    ck_assert_int_eq(sorai_exec_finish(&w->x, NULL), SORA_OK);
    for (size_t i = 0; gradients && i < w->store.count; i++) {
        ck_assert_int_eq(sorai_download(&w->x, w->store.params[i]->grad, gradients + n), SORA_OK);
        n += (size_t)sorai_tensor_count(w->store.params[i]->value);
    }
    return value;
}

static size_t all_values(const world *w) {
    size_t n = 0;
    for (size_t i = 0; i < w->store.count; i++)
        n += (size_t)sorai_tensor_count(w->store.params[i]->value);
    return n;
}

START_TEST(new_network_trains) {
    world w;
    start(&w, 2, 1, SORA_DTYPE_F32);
    const size_t n = all_values(&w);
    float *g = calloc(n, sizeof *g);
    const float loss = run_everything(&w, g);
    ck_assert(loss > 0.0f && loss < 1e4f);
    /* The head begins at zero: its gradient is the first thing that moves, the blocks below have none yet. */
    size_t at = 0, moved = 0;
    for (size_t i = 0; i < w.store.count; i++) {
        const sorai_param *p = w.store.params[i];
        const size_t count = (size_t)sorai_tensor_count(p->value);
        int any = 0;
        for (size_t k = 0; k < count; k++) {
            ck_assert_msg(isfinite(g[at + k]), "%s", p->name);
            any |= g[at + k] != 0.0f;
        }
        if (strcmp(p->name, "proj_out.weight") == 0 || strstr(p->name, "coder.conv_in.weight"))
            ck_assert_msg(any, "%s has no gradient", p->name);
        if (strncmp(p->name, "blocks.", 7) == 0)
            ck_assert_msg(!any, "%s has a gradient", p->name);
        moved += any != 0;
        at += count;
    }
    ck_assert_uint_gt(moved, 50);
    free(g);
    finish(&w);
}
END_TEST

/* Bit by bit the same for any number of threads, gradients too. */
START_TEST(threads_do_not_matter) {
    const int32_t product = _i ? SORA_DTYPE_BF16 : SORA_DTYPE_F32;
    float *first = NULL, loss = 0.0f;
    size_t n = 0;
    for (int threads = 1; threads <= 3; threads++) {
        world w;
        start(&w, threads, 1, product);
        sorai_param *head = sorai_store_find(&w.store, "proj_out.weight"); /* zeros would hide the blocks */
        w.context->devices[0]->upload(w.context->devices[0], head->value->data, w.noise, sorai_tensor_bytes(head->value));
        head->version++;
        n = all_values(&w);
        float *g = calloc(n, sizeof *g);
        const float value = run_everything(&w, g);
        if (!first) {
            first = g;
            loss = value;
        } else {
            ck_assert_mem_eq(&value, &loss, sizeof loss);
            ck_assert_mem_eq(g, first, n * sizeof *g);
            free(g);
        }
        finish(&w);
    }
    free(first);
}
END_TEST

/* A second step takes no new memory, in inference and with a stream. */
START_TEST(second_step_allocates_nothing) {
    world w;
    start(&w, 1, 0, SORA_DTYPE_F32);
    sorai_vae_stream *stream = calloc(1, sizeof *stream);
    const int64_t latent[] = {1, 1, 4, 6, 4};
    uint64_t used[3];
    for (int i = 0; i < 3; i++) {
        const sorai_exec_mark mark = sorai_exec_here(&w.x);
        ck_assert_ptr_nonnull(everything(&w));
        sorai_exec_rewind(&w.x, mark);
        sorai_vae_stream_begin(stream, &w.context->mem);
        for (int f = 0; f < 3; f++) {
            ck_assert_ptr_nonnull(sorai_vae_decode(&w.x, &w.vae, stream, noise(&w, 5, latent)));
            sorai_exec_rewind(&w.x, mark);
        }
        used[i] = atomic_load(&w.context->mem.used);
    }
    ck_assert_uint_eq(used[1], used[2]);
    sorai_vae_stream_release(stream);
    free(stream);
    finish(&w);
}
END_TEST

/* A window of a decoded frame has the bits of its place in the whole. */
START_TEST(windows_are_places_of_the_whole) {
    static const sorai_vae_window windows[] = {{0, 0, 11, 13}, {0, 13, 11, 27}, {11, 0, 19, 13}, {11, 13, 19, 5}, {14, 20, 1, 1}, {0, 0, 30, 40}};
    const sorai_vae_config config = vae_config(_i % 2);
    const int64_t latent[] = {1, 3, 30, 40, 4}, space = sorai_vae_space_factor(&config), wide = 40 * space * 3;
    world w;
    sora_error err = {0};
    sorai_vae vae;
    sorai_store store;
    start(&w, 2, 0, _i / 2 ? SORA_DTYPE_BF16 : SORA_DTYPE_F32);
    sorai_exec *x = &w.x;
    sorai_store_init(&store, &w.context->mem, x->device);
    ck_assert_msg(sorai_vae_bind(&vae, &store, &config, SORAI_VAE_DECODER, &err) == SORA_OK, "%s", err.message);
    sora_tensor *in = noise(&w, 5, latent), *whole = sorai_vae_decode(x, &vae, NULL, in);
    sorai_vae_stream *stream = calloc(1, sizeof *stream);
    stream->split_bytes = 20000; /* some of it frame by frame */
    ck_assert_ptr_nonnull(whole);
    const sorai_exec_mark mark = sorai_exec_here(x);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        const sorai_vae_window *at = &windows[i];
        sorai_vae_stream_begin(stream, &w.context->mem);
        sora_tensor *middle = sorai_vae_decode_middle(x, &vae, stream, in);
        sora_tensor *part = sorai_vae_decode_window(x, &vae, stream, middle, at);
        ck_assert_ptr_nonnull(part);
        ck_assert(part->shape[1] == whole->shape[1] && part->shape[2] == at->h * space && part->shape[3] == at->w * space);
        for (int64_t y = 0; y < part->shape[1] * part->shape[2]; y++) {
            const int64_t f = y / part->shape[2], row = at->y * space + y % part->shape[2];
            ck_assert_mem_eq((float *)part->data + y * part->shape[3] * 3,
                             (float *)whole->data + (f * 30 * space + row) * wide + at->x * space * 3, (size_t)part->shape[3] * 3 * sizeof(float));
        }
        sorai_exec_rewind(x, mark);
    }
    sorai_vae_stream_begin(stream, &w.context->mem);
    ck_assert_ptr_null(sorai_vae_decode_window(x, &vae, stream, sorai_vae_decode_middle(x, &vae, stream, in), &(sorai_vae_window){0, 1, 30, 40}));
    ck_assert_int_eq(sorai_exec_finish(x, &err), SORA_E_INVALID);
    sorai_vae_stream_release(stream);
    free(stream);
    sorai_store_release(&store);
    finish(&w);
}
END_TEST

START_TEST(cancel_between_blocks) {
    world w;
    start(&w, 1, 0, SORA_DTYPE_F32);
    atomic_int cancel = 1;
    w.x.cancel = &cancel;
    ck_assert_ptr_null(everything(&w));
    sora_error err = {0};
    ck_assert_int_eq(sorai_exec_finish(&w.x, &err), SORA_E_CANCELLED);
    atomic_store(&cancel, 0);
    ck_assert_ptr_nonnull(everything(&w)); /* and all is well again */
    finish(&w);
}
END_TEST

static double apart(sorai_exec *x, const sora_tensor *a, const sora_tensor *b) {
    const size_t n = (size_t)sorai_tensor_count(a);
    float *const u = malloc(2 * n * sizeof *u), *const v = u + n;
    double d = 0, size = 0;
    ck_assert(a && b && sorai_download(x, a, u) == SORA_OK && sorai_download(x, b, v) == SORA_OK);
    for (size_t i = 0; i < n; i++) {
        d += ((double)u[i] - (double)v[i]) * ((double)u[i] - (double)v[i]);
        size += (double)u[i] * (double)u[i];
    }
    free(u);
    return d / size;
}

/* Blocks that are left out: nothing changes where they would do the same again; elsewhere the result follows input and time all the same. Keeping
 * what they add changes no bit. */
START_TEST(blocks_left_out) {
    world w;
    start(&w, 1, 0, SORA_DTYPE_F32);
    sorai_exec *x = &w.x;
    const float t[] = {700.0f}, later[] = {650.0f};
    const int64_t text[] = {1, 3, 12}, shape[] = {1, 2, 4, 4, 4}, rest[] = {1, 8, w.dit.dim};
    sora_tensor *const head = w.dit.proj_out.weight->value; /* a new network's says zero */
    memcpy(head->data, w.noise, sorai_tensor_bytes(head));
    const sorai_dit_prompt *p = sorai_dit_prepare(x, &w.dit, noise(&w, 3, text), NULL);
    sora_tensor *first = noise(&w, 5, shape), *other = sorai_axpby(x, 0.9, first, 0.0, NULL);
    sorai_step_cache cache = {sorai_temp(x, 3, rest), 0}, wrong = {sorai_temp(x, 3, text), 0};
    sora_tensor *plain = sorai_dit_forward(x, &w.dit, first, t, 1, p);
    sora_tensor *kept = sorai_dit_forward_control(x, &w.dit, first, NULL, t, 1, p, &cache);
    ck_assert(apart(x, plain, kept) == 0.0);
    cache.reuse = 1;
    ck_assert(apart(x, plain, sorai_dit_forward_control(x, &w.dit, first, NULL, t, 1, p, &cache)) < 1e-11);
    /* The same but for the blocks' part: what it says of another input is near to the whole, and not that of the first. */
    sora_tensor *whole = sorai_dit_forward(x, &w.dit, other, later, 1, p);
    sora_tensor *reused = sorai_dit_forward_control(x, &w.dit, other, NULL, later, 1, p, &cache);
    ck_assert(apart(x, plain, reused) > 1e-6);
    ck_assert(apart(x, whole, reused) > 1e-11);
    ck_assert(apart(x, whole, reused) < apart(x, whole, plain));
    ck_assert_ptr_null(sorai_dit_forward_control(x, &w.dit, first, NULL, t, 1, p, &wrong));
    ck_assert_int_eq(sorai_exec_finish(x, NULL), SORA_E_INTERNAL);
    finish(&w);
}
END_TEST

static void refused(world *w, const void *result, const char *what) {
    sora_error err = {0};
    ck_assert_msg(result == NULL, "%s was taken", what);
    const int status = sorai_exec_finish(&w->x, &err);
    ck_assert_msg(status == SORA_E_INVALID || status == SORA_E_STATE, "%s: status %d %s", what, status, err.message);
    ck_assert_uint_gt(strlen(err.message), 10);
}

START_TEST(misuse_is_refused) {
    world w;
    start(&w, 1, 0, SORA_DTYPE_F32);
    sorai_exec *x = &w.x;
    const float t[] = {1.0f, 2.0f, 3.0f};
    const int64_t text[] = {1, 3, 12}, wide[] = {1, 3, 13}, good[] = {1, 2, 4, 4, 4}, odd[] = {1, 2, 3, 4, 4}, five[] = {1, 2, 4, 4, 5},
                  two[] = {2, 2, 4, 4, 4}, clip[] = {1, 3, 16, 16, 3}, even[] = {1, 2, 16, 16, 3}, small[] = {1, 1, 12, 16, 3};
    sorai_dit_prompt *p = sorai_dit_prepare(x, &w.dit, noise(&w, 3, text), NULL);
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_nonnull(sorai_dit_forward(x, &w.dit, noise(&w, 5, good), t, 1, p));
    refused(&w, sorai_dit_prepare(x, &w.dit, noise(&w, 3, wide), NULL), "text of another width");
    refused(&w, sorai_dit_prepare(x, &w.dit, noise(&w, 3, text), noise(&w, 3, text)), "an image for a model without");
    refused(&w, sorai_dit_forward(x, &w.dit, noise(&w, 5, odd), t, 1, p), "a height that is no multiple of the patch");
    refused(&w, sorai_dit_forward(x, &w.dit, noise(&w, 5, five), t, 1, p), "five channels");
    refused(&w, sorai_dit_forward(x, &w.dit, noise(&w, 5, two), t, 1, p), "two latents with one prompt");
    refused(&w, sorai_dit_forward(x, &w.dit, noise(&w, 5, good), t, 3, p), "three times for eight tokens");
    ck_assert_ptr_nonnull(sorai_vae_encode(x, &w.vae, NULL, noise(&w, 5, clip), NULL));
    refused(&w, sorai_vae_encode(x, &w.vae, NULL, noise(&w, 5, even), NULL), "two frames");
    refused(&w, sorai_vae_encode(x, &w.vae, NULL, noise(&w, 5, small), NULL), "a height that is no multiple");
    refused(&w, sorai_vae_encode(x, &w.vae, NULL, noise(&w, 5, five), NULL), "a video of five channels");
    refused(&w, sorai_vae_decode(x, &w.vae, NULL, noise(&w, 5, five)), "latents of five channels");
    refused(&w, sorai_t5_forward(x, &w.t5, (const int32_t[]){1, 40}, NULL, 1, 2), "an id outside of the table");
    refused(&w, sorai_t5_forward(x, &w.t5, ids, (const int32_t[]){0}, 1, 2), "a text without a token");
    refused(&w, sorai_t5_forward(x, &w.t5, ids, (const int32_t[]){3}, 1, 2), "a length past the end");
    sorai_vae_stream *stream = calloc(1, sizeof *stream);
    sorai_vae_stream_begin(stream, &w.context->mem);
    sorai_tape tape = {0};
    x->tape = &tape;
    refused(&w, sorai_vae_decode(x, &w.vae, stream, noise(&w, 5, good)), "a stream under a tape");
    x->tape = NULL;
    sorai_vae_stream_release(stream);
    free(stream);
    finish(&w);
}
END_TEST

START_TEST(configs_are_checked) {
    sora_error err = {0};
#define WRONG(kind, config, change)                                                                                                      \
    do {                                                                                                                                  \
        sorai_##kind##_config c = config;                                                                                                 \
        ck_assert_int_eq(sorai_##kind##_config_check(&c, &err), SORA_OK);                                                                 \
        c.change;                                                                                                                         \
        ck_assert_msg(sorai_##kind##_config_check(&c, &err) == SORA_E_FORMAT, #change);                                                   \
    } while (0)
    WRONG(dit, dit_config, patch_size[1] = 0);
    WRONG(dit, dit_config, num_attention_heads = 0);
    WRONG(dit, dit_config, attention_head_dim = 15);
    WRONG(dit, dit_config, num_attention_heads = 1024 * 1024);
    WRONG(dit, dit_config, in_channels = -1);
    WRONG(dit, dit_config, freq_dim = 1);
    WRONG(dit, dit_config, num_layers = 2000000000);
    WRONG(dit, dit_config, eps = NAN);
    WRONG(dit, dit_config, added_kv_proj_dim = 32);
    WRONG(dit, dit_config, pos_embed_seq_len = 5);
    WRONG(t5, t5_config, vocab_size = 0);
    WRONG(t5, t5_config, num_heads = 100000);
    WRONG(t5, t5_config, relative_attention_num_buckets = 2);
    WRONG(t5, t5_config, relative_attention_max_distance = 8);
    WRONG(t5, t5_config, layer_norm_epsilon = 0.0);
    WRONG(vae, vae_config(0), levels = 9);
    WRONG(vae, vae_config(0), levels = 0);
    WRONG(vae, vae_config(0), num_res_blocks = 9);
    WRONG(vae, vae_config(0), z_dim = 257);
    WRONG(vae, vae_config(0), in_channels = 4);
    WRONG(vae, vae_config(0), patch_size = 2);
    WRONG(vae, vae_config(0), latents_std[3] = 0.0f);
    WRONG(vae, vae_config(1), dim_mult[1] = 5);
    WRONG(vae, vae_config(1), dim_mult[2] = 2000000000);
#undef WRONG
}
END_TEST

static int nothing(void *user, const char *name, sora_tensor **out, sora_error *err) {
    (void)user;
    (void)name;
    (void)err;
    *out = NULL;
    return SORA_OK;
}

START_TEST(missing_weights_are_named) {
    sora_error err = {0};
    world w;
    start(&w, 1, 0, SORA_DTYPE_F32);
    sorai_store empty;
    sorai_dit dit;
    sorai_t5 t5;
    sorai_vae vae;
    const sorai_vae_config config = vae_config(0);
    ck_assert_int_eq(sorai_store_init(&empty, &w.context->mem, w.context->devices[0]), SORA_OK);
    empty.lookup = nothing;
    ck_assert_int_eq(sorai_dit_bind(&dit, &empty, &dit_config, &err), SORA_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "patch_embedding.weight"));
    ck_assert_int_eq(sorai_t5_bind(&t5, &empty, &t5_config, &err), SORA_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "shared.weight"));
    ck_assert_int_eq(sorai_vae_bind(&vae, &empty, &config, SORAI_VAE_DECODER, &err), SORA_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "post_quant_conv.weight"));
    sorai_store_release(&empty);
    finish(&w);
}
END_TEST

/* The host's allocator fails at the nth block: a clean error, and everything comes back. */
typedef struct failing {
    atomic_long left, blocks;
} failing;

static void *failing_alloc(void *user, size_t size, size_t align) {
    failing *f = user;
    if (atomic_fetch_sub(&f->left, 1) <= 0)
        return NULL;
    void *p = aligned_alloc(align, (size + align - 1) / align * align);
    if (p)
        atomic_fetch_add(&f->blocks, 1);
    return p;
}

static void failing_free(void *user, void *ptr) {
    failing *f = user;
    if (ptr)
        atomic_fetch_sub(&f->blocks, 1);
    free(ptr);
}

START_TEST(memory_runs_out_anywhere) {
    int done = 0;
    for (long n = 0; !done && n < 100000; n += 1 + n / 16) {
        failing f;
        atomic_init(&f.left, n);
        atomic_init(&f.blocks, 0);
        const sora_allocator allocator = {&f, failing_alloc, failing_free};
        world w;
        sora_error err = {0};
        int status = begin(&w, &allocator, 1, 0, SORA_DTYPE_F32, &err);
        sorai_vae_stream *stream = calloc(1, sizeof *stream);
        if (status == SORA_OK) {
            const int64_t latent[] = {1, 2, 4, 4, 4};
            everything(&w);
            sorai_vae_stream_begin(stream, &w.context->mem);
            sorai_vae_decode(&w.x, &w.vae, stream, noise(&w, 5, latent));
            status = sorai_exec_finish(&w.x, &err);
        }
        ck_assert_msg(status == SORA_OK || status == SORA_E_NOMEM, "block %ld: status %d %s", n, status, err.message);
        done = status == SORA_OK;
        sorai_vae_stream_release(stream);
        free(stream);
        finish(&w);
        ck_assert_msg(atomic_load(&f.blocks) == 0, "block %ld: %ld blocks are lost", n, atomic_load(&f.blocks));
    }
    ck_assert(done);
}
END_TEST

/* Sizes of the shared cartoon: one frame is an image for all. */
START_TEST(one_frame) {
    world w;
    start(&w, 2, 0, SORA_DTYPE_F32);
    const int64_t image[] = {1, 1, 16, 24, 3};
    sora_tensor *mean = sorai_vae_encode(&w.x, &w.vae, NULL, noise(&w, 5, image), NULL);
    ck_assert_ptr_nonnull(mean);
    ck_assert_int_eq(mean->shape[1], 1);
    ck_assert_int_eq(mean->shape[2], 2);
    ck_assert_int_eq(mean->shape[3], 3);
    sora_tensor *back = sorai_vae_decode(&w.x, &w.vae, NULL, mean);
    ck_assert_ptr_nonnull(back);
    ck_assert_mem_eq(back->shape, image, sizeof image);
    finish(&w);
}
END_TEST

Suite *suite_networks(void) {
    Suite *s = suite_create("networks");
    TCase *c = tcase_create("networks");
    tcase_add_test(c, new_network_trains);
    tcase_add_loop_test(c, threads_do_not_matter, 0, 2);
    tcase_add_test(c, second_step_allocates_nothing);
    tcase_add_loop_test(c, windows_are_places_of_the_whole, 0, 4);
    tcase_add_test(c, cancel_between_blocks);
    tcase_add_test(c, blocks_left_out);
    tcase_add_test(c, misuse_is_refused);
    tcase_add_test(c, configs_are_checked);
    tcase_add_test(c, missing_weights_are_named);
    tcase_add_test(c, memory_runs_out_anywhere);
    tcase_add_test(c, one_frame);
    suite_add_tcase(s, c);
    return s;
}
