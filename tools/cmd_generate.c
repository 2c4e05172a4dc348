/* `sora generate`: a prompt becomes a video file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/pictures.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/sheet.h"
#include "tools/video/video.h"

#define SHEET_COLUMNS 8

typedef struct job {
    session s;
    const char *out, *sheet_path;
    int quiet;
    long long count, seed;
    long long window, context; /* frames made at a time; of them given again from the window before */
    double seconds;
    /* the clip under way */
    char path[4200];
    video_writer *writer;
    sora_error write_error; /* code set when writing failed */
    progress bar;
    long long index;
    int width, height;
    int64_t frames, done; /* in all; of windows before this one */
    int64_t known;        /* first frames of this window: those that came last */
    uint8_t *tail;        /* the last `context` frames */
    uint8_t *picked;      /* frames for the sheet */
    int64_t picks;
} job;

/* clip.mp4 -> clip-003.mp4 when there are several. */
static void name_clip(const char *out, long long index, long long count, char *path, size_t size) {
    if (count == 1) {
        snprintf(path, size, "%s", out);
        return;
    }
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/') n--;
    const char *slash = strrchr(out, '/'), *name = slash && slash[1] ? slash + 1 : out, *dot = strrchr(name, '.');
    const size_t stem = dot && video_format_of(out) != VIDEO_FOLDER ? (size_t)(dot - out) : n;
    snprintf(path, size, "%.*s-%03lld%s", (int)stem, out, index + 1, stem < n ? out + stem : "");
}

static int on_progress(void *user, const sora_progress *p) {
    job *j = user;
    char note[96];
    static const char *const phases[] = {"", "text", "denoising", "frames", "conditions"};
    if (p->phase < 1 || p->phase > 4) return interrupted();
    if (j->count > 1)
        snprintf(note, sizeof note, "clip %lld of %lld, %s %d/%d", j->index + 1, j->count, phases[p->phase],
                 (int)p->step, (int)p->steps);
    else
        snprintf(note, sizeof note, "%s %d/%d", phases[p->phase], (int)p->step, (int)p->steps);
    const double clip = ((double)j->done + p->fraction * (double)(j->frames < j->window ? j->frames : j->window)) / (double)j->frames;
    progress_show(&j->bar, ((double)j->index + (clip < 1 ? clip : 1)) / (double)j->count, note);
    return interrupted();
}

/* Frames leave as they are made; what a next window begins with stays behind. */
static int on_frame(void *user, int64_t index, const uint8_t *rgb, int32_t width, int32_t height) {
    job *j = user;
    const size_t size = (size_t)width * (size_t)height * 3;
    const int64_t at = j->done + index - j->known; /* in the clip */
    int status = SORA_OK;
    if (index < j->known) return interrupted();
    if (at == 0) {
        double fps = 8.0;
        j->width = width;
        j->height = height;
        sora_pipeline_video_info(j->s.pipeline, NULL, NULL, NULL, &fps);
        j->tail = j->frames > j->window ? malloc(size * (size_t)j->context) : NULL;
        j->picked = j->sheet_path ? malloc(size * SHEET_COLUMNS) : NULL;
        if ((j->frames > j->window && !j->tail) || (j->sheet_path && !j->picked)) return 1;
        if (j->out) status = video_writer_open(&j->writer, j->s.ctx, j->path, width, height, fps, &j->write_error);
    }
    if (j->picked && (at == 0 || j->frames < SHEET_COLUMNS || at * SHEET_COLUMNS / j->frames != (at - 1) * SHEET_COLUMNS / j->frames))
        memcpy(j->picked + size * (size_t)j->picks++, rgb, size);
    if (j->tail) {
        memmove(j->tail, j->tail + size, size * (size_t)(j->context - 1));
        memcpy(j->tail + size * (size_t)(j->context - 1), rgb, size);
    }
    if (status == SORA_OK && j->out) status = video_writer_add(j->writer, rgb, &j->write_error);
    return status != SORA_OK || interrupted();
}

/* The window goes on from the frames that came last. */
static int condition_on_tail(job *j, sora_error *err) {
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {j->context, j->height, j->width, 3}};
    sora_condition c;
    sora_condition_init(&c);
    int status = sora_tensor_create(&c.frames, j->s.ctx, &shape, err);
    if (status == SORA_OK) {
        memcpy(sora_tensor_data(c.frames), j->tail, sora_tensor_bytes(c.frames));
        status = sora_pipeline_add_condition(j->s.pipeline, &c, err);
    }
    sora_tensor_unref(&c.frames);
    return status;
}

static int make_clip(job *j) {
    sora_error err = {.struct_size = sizeof err};
    sora_pipeline *p = j->s.pipeline;
    int status = SORA_OK;
    j->write_error = (sora_error){.struct_size = sizeof j->write_error};
    interrupt_watch(p);
    for (long long part = 0; j->done < j->frames && status == SORA_OK; part++) {
        j->known = j->done ? j->context : 0;
        const int64_t n = j->frames - j->done < j->window - j->known ? j->frames - j->done : j->window - j->known;
        if (j->frames > j->window) sora_pipeline_set_i64(p, SORA_PARAM_FRAMES, j->known + n);
        sora_pipeline_set_i64(p, SORA_PARAM_SEED, j->seed + j->index + part * 1000003); /* other noise for each window */
        if (j->known) status = condition_on_tail(j, &err);
        if (status == SORA_OK) status = sora_pipeline_run(p, &err);
        (void)sora_pipeline_clear_conditions(p);
        if (status == SORA_OK) j->done += n;
    }
    interrupt_watch(NULL);
    free(j->tail);
    j->tail = NULL;
    if (status == SORA_OK && interrupted()) status = SORA_E_CANCELLED;
    if (status == SORA_OK) {
        if (j->out) status = video_writer_commit(&j->writer, &err);
    } else {
        video_writer_abandon(&j->writer);
        progress_clear(&j->bar);
        if (interrupted()) return complain(EXIT_FAILED, "interrupted; %s was not written", j->path);
        if (j->write_error.code) return complain(EXIT_FAILED, "%s", j->write_error.message);
    }
    return status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s", err.message);
}

static int make_all(job *j, const char *prompt) {
    sheet *sh = j->sheet_path ? sheet_new(SHEET_COLUMNS) : NULL;
    int code = j->sheet_path && !sh ? complain(EXIT_FAILED, "no memory for a sheet") : EXIT_DONE;
    progress_begin(&j->bar, "generating", j->quiet);
    for (j->index = 0; j->index < j->count && code == EXIT_DONE; j->index++) {
        j->done = j->picks = 0;
        if (j->out) name_clip(j->out, j->index, j->count, j->path, sizeof j->path);
        code = make_clip(j);
        if (code == EXIT_DONE && sh && sheet_add(sh, j->picked, j->picks, j->width, j->height, prompt) != 0)
            code = complain(EXIT_FAILED, "%s: no memory for the sheet", j->sheet_path);
        free(j->picked);
        j->picked = NULL;
    }
    if (code == EXIT_DONE) progress_end(&j->bar, j->out ? j->out : j->sheet_path);
    sora_error err = {.struct_size = sizeof err};
    if (code == EXIT_DONE && sh && sheet_write(sh, j->s.ctx, j->sheet_path, &err) != SORA_OK)
        code = complain(EXIT_FAILED, "%s", err.message);
    sheet_free(sh);
    return code;
}

static int check_places(const job *j) {
    char path[4200];
    sora_error err = {.struct_size = sizeof err};
    if (j->sheet_path && check_output(j->sheet_path) != EXIT_DONE) return EXIT_FAILED;
    for (long long i = 0; j->out && i < j->count; i++) {
        name_clip(j->out, i, j->count, path, sizeof path);
        const int status = video_check(path, &err);
        if (status != SORA_OK)
            return complain(status == SORA_E_UNSUPPORTED ? EXIT_USAGE : EXIT_FAILED, "%s", err.message);
    }
    return EXIT_DONE;
}

int cmd_generate(int argc, char **argv) {
    job j;
    session_opts opts = SESSION_DEFAULTS;
    picture_opts pictures = {0};
    param_options params;
    option table[PARAM_MAX + 32];
    int size[2] = {0, 0}, count;
    memset(&j, 0, sizeof j);
    j.count = 1;
    int n = param_options_list(&params, ~0u, table);
    const option own[] = {
        {"out|o", OPTION_TEXT, &j.out, "FILE", "mp4, webm, gif, webp, y4m, png (one frame), or a folder of png", 0, 0},
        {"size", OPTION_SIZE, size, "WxH", "width and height at once", 0, 0},
        {"count", OPTION_INT, &j.count, "K", "clips to make, with seeds S, S + 1, ..; files are numbered (1)", 1,
         10000},
        {"seconds", OPTION_NUMBER, &j.seconds, "S", "how long it is, in place of --frames", 0, 36000},
        {"window", OPTION_INT, &j.window, "N",
         "longer videos are made N frames at a time, each going on from the last (twice the model's own number)", 2, 100000},
        {"sheet", OPTION_TEXT, &j.sheet_path, "FILE", "a PNG with frames of all clips", 0, 0},
        PICTURE_OPTIONS(pictures),
        SESSION_MODEL_OPTION(opts),
        SESSION_FILES(opts),
        SESSION_OPTIONS(opts),
        {"quiet", OPTION_FLAG, &j.quiet, NULL, "no progress bar", 0, 0},
        OPTIONS_END,
    };
    memcpy(table + n, own, sizeof own);
    static const command_help help = {
        "sora generate -p TEXT -o FILE [options]",
        "Makes a video, or an image with --frames 1, from words. Ctrl-C stops at once and leaves no half-written file.",
        "Examples:\n"
        "  sora generate -p \"a red robot dances on the beach at sunset\" -o robot.mp4\n"
        "  sora generate -p \"a tiger in the snow\" -o tiger.png --frames 1 --size 160x96\n"
        "  sora generate -p \"a woman waves in a village\" -o wave.gif --count 4 --seed 7 --sheet wave.png\n"
        "  sora generate -p \"the cat jumps\" --image cat.png --model wan-i2v -o cat.mp4\n"
        "  sora generate -p \"a boat in the bay\" -o minute.mp4 --seconds 60"};
    const int parsed = options_parse(table, &help, argc, argv, NULL, 0, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    const char *prompt = params.text[0];
    sora_model_desc model = {.struct_size = sizeof model};
    if (!prompt || (!j.out && !j.sheet_path))
        return complain(EXIT_USAGE, "generate needs a prompt, -p TEXT, and a place, -o FILE; see sora generate --help");
    if (j.out && strlen(j.out) > 4000) return complain(EXIT_USAGE, "option --out: the name is too long");
    if (size[0]) {
        *param_option_int(&params, SORA_PARAM_WIDTH) = size[0];
        *param_option_int(&params, SORA_PARAM_HEIGHT) = size[1];
    }
    long long *frames = param_option_int(&params, SORA_PARAM_FRAMES),
              *seed = param_option_int(&params, SORA_PARAM_SEED);
    if (j.out && video_format_of(j.out) == VIDEO_PNG) {
        if (*frames > 1)
            return complain(EXIT_USAGE, "%s: a PNG holds one frame; for %lld take another extension or a folder", j.out,
                            *frames);
        *frames = 1;
    }
    int code = check_places(&j);
    if (code == EXIT_DONE) code = session_open(&j.s, &opts, 0);
    if (code == EXIT_DONE) code = param_options_apply(&params, j.s.pipeline);
    if (code == EXIT_DONE) code = picture_options_apply(&pictures, j.s.ctx, j.s.pipeline);
    if (code == EXIT_DONE) {
        sora_pipeline_set_progress(j.s.pipeline, on_progress, &j);
        sora_pipeline_set_frame_callback(j.s.pipeline, on_frame, &j);
        j.seed = *seed;
        if (sora_model_info(j.s.model, &model) != SORA_OK) code = complain(EXIT_FAILED, "%s: is no model", j.s.path);
    }
    if (code == EXIT_DONE) {
        double fps = model.default_fps;
        for (int i = 0; i < params.count; i++)
            if (params.desc[i].id == SORA_PARAM_FPS && params.f[i] > 0) fps = params.f[i];
        if (j.seconds > 0) {
            *frames = (long long)(j.seconds * fps + 0.5) > 0 ? (long long)(j.seconds * fps + 0.5) : 1;
            sora_pipeline_set_i64(j.s.pipeline, SORA_PARAM_FRAMES, *frames);
        }
        j.frames = *frames ? *frames : model.default_frames;
        if (!j.window) j.window = 2LL * model.default_frames > 2 ? 2LL * model.default_frames : 2;
        j.context = j.window > 10 ? 5 : j.window / 2;
        code = make_all(&j, prompt);
    }
    session_close(&j.s);
    return code;
}
