/* `sora stage`: one stage alone, tensors in and out as safetensors files. */
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/session.h"

typedef struct stage_job {
    session s;
    const char *in, *out;
    const char *prompt;
} stage_job;

#define MOST 3 /* tensors in or out */

/* Runs one stage on the tensors of its input; gives its output tensors. An optional input that is not there is NULL. */
typedef int run_fn(stage_job *j, sora_tensor **in, sora_tensor **out, sora_error *err);

/* ids are i32 [2, L]; the file has a row each. */
static int run_text(stage_job *j, sora_tensor **in, sora_tensor **out, sora_error *err) {
    sora_tensor *ids = NULL;
    sora_tensor_desc d = {.struct_size = sizeof d};
    (void)in;
    int status = sora_encode_text(j->s.pipeline, j->prompt, (size_t)-1, &out[2], &ids, err);
    if (status == SORA_OK) status = sora_tensor_info(ids, &d);
    for (int i = 0; i < 2 && status == SORA_OK; i++) {
        const sora_tensor_desc row = {sizeof row, SORA_DTYPE_I32, 1, 0, {d.shape[1]}};
        status = sora_tensor_create(&out[i], j->s.ctx, &row, err);
        if (status == SORA_OK)
            memcpy(sora_tensor_data(out[i]), (int32_t *)sora_tensor_data(ids) + i * d.shape[1],
                   sora_tensor_bytes(out[i]));
    }
    sora_tensor_unref(&ids);
    return status;
}

static int run_denoise(stage_job *j, sora_tensor **in, sora_tensor **out, sora_error *err) {
    return sora_denoise(j->s.pipeline, in[0], in[1], in[2], &out[0], err);
}

static int run_encode(stage_job *j, sora_tensor **in, sora_tensor **out, sora_error *err) {
    return sora_encode_video(j->s.pipeline, in[0], &out[0], err);
}

static int run_decode(stage_job *j, sora_tensor **in, sora_tensor **out, sora_error *err) {
    return sora_decode_video(j->s.pipeline, in[0], &out[0], err);
}

static int run_sample(stage_job *j, sora_tensor **in, sora_tensor **out, sora_error *err) {
    return sora_sample(j->s.pipeline, in[0], in[1], in[2], &out[0], err);
}

static int run_image(stage_job *j, sora_tensor **in, sora_tensor **out, sora_error *err) {
    return sora_encode_image(j->s.pipeline, in[0], in[1], &out[0], err);
}

#define BIT(id) (1u << (id))

/* What a transformer may take beside text; a file need not have them. */
static const struct {
    const char *name;
    sora_slot slot;
} slots[] = {{"image_embeds", SORA_SLOT_IMAGE_EMBEDS},
             {"condition", SORA_SLOT_CONDITION},
             {"control", SORA_SLOT_CONTROL},
             {"control_scale", SORA_SLOT_CONTROL_SCALE}};
#define SLOTS (sizeof slots / sizeof *slots)

static const struct stage {
    const char *name;
    run_fn *run;
    const char *in[MOST], *out[MOST];
    int optional; /* the last so many of `in` may be missing */
    int slots;    /* 1: the slots above are read too */
    uint32_t params;
    command_help help;
} stages[] = {
    {"text",
     run_text,
     {NULL},
     {"input_ids", "attention_mask", "hidden"},
     0,
     0,
     0,
     {"sora stage text MODEL --prompt TEXT --out FILE",
      "out: input_ids i32[L], attention_mask i32[L], hidden f32[L,D]; rows past the last token are zero",
      "Example:\n  sora stage text models/nano.sora --prompt \"a cat\" --out text.safetensors"}},
    {"denoise",
     run_denoise,
     {"latent", "timestep", "text"},
     {"velocity"},
     0,
     1,
     BIT(SORA_PARAM_CONTROL_SCALE),
     {"sora stage denoise MODEL --in FILE --out FILE",
      "in: latent f32[C,T,H,W], timestep f32[1] or f32[T/pt,H/ph,W/pw] in 0..1000, text f32[L,D]; where the model "
      "takes them\nimage_embeds f32[N,Di], control f32[Cv,T,H,W], control_scale f32[blocks]; out: velocity "
      "f32[Cout,T,H,W]",
      "Example:\n  sora stage denoise models/nano.sora --in step.safetensors --out velocity.safetensors"}},
    {"encode",
     run_encode,
     {"video"},
     {"latent"},
     0,
     0,
     0,
     {"sora stage encode MODEL --in FILE --out FILE",
      "in: video f32[3,F,H,W] in -1..1, F = 4k + 1; out: latent f32[C,T,h,w]",
      "Example:\n  sora stage encode models/nano.sora --in video.safetensors --out latent.safetensors"}},
    {"decode",
     run_decode,
     {"latent"},
     {"video"},
     0,
     0,
     0,
     {"sora stage decode MODEL --in FILE --out FILE",
      "in: latent f32[C,T,h,w]; out: video f32[3,F,H,W] clamped to -1..1",
      "Example:\n  sora stage decode models/nano.sora --in latent.safetensors --out video.safetensors"}},
    {"sample",
     run_sample,
     {"noise", "text", "negative"},
     {"latent"},
     1,
     1,
     BIT(SORA_PARAM_STEPS) | BIT(SORA_PARAM_GUIDANCE) | BIT(SORA_PARAM_SHIFT) | BIT(SORA_PARAM_SAMPLER) |
         BIT(SORA_PARAM_SEED) | BIT(SORA_PARAM_GUIDANCE_2) | BIT(SORA_PARAM_TIMESTEPS) | BIT(SORA_PARAM_CONTROL_SCALE),
     {"sora stage sample MODEL --in FILE --out FILE --steps N --guidance G --shift S --sampler NAME",
      "in: noise f32[C,T,H,W], text f32[L,D], negative f32[L,D] (not with guidance up to 1); where the model takes "
      "them\nimage_embeds f32[N,Di], condition f32[Cc,T,H,W], control f32[Cv,T,H,W], control_scale f32[blocks]; out: "
      "latent f32[C,T,H,W]",
      "Example:\n  sora stage sample models/nano.sora --in noise.safetensors --out latent.safetensors --steps 20 "
      "--guidance 5 --shift 3 --sampler unipc"}},
    {"image",
     run_image,
     {"image", "last_image"},
     {"image_embeds"},
     1,
     0,
     0,
     {"sora stage image MODEL --in FILE --out FILE",
      "in: image u8[H,W,3], last_image u8[H,W,3] (first and last frame; need not be there); out: image_embeds "
      "f32[N,Di]",
      "Example:\n  sora stage image wan-i2v --in picture.safetensors --out embeds.safetensors"}},
};

#define STAGES (sizeof stages / sizeof *stages)

static int read_inputs(stage_job *j, const struct stage *g, sora_tensor **in) {
    int given = 0;
    while (given < MOST && g->in[given]) given++;
    for (int i = 0; i < given; i++) {
        sora_error err = {.struct_size = sizeof err};
        const int status = sora_tensor_load(&in[i], j->s.ctx, j->in, g->in[i], &err);
        if (status != SORA_OK && !(status == SORA_E_NOTFOUND && i >= given - g->optional && i > 0))
            return complain(EXIT_FAILED, "%s", err.message);
    }
    return EXIT_DONE;
}

static int read_slots(stage_job *j) {
    for (size_t i = 0; i < SLOTS; i++) {
        sora_tensor *t = NULL;
        sora_error err = {.struct_size = sizeof err};
        const int status = sora_tensor_load(&t, j->s.ctx, j->in, slots[i].name, &err);
        if (status != SORA_OK && status != SORA_E_NOTFOUND) return complain(EXIT_FAILED, "%s", err.message);
        if (t) (void)sora_pipeline_set_tensor(j->s.pipeline, slots[i].slot, t);
        sora_tensor_unref(&t);
    }
    return EXIT_DONE;
}

static int run_stage(stage_job *j, const struct stage *g) {
    sora_tensor *in[MOST] = {NULL}, *out[MOST] = {NULL};
    sora_error err = {.struct_size = sizeof err};
    uint32_t count = 0;
    while (count < MOST && g->out[count]) count++;
    int code = read_inputs(j, g, in);
    if (code == EXIT_DONE && g->slots) code = read_slots(j);
    if (code == EXIT_DONE) {
        interrupt_watch(j->s.pipeline);
        int status = g->run(j, in, out, &err);
        interrupt_watch(NULL);
        if (status == SORA_OK && interrupted())
            code = complain(EXIT_FAILED, "interrupted; %s was not written", j->out);
        else if (status == SORA_OK)
            status = sora_tensors_save(j->s.ctx, j->out, g->out, out, count, &err);
        if (status != SORA_OK)
            code = complain(EXIT_FAILED, "%s%s%s", j->in ? j->in : "", j->in ? ": " : "", err.message);
    }
    for (int i = 0; i < MOST; i++) {
        sora_tensor_unref(&in[i]);
        sora_tensor_unref(&out[i]);
    }
    return code;
}

static int help_stages(void) {
    printf("usage: sora stage STAGE MODEL [options]\nRuns one stage alone, tensors in and out as safetensors files. "
           "Results are exact: matrix products in f32\nunless --dtype says otherwise.\n\n");
    for (size_t i = 0; i < STAGES; i++) printf("  %s\n      %s\n", stages[i].help.usage, stages[i].help.about);
    printf("\n`sora stage STAGE --help` lists a stage's options.\n");
    return flush_output();
}

int cmd_stage(int argc, char **argv) {
    stage_job j;
    session_opts opts = SESSION_DEFAULTS;
    const struct stage *g = NULL;
    param_options params;
    option table[PARAM_MAX + 24];
    const char *words[1];
    int count, n;
    memset(&j, 0, sizeof j);
    if (argc < 2)
        return complain(EXIT_USAGE,
                        "stage needs one of text, denoise, encode, decode, sample, image; see sora stage --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return help_stages();
    for (size_t i = 0; i < STAGES && !g; i++)
        if (strcmp(stages[i].name, argv[1]) == 0) g = &stages[i];
    if (!g)
        return complain(EXIT_USAGE, "unknown stage %s; there are text, denoise, encode, decode, sample, image",
                        argv[1]);
    n = param_options_list(&params, g->params, table);
    const option in = {"in", OPTION_TEXT, &j.in, "FILE", "safetensors with the inputs", 0, 0};
    const option prompt = {"prompt|p", OPTION_TEXT, &j.prompt, "TEXT", "the text", 0, 0};
    table[n++] = g->run == run_text ? prompt : in;
    const option own[] = {
        {"out|o", OPTION_TEXT, &j.out, "FILE", "safetensors to write", 0, 0},
        SESSION_OPTIONS(opts),
        SESSION_FILES(opts),
        OPTIONS_END,
    };
    memcpy(table + n, own, sizeof own);
    const int parsed = options_parse(table, &g->help, argc - 1, argv + 1, words, 1, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (count != 1 && !session_has_files(&opts))
        return complain(EXIT_USAGE, "stage %s needs a model; see sora stage %s --help", g->name, g->name);
    if (!j.out || (g->run == run_text ? !j.prompt : !j.in))
        return complain(EXIT_USAGE, "stage %s needs %s and --out; see sora stage %s --help", g->name,
                        g->run == run_text ? "--prompt" : "--in", g->name);
    opts.model = count ? words[0] : NULL;
    int code = check_output(j.out);
    if (code == EXIT_DONE) code = session_open(&j.s, &opts, SORA_DTYPE_F32);
    if (code == EXIT_DONE) code = param_options_apply(&params, j.s.pipeline);
    if (code == EXIT_DONE) code = run_stage(&j, g);
    session_close(&j.s);
    return code;
}
