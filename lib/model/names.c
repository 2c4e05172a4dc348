#include "lib/model/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMBED "condition_embedder."
#define IMAGE "condition_embedder.image_embedder."

/* The official transformer numbers its norms by their age: what comes second in a block is norm3. */
static const sorai_name_rule dit_rules[] = {
    {"patch_embedding.*", "patch_embedding.*"},
    {"time_embedding.0.*", EMBED "time_embedder.linear_1.*"},
    {"time_embedding.2.*", EMBED "time_embedder.linear_2.*"},
    {"time_projection.1.*", EMBED "time_proj.*"},
    {"text_embedding.0.*", EMBED "text_embedder.linear_1.*"},
    {"text_embedding.2.*", EMBED "text_embedder.linear_2.*"},
    {"img_emb.proj.0.*", IMAGE "norm1.*"},
    {"img_emb.proj.1.*", IMAGE "ff.net.0.proj.*"},
    {"img_emb.proj.3.*", IMAGE "ff.net.2.*"},
    {"img_emb.proj.4.*", IMAGE "norm2.*"},
    {"img_emb.emb_pos", IMAGE "pos_embed"},
    {"head.head.*", "proj_out.*"},
    {"head.modulation", "scale_shift_table"},
    {"vace_patch_embedding.*", "vace_patch_embedding.*"},
};

/* Inside blocks.# and vace_blocks.#. */
static const sorai_name_rule dit_block_rules[] = {
    {"self_attn.q.*", "attn1.to_q.*"},
    {"self_attn.k.*", "attn1.to_k.*"},
    {"self_attn.v.*", "attn1.to_v.*"},
    {"self_attn.o.*", "attn1.to_out.0.*"},
    {"self_attn.norm_q.*", "attn1.norm_q.*"},
    {"self_attn.norm_k.*", "attn1.norm_k.*"},
    {"cross_attn.q.*", "attn2.to_q.*"},
    {"cross_attn.k.*", "attn2.to_k.*"},
    {"cross_attn.v.*", "attn2.to_v.*"},
    {"cross_attn.o.*", "attn2.to_out.0.*"},
    {"cross_attn.norm_q.*", "attn2.norm_q.*"},
    {"cross_attn.norm_k.*", "attn2.norm_k.*"},
    {"cross_attn.k_img.*", "attn2.add_k_proj.*"},
    {"cross_attn.v_img.*", "attn2.add_v_proj.*"},
    {"cross_attn.norm_k_img.*", "attn2.norm_added_k.*"},
    {"norm3.*", "norm2.*"},
    {"ffn.0.*", "ffn.net.0.proj.*"},
    {"ffn.2.*", "ffn.net.2.*"},
    {"modulation", "scale_shift_table"},
    {"before_proj.*", "proj_in.*"},
    {"after_proj.*", "proj_out.*"},
};

#define BLOCK "encoder.block.#.layer."
static const sorai_name_rule text_rules[] = {
    {"token_embedding.*", "shared.*"},
    {"norm.*", "encoder.final_layer_norm.*"},
    {"blocks.#.norm1.*", BLOCK "0.layer_norm.*"},
    {"blocks.#.attn.q.*", BLOCK "0.SelfAttention.q.*"},
    {"blocks.#.attn.k.*", BLOCK "0.SelfAttention.k.*"},
    {"blocks.#.attn.v.*", BLOCK "0.SelfAttention.v.*"},
    {"blocks.#.attn.o.*", BLOCK "0.SelfAttention.o.*"},
    {"blocks.#.pos_embedding.embedding.*", BLOCK "0.SelfAttention.relative_attention_bias.*"},
    {"blocks.#.norm2.*", BLOCK "1.layer_norm.*"},
    {"blocks.#.ffn.gate.0.*", BLOCK "1.DenseReluDense.wi_0.*"},
    {"blocks.#.ffn.fc1.*", BLOCK "1.DenseReluDense.wi_1.*"},
    {"blocks.#.ffn.fc2.*", BLOCK "1.DenseReluDense.wo.*"},
};

static const sorai_name_rule text_gguf_rules[] = {
    {"token_embd.*", "shared.*"},
    {"enc.output_norm.*", "encoder.final_layer_norm.*"},
    {"enc.blk.#.attn_norm.*", BLOCK "0.layer_norm.*"},
    {"enc.blk.#.attn_q.*", BLOCK "0.SelfAttention.q.*"},
    {"enc.blk.#.attn_k.*", BLOCK "0.SelfAttention.k.*"},
    {"enc.blk.#.attn_v.*", BLOCK "0.SelfAttention.v.*"},
    {"enc.blk.#.attn_o.*", BLOCK "0.SelfAttention.o.*"},
    {"enc.blk.#.attn_rel_b.*", BLOCK "0.SelfAttention.relative_attention_bias.*"},
    {"enc.blk.#.ffn_norm.*", BLOCK "1.layer_norm.*"},
    {"enc.blk.#.ffn_gate.*", BLOCK "1.DenseReluDense.wi_0.*"},
    {"enc.blk.#.ffn_up.*", BLOCK "1.DenseReluDense.wi_1.*"},
    {"enc.blk.#.ffn_down.*", BLOCK "1.DenseReluDense.wo.*"},
};

#define LAYER "vision_model.encoder.layers.#."
static const sorai_name_rule vision_rules[] = {
    {"visual.cls_embedding", "vision_model.embeddings.class_embedding"},
    {"visual.patch_embedding.*", "vision_model.embeddings.patch_embedding.*"},
    {"visual.pos_embedding", "vision_model.embeddings.position_embedding.weight"},
    {"visual.pre_norm.*", "vision_model.pre_layrnorm.*"}, /* spelt so there */
    {"visual.post_norm.*", "vision_model.post_layernorm.*"},
    {"visual.transformer.#.norm1.*", LAYER "layer_norm1.*"},
    {"visual.transformer.#.norm2.*", LAYER "layer_norm2.*"},
    {"visual.transformer.#.attn.proj.*", LAYER "self_attn.out_proj.*"},
    {"visual.transformer.#.mlp.0.*", LAYER "mlp.fc1.*"},
    {"visual.transformer.#.mlp.2.*", LAYER "mlp.fc2.*"},
};
static const sorai_name_rule joined_rules[3] = {
    {"visual.transformer.#.attn.to_qkv.*", LAYER "self_attn.q_proj.*"},
    {"visual.transformer.#.attn.to_qkv.*", LAYER "self_attn.k_proj.*"},
    {"visual.transformer.#.attn.to_qkv.*", LAYER "self_attn.v_proj.*"},
};

static const sorai_name_rule vae_rules[] = {
    {"conv1.*", "quant_conv.*"},
    {"conv2.*", "post_quant_conv.*"},
    {"encoder.conv1.*", "encoder.conv_in.*"},
    {"decoder.conv1.*", "decoder.conv_in.*"},
    {"encoder.head.0.*", "encoder.norm_out.*"},
    {"decoder.head.0.*", "decoder.norm_out.*"},
    {"encoder.head.2.*", "encoder.conv_out.*"},
    {"decoder.head.2.*", "decoder.conv_out.*"},
};

/* Inside a residual block; the rest of a level's names are the same on both sides. */
static const sorai_name_rule vae_block_rules[] = {
    {"residual.0.*", "norm1.*"},       {"residual.2.*", "conv1.*"},
    {"residual.3.*", "norm2.*"},       {"residual.6.*", "conv2.*"},
    {"shortcut.*", "conv_shortcut.*"}, {"resample.*", "resample.*"},
    {"time_conv.*", "time_conv.*"},    {"norm.*", "norm.*"},
    {"to_qkv.*", "to_qkv.*"},          {"proj.*", "proj.*"},
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static size_t digits(const char *s) { return strspn(s, "0123456789"); }

bool sorai_names_apply(const sorai_name_rule *rules, size_t count, bool back, const char *name, char *out,
                       size_t size) {
    for (size_t i = 0; i < count; i++) {
        const char *p = back ? rules[i].to : rules[i].from, *s = name, *number = NULL, *rest = "";
        size_t length = 0;
        while (*p && *p != '*') {
            if (*p == '#') {
                number = s;
                length = digits(s);
                if (!length) break;
                s += length;
                p++;
            } else if (*p++ != *s++) {
                p = "!";
                break;
            }
        }
        if (*p == '*')
            rest = s;
        else if (*p || *s)
            continue;
        size_t n = 0;
        for (p = back ? rules[i].from : rules[i].to; *p; p++) {
            const char *from = *p == '#' ? number : *p == '*' ? rest : p;
            const size_t m = *p == '#' ? length : *p == '*' ? strlen(rest) : 1;
            if (!from || m >= size - n) return false;
            memcpy(out + n, from, m);
            n += m;
        }
        out[n] = 0;
        return true;
    }
    return false;
}

/* Names whose presence tells what a file is. */
static const struct {
    enum sorai_kind kind;
    enum sorai_naming naming;
    const char *name;
} marks[] = {
    {SORAI_KIND_DIT, SORAI_NAMES_DIFFUSERS, "condition_embedder.time_embedder.linear_1.weight"},
    {SORAI_KIND_DIT, SORAI_NAMES_OFFICIAL, "time_projection.1.weight"},
    {SORAI_KIND_VAE, SORAI_NAMES_DIFFUSERS, "decoder.mid_block.resnets.0.conv1.weight"},
    {SORAI_KIND_VAE, SORAI_NAMES_OFFICIAL22, "decoder.upsamples.0.upsamples.0.residual.2.weight"},
    {SORAI_KIND_VAE, SORAI_NAMES_OFFICIAL, "decoder.middle.0.residual.2.weight"},
    {SORAI_KIND_TEXT, SORAI_NAMES_DIFFUSERS, "encoder.block.0.layer.0.SelfAttention.q.weight"},
    {SORAI_KIND_TEXT, SORAI_NAMES_OFFICIAL, "blocks.0.attn.q.weight"},
    {SORAI_KIND_TEXT, SORAI_NAMES_GGUF, "enc.blk.0.attn_q.weight"},
    {SORAI_KIND_VISION, SORAI_NAMES_DIFFUSERS, "vision_model.encoder.layers.0.self_attn.q_proj.weight"},
    {SORAI_KIND_VISION, SORAI_NAMES_OFFICIAL, "visual.transformer.0.attn.to_qkv.weight"},
};

bool sorai_names_detect(const sorai_table *table, enum sorai_kind kind, enum sorai_naming *naming, char *prefix) {
    for (size_t k = 0; k < COUNT(marks); k++) {
        const size_t m = strlen(marks[k].name);
        if (marks[k].kind != kind) continue;
        const char *best = NULL;
        size_t before = 0;
        for (size_t i = 0; i < table->count; i++) {
            const char *name = table->items[i].name;
            const size_t n = strlen(name);
            if (n < m || strcmp(name + n - m, marks[k].name) != 0 || (n > m && name[n - m - 1] != '.')) continue;
            if (best && n - m >= before) continue;
            best = name;
            before = n - m;
        }
        if (!best || before >= SORAI_NAME_ROOM) continue;
        memcpy(prefix, best, before);
        prefix[before] = 0;
        *naming = marks[k].naming;
        return true;
    }
    return false;
}

static bool join(char out[SORAI_NAME_ROOM], const char *path, const sorai_name_rule *rules, size_t count, bool back,
                 const char *leaf) {
    char rest[SORAI_NAME_ROOM];
    return sorai_names_apply(rules, count, back, leaf, rest, sizeof rest) &&
           snprintf(out, SORAI_NAME_ROOM, "%.200s.%s", path, rest) < SORAI_NAME_ROOM;
}

static bool map_dit(const char *name, bool back, char out[SORAI_NAME_ROOM]) {
    static const char *const lists[] = {"blocks.", "vace_blocks."};
    for (int i = 0; i < 2; i++) {
        const size_t n = strlen(lists[i]), d = strncmp(name, lists[i], n) == 0 ? digits(name + n) : 0;
        if (!d || d > 9 || name[n + d] != '.') continue;
        char path[64];
        snprintf(path, sizeof path, "%s%.*s", lists[i], (int)d, name + n);
        return join(out, path, dit_block_rules, COUNT(dit_block_rules), back, name + n + d + 1);
    }
    return sorai_names_apply(dit_rules, COUNT(dit_rules), back, name, out, SORAI_NAME_ROOM);
}

bool sorai_names_official(const char *name, char out[SORAI_NAME_ROOM]) { return map_dit(name, true, out); }

/* Whether the i-th entry of the official decoder's flat list enlarges, which ends a level. */
static bool enlarges(const sorai_table *table, const char *prefix, long i) {
    char name[2 * SORAI_NAME_ROOM];
    snprintf(name, sizeof name, "%sdecoder.upsamples.%ld.resample.1.weight", prefix, i);
    return sorai_table_find(table, name) != NULL;
}

static bool map_vae(enum sorai_naming naming, const sorai_table *table, const char *prefix, const char *name,
                    char out[SORAI_NAME_ROOM]) {
    static const struct {
        const char *from, *to;
    } lists[] = {{"encoder.downsamples.", "encoder.down_blocks."}, {"decoder.upsamples.", "decoder.up_blocks."}};
    char path[96];
    if (sorai_names_apply(vae_rules, COUNT(vae_rules), false, name, out, SORAI_NAME_ROOM)) return true;
    for (int half = 0; half < 2; half++) {
        const char *side = half ? "decoder" : "encoder", *leaf;
        if (strncmp(name, side, 7) == 0 && strncmp(name + 7, ".middle.", 8) == 0 && digits(name + 15) == 1 &&
            name[15] <= '2' && name[16] == '.') {
            if (name[15] == '1')
                snprintf(path, sizeof path, "%s.mid_block.attentions.0", side);
            else
                snprintf(path, sizeof path, "%s.mid_block.resnets.%d", side, name[15] == '2');
            return join(out, path, vae_block_rules, COUNT(vae_block_rules), false, name + 17);
        }
        const size_t n = strlen(lists[half].from), d = strncmp(name, lists[half].from, n) == 0 ? digits(name + n) : 0;
        if (!d || d > 2 || name[n + d] != '.') continue;
        const long i = strtol(name + n, NULL, 10);
        leaf = name + n + d + 1;
        if (naming == SORAI_NAMES_OFFICIAL22) { /* LIST.level.LIST.i: residual blocks, then one that resamples */
            const char *inner = half ? "upsamples." : "downsamples.";
            const size_t m = strlen(inner), e = strncmp(leaf, inner, m) == 0 ? digits(leaf + m) : 0;
            if (!e || e > 4 || leaf[m + e] != '.') return false;
            const long j = strtol(leaf + m, NULL, 10);
            leaf += m + e + 1;
            if (strncmp(leaf, "resample.", 9) == 0 || strncmp(leaf, "time_conv.", 10) == 0)
                snprintf(path, sizeof path, "%s%ld.%s", lists[half].to, i, half ? "upsampler" : "downsampler");
            else
                snprintf(path, sizeof path, "%s%ld.resnets.%ld", lists[half].to, i, j);
        } else if (half == 0) {
            snprintf(path, sizeof path, "%s%ld", lists[half].to, i);
        } else { /* a flat list of residual blocks, with one that enlarges at the end of each level */
            long level = 0, first = 0;
            for (long k = 0; k < i; k++)
                if (enlarges(table, prefix, k)) {
                    level++;
                    first = k + 1;
                }
            if (enlarges(table, prefix, i))
                snprintf(path, sizeof path, "%s%ld.upsamplers.0", lists[half].to, level);
            else
                snprintf(path, sizeof path, "%s%ld.resnets.%ld", lists[half].to, level, i - first);
        }
        return join(out, path, vae_block_rules, COUNT(vae_block_rules), false, leaf);
    }
    return false;
}

bool sorai_names_map(enum sorai_kind kind, enum sorai_naming naming, const sorai_table *table, const char *prefix,
                     const char *name, char out[SORAI_NAME_ROOM]) {
    if (naming == SORAI_NAMES_DIFFUSERS) return snprintf(out, SORAI_NAME_ROOM, "%s", name) < SORAI_NAME_ROOM;
    switch (kind) {
    case SORAI_KIND_DIT:
        return map_dit(name, false, out);
    case SORAI_KIND_VISION:
        return sorai_names_apply(vision_rules, COUNT(vision_rules), false, name, out, SORAI_NAME_ROOM);
    case SORAI_KIND_VAE:
        return map_vae(naming, table, prefix, name, out);
    case SORAI_KIND_TEXT:
        return naming == SORAI_NAMES_GGUF
                   ? sorai_names_apply(text_gguf_rules, COUNT(text_gguf_rules), false, name, out, SORAI_NAME_ROOM)
                   : sorai_names_apply(text_rules, COUNT(text_rules), false, name, out, SORAI_NAME_ROOM);
    default:
        return false;
    }
}

bool sorai_names_joined(const char *name, char out[3][SORAI_NAME_ROOM]) {
    for (size_t i = 0; i < 3; i++)
        if (!sorai_names_apply(&joined_rules[i], 1, false, name, out[i], SORAI_NAME_ROOM)) return false;
    return true;
}

static bool ends(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

bool sorai_names_ignored(enum sorai_kind kind, const char *name) {
    if (ends(name, ".scale_weight") || ends(name, ".weight_scale") || ends(name, ".scale_input") ||
        ends(name, ".input_scale") || ends(name, "scaled_fp8"))
        return true;
    if (kind == SORAI_KIND_VISION) /* the half for words, and what comes after the layer that is used */
        return strncmp(name, "text", 4) == 0 || strncmp(name, "visual_projection", 17) == 0 ||
               strcmp(name, "visual.head") == 0 || strcmp(name, "logit_scale") == 0 || strcmp(name, "log_scale") == 0 ||
               ends(name, ".position_ids");
    if (kind == SORAI_KIND_TEXT) /* the other half of the model, and the tokenizer that ComfyUI packs in */
        return strncmp(name, "decoder.", 8) == 0 || strncmp(name, "dec.", 4) == 0 ||
               strncmp(name, "lm_head.", 8) == 0 || strcmp(name, "output.weight") == 0 ||
               strcmp(name, "spiece_model") == 0 || ends(name, ".logit_scale") || strcmp(name, "logit_scale") == 0;
    return false;
}
