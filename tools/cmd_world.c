/* `sora world`: renders captioned clips of the world to folders of PNG files and to contact sheets. */
#include "tools/commands.h"

#include <cairo.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/world/world.h"

typedef struct options {
    uint64_t seed;
    int count, width, height, frames;
    double fps;
    const char *out, *sheet;
    bool quiet;
    int columns;
    world_limits limits;
} options;

static const char HELP[] =
    "usage: sora world [options]\n"
    "Renders captioned clips of a drawn world: training and evaluation data.\n"
    "\n"
    "  --seed N            first seed (0); clip i has seed N + i\n"
    "  --count N           number of clips (1)\n"
    "  --size WxH          size in pixels, sides 16..4096 (128x128)\n"
    "  --frames N          frames of a clip (17); 1 makes images\n"
    "  --fps F             frames a second (8)\n"
    "  --out DIR           write DIR/clip-NNNNNN/frame-NNNN.png, caption.txt, long.txt, scene.json\n"
    "  --sheet FILE.png    write a contact sheet: a row of frames and the caption of each clip\n"
    "  --columns N         frames shown of a clip on the sheet (6)\n"
    "  --split NAME        train, heldout or any (any)\n"
    "  --height LO:HI      height of the subject as share of the picture (0.5:0.8)\n"
    "  --ATTRIBUTE VALUE   fix an attribute (--subject \"toy robot\" --colour red ...), or give several values: "
    "red,blue\n"
    "  --list-vocabulary   print all attributes and values\n"
    "  --quiet             do not print captions\n"
    "  --help              this text\n";

static void list_vocabulary(void) {
    for (int a = 0; a < WORLD_ATTRS; a++) {
        printf("%s:", world_attr_name(a));
        for (int v = 0; v < world_attr_count(a); v++) printf("%s %s", v ? "," : "", world_value_name(a, v));
        printf("\n");
    }
}

static int parse_values(world_limits *l, int attr, const char *list) {
    uint32_t mask = 0;
    while (*list) {
        char word[64];
        size_t n = strcspn(list, ",");
        if (n == 0 || n >= sizeof word) return -1;
        memcpy(word, list, n);
        word[n] = 0;
        int v = world_value_find(attr, word);
        if (v < 0) {
            fprintf(stderr, "sora world: '%s' is no %s; see --list-vocabulary\n", word, world_attr_name(attr));
            return -1;
        }
        mask |= 1u << v;
        list += n + (list[n] == ',');
    }
    if (!mask) return -1;
    l->allow[attr] = mask;
    /* What is asked for is wanted always, not now and then. */
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
    return 0;
}

static bool parse_int(const char *s, int lo, int hi, int *out) {
    char *end;
    errno = 0;
    long v = strtol(s, &end, 10);
    if (errno || end == s || *end || v < lo || v > hi) return false;
    *out = (int)v;
    return true;
}

static int wrong(const char *option, const char *value) {
    fprintf(stderr, "sora world: bad value '%s' for %s\n", value, option);
    return 2;
}

/* 0: go on, 1: done (help was printed), 2: wrong arguments */
static int parse(options *o, int argc, char **argv) {
    memset(o, 0, sizeof *o);
    o->count = 1;
    o->width = o->height = 128;
    o->frames = 17;
    o->fps = 8;
    o->columns = 6;
    world_limits_default(&o->limits);
    o->limits.split = WORLD_ANY;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0) {
            fputs(HELP, stdout);
            return 1;
        }
        if (strcmp(name, "--list-vocabulary") == 0) {
            list_vocabulary();
            return 1;
        }
        if (strcmp(name, "--quiet") == 0) {
            o->quiet = true;
            continue;
        }
        if (strncmp(name, "--", 2) != 0) {
            fprintf(stderr, "sora world: unexpected '%s'; see sora world --help\n", name);
            return 2;
        }
        if (i + 1 >= argc) {
            fprintf(stderr, "sora world: %s is unknown or needs a value\n", name);
            return 2;
        }
        const char *value = argv[++i];
        char *end;
        int attr = world_attr_find(name + 2);
        if (strcmp(name, "--seed") == 0) {
            errno = 0;
            o->seed = strtoull(value, &end, 10);
            if (errno || end == value || *end) return wrong(name, value);
        } else if (strcmp(name, "--count") == 0) {
            if (!parse_int(value, 1, 100000000, &o->count)) return wrong(name, value);
        } else if (strcmp(name, "--frames") == 0) {
            if (!parse_int(value, 1, 100000, &o->frames)) return wrong(name, value);
        } else if (strcmp(name, "--columns") == 0) {
            if (!parse_int(value, 1, 64, &o->columns)) return wrong(name, value);
        } else if (strcmp(name, "--size") == 0) {
            char word[32], *x;
            if (strlen(value) >= sizeof word) return wrong(name, value);
            strcpy(word, value);
            x = strchr(word, 'x');
            if (x) *x = 0;
            if (!x || !parse_int(word, 16, 4096, &o->width) || !parse_int(x + 1, 16, 4096, &o->height))
                return wrong(name, value);
        } else if (strcmp(name, "--fps") == 0) {
            o->fps = strtod(value, &end);
            if (end == value || *end || !(o->fps >= .1 && o->fps <= 1000)) return wrong(name, value);
        } else if (strcmp(name, "--height") == 0) {
            o->limits.height_min = strtod(value, &end);
            o->limits.height_max = *end == ':' ? strtod(end + 1, &end) : o->limits.height_min;
            if (*end || !(o->limits.height_min >= .05 && o->limits.height_max <= 3 &&
                          o->limits.height_min <= o->limits.height_max))
                return wrong(name, value);
        } else if (strcmp(name, "--out") == 0) {
            o->out = value;
        } else if (strcmp(name, "--sheet") == 0) {
            o->sheet = value;
        } else if (strcmp(name, "--split") == 0) {
            o->limits.split = strcmp(value, "train") == 0     ? WORLD_TRAIN
                              : strcmp(value, "heldout") == 0 ? WORLD_HELDOUT
                                                              : WORLD_ANY;
            if (o->limits.split == WORLD_ANY && strcmp(value, "any") != 0) return wrong(name, value);
        } else if (attr >= 0) {
            if (parse_values(&o->limits, attr, value)) return 2;
        } else {
            fprintf(stderr, "sora world: unknown option %s; see sora world --help\n", name);
            return 2;
        }
    }
    return 0;
}

static cairo_surface_t *surface_of(const uint8_t *rgb, int w, int h) {
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
    if (cairo_surface_status(s) != CAIRO_STATUS_SUCCESS) return s;
    unsigned char *data = cairo_image_surface_get_data(s);
    size_t stride = (size_t)cairo_image_surface_get_stride(s);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const uint8_t *p = rgb + 3 * ((size_t)y * (size_t)w + (size_t)x);
            uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
            memcpy(data + (size_t)y * stride + 4 * (size_t)x, &v, 4);
        }
    cairo_surface_mark_dirty(s);
    return s;
}

static int make_folder(const char *path) { return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -1; }

static int write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    if (!f) return -1;
    int bad = fputs(text, f) < 0 || fputc('\n', f) < 0;
    return fclose(f) != 0 || bad ? -1 : 0;
}

static int write_clip(const options *o, const world_scene *s, int index, uint64_t seed, uint8_t *rgb) {
    char path[1100], text[2048];
    int n = snprintf(path, sizeof path, "%s/clip-%06d", o->out, index);
    if (n < 0 || n > 1000 || make_folder(path)) return -1;
    size_t stem = strlen(path);
    for (int i = 0; i < o->frames; i++) {
        if (world_render(s, o->width, o->height, i / o->fps, o->frames / o->fps, rgb)) return -1;
        snprintf(path + stem, sizeof path - stem, "/frame-%04d.png", i);
        cairo_surface_t *p = surface_of(rgb, o->width, o->height);
        cairo_status_t rc = cairo_surface_write_to_png(p, path);
        cairo_surface_destroy(p);
        if (rc != CAIRO_STATUS_SUCCESS) return -1;
    }
    int image = o->frames == 1 ? WORLD_IMAGE : 0;
    world_caption(s, seed, WORLD_SHORT | image, text, sizeof text);
    snprintf(path + stem, sizeof path - stem, "/caption.txt");
    if (write_text(path, text)) return -1;
    world_caption(s, seed, WORLD_LONG | image, text, sizeof text);
    snprintf(path + stem, sizeof path - stem, "/long.txt");
    if (write_text(path, text)) return -1;
    world_json(s, text, sizeof text);
    snprintf(path + stem, sizeof path - stem, "/scene.json");
    return write_text(path, text);
}

enum { MARGIN = 6, LINE = 13 };

/* Lines of a caption: an image has less room beside. */
static int lines_of(const options *o) { return o->frames == 1 ? 3 : 2; }

static int columns_of(const options *o) { return o->frames < o->columns ? o->frames : o->columns; }

/* The caption under its frames, in a few lines; what does not fit is cut with dots. */
static void show_text(cairo_t *cr, char *text, int lines, double x, double y, double room) {
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, 10.5);
    char *p = text;
    for (int line = 0; line < lines && *p; line++) {
        char part[1024];
        size_t best = 0, n = strlen(p);
        for (size_t i = 1; i <= n && i + 4 < sizeof part; i++) {
            if (p[i] != ' ' && p[i] != 0) continue;
            memcpy(part, p, i);
            part[i] = 0;
            cairo_text_extents_t e;
            cairo_text_extents(cr, part, &e);
            if (best && e.width > room) break;
            best = i;
        }
        memcpy(part, p, best);
        strcpy(part + best, line == lines - 1 && p[best] ? " .." : "");
        cairo_move_to(cr, x, y + LINE * (line + .85));
        cairo_show_text(cr, part);
        p += best;
        p += *p == ' ';
    }
}

static void sheet_row(const options *o, cairo_t *cr, const world_scene *s, int row, uint64_t seed, uint8_t *rgb) {
    int columns = columns_of(o), per = o->frames == 1 ? o->columns : 1;
    double x0 = MARGIN + (row % per) * (o->width + MARGIN),
           y0 = MARGIN + (row / per) * (o->height + lines_of(o) * LINE + MARGIN);
    for (int c = 0; c < columns; c++) {
        int i = columns > 1 ? (int)((double)c * (o->frames - 1) / (columns - 1) + .5) : 0;
        if (world_render(s, o->width, o->height, i / o->fps, o->frames / o->fps, rgb)) continue;
        cairo_surface_t *p = surface_of(rgb, o->width, o->height);
        cairo_set_source_surface(cr, p, x0 + c * (o->width + MARGIN), y0);
        cairo_paint(cr);
        cairo_surface_destroy(p);
    }
    char text[1024];
    world_caption(s, seed, o->frames == 1 ? WORLD_IMAGE : 0, text, sizeof text);
    cairo_set_source_rgb(cr, .1, .1, .1);
    show_text(cr, text, lines_of(o), x0, y0 + o->height, columns * (o->width + MARGIN) - MARGIN);
}

int cmd_world(int argc, char **argv) {
    options o;
    int rc = parse(&o, argc, argv);
    if (rc) return rc == 1 ? 0 : 2;
    if (o.out && make_folder(o.out)) {
        fprintf(stderr, "sora world: cannot make folder %s: %s\n", o.out, strerror(errno));
        return 1;
    }
    o.limits.image = o.frames == 1;
    uint8_t *rgb = malloc((size_t)o.width * (size_t)o.height * 3);
    cairo_surface_t *sheet = NULL;
    cairo_t *cr = NULL;
    int failed = rgb == NULL, shown = o.count < 200 ? o.count : 200;
    if (o.sheet && !failed) {
        int columns = columns_of(&o), per = o.frames == 1 ? o.columns : 1;
        double wide = MARGIN + (double)(o.frames == 1 ? per : columns) * (o.width + MARGIN);
        double tall = MARGIN + (double)((shown + per - 1) / per) * (o.height + lines_of(&o) * LINE + MARGIN);
        if (wide > 30000 || tall > 30000) {
            fprintf(
                stderr,
                "sora world: the sheet would be larger than 30000 pixels: fewer clips, columns or pixels, please\n");
            free(rgb);
            return 2;
        }
        sheet = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)wide, (int)tall);
        cr = cairo_create(sheet);
        cairo_set_source_rgb(cr, .97, .97, .95);
        cairo_paint(cr);
    }
    for (int i = 0; i < o.count && !failed; i++) {
        world_scene s;
        uint64_t seed = o.seed + (uint64_t)i;
        if (world_scene_make(&s, seed, &o.limits)) {
            fprintf(stderr, "sora world: nothing fits these attributes together\n");
            rc = 2;
            break;
        }
        if (!o.quiet) {
            char text[1024];
            world_caption(&s, seed, o.frames == 1 ? WORLD_IMAGE : 0, text, sizeof text);
            printf("%llu\t%s\n", (unsigned long long)seed, text);
        }
        if (o.out && write_clip(&o, &s, i, seed, rgb)) {
            fprintf(stderr, "sora world: cannot write clip %d to %s\n", i, o.out);
            failed = 1;
        }
        if (cr && i < shown) sheet_row(&o, cr, &s, i, seed, rgb);
    }
    if (cr) {
        if (!rc && !failed && cairo_surface_write_to_png(sheet, o.sheet) != CAIRO_STATUS_SUCCESS) {
            fprintf(stderr, "sora world: cannot write %s\n", o.sheet);
            failed = 1;
        }
        cairo_destroy(cr);
        cairo_surface_destroy(sheet);
    }
    free(rgb);
    return failed ? 1 : rc;
}
