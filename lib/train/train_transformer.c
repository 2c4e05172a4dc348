/* Training of the diffusion transformer together with its text encoder: flow matching on normalised latents. */
#include <string.h>

#include "lib/base/rng.h"
#include "lib/io/tokenizer.h"
#include "lib/model/config.h"
#include "lib/train/noising.h"
#include "lib/train/patches.h"
#include "lib/train/trainer.h"

#define MAX_ROWS 4096

typedef struct transformer_net {
    sorai_dit dit;
    sorai_t5 t5;
    sorai_tokenizer *tokenizer;
    sorai_patches patches; /* of init, while the networks are bound */
    int64_t rows; /* of text that the transformer sees */
} transformer_net;

static void release(sora_trainer *t) {
    transformer_net *net = t->net;
    sorai_dit_release(&net->dit);
    sorai_t5_release(&net->t5);
    sorai_tokenizer_close(&net->tokenizer);
    sorai_free(t->mem, net);
}

static int open_tokenizer(sora_trainer *t, transformer_net *net, sora_error *err) {
    sorai_source *source = NULL;
    if (!t->recipe.tokenizer && t->init)
        return sorai_tokenizer_open_package(&net->tokenizer, t->mem, t->init, err);
    if (!t->recipe.tokenizer)
        return sorai_fail(err, SORA_E_INVALID, "recipe: tokenizer: a file, or an init that has one, is needed");
    SORA_TRY(sorai_source_open(&source, t->mem, t->recipe.tokenizer, err));
    const int status = sorai_tokenizer_open(&net->tokenizer, t->mem, source, err);
    sorai_source_unref(&source);
    return status;
}

static int bind(sora_trainer *t, sora_error *err) {
    sorai_trained_part *part;
    sorai_dit_config dit;
    sorai_t5_config t5;
    transformer_net *net = sorai_calloc(t->mem, 1, sizeof *net);
    if (!net)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the transformer");
    t->net = net;
    json_t *rows = json_object_get(t->recipe.root, "text_length");
    net->rows = rows ? json_integer_value(rows) : 64;
    if (net->rows < 2 || net->rows > MAX_ROWS)
        return sorai_fail(err, SORA_E_INVALID, "recipe: text_length must be in 2..%d", MAX_ROWS);
    SORA_TRY(sorai_trainer_add_part(t, "transformer", "transformer", &part, err));
    SORA_TRY(sorai_config_dit(part->config, &dit, err));
    SORA_TRY(sorai_patches_open(&net->patches, part, dit.patch_size, t->recipe.grow, err));
    SORA_TRY(sorai_dit_bind(&net->dit, &part->store, &dit, err));
    SORA_TRY(sorai_trainer_add_part(t, "text_encoder", "text_encoder", &part, err));
    SORA_TRY(sorai_config_t5(part->config, &t5, err));
    SORA_TRY(sorai_t5_bind(&net->t5, &part->store, &t5, err));
    if (dit.in_channels != dit.out_channels || dit.text_dim != t5.d_model)
        return sorai_fail(err, SORA_E_INVALID, "recipe: in_channels must equal out_channels, and text_dim the text encoder's d_model");
    return open_tokenizer(t, net, err);
}

/* Texts as the transformer sees them: [n, rows, d], zero past the last token. drop: those that are left out. */
static sora_tensor *text_of(sora_trainer *t, const char *const *captions, int64_t n, const unsigned char *drop) {
    const transformer_net *net = t->net;
    const int64_t rows = net->rows;
    int32_t *ids = sorai_calloc(t->mem, (size_t)(n * (rows + 1)), sizeof *ids);
    if (!ids)
        return sorai_exec_fail(&t->exec, SORA_E_NOMEM, "no memory for captions");
    int32_t *lengths = ids + n * rows;
    int64_t longest = 1;
    sora_tensor *hidden = NULL;
    for (int64_t i = 0; i < n; i++) {
        const char *caption = drop[i] ? "" : captions[i];
        sorai_ids words;
        sorai_ids_init(&words, t->mem);
        sora_error err = {sizeof err, 0, {0}};
        const int status = sorai_tokenizer_encode(net->tokenizer, caption, strlen(caption), (size_t)rows, &words, &err);
        if (status != SORA_OK) {
            sorai_exec_fail(&t->exec, status, "caption: %s", err.message);
            sorai_ids_release(&words);
            goto done;
        }
        memcpy(ids + i * rows, words.ids, words.count * sizeof *ids);
        lengths[i] = (int32_t)words.count;
        sorai_ids_release(&words);
        longest = lengths[i] > longest ? lengths[i] : longest;
    }
    /* The encoder works on as many columns as the longest caption has. */
    for (int64_t i = 1; i < n; i++)
        memmove(ids + i * longest, ids + i * rows, (size_t)longest * sizeof *ids);
    hidden = sorai_t5_pad(&t->exec, sorai_t5_forward(&t->exec, &net->t5, ids, lengths, n, longest), lengths, rows);
done:
    sorai_free(t->mem, ids);
    return hidden;
}

/* What the tokens attend to: the captions, and the later ones where the batch has some. */
static const sorai_dit_prompt *prompt_of(sora_trainer *t, const sora_batch *batch, const unsigned char *drop, int64_t tokens_of_frame) {
    const transformer_net *net = t->net;
    const int64_t n = batch->count;
    sorai_dit_prompt *const first = sorai_dit_prepare(&t->exec, &net->dit, text_of(t, batch->captions, n, drop), NULL);
    if (!first || !batch->later)
        return first;
    first->next = sorai_dit_prepare(&t->exec, &net->dit, text_of(t, batch->later, n, drop), NULL);
    if (!first->next)
        return NULL;
    first->next->from = (int64_t)batch->later_from / net->dit.config.patch_size[0] * tokens_of_frame;
    return first;
}

typedef struct noised {
    sorai_noising host;
    sora_tensor *velocity, *target, *weights;
} noised;

/* Noise, text and the forward pass. sigma < 0: drawn, captions dropped, as in training. host arrays stay allocated when `keep` is set. */
static int forward(sora_trainer *t, const sora_batch *batch, double sigma, uint64_t seed, uint64_t stream, noised *out, float **keep) {
    sorai_exec *x = &t->exec;
    const transformer_net *net = t->net;
    const int64_t *shape = batch->video->shape;
    const int32_t *patch = net->dit.config.patch_size;
    const int64_t n = shape[0], c = shape[1], frames = shape[2], places = shape[3] * shape[4], size = n * c * frames * places;
    sorai_noising *o = &out->host;
    *o = (sorai_noising){n, frames, shape[3], shape[4], c, {patch[0], patch[1], patch[2]}, NULL, NULL, NULL, NULL};
    if (c != net->dit.config.in_channels || n > 4096) {
        sorai_exec_fail(x, SORA_E_INVALID, "batch: latents must have the transformer's in_channels, and at most 4096 samples");
        return x->status;
    }
    if (frames % patch[0] || shape[3] % patch[1] || shape[4] % patch[2] || (batch->later && batch->later_from % (uint32_t)patch[0])) {
        sorai_exec_fail(x, SORA_E_INVALID, "batch: latents must be whole patches of the transformer");
        return x->status;
    }
    const int64_t tokens = sorai_noising_tokens(o);
    float *values = sorai_alloc(t->mem, (size_t)(2 * size + n * (frames * places + tokens)) * sizeof *values);
    if (!values) {
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a batch");
        return x->status;
    }
    o->noisy = values;
    o->target = values + size;
    o->timesteps = values + 2 * size;
    o->weights = o->timesteps + n * tokens;
    sorai_noising_fill(o, &t->recipe, batch->video->data, batch->weights, sigma, seed, stream);
    unsigned char drop[4096];
    sorai_rng rng;
    sorai_rng_init(&rng, seed, stream ^ sorai_rng_stream("caption drop"));
    for (int64_t i = 0; i < n; i++)
        drop[i] = sigma < 0.0 && sorai_rng_f64(&rng) < t->recipe.transformer.caption_drop;
    const int64_t video[5] = {n, frames, shape[3], shape[4], c};
    const sorai_dit_prompt *prompt = prompt_of(t, batch, drop, tokens * patch[0] / frames);
    out->target = sorai_upload(x, SORA_DTYPE_F32, 5, video, o->target);
    out->weights = sorai_upload(x, SORA_DTYPE_F32, 3, (const int64_t[]){n, frames, places}, o->weights);
    sora_tensor *noisy = sorai_upload(x, SORA_DTYPE_F32, 5, video, o->noisy);
    out->velocity = prompt ? sorai_dit_forward(x, &net->dit, noisy, o->timesteps, tokens, prompt) : NULL;
    if (keep)
        *keep = values;
    else
        sorai_free(t->mem, values);
    return x->status;
}

static sora_tensor *loss_of(sora_trainer *t, const sora_batch *batch, uint64_t step, uint32_t part, sora_tensor *terms[6]) {
    noised o = {0};
    (void)terms;
    forward(t, batch, -1.0, t->recipe.seed, sorai_rng_stream("transformer") + step * 1024 + part, &o, NULL);
    return o.velocity ? sorai_mse(&t->exec, o.velocity, o.target, o.weights) : NULL;
}

static int evaluate(sora_trainer *t, const sora_batch *batch, double noise, uint64_t seed, float *losses, sora_error *err) {
    noised o = {0};
    float *values = NULL, *made = NULL;
    if (!(noise >= 0.0 && noise <= 1.0))
        return sorai_fail(err, SORA_E_INVALID, "the noise level must be in 0..1");
    forward(t, batch, noise, seed, sorai_rng_stream("evaluate"), &o, &values);
    if (o.velocity && (made = sorai_alloc(t->mem, sorai_tensor_bytes(o.velocity))) != NULL)
        sorai_download(&t->exec, o.velocity, made);
    else
        sorai_exec_fail(&t->exec, SORA_E_NOMEM, "no memory for a result");
    const int64_t size = o.host.frames * o.host.height * o.host.width * o.host.channels;
    for (int64_t i = 0; t->exec.status == SORA_OK && i < o.host.n; i++) {
        double sum = 0.0;
        for (int64_t k = i * size; k < (i + 1) * size; k++) {
            const double d = (double)made[k] - (double)o.host.target[k];
            sum += d * d;
        }
        losses[i] = (float)(sum / (double)size);
    }
    sorai_free(t->mem, made);
    sorai_free(t->mem, values);
    return sorai_exec_finish(&t->exec, err);
}

const sorai_train_ops sorai_train_transformer = {bind, loss_of, evaluate, NULL, NULL, release};
