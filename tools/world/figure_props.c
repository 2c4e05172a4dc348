#include "tools/world/figure_rig.h"

#include <math.h>

/* ---- food: a round thing that loses three bites; what is bitten off stays off ---- */

void prop_food(const fig *f, fk_vec hand, double size) {
    enum { N = 40 };
    static const double bite_at[3] = {0.55, -0.45, 1.62}; /* angles from the side toward the mouth */
    fk_kit *k = f->kit;
    double progress = f->pose->progress, side = hand.x > 0 ? -1 : 1;
    int kind = (int)(fk_random(f->look->seed, 21) * 3);
    int bites = (progress >= 0.3) + (progress >= 0.6) + (progress >= 0.9);
    static const uint32_t skin[3] = {0xe0332c, 0x2f9e44, 0xd99a4a}, flesh[3] = {0xfff3d0, 0xf2545b, 0x8a4b22};
    fk_vec p[N], q[N], c = {hand.x, hand.y + 0.035, 0};
    double z = hand.z + 0.12;
    for (int i = 0; i < N; i++) {
        double t = 2 * FK_PI * i / N, ct = cos(t), st = sin(t);
        double rim = size * (kind == 0 ? 1 - 0.10 * exp(-12 * (1 - st)) : 1), rin = rim * 0.84;
        double cut = 1;
        for (int b = 0; b < bites; b++) { /* where the ray from the middle enters the bite's circle */
            double a = bite_at[b], bx = 1.02 * cos(a) * side, by = 1.02 * sin(a), br = 0.56;
            double m = ct * bx + st * by, q2 = m * m - (bx * bx + by * by - br * br);
            if (m > 0 && q2 > 0) cut = fmin(cut, (m - sqrt(q2)) * size / rim);
        }
        p[i] = (fk_vec){c.x + rim * cut * ct, c.y + rim * cut * st, 0};
        double in = fmin(rin, rim * cut * 0.999);
        q[i] = (fk_vec){c.x + in * ct, c.y + in * st, 0};
    }
    /* The flesh shows only where something was bitten off: the whole shape in flesh, the uneaten skin over it. */
    fk_polygon(k, p, N, 0, fk_hex(flesh[kind]), FK_LINE, z);
    if (kind == 1) { /* melon: a green rind around red */
        fk_polygon(k, p, N, 0, fk_hex(skin[1]), FK_FLAT, z);
        fk_polygon(k, q, N, 0, fk_hex(flesh[1]), FK_SHADE, z);
        for (int i = 0; i < 5; i++) {
            double t = 2.2 + i * 1.1;
            (void)fk_sphere(k, (fk_vec){c.x - side * 0.1 * size + 0.4 * size * cos(t), c.y + 0.4 * size * sin(t), 0},
                            size * 0.09, fk_hex(0x3a1a1a), FK_FLAT, z);
        }
        return;
    }
    fk_vec w[N];
    for (int i = 0; i < N; i++) {
        double t = 2 * FK_PI * i / N, ct = cos(t), st = sin(t), cut = 1;
        for (int b = 0; b < bites; b++) {
            double a = bite_at[b], bx = 1.02 * cos(a) * side, by = 1.02 * sin(a), br = 0.70;
            double m = ct * bx + st * by, q2 = m * m - (bx * bx + by * by - br * br);
            if (m > 0 && q2 > 0) cut = fmin(cut, m - sqrt(q2));
        }
        double rim = fmin(hypot(p[i].x - c.x, p[i].y - c.y), size * cut);
        w[i] = (fk_vec){c.x + rim * ct, c.y + rim * st, 0};
    }
    fk_polygon(k, w, N, 0, fk_hex(skin[kind]), FK_SHADE, z);
    if (kind == 0) {
        fk_vec stem[3] = {
            {c.x, c.y + size * 0.85, 0}, {c.x + 0.004, c.y + size * 1.1, 0}, {c.x + 0.014, c.y + size * 1.3, 0}};
        fk_stroke(k, stem, 3, size * 0.16, fk_hex(0x6b4423), FK_FLAT, z);
        fk_frame leaf = {{c.x + 0.02, c.y + size * 1.2, 0}, {1, 0.3, 0}, {-0.3, 1, 0}, {0, 0, 1}};
        (void)fk_ellipsoid(k, &leaf, 0.1 * size, 0, 0, size * 0.34, size * 0.16, 0.001, fk_hex(0x4fae3c), FK_FLAT, z);
    } else {
        for (int i = 0; i < 5; i++) {
            double t = 2.6 + i * 0.75, d = i % 2 ? 0.62 : 0.3;
            (void)fk_sphere(k,
                            (fk_vec){c.x + side * -0.05 * size + d * size * cos(t) * side, c.y + d * size * sin(t), 0},
                            size * 0.13, fk_hex(0x5b2c14), FK_FLAT, z);
        }
    }
}

/* ---- the easel ---- */

double prop_side(double facing) { return sin(facing) >= -0.05 ? 1 : -1; }

enum { STROKE_POINTS = 13 };

/* The stroke zigzags down the canvas: u across (-1..1), v down (0..1). */
static fk_vec canvas_at(const fig *f, double u, double v) {
    double side = prop_side(f->pose->facing);
    double x = side * (0.47 + 0.18 * u), slant = 0.05 * u;
    return (fk_vec){x + side * 0.03 * (0.5 - v), 0.82 - 0.45 * v - slant * 0.5, 0};
}

static fk_vec stroke_at(const fig *f, double t) {
    double legs = 7, x = t * legs, i = floor(x), w = x - i;
    w = w * w * (3 - 2 * w);
    double u = (fmod(i, 2) < 0.5 ? -1 + 2 * w : 1 - 2 * w) * 0.68;
    return canvas_at(f, u, 0.13 + 0.74 * t);
}

fk_vec prop_brush_tip(const fig *f) {
    fk_vec p = stroke_at(f, fk_clamp(f->pose->progress, 0, 1));
    p.z = 0.12;
    return p;
}

void prop_easel(const fig *f, fk_vec hand, double reach_z) {
    fk_kit *k = f->kit;
    double side = prop_side(f->pose->facing), z = -0.03 + reach_z;
    fk_tone wood = fk_hex(0xb9793f);
    fk_vec top = {side * 0.48, 0.90, 0};
    const double feet[3] = {0.315, 0.475, 0.635};
    for (int i = 0; i < 3; i++) {
        fk_vec leg[2] = {top, {side * feet[i], i == 1 ? 0.07 : 0.01, 0}};
        fk_stroke(k, leg, 2, 0.024, i == 1 ? fk_darker(wood, 0.8) : wood, FK_LINE, z - (i == 1 ? 0.02 : 0.01));
    }
    fk_vec q[4] = {canvas_at(f, -1.12, 1.04), canvas_at(f, 1.12, 1.04), canvas_at(f, 1.12, -0.04),
                   canvas_at(f, -1.12, -0.04)};
    fk_polygon(k, q, 4, 0.01, fk_hex(0xfffdf5), FK_LINE, z);
    fk_vec shelf[2] = {canvas_at(f, -1.3, 1.07), canvas_at(f, 1.3, 1.07)};
    fk_stroke(k, shelf, 2, 0.026, wood, FK_LINE, z + 0.001);

    static const uint32_t strong[4] = {0xe5252a, 0x1f62e0, 0xf28c0f, 0x1fa04b};
    fk_tone paint = fk_hex(strong[(int)(fk_random(f->look->seed, 22) * 4) & 3]);
    double t = fk_clamp(f->pose->progress, 0, 1);
    enum { N = 60 };
    fk_vec s[N];
    int n = 0;
    for (int i = 0; i < N; i++) {
        double at = (double)i / (N - 1);
        if (at > t) break;
        s[n++] = stroke_at(f, at);
    }
    if (n < N && n > 0) s[n++] = stroke_at(f, t);
    if (n > 1) fk_stroke(k, s, n, 0.056, paint, FK_FLAT, z + 0.002);
    fk_vec tip = prop_brush_tip(f), back = fk_add(hand, fk_mul(fk_sub(hand, tip), 0.35));
    fk_vec brush[2] = {back, tip}, hair[2] = {fk_mix(tip, hand, 0.14), tip};
    double zb = fmax(hand.z, z) + 0.05;
    fk_stroke(k, brush, 2, 0.018, fk_hex(0x7a4a21), FK_LINE, zb);
    fk_stroke(k, hair, 2, 0.030, paint, FK_LINE, zb + 0.001);
}

/* ---- hats and scarves ---- */

fk_tone wear_beret_tone(const fig *f) {
    int red = f->main.r > 0.7 && f->main.g < 0.3 && f->main.b < 0.35;
    return red ? fk_hex(0x26242c) : fk_hex(0xa51d2d);
}

void wear_beret(const fig *f, const fk_frame *head, double r, double y, double bias) {
    fk_tone t = wear_beret_tone(f);
    fk_frame at = fk_roll(fk_move(*head, 0, y + 0.10 * r, -0.1 * r), 0.20);
    (void)fk_ellipsoid(f->kit, &at, 0, -0.08 * r, 0.05 * r, 0.84 * r, 0.17 * r, 0.84 * r, fk_darker(t, 0.7), FK_LINE,
                       bias);
    (void)fk_ellipsoid(f->kit, &at, 0.14 * r, 0.13 * r, 0, 1.16 * r, 0.36 * r, 1.12 * r, t, FK_CEL, bias + 0.04);
    fk_vec stem[2] = {fk_at(&at, 0.16 * r, 0.44 * r, 0), fk_at(&at, 0.2 * r, 0.62 * r, 0)};
    fk_stroke(f->kit, stem, 2, 0.09 * r, t, FK_LINE, at.o.z + bias + 0.05);
}

void wear_sun_hat(const fig *f, const fk_frame *head, double r, double y, double bias) {
    fk_tone straw = fk_hex(0xf2d58a);
    fk_frame at = fk_pitch(fk_move(*head, 0, y, -0.05 * r), -0.03);
    (void)fk_ellipsoid(f->kit, &at, 0, 0, 0, 1.75 * r, 0.10 * r, 1.65 * r, straw, FK_CEL, bias);
    const fk_ring crown[5] = {{0, 0.90 * r, 0.90 * r, 0},
                              {0.25 * r, 0.86 * r, 0.86 * r, 0},
                              {0.48 * r, 0.74 * r, 0.74 * r, 0},
                              {0.62 * r, 0.48 * r, 0.48 * r, 0},
                              {0.66 * r, 0.2 * r, 0.2 * r, 0}};
    fk_drum d = drum_draw(f, &at, crown, 5, 1, straw, bias + 0.002);
    drum_patch(f, &d, -FK_PI, FK_PI, 0.02 * r, 0.24 * r, f->main, FK_FLAT);
}

void wear_wool_hat(const fig *f, const fk_frame *head, double r, double y, double bias) {
    fk_frame at = fk_pitch(fk_move(*head, 0, y, -0.08 * r), -0.10);
    const fk_ring dome[5] = {{-0.1 * r, 1.0 * r, 1.0 * r, 0},
                             {0.25 * r, 0.95 * r, 0.95 * r, 0},
                             {0.5 * r, 0.78 * r, 0.78 * r, 0},
                             {0.68 * r, 0.5 * r, 0.5 * r, 0},
                             {0.74 * r, 0.2 * r, 0.2 * r, 0}};
    (void)drum_draw(f, &at, dome, 5, 1, f->main, bias);
    const fk_ring band[3] = {
        {-0.12 * r, 1.05 * r, 1.05 * r, 0}, {0.05 * r, 1.08 * r, 1.08 * r, 0}, {0.22 * r, 1.03 * r, 1.03 * r, 0}};
    fk_tone cuff = fk_luma(f->main) > 0.5 ? fk_darker(f->main, 0.4) : fk_blend(f->main, fk_rgb(1, 1, 1), 0.25);
    (void)drum_draw(f, &at, band, 3, 1, cuff, bias + 0.002);
    (void)fk_ellipsoid(f->kit, &at, 0, 0.86 * r, 0, 0.24 * r, 0.24 * r, 0.24 * r, fk_rgb(0.98, 0.97, 0.94), FK_CEL,
                       bias + 0.001);
}

void wear_scarf(const fig *f, const fk_frame *neck, double r, double y, double drop, double bias) {
    fk_kit *k = f->kit;
    fk_frame at = fk_move(*neck, 0, y, 0);
    fk_tone dark = fk_luma(f->main) > 0.45 ? fk_darker(f->main, 0.6) : fk_blend(f->main, fk_rgb(1, 1, 1), 0.4);
    double sway = 0.02 * sin(2 * FK_PI * f->pose->phase);
    fk_vec tail[3] = {fk_at(&at, 0.45 * r, 0, 0.75 * r), fk_at(&at, 0.55 * r, -0.5 * drop, 1.05 * r),
                      fk_at(&at, 0.50 * r + sway, -drop, 1.05 * r)};
    double rad[3] = {0.036, 0.038, 0.040};
    double z = at.o.z + bias;
    fk_limb(k, tail, rad, 3, f->main, FK_CEL, at.d.z > -0.2 ? z - 0.001 - (tail[0].z + tail[1].z + tail[2].z) / 3 : 0);
    if (at.d.z > -0.2) {
        fk_vec fringe[2] = {fk_mix(tail[1], tail[2], 0.75), fk_mix(tail[1], tail[2], 1.0)};
        double fr[2] = {0.039, 0.041};
        fk_limb(k, fringe, fr, 2, dark, FK_FLAT, z - 0.0009 - (fringe[0].z + fringe[1].z) / 2);
    }
    fk_ball b = fk_ellipsoid(k, &at, 0, 0, 0, r * 1.12, 0.046, r, f->main, FK_CEL, bias);
    for (int i = 0; f->fine && i < 6; i++) fk_patch(k, &b, i * FK_PI / 3 + 0.3, 0, 0.10, 0.9, 0, dark, FK_FLAT);
}
