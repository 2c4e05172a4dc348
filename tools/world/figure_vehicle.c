#include "tools/world/figure_rig.h"

#include <math.h>

static double wave(const fig *f, double times) { return sin(2 * FK_PI * f->pose->phase * times); }

/* ---- the car ---- */

/* A prism: a convex profile in (d, y), counter-clockwise, between s = -hs and hs; hs may narrow with height. */
static void prism(const fig *f, const fk_frame *at, const double (*p)[2], int n, double hs, double narrow,
                  double corner, fk_tone tone, double z) {
    fk_kit *k = f->kit;
    fk_vec all[40];
    double low = p[0][1];
    for (int i = 0; i < n; i++) low = fmin(low, p[i][1]);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < 2; j++)
            all[2 * i + j] = fk_at(at, (j ? 1 : -1) * (hs - narrow * (p[i][1] - low)), p[i][1], p[i][0]);
    fk_hull(k, all, 2 * n, corner, fk_darker(tone, 0.5), FK_LINE, z);
    for (int i = 0; i < n; i++) {
        int j = (i + 1) % n;
        double dd = p[j][0] - p[i][0], dy = p[j][1] - p[i][1], len = hypot(dd, dy);
        fk_vec normal = fk_dir(at, 0, -dd / len, dy / len);
        if (normal.z < 0.02) continue;
        double light = -0.3 * normal.x + 0.75 * normal.y + 0.45 * normal.z;
        fk_tone t =
            light > 0.7 ? fk_blend(tone, fk_rgb(1, 1, 1), 0.28) : fk_darker(tone, fk_clamp(0.62 - light, 0, 0.6));
        fk_vec q[4] = {all[2 * i], all[2 * i + 1], all[2 * j + 1], all[2 * j]};
        fk_polygon(k, q, 4, 0, t, FK_FLAT, z);
    }
    int near = at->s.z >= 0;
    if (fabs(at->s.z) > 0.02) {
        fk_vec side[20];
        for (int i = 0; i < n; i++) side[i] = all[2 * i + near];
        double light = -0.45 * at->s.x * (near ? 1 : -1) + 0.6 * fabs(at->s.z);
        fk_polygon(k, side, n, corner, fk_darker(tone, fk_clamp(0.3 - 0.4 * light, 0, 0.5)), FK_FLAT, z);
    }
}

static void ring_points(fk_vec *q, const fk_frame *at, double s, double y, double d, double r, int n) {
    for (int i = 0; i < n; i++) q[i] = fk_at(at, s, y + r * sin(2 * FK_PI * i / n), d + r * cos(2 * FK_PI * i / n));
}

static void wheel(const fig *f, const fk_frame *at, double s, double d, double r, double z) {
    enum { N = 14 };
    fk_kit *k = f->kit;
    fk_vec q[2 * N], rim[N];
    double out = s > 0 ? 1 : -1;
    ring_points(q, at, s - out * 0.05, r, d, r, N);
    ring_points(q + N, at, s + out * 0.04, r, d, r, N);
    fk_hull(k, q, 2 * N, 0.02, fk_hex(0x2b2a33), FK_LINE, z);
    if (at->s.z * out < 0.05) return;
    ring_points(rim, at, s + out * 0.042, r, d, r * 0.60, N);
    fk_curve(k, rim, N, fk_hex(0xe8e8ee), FK_SHADE, z);
    double turn = -2 * FK_PI * f->pose->phase;
    for (int i = 0; i < 2; i++) {
        double a = turn + i * FK_PI / 2, c = 0.5 * r * cos(a), e = 0.5 * r * sin(a);
        fk_vec spoke[2] = {fk_at(at, s + out * 0.044, r + e, d + c), fk_at(at, s + out * 0.044, r - e, d - c)};
        fk_stroke(k, spoke, 2, r * 0.16, fk_hex(0x7d8290), FK_FLAT, z);
    }
}

static void flat_quad(const fig *f, const fk_frame *at, double s, const double (*p)[2], int n, double corner, fk_tone t,
                      double z) {
    fk_vec q[8];
    for (int i = 0; i < n; i++) q[i] = fk_at(at, s, p[i][1], p[i][0]);
    fk_polygon(f->kit, q, n, corner, t, FK_LINE, z);
}

static void end_spot(const fig *f, const fk_frame *at, double s, double y, double d, double rs, double ry, fk_tone t,
                     int flags, double z) {
    fk_frame o = fk_move(*at, s, y, d);
    (void)fk_ellipsoid(f->kit, &o, 0, 0, 0, rs, ry, 0.03, t, flags, z - o.o.z);
}

void figure_car(const fig *f) {
    const world_pose *p = f->pose;
    int fast = p->action == WORLD_RUN, air = p->lift > 0.01;
    int rolls = fast || p->action == WORLD_STROLL || p->action == WORLD_PASS || p->action == WORLD_RETURN;
    fk_kit *k = f->kit;
    fk_frame ground = fk_root(p->facing, FK_TILT);
    double squash = 1;
    if (p->action == WORLD_JUMP) squash = air ? 1.05 : 0.90;
    fk_frame body = fk_move(ground, 0, 0.012 * wave(f, 2) * (rolls ? 1 : 0.4), 0);
    body = fk_pitch(body, (fast ? -0.045 : 0) + 0.012 * wave(f, 2) * rolls + (air ? -0.10 : 0));
    body = fk_roll(body, (fast ? 0.02 : 0.008) * wave(f, 1));
    body.y = fk_mul(body.y, squash);
    fk_tone c = f->main, glass = fk_hex(0xa9def2), chrome = fk_hex(0xdfe4ea), cream = fk_hex(0xfff4c8);
    double sign = ground.s.z >= 0 ? 1 : -1, z = 0;
    const double wr = 0.170, wd[2] = {0.50, -0.50}, ws = 0.33, lw = 0.88;
    body = fk_scale(body, 1, 1.16, lw); /* a short, high toy car */
    for (int i = 0; i < 2; i++) {       /* wheels of the far side, then the body over them, then the near ones */
        wheel(f, &ground, -sign * ws, wd[i] * lw, wr, z - 0.5);
        wheel(f, &ground, sign * ws, wd[i] * lw, wr, z + (sign * ground.s.z > 0.12 ? 0.5 : -0.5));
    }
    static const double low[9][2] = {{-0.80, 0.12}, {0.82, 0.12},  {0.86, 0.20},  {0.84, 0.30}, {0.72, 0.36},
                                     {0.36, 0.41},  {-0.70, 0.41}, {-0.82, 0.34}, {-0.84, 0.20}};
    static const double top[6][2] = {{-0.58, 0.40}, {0.36, 0.40},   {0.10, 0.62},
                                     {0.0, 0.645},  {-0.34, 0.645}, {-0.45, 0.60}};
    prism(f, &body, low, 9, 0.37, 0.03, 0.03, c, z);
    prism(f, &body, top, 6, 0.33, 0.25, 0.03, c, z + 0.1);
    /* Windows: the sides, the windscreen, the rear window. */
    double zw = z + 0.11;
    if (fabs(body.s.z) > 0.06) {
        static const double front[4][2] = {{-0.10, 0.42}, {0.27, 0.42}, {0.07, 0.59}, {-0.10, 0.595}},
                            rear[4][2] = {{-0.50, 0.42}, {-0.17, 0.42}, {-0.17, 0.595}, {-0.39, 0.58}};
        fk_frame lean = fk_roll(body, -sign * 0.22); /* as the cabin narrows */
        lean.o = fk_at(&body, sign * 0.235, 0, 0);
        flat_quad(f, &lean, 0, front, 4, 0.03, glass, zw);
        flat_quad(f, &lean, 0, rear, 4, 0.03, glass, zw);
        fk_vec gleam[2] = {fk_at(&lean, 0, 0.44, 0.06), fk_at(&lean, 0, 0.57, 0.0)};
        if (f->fine) fk_stroke(k, gleam, 2, 0.022, fk_rgb(1, 1, 1), FK_FLAT, zw + 0.001);
        fk_vec handle[2] = {fk_at(&body, sign * 0.372, 0.335, -0.06), fk_at(&body, sign * 0.372, 0.335, -0.14)};
        fk_stroke(k, handle, 2, 0.022, chrome, FK_FLAT, zw);
        fk_vec door[5] = {fk_at(&body, sign * 0.365, 0.40, 0.22), fk_at(&body, sign * 0.372, 0.22, 0.24),
                          fk_at(&body, sign * 0.372, 0.15, 0.16), fk_at(&body, sign * 0.372, 0.15, -0.12),
                          fk_at(&body, sign * 0.365, 0.40, -0.16)};
        if (f->fine) fk_stroke(k, door, 5, 0.010, fk_darker(c, 0.9), FK_FLAT, zw - 0.001);
        for (int i = 0; i < 2; i++) { /* arches over the wheels */
            fk_vec arch[7];
            for (int j = 0; j < 7; j++)
                arch[j] =
                    fk_at(&body, sign * 0.374, 0.15 + 0.175 * sin(FK_PI * j / 6), wd[i] + 0.22 * cos(FK_PI * j / 6));
            fk_stroke(k, arch, 7, 0.035, fk_darker(c, 0.55), FK_FLAT, zw);
        }
    }
    if (body.d.z > 0.03) {
        fk_vec w[4] = {fk_at(&body, -0.28, 0.43, 0.335), fk_at(&body, 0.28, 0.43, 0.335),
                       fk_at(&body, 0.235, 0.60, 0.13), fk_at(&body, -0.235, 0.60, 0.13)};
        fk_polygon(k, w, 4, 0.03, glass, FK_LINE, zw + 0.002);
        fk_vec gleam[2] = {fk_at(&body, -0.16, 0.46, 0.31), fk_at(&body, -0.08, 0.58, 0.17)};
        fk_stroke(k, gleam, 2, 0.026, fk_rgb(1, 1, 1), FK_FLAT, zw + 0.003);
        fk_vec grille[4] = {fk_at(&body, -0.12, 0.19, 0.862), fk_at(&body, 0.12, 0.19, 0.862),
                            fk_at(&body, 0.15, 0.27, 0.862), fk_at(&body, -0.15, 0.27, 0.862)};
        fk_polygon(k, grille, 4, 0.02, fk_hex(0x3a3d48), FK_FLAT, zw);
        fk_vec bumper[2] = {fk_at(&body, -0.33, 0.14, 0.87), fk_at(&body, 0.33, 0.14, 0.87)};
        fk_stroke(k, bumper, 2, 0.055, chrome, FK_LINE, zw);
        for (int i = -1; i <= 1; i += 2)
            end_spot(f, &body, i * 0.255, 0.27, 0.84, 0.070, 0.070, cream, FK_SHINY, zw + 0.004);
    } else if (body.d.z < -0.03) {
        fk_vec w[4] = {fk_at(&body, -0.27, 0.43, -0.565), fk_at(&body, 0.27, 0.43, -0.565),
                       fk_at(&body, 0.24, 0.585, -0.47), fk_at(&body, -0.24, 0.585, -0.47)};
        fk_polygon(k, w, 4, 0.03, glass, FK_LINE, zw + 0.002);
        fk_vec plate[4] = {fk_at(&body, -0.10, 0.20, -0.842), fk_at(&body, 0.10, 0.20, -0.842),
                           fk_at(&body, 0.10, 0.27, -0.842), fk_at(&body, -0.10, 0.27, -0.842)};
        fk_polygon(k, plate, 4, 0.01, fk_rgb(1, 1, 1), FK_LINE, zw);
        fk_vec bumper[2] = {fk_at(&body, -0.33, 0.14, -0.85), fk_at(&body, 0.33, 0.14, -0.85)};
        fk_stroke(k, bumper, 2, 0.055, chrome, FK_LINE, zw);
        for (int i = -1; i <= 1; i += 2)
            end_spot(f, &body, i * 0.27, 0.29, -0.82, 0.055, 0.055, fk_hex(0xf03a34), FK_SHINY, zw + 0.004);
    }
    if (fast) /* puffs of smoke behind */
        for (int i = 0; i < 3; i++) {
            double t = p->phase + i / 3.0;
            t -= floor(t);
            fk_sphere(k, fk_at(&ground, -0.22, 0.15 + 0.14 * t, -0.88 - 0.36 * t), 0.060 + 0.07 * t,
                      fk_rgb(0.95, 0.95, 0.97), FK_CEL, 0);
        }
}

/* ---- the sailing boat ---- */

enum { DECK = 12 };

/* The outline of the hull at a height: pointed bow forward, round stern; k narrows it toward the water. */
static void deck_line(fk_vec *q, const fk_frame *at, double y, double sheer, double k) {
    static const double outline[DECK][2] = {{0, 0.56},      {0.105, 0.38},   {0.17, 0.15},  {0.185, -0.10},
                                            {0.17, -0.32},  {0.12, -0.45},   {0, -0.48},    {-0.12, -0.45},
                                            {-0.17, -0.32}, {-0.185, -0.10}, {-0.17, 0.15}, {-0.105, 0.38}};
    for (int i = 0; i < DECK; i++) {
        double s = outline[i][0] * k, d = outline[i][1] * (0.4 + 0.6 * k);
        q[i] = fk_at(at, s, y + sheer * fmax(0, outline[i][1]) * outline[i][1] * 3, d);
    }
}

static void sail(const fig *f, const fk_frame *at, fk_vec top, fk_vec low, fk_vec clew, double belly, fk_tone t,
                 double z, double band) {
    fk_vec out = fk_dir(at, belly * (clew.x < low.x ? -1 : 1) * (at->s.x > 0 ? 1 : -1), 0, 0),
           mid = fk_mix(top, clew, 0.5);
    fk_vec bulge = fk_add(mid, fk_add(fk_mul(out, 0.8), fk_dir(at, 0, 0.03, -0.03)));
    fk_vec q[8] = {top,  fk_mix(fk_mix(top, bulge, 0.6), mid, 0.2),         bulge, fk_mix(bulge, clew, 0.55),
                   clew, fk_add(fk_mix(clew, low, 0.5), fk_mul(out, 0.35)), low,   fk_mix(low, top, 0.5)};
    fk_curve(f->kit, q, 8, t, FK_CEL, z);
    if (band > 0) { /* a stripe in the colour of the hull */
        fk_vec b[4] = {fk_mix(low, top, band), fk_mix(clew, bulge, band * 1.5), fk_mix(clew, bulge, band * 1.5 + 0.28),
                       fk_mix(low, top, band + 0.14)};
        fk_polygon(f->kit, b, 4, 0, f->main, FK_FLAT, z);
    }
}

void figure_boat(const fig *f) {
    const world_pose *p = f->pose;
    fk_kit *k = f->kit;
    int fast = p->action == WORLD_RUN;
    fk_frame at = fk_root(p->facing, FK_TILT);
    at = fk_pitch(at, (fast ? -0.07 : -0.01) + 0.035 * wave(f, 1));
    at = fk_roll(at, 0.05 * sin(2 * FK_PI * p->phase + 1.2) + (fast ? 0.08 : 0));
    fk_tone c = f->main, cream = fk_hex(0xfffaf0), wood = fk_hex(0xc98a4a);
    if (fk_luma(c) > 0.9) cream = fk_hex(0xf2dfae);
    double z = 0;
    fk_vec deck[DECK], band[2 * DECK], all[2 * DECK];
    deck_line(deck, &at, 0.215, 0.10, 1);
    deck_line(all, &at, 0.205, 0.10, 1);
    deck_line(all + DECK, &at, -0.01, 0, 0.74);
    for (int i = 0; i < DECK; i++) /* the water hides what is below it */
        all[DECK + i].y = fmax(all[DECK + i].y, -0.035);
    fk_hull(k, all, 2 * DECK, 0.03, c, FK_CEL, z);
    deck_line(band, &at, 0.155, 0.10, 0.965);
    deck_line(band + DECK, &at, 0.225, 0.10, 1.015);
    fk_hull(k, band, 2 * DECK, 0.02, cream, FK_SHADE | FK_LINE, z);
    fk_polygon(k, deck, DECK, 0.03, wood, FK_SHADE, z);
    for (int i = -1; i <= 1; i += 2) /* a lifebuoy on each side */
        if (i * at.s.z > 0.2) {
            fk_frame o = fk_move(at, i * 0.165, 0.10, -0.12);
            (void)fk_ellipsoid(k, &o, 0, 0, 0, 0.012, 0.05, 0.05, fk_rgb(1, 1, 1), FK_LINE, z + 0.01 - o.o.z);
            (void)fk_ellipsoid(k, &o, 0, 0, 0, 0.012, 0.025, 0.025, fk_darker(c, 0.6), FK_FLAT, z + 0.01 - o.o.z);
        }
    fk_vec mast[2] = {fk_at(&at, 0, 0.20, 0.06), fk_at(&at, 0, 0.96, 0.06)};
    fk_stroke(k, mast, 2, 0.030, fk_hex(0x8a5a30), FK_LINE, z + 0.05);
    /* The boom swings to the side on which the sail is seen full. */
    double swing = -0.34 * fk_clamp(5 * sin(p->facing + 0.6), -1, 1) * fk_clamp(4 * cos(p->facing), -1, 1) *
                   (1 + 0.15 * wave(f, 1));
    fk_vec clew = fk_at(&at, swing, 0.33, -0.40), low = fk_at(&at, 0.0, 0.30, 0.03), top = fk_at(&at, 0, 0.93, 0.03);
    fk_vec jib_top = fk_at(&at, 0, 0.84, 0.09), bow = fk_at(&at, 0, 0.31, 0.52),
           jib_clew = fk_at(&at, swing * 0.75, 0.33, 0.12);
    int main_first = at.d.z > 0;
    sail(f, &at, top, low, clew, 0.16, cream, z + (main_first ? 0.02 : 0.09), 0.22);
    sail(f, &at, jib_top, bow, jib_clew, 0.10, fk_darker(cream, 0.12), z + (main_first ? 0.09 : 0.02), 0);
    fk_vec boom[2] = {fk_at(&at, 0, 0.285, 0.05), fk_at(&at, swing, 0.305, -0.42)};
    fk_stroke(k, boom, 2, 0.024, fk_hex(0x8a5a30), FK_LINE, z + (main_first ? 0.021 : 0.091));
    double flutter = 0.03 * wave(f, 3);
    fk_vec flag[3] = {fk_at(&at, 0, 1.0, 0.06), fk_at(&at, 0.06, 0.955 + flutter, -0.12), fk_at(&at, 0, 0.91, 0.06)};
    fk_polygon(k, flag, 3, 0, c, FK_LINE, z + 0.1);
    if (fast || p->action == WORLD_STROLL || p->action == WORLD_RETURN || p->action == WORLD_PASS)
        for (int i = -1; i <= 1; i += 2) { /* the bow wave */
            double n = fast ? 1.3 : 1;
            fk_vec foam = fk_at(&at, i * 0.10, 0, 0.36);
            foam.y = 0.0;
            (void)fk_sphere(k, foam, n * (0.040 + 0.008 * wave(f, 2)), fk_rgb(1, 1, 1), FK_FLAT, 0.05 + i * at.s.z);
            foam = fk_at(&at, i * 0.15, 0, 0.24), foam.y = -0.01;
            (void)fk_sphere(k, foam, n * 0.030, fk_rgb(0.92, 0.97, 1), FK_FLAT, 0.05 + i * at.s.z);
        }
}

/* ---- the fish ---- */

static void fin(const fig *f, const fk_frame *at, const double (*p)[3], int n, fk_tone t, double z) {
    fk_vec q[10];
    for (int i = 0; i < n; i++) q[i] = fk_at(at, p[i][0], p[i][1], p[i][2]);
    fk_curve(f->kit, q, n, t, FK_CEL, z);
}

void figure_fish(const fig *f) {
    const world_pose *p = f->pose;
    fk_kit *k = f->kit;
    int fast = p->action == WORLD_RUN;
    double beat = wave(f, 1) * (fast ? 1.5 : p->action == WORLD_STAND ? 0.6 : 1);
    fk_frame at = fk_move(fk_root(p->facing, FK_TILT), 0, 0.50 + 0.015 * wave(f, 1), 0);
    at = fk_yaw(at, -0.10 * beat);
    if (p->action == WORLD_JUMP) at = fk_pitch(at, -0.9 + 1.8 * (p->phase - floor(p->phase)));
    at = fk_roll(at, 0.04 * wave(f, 1));
    fk_tone c = f->main, pale = fk_luma(c) > 0.9 ? fk_hex(0x9ab8dc) : fk_hex(0xffffff),
            finc = fk_luma(c) > 0.9 ? fk_hex(0xf2a648) : fk_darker(c, 0.35);
    if (fk_luma(c) < 0.2) finc = fk_hex(0x4a4a58);
    double back = at.d.z > 0 ? -0.25 : 0.25, side_z = at.o.z;
    /* Tail: two lobes, swinging. */
    fk_frame tail = fk_yaw(fk_move(at, 0, 0, -0.38), 0.45 * beat);
    static const double lobes[7][3] = {{0, 0.05, 0.06},   {0, 0.16, -0.14},  {0, 0.27, -0.30}, {0.0, 0.02, -0.20},
                                       {0, -0.25, -0.30}, {0, -0.15, -0.14}, {0, -0.05, 0.06}};
    fin(f, &tail, lobes, 7, finc, side_z + back);
    fk_vec root[2] = {fk_at(&at, 0, 0, -0.30), fk_at(&tail, 0, 0, -0.03)};
    const double rr[2] = {0.11, 0.065};
    fk_limb(k, root, rr, 2, c, FK_CEL, side_z + back * 0.8 - (root[0].z + root[1].z) / 2);
    static const double dorsal[6][3] = {{0, 0.18, 0.16},  {0, 0.33, 0.02},  {0, 0.36, -0.12},
                                        {0, 0.28, -0.26}, {0, 0.14, -0.26}, {0, 0.12, 0}};
    static const double anal[5][3] = {
        {0, -0.18, 0.0}, {0, -0.31, -0.16}, {0, -0.28, -0.25}, {0, -0.12, -0.24}, {0, -0.10, -0.1}};
    fin(f, &at, dorsal, 6, finc, side_z - 0.02);
    fin(f, &at, anal, 5, finc, side_z - 0.02);
    fk_ball b = fk_ellipsoid(k, &at, 0, 0, 0.02, 0.185, 0.265, 0.42, c, FK_SHINY, -0.02 * at.d.z);
    side_z = b.z;
    fk_band(k, &b, 0.90, 1.14, pale);
    fk_band(k, &b, 1.72, 1.95, pale);
    double flap = 0.25 * wave(f, 1);
    for (int i = -1; i <= 1; i += 2) { /* side fins */
        double out = i * (0.30 + 0.05 * flap);
        const double pec[5][3] = {{i * 0.165, -0.04, 0.06},
                                  {out, -0.02 + flap * 0.2, -0.06},
                                  {out, -0.14 + flap * 0.2, -0.16},
                                  {i * 0.22, -0.17, -0.10},
                                  {i * 0.16, -0.12, 0.05}};
        fin(f, &at, pec, 5, finc, side_z + (i * at.s.z > -0.15 ? 0.05 : -0.05));
    }
    rig r = {.busy = -1};
    r.blink = p->action == WORLD_STAND && p->phase - floor(p->phase) > 0.93;
    face_style st = {&b, &b, 0.60, 0.26, 0.17, -0.22, 0.17, 0.0, c, c, fk_hex(0x3a6ad0), 1, 0, 0, 0, 0};
    if (p->emotion == WORLD_ANGRY || p->emotion == WORLD_SAD) st.brow = 0.022, st.brow_tone = fk_darker(c, 1.0);
    face_draw(f, &r, &st);
    fk_frame brow = fk_move(at, 0, 0.05, 0.28);
    face_marks(f, &brow, 0.26, 0.30);
    for (int i = 0; i < 2; i++) { /* bubbles */
        double t = p->phase * 0.5 + i * 0.5;
        t -= floor(t);
        if (f->pixels >= 60)
            fk_sphere(k, fk_at(&at, 0.05 * i, 0.1 + 0.38 * t, 0.50 + 0.04 * i), 0.022 + 0.008 * i, fk_hex(0xdff4ff),
                      FK_SHINY, 0);
    }
}
