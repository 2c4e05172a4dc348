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
    long long count;
    /* the clip under way */
    char path[4200];
    video_writer *writer;
    sora_error write_error; /* code set when writing failed */
    progress bar;
    long long index;
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
    static const char *const phases[] = {"", "text", "denoising", "frames"};
    if (p->phase < 1 || p->phase > 3) return interrupted();
    if (j->count > 1)
        snprintf(note, sizeof note, "clip %lld of %lld, %s %d/%d", j->index + 1, j->count, phases[p->phase],
                 (int)p->step, (int)p->steps);
    else
        snprintf(note, sizeof note, "%s %d/%d", phases[p->phase], (int)p->step, (int)p->steps);
    progress_show(&j->bar, ((double)j->index + p->fraction) / (double)j->count, note);
    return interrupted();
}

static int on_frame(void *user, int64_t index, const uint8_t *rgb, int32_t width, int32_t height) {
    job *j = user;
    int status = SORA_OK;
    if (index == 0) {
        double fps = 8.0;
        sora_pipeline_video_info(j->s.pipeline, NULL, NULL, NULL, &fps);
        status = video_writer_open(&j->writer, j->s.ctx, j->path, width, height, fps, &j->write_error);
    }
    if (status == SORA_OK) status = video_writer_add(j->writer, rgb, &j->write_error);
    return status != SORA_OK || interrupted();
}

static int add_to_sheet(job *j, sheet *sh, const char *caption) {
    int32_t width = 0, height = 0;
    int64_t frames = 0;
    sora_pipeline_video_info(j->s.pipeline, &width, &height, &frames, NULL);
    const size_t size = (size_t)width * (size_t)height * 3 * (size_t)frames;
    uint8_t *rgb = malloc(size ? size : 1);
    const int bad = !rgb || sora_pipeline_read_frames(j->s.pipeline, 0, frames, rgb, size) != SORA_OK ||
                    sheet_add(sh, rgb, frames, width, height, caption) != 0;
    free(rgb);
    return bad ? complain(EXIT_FAILED, "%s: no memory for the sheet", j->sheet_path) : EXIT_DONE;
}

static int make_clip(job *j) {
    sora_error err = {.struct_size = sizeof err};
    j->write_error = (sora_error){.struct_size = sizeof j->write_error};
    interrupt_watch(j->s.pipeline);
    int status = sora_pipeline_run(j->s.pipeline, &err);
    interrupt_watch(NULL);
    if (status == SORA_OK && interrupted()) status = SORA_E_CANCELLED;
    if (status == SORA_OK) {
        status = video_writer_commit(&j->writer, &err);
    } else {
        video_writer_abandon(&j->writer);
        progress_clear(&j->bar);
        if (interrupted()) return complain(EXIT_FAILED, "interrupted; %s was not written", j->path);
        if (j->write_error.code) return complain(EXIT_FAILED, "%s", j->write_error.message);
    }
    return status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s", err.message);
}

static int make_all(job *j, const char *prompt, long long seed) {
    sheet *sh = j->sheet_path ? sheet_new(SHEET_COLUMNS) : NULL;
    int code = j->sheet_path && !sh ? complain(EXIT_FAILED, "no memory for a sheet") : EXIT_DONE;
    progress_begin(&j->bar, "generating", j->quiet);
    for (j->index = 0; j->index < j->count && code == EXIT_DONE; j->index++) {
        sora_pipeline_set_i64(j->s.pipeline, SORA_PARAM_SEED, seed + j->index);
        if (j->out) name_clip(j->out, j->index, j->count, j->path, sizeof j->path);
        code = make_clip(j);
        if (code == EXIT_DONE && sh) code = add_to_sheet(j, sh, prompt);
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
        "  sora generate -p \"the cat jumps\" --image cat.png --model wan-i2v -o cat.mp4"};
    const int parsed = options_parse(table, &help, argc, argv, NULL, 0, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    const char *prompt = params.text[0];
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
        if (j.out) sora_pipeline_set_frame_callback(j.s.pipeline, on_frame, &j);
        code = make_all(&j, prompt, *seed);
    }
    session_close(&j.s);
    return code;
}
