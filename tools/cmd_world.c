/* `sora world`: renders captioned clips of the world to folders of PNG files and to contact sheets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/session.h"
#include "tools/sheet.h"
#include "tools/world/world.h"

#define SHEET_CLIPS 200
#define TEXT        2048

typedef struct job {
    session s;
    long long seed, count, frames, columns, split;
    int size[2], quiet;
    double fps;
    const char *out, *sheet_path, *height, *values[WORLD_ATTRS];
    world_limits limits;
    sheet *sheet;
    uint8_t *rgb; /* as many frames as the sheet shows, at least one */
} job;

static int list_vocabulary(void) {
    for (int a = 0; a < WORLD_ATTRS; a++) {
        printf("%s:", world_attr_name(a));
        for (int v = 0; v < world_attr_count(a); v++) printf("%s %s", v ? "," : "", world_value_name(a, v));
        printf("\n");
    }
    return flush_output();
}

/* What is asked for is wanted always, not now and then. */
static void insist(world_limits *l, int attr) {
    switch (attr) {
    case WORLD_STYLE:
        l->style_prob = 1;
        break;
    case WORLD_CAMERA:
        l->move_prob = 1;
        break;
    case WORLD_EMOTION:
        l->emotion_prob = 1;
        break;
    case WORLD_RELATION:
        l->second_prob = 1;
        break;
    case WORLD_SHOTS:
        l->cut_prob = 1;
        break;
    case WORLD_KIND:
        l->game_prob = 1;
        break;
    case WORLD_SUBJECT2:
    case WORLD_OUTFIT2:
    case WORLD_COLOUR2:
        l->second_prob = 1;
        l->allow[WORLD_RELATION] &= ~(1u << WORLD_ALONE);
        break;
    default:
        break;
    }
}

/* "red,blue" */
static int take_values(world_limits *l, int attr, const char *list) {
    uint32_t mask = 0;
    while (*list) {
        char word[64];
        const size_t n = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)n, list);
        const int v = world_value_find(attr, word);
        if (v < 0)
            return complain(EXIT_USAGE, "option --%s: %s is no value; see --list-vocabulary", world_attr_name(attr),
                            word);
        mask |= 1u << v;
        list += n + (list[n] == ',');
    }
    if (!mask) return complain(EXIT_USAGE, "option --%s needs a value", world_attr_name(attr));
    l->allow[attr] = mask;
    insist(l, attr);
    return EXIT_DONE;
}

static int take_limits(job *j) {
    world_limits_default(&j->limits);
    j->limits.split = j->split == 0 ? WORLD_TRAIN : j->split == 1 ? WORLD_HELDOUT : WORLD_ANY;
    j->limits.image = j->frames == 1;
    if (j->height) {
        char *end = NULL;
        j->limits.height_min = strtod(j->height, &end);
        j->limits.height_max = end && *end == ':' ? strtod(end + 1, &end) : j->limits.height_min;
        if (end == j->height || *end ||
            !(j->limits.height_min >= .05 && j->limits.height_max <= 3 && j->limits.height_min <= j->limits.height_max))
            return complain(EXIT_USAGE, "option --height: %s is no LO:HI within 0.05..3", j->height);
    }
    for (int a = 0; a < WORLD_ATTRS; a++)
        if (j->values[a]) {
            const int code = take_values(&j->limits, a, j->values[a]);
            if (code != EXIT_DONE) return code;
        }
    return EXIT_DONE;
}

static int make_folder(const char *path) {
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return EXIT_DONE;
    return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
}

static int write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    int bad = !f || fputs(text, f) < 0 || fputc('\n', f) < 0;
    if (f && fclose(f) != 0) bad = 1;
    return bad ? complain(EXIT_FAILED, "%s: %s", path, strerror(errno)) : EXIT_DONE;
}

static int render(const job *j, const world_scene *s, double frame, uint8_t *rgb) {
    const double duration = (double)j->frames / j->fps;
    return world_render(s, j->size[0], j->size[1], frame / j->fps, duration, rgb) == 0
               ? EXIT_DONE
               : complain(EXIT_FAILED, "no memory to render");
}

static int write_clip(job *j, const world_scene *s, long long index, uint64_t seed) {
    char path[1100], text[TEXT];
    sora_error err = {.struct_size = sizeof err};
    const int n = snprintf(path, sizeof path, "%s/clip-%06lld", j->out, index);
    if (n < 0 || n > 1000) return complain(EXIT_FAILED, "%s: the name is too long", j->out);
    char *end = path + n;
    const size_t room = sizeof path - (size_t)n;
    int code = make_folder(path);
    for (long long i = 0; i < j->frames && code == EXIT_DONE; i++) {
        code = render(j, s, (double)i, j->rgb);
        snprintf(end, room, "/frame-%04lld.png", i);
        if (code == EXIT_DONE && sora_image_write(j->s.ctx, path, j->rgb, j->size[0], j->size[1], &err) != SORA_OK)
            code = complain(EXIT_FAILED, "%s", err.message);
    }
    const int image = j->frames == 1 ? WORLD_IMAGE : 0;
    world_caption(s, seed, WORLD_SHORT | image, text, sizeof text);
    snprintf(end, room, "/caption.txt");
    if (code == EXIT_DONE) code = write_text(path, text);
    world_caption(s, seed, WORLD_LONG | image, text, sizeof text);
    snprintf(end, room, "/long.txt");
    if (code == EXIT_DONE) code = write_text(path, text);
    world_json(s, text, sizeof text);
    snprintf(end, room, "/scene.json");
    return code == EXIT_DONE ? write_text(path, text) : code;
}

static long long shown(const job *j) { return j->frames < j->columns ? j->frames : j->columns; }

static int add_to_sheet(job *j, const world_scene *s, const char *caption) {
    const long long n = shown(j);
    const size_t size = (size_t)j->size[0] * (size_t)j->size[1] * 3;
    int code = EXIT_DONE;
    for (long long c = 0; c < n && code == EXIT_DONE; c++) {
        const double frame = n > 1 ? (double)((c * (j->frames - 1) + (n - 1) / 2) / (n - 1)) : 0;
        code = render(j, s, frame, j->rgb + size * (size_t)c);
    }
    if (code == EXIT_DONE && sheet_add(j->sheet, j->rgb, n, j->size[0], j->size[1], caption) != 0)
        code = complain(EXIT_FAILED, "%s: no memory for the sheet", j->sheet_path);
    return code;
}

static int one_clip(job *j, long long i) {
    world_scene s;
    char caption[TEXT];
    const uint64_t seed = (uint64_t)(j->seed + i);
    if (world_scene_make(&s, seed, &j->limits)) return complain(EXIT_USAGE, "nothing fits these attributes together");
    world_caption(&s, seed, j->frames == 1 ? WORLD_IMAGE : 0, caption, sizeof caption);
    if (!j->quiet) printf("%llu\t%s\n", (unsigned long long)seed, caption);
    int code = j->out ? write_clip(j, &s, i, seed) : EXIT_DONE;
    if (code == EXIT_DONE && j->sheet && i < SHEET_CLIPS) code = add_to_sheet(j, &s, caption);
    return code;
}

static int render_all(job *j) {
    sora_error err = {.struct_size = sizeof err};
    int code = j->out ? make_folder(j->out) : EXIT_DONE;
    j->rgb = malloc((size_t)j->size[0] * (size_t)j->size[1] * 3 * (size_t)shown(j));
    j->sheet = j->sheet_path ? sheet_new((int)j->columns) : NULL;
    if (code == EXIT_DONE && (!j->rgb || (j->sheet_path && !j->sheet))) code = complain(EXIT_FAILED, "no memory");
    for (long long i = 0; i < j->count && code == EXIT_DONE; i++)
        code = interrupted() ? complain(EXIT_FAILED, "interrupted") : one_clip(j, i);
    if (code == EXIT_DONE && j->sheet && sheet_write(j->sheet, j->s.ctx, j->sheet_path, &err) != SORA_OK)
        code = complain(EXIT_FAILED, "%s", err.message);
    return code == EXIT_DONE ? flush_output() : code;
}

int cmd_world(int argc, char **argv) {
    static const char *attr_help[WORLD_ATTRS];
    job j;
    session_opts opts = SESSION_DEFAULTS;
    option table[WORLD_ATTRS + 16];
    int vocabulary = 0, count, n = 0;
    memset(&j, 0, sizeof j);
    j.count = 1;
    j.size[0] = j.size[1] = 128;
    j.frames = 17;
    j.fps = 8;
    j.columns = 6;
    j.split = 2;
    const option own[] = {
        {"seed", OPTION_INT, &j.seed, "N", "first seed (0); clip i has seed N + i", 0, 9e15},
        {"count", OPTION_INT, &j.count, "N", "number of clips (1)", 1, 100000000},
        {"size", OPTION_SIZE, j.size, "WxH", "size in pixels, sides 16..4096 (128x128)", 0, 0},
        {"frames", OPTION_INT, &j.frames, "N", "frames of a clip (17); 1 makes images", 1, 100000},
        {"fps", OPTION_NUMBER, &j.fps, "F", "frames a second (8)", 0.1, 1000},
        {"out|o", OPTION_TEXT, &j.out, "DIR", "write DIR/clip-NNNNNN/frame-NNNN.png, caption.txt, long.txt, scene.json",
         0, 0},
        {"sheet", OPTION_TEXT, &j.sheet_path, "FILE", "a PNG: a row of frames and the caption of each clip", 0, 0},
        {"columns", OPTION_INT, &j.columns, "N", "frames shown of a clip on the sheet (6)", 1, 64},
        {"split", OPTION_CHOICE, &j.split, "train|heldout|any", "which combinations (any)", 0, 0},
        {"height", OPTION_TEXT, &j.height, "LO:HI", "height of the subject as share of the picture (0.5:0.8)", 0, 0},
        {"list-vocabulary", OPTION_FLAG, &vocabulary, NULL, "print all attributes and values", 0, 0},
        {"quiet", OPTION_FLAG, &j.quiet, NULL, "do not print captions", 0, 0},
    };
    for (; n < (int)(sizeof own / sizeof *own); n++) table[n] = own[n];
    for (int a = 0; a < WORLD_ATTRS; a++) {
        attr_help[a] = a ? "" : "fix an attribute, or give several values: red,blue";
        table[n++] = (option){world_attr_name(a), OPTION_TEXT, &j.values[a], "VALUE", attr_help[a], 0, 0};
    }
    table[n] = (option)OPTIONS_END;
    static const command_help help = {
        "sora world [options]", "Renders captioned clips of a drawn world: training and evaluation data.",
        "Examples:\n  sora world --seed 7 --count 12 --sheet sheet.png\n"
        "  sora world --subject \"toy robot\" --colour red --place beach --count 4 --out clips"};
    const int parsed = options_parse(table, &help, argc, argv, NULL, 0, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (vocabulary) return list_vocabulary();
    if (j.size[0] < 16 || j.size[1] < 16 || j.size[0] > 4096 || j.size[1] > 4096)
        return complain(EXIT_USAGE, "option --size: sides are 16..4096 pixels");
    if (j.sheet_path && check_output(j.sheet_path) != EXIT_DONE) return EXIT_FAILED;
    opts.threads = 1;
    int code = take_limits(&j);
    if (code == EXIT_DONE) code = session_open_context(&j.s, &opts);
    if (code == EXIT_DONE) code = render_all(&j);
    sheet_free(j.sheet);
    free(j.rgb);
    session_close(&j.s);
    return code;
}
