/* `sora animate`, `extend`, `loop`, `edit`, `connect`, `fill` and `inpaint`: a few lines each over conditions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/operations/making.h"
#include "tools/operations/rate.h"
#include "tools/operations/saving.h"
#include "tools/video/video.h"

typedef struct request {
    making m;
    const char *out, *input[2];
    int size[2], quiet, own_rate, free;
    keeping kept; /* of the inputs */
    double before, after, seconds, strength;
    const char *missing, *mask;
    long long context;
} request;

/* Where the caller does not say how strongly the prompt guides. Measured: docs/conditions.md. */
enum guidance {
    AS_PROMPTED, /* the model's own */
    GOING_ON,    /* from given frames: the model's own for that */
    TO_THE_END,  /* what lies around a region pulls it back, so that the last steps are guided too */
};

typedef struct operation operation;
struct operation {
    const char *name;
    int inputs;
    const char *own; /* letters of the options that it takes beside those of all */
    enum guidance guidance;
    int (*run)(request *r, clip *c);
    command_help help;
};

static int64_t frames_of(const request *r, double seconds) { return (int64_t)floor(seconds * r->m.fps + 0.5); }

/* The parts that are to be made when each gives step new frames. */
static int64_t parts(const request *r, int64_t frames) {
    const int64_t step = r->m.window - r->m.context;
    return (frames + step - 1) / step;
}

static int read_input(request *r, int index, clip *c) { return clip_read(c, r->input[index], r->m.fps, r->m.width, r->m.height); }

/* ---- the operations ------------------------------------------------------------------------------------------------------ */

static int animate(request *r, clip *c) {
    const int64_t frames = r->seconds > 0 ? frames_of(r, r->seconds) : r->m.window;
    int code = read_input(r, 0, c);
    if (code != EXIT_DONE) return code;
    c->frames = 1; /* of a video its first */
    r->m.total = parts(r, frames - 1);
    return making_after(&r->m, c, frames - 1);
}

static int extend(request *r, clip *c) {
    const int64_t before = frames_of(r, r->before), after = frames_of(r, r->after);
    if (before < 1 && after < 1) return complain(EXIT_USAGE, "extend needs --before S, --after S or both");
    int code = read_input(r, 0, c);
    r->m.total = parts(r, before) + parts(r, after);
    keeping_add(&r->kept, r->input[0], before, c->frames);
    if (code == EXIT_DONE) code = making_after(&r->m, c, after);
    return code == EXIT_DONE ? making_before(&r->m, c, before) : code;
}

/* Puts what leads from the clip's end back to its beginning behind it. */
static int loop(request *r, clip *c) {
    const int64_t frames = r->seconds > 0 ? frames_of(r, r->seconds) : frames_of(r, 1.0);
    clip seam = {0};
    int code = read_input(r, 0, c);
    r->m.total = 1;
    keeping_add(&r->kept, r->input[0], 0, c->frames);
    if (code == EXIT_DONE) code = making_between(&r->m, c, c, frames > 0 ? frames : 1, &seam);
    if (code == EXIT_DONE) code = clip_grow(c, seam.frames, 0);
    if (code == EXIT_DONE) memcpy(clip_frame(c, c->frames - seam.frames), seam.rgb, (size_t)seam.frames * clip_frame_bytes(c));
    clip_free(&seam);
    return code;
}

/* Makes the clip again, but for what mask (NULL: nothing) gives. Freely, as much may change as `most` says where the caller did not. */
static int change(request *r, clip *c, const uint8_t *mask, double most) {
    if (r->strength < 0) r->strength = r->free ? most : 0.85;
    sora_pipeline_set_i64(r->m.s.pipeline, SORA_PARAM_FOLLOW, !r->free);
    r->m.total = parts(r, c->frames);
    return making_again(&r->m, c, mask, 1.0 - r->strength);
}

static int edit(request *r, clip *c) {
    const int code = read_input(r, 0, c);
    return code == EXIT_DONE ? change(r, c, NULL, 0.7) : code;
}

static int connect(request *r, clip *c) {
    const int64_t frames = r->seconds > 0 ? frames_of(r, r->seconds) : frames_of(r, 1.0);
    clip b = {0}, seam = {0};
    int code = read_input(r, 0, c);
    if (code == EXIT_DONE) code = read_input(r, 1, &b);
    r->m.total = 1;
    keeping_add(&r->kept, r->input[0], 0, c->frames);
    keeping_add(&r->kept, r->input[1], c->frames + (frames > 0 ? frames : 1), b.frames);
    if (code == EXIT_DONE) code = making_between(&r->m, c, &b, frames > 0 ? frames : 1, &seam);
    const clip *more[2] = {&seam, &b};
    for (int i = 0; i < 2 && code == EXIT_DONE; i++) {
        code = clip_grow(c, more[i]->frames, 0);
        if (code == EXIT_DONE)
            memcpy(clip_frame(c, c->frames - more[i]->frames), more[i]->rgb, (size_t)more[i]->frames * clip_frame_bytes(c));
    }
    clip_free(&seam);
    clip_free(&b);
    return code;
}

/* "8-20,31": sets those frames to 1. */
static int read_ranges(const char *text, uint8_t *on, int64_t frames) {
    const char *c = text;
    while (*c) {
        char *end;
        const long long first = strtoll(c, &end, 10);
        long long last = first;
        if (end == c) break;
        c = end;
        if (*c == '-') {
            last = strtoll(c + 1, &end, 10);
            if (end == c + 1) break;
            c = end;
        }
        if (first < 0 || last < first || last >= frames) return complain(EXIT_USAGE, "option --missing: the clip has frames 0 to %lld", (long long)frames - 1);
        memset(on + first, 1, (size_t)(last - first + 1));
        if (*c == ',' && c[1]) c++;
        else break;
    }
    return *c || c == text ? complain(EXIT_USAGE, "option --missing: %s is no list such as 8-20,31", text) : EXIT_DONE;
}

static int fill(request *r, clip *c) {
    if (!r->missing) return complain(EXIT_USAGE, "fill needs --missing, the frames that are to be made, such as 8-20,31");
    int code = read_input(r, 0, c);
    if (code != EXIT_DONE) return code;
    uint8_t *gap = calloc((size_t)c->frames, 1);
    r->kept.made = calloc((size_t)c->frames, 1);
    keeping_add(&r->kept, r->input[0], 0, c->frames);
    code = gap && r->kept.made ? read_ranges(r->missing, gap, c->frames) : complain(EXIT_FAILED, "no memory");
    if (code == EXIT_DONE) memcpy(r->kept.made, gap, (size_t)c->frames);
    if (code == EXIT_DONE && !memchr(gap, 0, (size_t)c->frames)) code = complain(EXIT_USAGE, "option --missing: one frame at least must be given");
    for (int64_t f = 0; code == EXIT_DONE && f < c->frames; f++) r->m.total += gap[f] && (f == 0 || !gap[f - 1]);
    for (int64_t f = 0; code == EXIT_DONE && f < c->frames;) {
        int64_t end = f;
        while (end < c->frames && gap[end]) end++;
        if (end == f) {
            f++;
            continue;
        }
        /* The clip on both sides, as far as it is known; a side may be open. */
        int64_t left = 0, right = 0;
        while (left < r->m.context && f - left > 0 && !gap[f - left - 1]) left++;
        while (right < r->m.context && end + right < c->frames && !gap[end + right]) right++;
        uint8_t *made = malloc((size_t)(left + end - f + right) * clip_frame_bytes(c));
        code = made ? making_gap(&r->m, clip_frame(c, f - left), left, clip_frame(c, end), right, end - f, made) : complain(EXIT_FAILED, "no memory for frames");
        if (code == EXIT_DONE)
            memcpy(clip_frame(c, f), made + (size_t)left * clip_frame_bytes(c), (size_t)(end - f) * clip_frame_bytes(c));
        free(made);
        memset(gap + f, 0, (size_t)(end - f)); /* known from now on */
        f = end;
    }
    free(gap);
    return code;
}

/* Scaled to the clip a mask would be cut, and lie elsewhere, if its shape were another (but for half of one of its pixels). */
static int check_shape(const request *r) {
    int w[2] = {0, 0}, h[2] = {0, 0};
    const char *paths[2] = {r->input[0], r->mask};
    for (int i = 0; i < 2; i++) {
        const int code = clip_size(paths[i], &w[i], &h[i]);
        if (code != EXIT_DONE) return code;
    }
    const int64_t apart = llabs((int64_t)w[1] * h[0] - (int64_t)h[1] * w[0]);
    return apart * 2 <= (w[0] > h[0] ? w[0] : h[0]) ? EXIT_DONE
               : complain(EXIT_FAILED, "%s: is %dx%d, the clip %dx%d: a mask needs the clip's shape", r->mask, w[1], h[1], w[0], h[0]);
}

/* White in the mask may change, as painting programs have it; a mask of one frame serves for all. */
static int inpaint(request *r, clip *c) {
    clip mask = {0};
    if (!r->mask) return complain(EXIT_USAGE, "inpaint needs --mask FILE: a picture or video, white where the clip may change");
    int code = read_input(r, 0, c);
    if (code == EXIT_DONE) code = check_shape(r);
    if (code == EXIT_DONE) code = clip_read(&mask, r->mask, r->m.fps, c->width, c->height);
    if (code == EXIT_DONE && mask.frames != 1 && mask.frames != c->frames)
        code = complain(EXIT_FAILED, "%s: has %lld frames, the clip %lld", r->mask, (long long)mask.frames, (long long)c->frames);
    const size_t plane = (size_t)c->width * (size_t)c->height;
    uint8_t *const given = r->kept.given = code == EXIT_DONE ? malloc((size_t)c->frames * plane) : NULL;
    keeping_add(&r->kept, r->input[0], 0, c->frames);
    if (code == EXIT_DONE && !given) code = complain(EXIT_FAILED, "no memory for a mask");
    for (int64_t f = 0; code == EXIT_DONE && f < c->frames; f++)
        for (size_t i = 0; i < plane; i++) {
            const uint8_t *p = clip_frame(&mask, mask.frames > 1 ? f : 0) + i * 3;
            given[(size_t)f * plane + i] = (uint8_t)(255 - (p[0] + p[1] + p[2]) / 3);
        }
    if (code == EXIT_DONE) code = change(r, c, given, 1.0);
    clip_free(&mask);
    return code;
}

/* ---- one command for each ------------------------------------------------------------------------------------------------ */

static const operation operations[] = {
    {"animate", 1, "s", GOING_ON, animate,
     {"sora animate IMAGE -p TEXT -o FILE [options]", "Makes a video that begins with the image.",
      "Examples:\n  sora animate cat.png -p \"the cat waves\" -o cat.mp4\n  sora animate cat.png -p \"the cat runs\" -o cat.gif --seconds 4"}},
    {"extend", 1, "bar", GOING_ON, extend,
     {"sora extend CLIP --before S --after S -p TEXT -o FILE [options]",
      "Makes more of a clip: seconds before it, behind it, or both. The clip itself stays as it is.",
      "Examples:\n  sora extend run.mp4 --after 2 -p \"a tiger runs through the jungle\" -o longer.mp4\n"
      "  sora extend end.mp4 --before 1 --seed 3 -p \"a boat in the bay\" -o beginning-3.mp4"}},
    {"loop", 1, "sr", GOING_ON, loop,
     {"sora loop CLIP -p TEXT -o FILE [options]", "Makes frames behind a clip that lead back to its beginning, so that it can run for ever.",
      "Examples:\n  sora loop dance.mp4 -p \"a robot dances\" -o dance.gif\n  sora loop dance.mp4 -p \"a robot dances\" -o dance.mp4 --seconds 0.5"}},
    {"edit", 1, "Sf", AS_PROMPTED, edit,
     {"sora edit CLIP -p TEXT -o FILE [options]",
      "Makes a clip again under another text: its motion stays, what the text names changes. --strength 0 gives the clip back, 1 forgets it.",
      "Examples:\n  sora edit walk.mp4 -p \"a woman walks in the snow at night\" -o snow.mp4\n"
      "  sora edit walk.mp4 -p \"a man walks in a city\" --source \"a woman walks in a city\" -o man.mp4\n"
      "  sora edit walk.mp4 -p \"pixel art of a woman walking\" -o pixels.mp4 --free --strength 0.8"}},
    {"connect", 2, "sr", GOING_ON, connect,
     {"sora connect A B -p TEXT -o FILE [options]", "Joins two clips by frames that lead from the end of A to the beginning of B.",
      "Examples:\n  sora connect city.mp4 beach.mp4 -p \"a car drives from the city to the beach\" -o trip.mp4 --seconds 1.5"}},
    {"fill", 1, "mr", GOING_ON, fill,
     {"sora fill CLIP --missing LIST -p TEXT -o FILE [options]", "Makes the frames that are missing or damaged; all others stay as they are.",
      "Examples:\n  sora fill torn.mp4 --missing 8-20,31 -p \"a boy jumps\" -o whole.mp4"}},
    {"inpaint", 1, "SfMr", TO_THE_END, inpaint,
     {"sora inpaint CLIP --mask FILE -p TEXT -o FILE [options]",
      "Makes a region of a clip again under another text, as edit does with a whole clip; what is outside of it stays as it is.",
      "Examples:\n  sora inpaint walk.mp4 --mask box.png -p \"a woman in a red dress walks in the snow\" -o red.mp4\n"
      "  sora inpaint beach.mp4 --mask sky.png -p \"a beach under the northern lights\" -o lights.mp4 --free"}},
};

/* Size and rate of what is made: as asked, else the first input's shape with about as many pixels as the model's own size. */
static int choose_size(request *r, const sora_model_desc *model) {
    making *m = &r->m;
    m->width = r->size[0];
    m->height = r->size[1];
    if (!m->width) {
        int w = 0, h = 0;
        const int code = clip_size(r->input[0], &w, &h);
        if (code != EXIT_DONE) return code;
        const double area = (double)model->default_width * (double)model->default_height, scale = sqrt(area / ((double)w * (double)h));
        const int unit = model->spatial_factor * (model->patch_w > 0 ? model->patch_w : 1);
        m->width = (int)fmax(1, floor((double)w * scale / unit + 0.5)) * unit;
        m->height = (int)fmax(1, floor((double)h * scale / unit + 0.5)) * unit;
    }
    return EXIT_DONE;
}

static int run(const operation *op, int argc, char **argv) {
    request r;
    session_opts opts = SESSION_DEFAULTS;
    param_options params;
    option table[PARAM_MAX + 32];
    const char *words[2];
    int count = 0, k = 0;
    memset(&r, 0, sizeof r);
    r.strength = -1;
    r.context = 5;
    const uint32_t edits = strchr(op->own, 'f') ? 0 : 1u << SORA_PARAM_SOURCE;
    const uint32_t mine = 1u << SORA_PARAM_WIDTH | 1u << SORA_PARAM_HEIGHT | 1u << SORA_PARAM_FRAMES | 1u << SORA_PARAM_FOLLOW | edits;
    int n = param_options_list(&params, ~mine, table);
    const struct {
        char letter;
        option row;
    } own[] = {
        {'b', {"before", OPTION_NUMBER, &r.before, "S", "seconds to make before the clip", 0, 3600}},
        {'a', {"after", OPTION_NUMBER, &r.after, "S", "seconds to make behind the clip", 0, 3600}},
        {'s', {"seconds", OPTION_NUMBER, &r.seconds, "S", "how long what is made is", 0, 3600}},
        {'S', {"strength", OPTION_NUMBER, &r.strength, "X", "how much may change (0.85; with --free 0.7, in a region 1: it is forgotten)", 0, 1}},
        {'f', {"free", OPTION_FLAG, &r.free, NULL, "what may change does so freely, not only where the text asks for it (SDEdit)", 0, 0}},
        {'m', {"missing", OPTION_TEXT, &r.missing, "LIST", "frames to make, from 0: 8-20,31", 0, 0}},
        {'M', {"mask", OPTION_TEXT, &r.mask, "FILE", "picture or video, white where the clip may change", 0, 0}},
        {'r', {"own-rate", OPTION_FLAG, &r.own_rate, NULL, "what is kept with all its frames, at the first clip's own rate; made frames are held in between", 0, 0}},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strchr(op->own, own[i].letter)) table[n + k++] = own[i].row;
    const option rest[] = {
        {"out|o", OPTION_TEXT, &r.out, "FILE", "mp4, webm, gif, webp, y4m, or a folder of png", 0, 0},
        {"size", OPTION_SIZE, r.size, "WxH", "of the result (the input's shape at the model's size)", 0, 0},
        {"context", OPTION_INT, &r.context, "N", "given frames that are looked at beside a seam (5, at most half of what is made at a time, rounded up)", 1, 1000},
        SAVING_OPTION(r.m.save),
        SESSION_MODEL_OPTION(opts),
        SESSION_FILES(opts),
        SESSION_OPTIONS(opts),
        {"quiet", OPTION_FLAG, &r.quiet, NULL, "no progress bar", 0, 0},
        OPTIONS_END,
    };
    memcpy(table + n + k, rest, sizeof rest);
    const int parsed = options_parse(table, &op->help, argc, argv, words, op->inputs, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (count != op->inputs || !r.out)
        return complain(EXIT_USAGE, "%s needs %s and a place, -o FILE; see sora %s --help", op->name,
                        op->inputs == 2 ? "two clips" : "an input", op->name);
    memcpy(r.input, words, sizeof r.input);
    sora_error err = {.struct_size = sizeof err};
    sora_model_desc model = {.struct_size = sizeof model};
    clip c = {0};
    if (video_format_of(r.out) == VIDEO_PNG) return complain(EXIT_USAGE, "%s: a PNG holds one frame; take another extension or a folder", r.out);
    if (video_check(r.out, &err) != SORA_OK) return complain(err.code == SORA_E_UNSUPPORTED ? EXIT_USAGE : EXIT_FAILED, "%s", err.message);
    int code = session_open(&r.m.s, &opts, 0);
    if (code == EXIT_DONE) code = param_options_apply(&params, r.m.s.pipeline);
    if (code == EXIT_DONE && sora_model_info(r.m.s.model, &model) != SORA_OK) code = complain(EXIT_FAILED, "%s: is no model", r.m.s.path);
    for (int i = 0; i < params.count; i++) {
        if (params.desc[i].id == SORA_PARAM_FPS) r.m.fps = params.f[i];
        if (params.desc[i].id == SORA_PARAM_GUIDANCE && params.f[i] < 0 && op->guidance == GOING_ON && code == EXIT_DONE && model.default_guidance_given != model.default_guidance &&
            sora_pipeline_set_f64(r.m.s.pipeline, SORA_PARAM_GUIDANCE, model.default_guidance_given) != SORA_OK)
            code = complain(EXIT_FAILED, "%s: its guidance_given is out of range", r.m.s.path);
        if (params.desc[i].id == SORA_PARAM_GUIDANCE_UNTIL && params.f[i] < 0 && op->guidance == TO_THE_END && code == EXIT_DONE)
            sora_pipeline_set_f64(r.m.s.pipeline, SORA_PARAM_GUIDANCE_UNTIL, 0);
    }
    if (code == EXIT_DONE) {
        r.m.fps = r.m.fps > 0 ? r.m.fps : model.default_fps;
        r.m.window = model.default_frames > 1 ? model.default_frames : 17;
        const int64_t most = r.m.window - r.m.window / 2; /* of nine frames five: whole latent frames, and a window makes something new */
        r.m.context = r.context <= most ? r.context : most;
        r.m.seed = *param_option_int(&params, SORA_PARAM_SEED);
        code = choose_size(&r, &model);
    }
    if (code == EXIT_DONE) code = saving_open(r.m.save, argc, argv, (const char *const[]){r.input[0], op->inputs > 1 ? r.input[1] : NULL, r.mask}, 3);
    if (code == EXIT_DONE) {
        progress_begin(&r.m.bar, op->name, r.quiet);
        code = op->run(&r, &c);
    }
    if (code == EXIT_DONE && r.own_rate) code = keeping_own_rate(&r.kept, &c, &r.m.fps);
    if (code == EXIT_DONE) code = clip_write(&c, r.m.s.ctx, r.out, r.m.fps);
    if (code == EXIT_DONE) progress_end(&r.m.bar, r.out);
    if (code == EXIT_DONE) saving_close(r.m.save);
    clip_free(&c);
    keeping_free(&r.kept);
    session_close(&r.m.s);
    return code;
}

int cmd_operation(int argc, char **argv) {
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(argv[0], operations[i].name) == 0) return run(&operations[i], argc, argv);
    return complain(EXIT_USAGE, "unknown command %s; see sora --help", argv[0]);
}
