/* `sora generate`: a prompt becomes a video file. */
#define _POSIX_C_SOURCE 200809L /* getdelim */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "tools/commands.h"
#include "tools/operations/making.h"
#include "tools/operations/saving.h"
#include "tools/pictures.h"
#include "tools/sheet.h"
#include "tools/video/video.h"

#define SHEET_COLUMNS 8
/* How much of its preview a full video goes by: chosen by measurement, docs/conditions.md. */
#define DRAFT_STRENGTH 0.6

/* The lines of a file of prompts. */
typedef struct prompt_list {
    char *text;
    char **lines;
    long long count;
} prompt_list;

typedef struct job {
    making m;
    const char *out, *sheet_path, *prompts_path;
    prompt_list prompts; /* one for each clip; empty: all clips have the same */
    int quiet, preview, full;
    long long count, seed;
    double seconds;
    option_list texts; /* of shots */
    shot shots[OPTION_LIST_MAX];
    int width, height; /* of what is written */
    int small_width, small_height;
    int64_t frames;
    /* the clip under way */
    char path[4200];
    video_writer *writer;
    sora_error write_error; /* code set when writing failed */
    long long index;
    int64_t done;
    uint8_t *picked; /* frames for the sheet */
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

/* Frames leave as they are made. */
static int put_frame(void *user, const uint8_t *rgb) {
    job *j = user;
    const size_t size = (size_t)j->width * (size_t)j->height * 3;
    const int64_t at = j->done++;
    int status = SORA_OK;
    if (at == 0 && j->out) {
        status = video_writer_open(&j->writer, j->m.s.ctx, j->path, j->width, j->height, j->m.fps, &j->write_error);
    }
    if (j->picked && (at == 0 || j->frames < SHEET_COLUMNS || at * SHEET_COLUMNS / j->frames != (at - 1) * SHEET_COLUMNS / j->frames))
        memcpy(j->picked + size * (size_t)j->picks++, rgb, size);
    if (status == SORA_OK && j->out) status = video_writer_add(j->writer, rgb, &j->write_error);
    if (status == SORA_OK) return 0;
    progress_clear(&j->m.bar);
    complain(EXIT_FAILED, "%s", j->write_error.message);
    return 1;
}

static int into_draft(void *user, const uint8_t *rgb) {
    clip *c = user;
    if (clip_grow(c, 1, 0) != EXIT_DONE) return 1;
    memcpy(clip_frame(c, c->frames - 1), rgb, clip_frame_bytes(c));
    return 0;
}

static int make_clip(job *j) {
    sora_error err = {.struct_size = sizeof err};
    clip draft = {.width = j->small_width, .height = j->small_height};
    int code = EXIT_DONE;
    j->write_error = (sora_error){.struct_size = sizeof j->write_error};
    j->m.seed = j->seed + j->index;
    j->m.part = 0;
    if (j->full) { /* the preview again, as it was with this seed */
        j->m.width = j->small_width;
        j->m.height = j->small_height;
        code = making_on(&j->m, NULL, 0, j->frames, into_draft, &draft);
        j->m.draft = &draft;
        j->m.draft_strength = DRAFT_STRENGTH;
        j->m.part = 0;
    }
    j->m.width = j->width;
    j->m.height = j->height;
    if (code == EXIT_DONE) code = making_on(&j->m, NULL, 0, j->frames, put_frame, j);
    j->m.draft = NULL;
    clip_free(&draft);
    if (code != EXIT_DONE)
        video_writer_abandon(&j->writer);
    else if (j->out && video_writer_commit(&j->writer, &err) != SORA_OK)
        code = complain(EXIT_FAILED, "%s", err.message);
    return code;
}

/* One prompt a line; empty lines and those that begin with # do not count. */
static int read_prompts(prompt_list *list, const char *path) {
    size_t size = 0, room = 0;
    FILE *f = fopen(path, "rb");
    if (!f) return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    const ssize_t n = getdelim(&list->text, &room, 0, f);
    const int broken = ferror(f) || !feof(f);
    fclose(f);
    if (broken) return complain(EXIT_FAILED, "%s: could not be read as text", path);
    for (char *line = n > 0 ? list->text : NULL, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end) *end++ = 0;
        const size_t length = strcspn(line, "\r");
        line[length] = 0;
        if (!line[strspn(line, " \t")] || line[0] == '#') continue;
        if ((size_t)list->count == size) {
            size = size ? size * 2 : 64;
            char **more = realloc(list->lines, size * sizeof *more);
            if (!more) return complain(EXIT_FAILED, "%s: no memory for prompts", path);
            list->lines = more;
        }
        list->lines[list->count++] = line;
    }
    return list->count ? EXIT_DONE : complain(EXIT_FAILED, "%s: has no prompt", path);
}

static int make_all(job *j, const char *prompt) {
    sheet *sh = j->sheet_path ? sheet_new(SHEET_COLUMNS) : NULL;
    int code = j->sheet_path && !sh ? complain(EXIT_FAILED, "no memory for a sheet") : EXIT_DONE;
    j->m.total = j->count * making_parts(&j->m, 0, j->frames) * (j->full ? 2 : 1);
    progress_begin(&j->m.bar, j->preview ? "previewing" : "generating", j->quiet);
    for (j->index = 0; j->index < j->count && code == EXIT_DONE; j->index++) {
        j->done = j->picks = 0;
        j->picked = j->sheet_path ? malloc((size_t)j->width * (size_t)j->height * 3 * SHEET_COLUMNS) : NULL;
        if (j->sheet_path && !j->picked) code = complain(EXIT_FAILED, "no memory for a sheet");
        if (j->prompts.count) {
            prompt = j->prompts.lines[j->index];
            if (sora_pipeline_set_text(j->m.s.pipeline, SORA_PARAM_PROMPT, prompt, (size_t)-1) != SORA_OK)
                code = complain(EXIT_FAILED, "%s: prompt %lld is no UTF-8, or there is no memory for it", j->prompts_path, j->index + 1);
        }
        if (j->out) name_clip(j->out, j->index, j->count, j->path, sizeof j->path);
        if (code == EXIT_DONE) code = make_clip(j);
        if (code == EXIT_DONE && sh && sheet_add(sh, j->picked, j->picks, j->width, j->height, prompt) != 0)
            code = complain(EXIT_FAILED, "%s: no memory for the sheet", j->sheet_path);
        free(j->picked);
        j->picked = NULL;
    }
    if (code == EXIT_DONE) progress_end(&j->m.bar, j->out ? j->out : j->sheet_path);
    sora_error err = {.struct_size = sizeof err};
    if (code == EXIT_DONE && sh && sheet_write(sh, j->m.s.ctx, j->sheet_path, &err) != SORA_OK)
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

/* "2.5: a cat sleeps": how long (0: it is not said), and the text. */
static double read_shot(const char *text, const char **rest) {
    char *end;
    const double seconds = strtod(text, &end);
    *rest = text;
    if (end == text || *end != ':' || !(seconds > 0.0 && seconds < 36000.0)) return 0.0;
    for (end++; *end == ' ';) end++;
    *rest = end;
    return seconds;
}

/* Where shots begin: those without a length share what the others leave of the video. Without --frames and --seconds the video is as long
 * as its shots, of `usual` frames where it is not said. */
static int place_shots(job *j, double fps, int64_t usual) {
    double lengths[OPTION_LIST_MAX], said = 0.0, at = 0.0;
    const int n = j->texts.count;
    int open = 0;
    for (int i = 0; i < n; i++) {
        lengths[i] = read_shot(j->texts.items[i], &j->shots[i].text) * fps;
        said += lengths[i];
        open += lengths[i] == 0.0;
    }
    if (!j->frames) j->frames = (int64_t)(said + 0.5) + open * usual;
    for (int i = 0; i < n; i++) {
        j->shots[i].at = (int64_t)(at + 0.5);
        at += lengths[i] > 0.0 ? lengths[i] : ((double)j->frames - said) / open;
        if ((int64_t)(at + 0.5) <= j->shots[i].at || j->shots[i].at >= j->frames)
            return complain(EXIT_USAGE, "option --shot: %lld frames leave none for shot %d", (long long)j->frames, i + 1);
    }
    j->m.shots = n ? j->shots : NULL;
    j->m.shot_count = n;
    return EXIT_DONE;
}

/* Half of a side, in whole places of the network. */
static int half(int side, int unit) {
    const int n = (side / 2 + unit / 2) / unit;
    return (n > 0 ? n : 1) * unit;
}

int cmd_generate(int argc, char **argv) {
    job j;
    session_opts opts = SESSION_DEFAULTS;
    picture_opts pictures = {0};
    param_options params;
    option table[PARAM_MAX + 32];
    int size[2] = {0, 0}, count;
    long long window = 0;
    memset(&j, 0, sizeof j);
    j.count = 1;
    int n = param_options_list(&params, ~0u, table);
    const option own[] = {
        {"out|o", OPTION_TEXT, &j.out, "FILE", "mp4, webm, gif, webp, y4m, png (one frame), or a folder of png", 0, 0},
        {"size", OPTION_SIZE, size, "WxH", "width and height at once", 0, 0},
        {"count", OPTION_INT, &j.count, "K", "clips to make, with seeds S, S + 1, ..; files are numbered (1)", 1,
         10000},
        {"prompts", OPTION_TEXT, &j.prompts_path, "FILE", "prompts, one a line, in place of -p: a clip for each, as with --count", 0, 0},
        {"seconds", OPTION_NUMBER, &j.seconds, "S", "how long it is, in place of --frames", 0, 36000},
        {"shot", OPTION_LIST, &j.texts, "[S:]TEXT",
         "what is shown next, for S seconds; may be repeated: one video with a cut between, in place of the prompt", 0, 0},
        {"preview", OPTION_FLAG, &j.preview, NULL, "half as wide and high, to see how it will be", 0, 0},
        SAVING_OPTION(j.m.save),
        {"full", OPTION_FLAG, &j.full, NULL, "the same scene as --preview with this seed, at full size", 0, 0},
        {"window", OPTION_INT, &window, "N",
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
        "  sora generate --prompts models/samples.txt -o sample.mp4 --sheet samples.png\n"
        "  sora generate -p \"the cat jumps\" --image cat.png --model wan-i2v -o cat.mp4\n"
        "  sora generate -p \"a boat in the bay\" -o minute.mp4 --seconds 60\n"
        "  sora generate --shot \"2: a red robot on the beach\" --shot \"2: a red robot in the snow\" -o trip.mp4\n"
        "  sora generate -p \"a tiger runs\" -o small.mp4 --preview --seed 5 --size 192x192   (then with --full)"};
    const int parsed = options_parse(table, &help, argc, argv, NULL, 0, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    const char *prompt = params.text[0];
    sora_model_desc model = {.struct_size = sizeof model};
    if (prompt && j.texts.count) return complain(EXIT_USAGE, "option --shot: takes the place of -p");
    if (j.texts.count) read_shot(j.texts.items[0], &prompt);
    if (j.prompts_path && (prompt || j.count != 1))
        return complain(EXIT_USAGE, "option --prompts: takes the place of -p, --shot and --count");
    if ((!prompt && !j.prompts_path) || (!j.out && !j.sheet_path))
        return complain(EXIT_USAGE, "generate needs a prompt, -p TEXT, and a place, -o FILE; see sora generate --help");
    if (j.preview && j.full) return complain(EXIT_USAGE, "options --preview and --full: first the one, then the other");
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
    int code = j.prompts_path ? read_prompts(&j.prompts, j.prompts_path) : EXIT_DONE;
    if (j.prompts.count) j.count = j.prompts.count;
    if (code == EXIT_DONE) code = check_places(&j);
    if (code == EXIT_DONE) code = session_open(&j.m.s, &opts, 0);
    if (code == EXIT_DONE) code = param_options_apply(&params, j.m.s.pipeline);
    if (code == EXIT_DONE) code = picture_options_apply(&pictures, j.m.s.ctx, j.m.s.pipeline);
    if (code == EXIT_DONE && sora_model_info(j.m.s.model, &model) != SORA_OK) code = complain(EXIT_FAILED, "%s: is no model", j.m.s.path);
    if (code == EXIT_DONE) {
        /* Parts may be missing; the run says which. */
        const int unit = (model.spatial_factor > 0 ? model.spatial_factor : 1) * (model.patch_w > 0 ? model.patch_w : 1);
        const long long wide = *param_option_int(&params, SORA_PARAM_WIDTH), high = *param_option_int(&params, SORA_PARAM_HEIGHT);
        double fps = model.default_fps;
        for (int i = 0; i < params.count; i++)
            if (params.desc[i].id == SORA_PARAM_FPS && params.f[i] > 0) fps = params.f[i];
        j.m.fps = fps;
        j.width = wide ? (int)wide : model.default_width;
        j.height = high ? (int)high : model.default_height;
        j.small_width = half(j.width, unit);
        j.small_height = half(j.height, unit);
        if (j.preview) {
            j.width = j.small_width;
            j.height = j.small_height;
        }
        j.seed = *seed;
        if (j.seconds > 0) *frames = (long long)(j.seconds * fps + 0.5) > 0 ? (long long)(j.seconds * fps + 0.5) : 1;
        j.frames = *frames;
        code = place_shots(&j, fps, model.default_frames);
        if (!j.frames) j.frames = model.default_frames;
        j.m.window = window ? window : 2LL * model.default_frames > 2 ? 2LL * model.default_frames : 2;
        j.m.context = j.m.window > 10 ? 5 : j.m.window / 2;
        const char *inputs[5 + SORA_MAX_REFERENCES] = {j.prompts_path, pictures.image, pictures.last_image, pictures.video, pictures.mask};
        for (int i = 0; i < pictures.references.count; i++) inputs[5 + i] = pictures.references.items[i]; /* not more: they have been read */
        if (code == EXIT_DONE) code = saving_open(j.m.save, argc, argv, inputs, 5 + SORA_MAX_REFERENCES);
        if (code == EXIT_DONE) code = make_all(&j, prompt);
        if (code == EXIT_DONE) saving_close(j.m.save);
    }
    session_close(&j.m.s);
    free(j.prompts.lines);
    free(j.prompts.text);
    return code;
}
