/* One frame: stage, sky, ground, furniture and figures from far to near, weather, style. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/world/internal.h"

enum { MOST_ITEMS = 220 };

static int farther_first(const void *pa, const void *pb) {
    const world_item *a = pa, *b = pb;
    if (a->depth != b->depth) return a->depth > b->depth ? -1 : 1;
    return a->seed < b->seed ? -1 : a->seed > b->seed;
}

static double haze_at(const world_frame *f, double depth) {
    double d = depth - 4;
    return d <= 0 ? 0 : fmin(.85, 1 - exp(-f->palette.fog * d));
}

static void shadow(world_frame *f, double x, double z, double width, double lift) {
    double sx, sy, d;
    if (!world_project(f, x, 0, z, &sx, &sy, &d) || d < .3) return;
    double s = f->focal / d, r = .5 * width * s * (1 - .35 * fmin(1, lift)), flat = f->cy / d;
    flat = fmax(.12, flat * 1.1);
    double strength = (f->water ? .16 : .38) * (1 - .5 * f->palette.dark) * (1 - .4 * fmin(1, lift));
    cairo_save(f->cr);
    cairo_translate(f->cr, sx - f->scene->sun * r * .35, sy);
    cairo_scale(f->cr, r * 1.25, r * 1.25 * flat);
    cairo_pattern_t *p = cairo_pattern_create_radial(0, 0, 0, 0, 0, 1);
    cairo_pattern_add_color_stop_rgba(p, 0, .02, .02, .10, strength);
    cairo_pattern_add_color_stop_rgba(p, .6, .02, .02, .10, strength * .75);
    cairo_pattern_add_color_stop_rgba(p, 1, .02, .02, .10, 0);
    cairo_set_source(f->cr, p);
    cairo_rectangle(f->cr, -1, -1, 2, 2);
    cairo_fill(f->cr);
    cairo_pattern_destroy(p);
    cairo_restore(f->cr);
}

/* Figures do not know the light: they are drawn apart, multiplied by it and laid over the picture. The light on them is
 * kept milder than on the scenery, so that they stand out and their colours can be named even at night. */
static int draw_actor(world_frame *f, const world_actor *a) {
    double sx, sy, depth;
    if (!world_project(f, a->x, a->y, a->z, &sx, &sy, &depth) || depth < .4) return 0;
    double unit = f->focal / depth * a->scale;
    double reach = unit * (.75 + .75 * world_figure_width(a->look.subject) * world_figure_height(a->look.subject));
    int x0 = (int)floor(fmax(0, sx - reach)), x1 = (int)ceil(fmin(f->width, sx + reach));
    int y0 = (int)floor(fmax(0, sy - 1.6 * unit)), y1 = (int)ceil(fmin(f->height, sy + .3 * unit));
    if (x1 <= x0 || y1 <= y0) return 0;
    if (f->scene->attr[WORLD_KIND] != WORLD_GAME)
        shadow(f, a->x, a->z,
               a->scale * world_figure_height(a->look.subject) * fmax(.42, world_figure_width(a->look.subject) * .8),
               a->y);
    cairo_surface_t *layer = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, x1 - x0, y1 - y0);
    cairo_t *cr = cairo_create(layer);
    cairo_translate(cr, sx - x0, sy - y0);
    cairo_scale(cr, unit, -unit);
    world_figure_draw(cr, &a->look, &a->pose, unit);
    cairo_destroy(cr);
    cairo_surface_flush(layer);
    if (cairo_surface_status(layer) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(layer);
        return -1;
    }
    const world_palette *p = &f->palette;
    double h = haze_at(f, depth) * .5, keep = .62;
    double m[3] = {1 - (1 - p->light.b) * (1 - keep), 1 - (1 - p->light.g) * (1 - keep),
                   1 - (1 - p->light.r) * (1 - keep)};
    double add[3] = {p->haze.b * h, p->haze.g * h, p->haze.r * h};
    if (m[0] < .995 || m[1] < .995 || m[2] < .995 || h > .01) {
        unsigned char *data = cairo_image_surface_get_data(layer);
        int stride = cairo_image_surface_get_stride(layer);
        int mul[3], off[3];
        for (int c = 0; c < 3; c++) {
            mul[c] = (int)(256 * m[c] * (1 - h));
            off[c] = (int)(256 * add[c]);
        }
        for (int y = 0; y < y1 - y0; y++) {
            unsigned char *q = data + (size_t)y * (size_t)stride;
            for (int x = 0; x < x1 - x0; x++, q += 4) {
                if (q[3] == 0) continue;
                for (int c = 0; c < 3; c++) {
                    int v = (q[c] * mul[c] + q[3] * off[c]) >> 8;
                    q[c] = (unsigned char)(v > q[3] ? q[3] : v);
                }
            }
        }
        cairo_surface_mark_dirty(layer);
    }
    if (f->scene->attr[WORLD_STYLE] == WORLD_CHARCOAL) { /* a rim of bare paper, as one leaves around what matters */
        double rim = fmax(1, f->height / 110.0);
        cairo_set_source_rgba(f->cr, 1, 1, 1, .55);
        for (int i = 0; i < 6; i++)
            cairo_mask_surface(f->cr, layer, x0 + rim * cos(i * WORLD_PI / 3), y0 + rim * sin(i * WORLD_PI / 3));
    }
    cairo_set_source_surface(f->cr, layer, x0, y0);
    cairo_rectangle(f->cr, x0, y0, x1 - x0, y1 - y0);
    cairo_fill(f->cr);
    cairo_surface_destroy(layer);
    return 0;
}

static void draw_item(world_frame *f, const world_item *it) {
    double sx, sy, d;
    if (!world_project(f, it->x, 0, it->z, &sx, &sy, &d) || d < .8) return;
    double unit = f->focal / d;
    if (it->size * unit < .8) return;
    f->depth = d;
    f->hazed = haze_at(f, d);
    f->pixel = unit * it->size;
    cairo_save(f->cr);
    cairo_translate(f->cr, sx, sy);
    if (it->kind == PROP_COVER) {
        f->pixel = unit;
        cairo_scale(f->cr, unit, -unit);
        world_cover(f, f->cover_width, f->cover_height);
    } else {
        cairo_scale(f->cr, unit * it->size, -unit * it->size);
        world_prop(f, it);
    }
    cairo_restore(f->cr);
    f->hazed = 0;
}

static int compose(world_frame *f) {
    world_item items[MOST_ITEMS];
    int n = world_layout(f, items, MOST_ITEMS - 4);
    for (int i = 0; i < n; i++) {
        double sx, sy;
        if (!world_project(f, items[i].x, 0, items[i].z, &sx, &sy, &items[i].depth)) items[i].depth = 0;
    }
    for (int i = 0; i < f->actors; i++) {
        double sx, sy;
        world_item *it = &items[n++];
        memset(it, 0, sizeof *it);
        it->kind = -1 - i;
        if (!world_project(f, f->actor[i].x, 0, f->actor[i].z, &sx, &sy, &it->depth)) it->depth = 0;
    }
    if (f->cover) {
        double sx, sy;
        world_item *it = &items[n++];
        memset(it, 0, sizeof *it);
        it->kind = PROP_COVER;
        it->x = f->cover_x;
        it->z = f->cover_z;
        it->size = 1;
        if (!world_project(f, it->x, 0, it->z, &sx, &sy, &it->depth)) it->depth = 0;
    }
    qsort(items, (size_t)n, sizeof items[0], farther_first);
    world_sky(f);
    world_ground(f);
    bool hung = false, game = f->scene->attr[WORLD_KIND] == WORLD_GAME;
    for (int i = 0; i < n; i++) {
        if (!hung && (items[i].kind < 0 || items[i].depth < 4)) { /* what hangs and falls behind the subjects */
            world_weather(f, false);
            bool grey = f->condition == WORLD_RAIN || f->condition == WORLD_SNOWSTORM; /* white must show on it */
            if (f->scene->attr[WORLD_STYLE] == WORLD_CHARCOAL && !grey) { /* what is far is drawn faintly */
                cairo_set_source_rgba(f->cr, 1, 1, 1, f->palette.dark > .5 ? .18 : .30);
                cairo_paint(f->cr);
            }
            hung = true;
        }
        if (game && items[i].kind < 0) world_game(f, false);
        if (items[i].kind < 0) {
            if (draw_actor(f, &f->actor[-1 - items[i].kind])) return -1;
        } else if (items[i].depth > 0 && !(game && items[i].z < 2)) {
            draw_item(f, &items[i]);
        }
    }
    world_weather(f, true);
    if (game) world_game(f, true);
    return 0;
}

int world_render(const world_scene *scene, int width, int height, double t, double duration, uint8_t *rgb) {
    if (!scene || !rgb || width < 16 || height < 16 || width > 4096 || height > 4096) return -1;
    world_frame f;
    world_stage(&f, scene, width, height, t, duration);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    f.cr = cairo_create(surface);
    int rc = compose(&f);
    if (cairo_status(f.cr) != CAIRO_STATUS_SUCCESS) rc = -1;
    cairo_destroy(f.cr);
    f.cr = NULL;
    if (rc == 0) {
        cairo_surface_flush(surface);
        const unsigned char *data = cairo_image_surface_get_data(surface);
        size_t stride = (size_t)cairo_image_surface_get_stride(surface);
        for (int y = 0; y < height; y++) {
            const unsigned char *row = data + (size_t)y * stride;
            uint8_t *out = rgb + (size_t)y * (size_t)width * 3;
            for (int x = 0; x < width; x++, row += 4, out += 3) {
                uint32_t v;
                memcpy(&v, row, 4);
                out[0] = (uint8_t)(v >> 16);
                out[1] = (uint8_t)(v >> 8);
                out[2] = (uint8_t)v;
            }
        }
        rc = world_style(&f, rgb);
    }
    cairo_surface_destroy(surface);
    return rc;
}
