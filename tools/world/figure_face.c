#include "tools/world/figure_rig.h"

#include <math.h>

typedef struct mood {
    double open, wide;        /* eyes: height and size factors */
    double brow_y, brow_tilt; /* up, positive tilt: inner ends up (sad) */
    int arc;                  /* eyes closed in joy */
} mood;

static mood mood_of(int emotion) {
    switch (emotion) {
    case WORLD_HAPPY:
        return (mood){1, 1, 0.10, 0.1, 1};
    case WORLD_SAD:
        return (mood){0.78, 0.95, 0.06, 0.55, 0};
    case WORLD_ANGRY:
        return (mood){0.72, 1.0, -0.10, -0.62, 0};
    case WORLD_SURPRISED:
        return (mood){1.20, 1.14, 0.32, 0.08, 0};
    default:
        return (mood){1, 1, 0.05, 0.05, 0};
    }
}

/* Lines of a face: dark, on a black face pale. */
static fk_tone ink(fk_tone skin, fk_tone dark) { return fk_luma(skin) < 0.22 ? fk_rgb(0.93, 0.90, 0.82) : dark; }

static void draw_eye(const fig *f, const face_style *st, const mood *m, double side, int closed) {
    fk_kit *k = f->kit;
    double az = side * st->eye_az, el = st->eye_el, r = st->eye;
    if (fk_facing_of(st->ball, az, el) < 0.02) return;
    fk_tone dark = fk_rgb(0.10, 0.07, 0.10);
    double width = r * fk_len(st->ball->y);
    if (closed || m->arc) { /* an arc: joy points up, a blink down */
        double h = m->arc && !closed ? 0.8 * r : -0.35 * r, p[5][2];
        for (int i = 0; i < 5; i++) {
            double t = (i - 2) / 2.0;
            p[i][0] = t * r * 1.1, p[i][1] = h * (1 - t * t) - h * 0.4;
        }
        fk_patch_line(k, st->ball, az, el, (const double(*)[2])p, 5, width * 0.62, ink(st->skin, dark));
        return;
    }
    double w = r * m->wide, h = r * 1.22 * m->open * m->wide;
    if (st->white || fk_luma(st->skin) < 0.22) {
        fk_patch(k, st->ball, az, el, w, h, 0, fk_rgb(1, 1, 1), f->fine ? FK_LINE : FK_FLAT);
        double pr = f->pose->emotion == WORLD_SURPRISED ? 0.42 : 0.66;
        fk_patch(k, st->ball, az - side * r * 0.14, el - 0.08 * r, w * pr, fmin(w * pr * 1.2, h * 0.9), 0, dark,
                 FK_FLAT);
        if (f->fine) {
            fk_patch(k, st->ball, az - side * r * 0.14, el - 0.14 * r, w * pr * 0.72, w * pr * 0.8, 0, st->iris,
                     FK_FLAT);
            fk_patch(k, st->ball, az - side * r * 0.14, el - 0.12 * r, w * pr * 0.42, w * pr * 0.5, 0, dark, FK_FLAT);
        }
        fk_patch(k, st->ball, az - r * 0.26, el + 0.30 * h, w * 0.24, w * 0.24, 0, fk_rgb(1, 1, 1), FK_FLAT);
    } else {
        fk_patch(k, st->ball, az, el, w * 0.86, h, 0, dark, FK_FLAT);
        fk_patch(k, st->ball, az - r * 0.24, el + 0.36 * h, w * 0.34, w * 0.34, 0, fk_rgb(1, 1, 1), FK_FLAT);
    }
    /* Lids in skin colour cut the eye: outer corner down when sad, inner corner down when angry. */
    int em = f->pose->emotion;
    if (em == WORLD_SAD || em == WORLD_ANGRY) {
        double in = em == WORLD_ANGRY ? 0.25 : 1.05, out = em == WORLD_ANGRY ? 1.15 : 0.3;
        double p[5][2] = {{-side * 1.25 * r, in * h},
                          {side * 1.25 * r, out * h},
                          {side * 1.35 * r, 1.5 * h},
                          {0, 1.6 * h},
                          {-side * 1.35 * r, 1.5 * h}};
        fk_patch_shape(k, st->ball, az, el, (const double(*)[2])p, 5, 0, st->skin, FK_FLAT);
    }
    if (st->lashes && f->fine) {
        double p[3][2] = {{side * 0.9 * r, 0.55 * h}, {side * 1.25 * r, 0.8 * h}, {side * 1.6 * r, 1.15 * h}};
        fk_patch_line(k, st->ball, az, el, (const double(*)[2])p, 3, width * 0.22, dark);
    }
}

static void draw_brow(const fig *f, const face_style *st, const mood *m, double side) {
    double az = side * st->eye_az, r = st->eye, y = r * (1.75 + 2.2 * m->brow_y) * (0.75 + 0.25 * m->open * m->wide);
    if (fk_facing_of(st->ball, az, st->eye_el) < 0.02) return;
    double t = m->brow_tilt * r,
           p[3][2] = {{-side * r * 1.05, y + t}, {side * 0.1 * r, y + 0.22 * r}, {side * r * 1.2, y - t}};
    fk_patch_line(f->kit, st->ball, az, st->eye_el, (const double(*)[2])p, 3, st->brow, ink(st->skin, st->brow_tone));
}

static void draw_mouth(const fig *f, const rig *r, const face_style *st) {
    fk_kit *k = f->kit;
    const fk_ball *b = st->muzzle;
    double w = st->mouth, el = st->mouth_el, line = fmax(0.26 * w * fk_len(b->y), 0.007);
    fk_tone dark = fk_rgb(0.28, 0.06, 0.09), tongue = fk_rgb(0.90, 0.36, 0.38), white = fk_rgb(1, 1, 1);
    fk_tone lip = b == st->ball || st->coat_muzzle ? ink(st->skin, dark) : dark;
    double p[8][2];
    if (r->chew > 0.35) {
        fk_patch(k, b, 0, el, w * 0.75, w * 0.9 * r->chew, 0, dark, FK_FLAT);
        return;
    }
    switch (f->pose->emotion) {
    case WORLD_HAPPY:
        for (int i = 0; i < 5; i++) { /* a big D, flat side up */
            double t = (i - 2) / 2.0;
            p[i][0] = t * w * 1.25, p[i][1] = -w * 1.05 * (1 - t * t) + 0.22 * w * t * t;
        }
        p[5][0] = w * 0.5, p[5][1] = w * 0.06, p[6][0] = -w * 0.5, p[6][1] = w * 0.06;
        fk_patch_shape(k, b, 0, el, (const double(*)[2])p, 7, 1, dark, FK_FLAT);
        fk_patch(k, b, 0, el - 0.68 * w, w * 0.55, w * 0.26, 0, tongue, FK_FLAT);
        if (st->teeth && f->fine) fk_patch(k, b, 0, el - 0.04 * w, w * 0.78, w * 0.16, 0, white, FK_FLAT);
        break;
    case WORLD_SAD:
        for (int i = 0; i < 5; i++) {
            double t = (i - 2) / 2.0;
            p[i][0] = t * w, p[i][1] = -0.75 * w * t * t + 0.1 * w;
        }
        fk_patch_line(k, b, 0, el - 0.15 * w, (const double(*)[2])p, 5, line * 1.15, lip);
        break;
    case WORLD_ANGRY:
        for (int i = 0; i < 8; i++) { /* bared teeth */
            double t = 2 * FK_PI * (i + 0.5) / 8;
            p[i][0] = w * 1.15 * (cos(t) > 0 ? 1 : -1) * (0.75 + 0.3 * fabs(cos(t))),
            p[i][1] = 0.5 * w * sin(t) - 0.3 * w * cos(t) * cos(t);
        }
        fk_patch_shape(k, b, 0, el - 0.1 * w, (const double(*)[2])p, 8, 1, dark, FK_FLAT);
        fk_patch(k, b, 0, el - 0.2 * w, w * 0.82, w * 0.2, 0, white, FK_FLAT);
        break;
    case WORLD_SURPRISED:
        fk_patch(k, b, 0, el - 0.3 * w, w * 0.62, w * 0.9, 0, dark, FK_FLAT);
        fk_patch(k, b, 0, el - 0.75 * w, w * 0.38, w * 0.32, 0, tongue, FK_FLAT);
        break;
    default:
        for (int i = 0; i < 5; i++) {
            double t = (i - 2) / 2.0;
            p[i][0] = t * w * 0.8, p[i][1] = 0.34 * w * t * t - 0.12 * w;
        }
        fk_patch_line(k, b, 0, el, (const double(*)[2])p, 5, line, lip);
        break;
    }
}

/* A drop, heart or star in the plane of the picture. */
static void mark(const fig *f, const double (*p)[2], int n, int smooth, double x, double y, double size, fk_tone tone,
                 double z) {
    fk_vec q[10];
    for (int i = 0; i < n; i++) q[i] = (fk_vec){x + p[i][0] * size, y + p[i][1] * size, z};
    if (smooth)
        fk_curve(f->kit, q, n, tone, FK_LINE, z);
    else
        fk_polygon(f->kit, q, n, 0, tone, FK_LINE, z);
}

/* What comics draw around a head. Faces are a few pixels wide in a small picture; these can be read there. */
void face_marks(const fig *f, const fk_frame *head, double wide, double high) {
    double u = f->pose->phase - floor(f->pose->phase), x = head->o.x, y = head->o.y, z = head->o.z + 0.5;
    if (head->d.z < 0.15) return;
    static const double heart[8][2] = {{0, -0.9}, {-0.75, -0.15}, {-0.85, 0.5}, {-0.4, 0.8},
                                       {0, 0.42}, {0.4, 0.8},     {0.85, 0.5},  {0.75, -0.15}};
    static const double drop[7][2] = {{0, 1.1},     {-0.45, 0.2}, {-0.6, -0.35}, {-0.35, -0.8},
                                      {0.35, -0.8}, {0.6, -0.35}, {0.45, 0.2}};
    static const double star[8][2] = {{0, 1},  {0.3, 0.3},   {1, 0},  {0.3, -0.3},
                                      {0, -1}, {-0.3, -0.3}, {-1, 0}, {-0.3, 0.3}};
    switch (f->pose->emotion) {
    case WORLD_HAPPY:
        mark(f, heart, 8, 1, x + wide + 0.035, y + high * 0.62, 0.050 + 0.008 * sin(2 * FK_PI * u),
             fk_rgb(1, 0.36, 0.52), z);
        mark(f, star, 8, 0, x - wide - 0.04, y + high * 0.72, 0.040 - 0.008 * sin(2 * FK_PI * u), fk_rgb(1, 0.92, 0.35),
             z);
        break;
    case WORLD_SAD:
        for (int i = 0; i < 2; i++) {
            double t = u + 0.5 * i;
            t -= floor(t);
            mark(f, drop, 7, 1, x + (i ? 1 : -1) * (wide * 0.86 + 0.02 * t), y - 0.02 - 0.16 * t, 0.042,
                 fk_rgb(0.36, 0.70, 1), z);
        }
        break;
    case WORLD_ANGRY:
        for (int i = 0; i < 4; i++) { /* steam */
            double side = i % 2 ? 1 : -1, t = u + 0.5 * (i / 2);
            t -= floor(t);
            fk_vec c = {x + side * (wide + 0.015 + 0.09 * t), y + high * (0.30 + 0.35 * t), z};
            (void)fk_sphere(f->kit, c, 0.034 + 0.028 * t, fk_rgb(1, 0.93, 0.90), FK_LINE, 0);
        }
        break;
    case WORLD_SURPRISED:
        for (int i = 0; i < 4; i++) { /* rays at both sides, clear of hats */
            double a = (i % 2 ? 1 : -1) * (i < 2 ? 1.22 : 1.78), near = wide * 1.16 + 0.012 * sin(2 * FK_PI * u),
                   far = near + 0.085;
            fk_vec ray[2] = {{x + sin(a) * near, y + cos(a) * near - 0.02, z},
                             {x + sin(a) * far, y + cos(a) * far - 0.02, z}};
            fk_stroke(f->kit, ray, 2, 0.030, fk_rgb(1, 0.90, 0.25), FK_LINE, z);
        }
        break;
    default:
        break;
    }
}

void face_draw(const fig *f, const rig *r, const face_style *style) {
    /* In a small picture eyes and mouth are drawn larger. */
    face_style bigger = *style, *st = &bigger;
    double grow = 1 + 0.22 * (1 - fk_smooth(45, 150, f->pixels));
    st->eye *= grow, st->mouth *= grow;
    mood m = mood_of(f->pose->emotion);
    if (st->blush || f->pose->emotion == WORLD_HAPPY || f->pose->emotion == WORLD_ANGRY) {
        fk_tone red = fk_blend(st->skin, fk_rgb(0.95, 0.20, 0.20), f->pose->emotion == WORLD_ANGRY ? 0.75 : 0.42);
        for (int i = -1; i <= 1; i += 2)
            fk_patch(f->kit, st->ball, i * (st->eye_az + st->eye * 1.1), st->eye_el - st->eye * 1.9, st->eye * 0.85,
                     st->eye * 0.6, 0, red, FK_FLAT);
    }
    for (int i = -1; i <= 1; i += 2) {
        draw_eye(f, st, &m, i, r->blink);
        if (st->brow > 0) draw_brow(f, st, &m, i);
        if (f->pose->emotion == WORLD_SAD)
            fk_patch(f->kit, st->ball, i * (st->eye_az + 0.1 * st->eye), st->eye_el - st->eye * 1.75, st->eye * 0.36,
                     st->eye * 0.62, 0, fk_rgb(0.45, 0.78, 1.0), FK_FLAT);
    }
    draw_mouth(f, r, st);
}
