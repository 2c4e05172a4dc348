#include "tools/world/figure_body.h"

#include <math.h>

/* The monster: a round shaggy thing with horns, one large eye and a wide mouth. */
void figure_monster(const fig *f) {
    static const rig_shape sh = {0.17, 0.095, 0.26, 0.19, 0.115, 0.20, 0.075, 0.045, 0.0, 0.25, 0};
    fk_kit *k = f->kit;
    rig r;
    rig_biped(&r, f, &sh);
    r.head = fk_yaw(r.head, -0.42 * sin(f->pose->facing) *
                                fk_smooth(-0.6, 0.3, cos(f->pose->facing))); /* its one eye should be seen */
    const fk_frame *h = &r.head;
    int bare = f->look->outfit == WORLD_BARE;
    fk_tone fur = bare ? f->main : fk_hex(0x3fb8ad), horn = fk_hex(0xfbe9c0),
            belly = fk_blend(fur, fk_rgb(1, 1, 1), 0.45);
    body_style st = {.girth = 2.15,
                     .belly = 0.02,
                     .leg = 0.062,
                     .arm = 0.052,
                     .hand = 0.066,
                     .foot = 1.8,
                     .skin = fur,
                     .hand_tone = fk_darker(fur, 0.35),
                     .foot_tone = fk_darker(fur, 0.35),
                     .belly_tone = belly,
                     .bare_belly = 1};
    body_draw(f, &r, &sh, &st);
    for (int i = -1; i <= 1; i += 2) { /* curved horns */
        fk_vec p[3] = {fk_at(h, i * 0.155, 0.12, 0), fk_at(h, i * 0.255, 0.20, 0), fk_at(h, i * 0.265, 0.325, 0)};
        const double w[3] = {0.058, 0.044, 0.010};
        fk_limb(k, p, w, 3, horn, FK_CEL, h->d.z > 0 ? -0.03 : 0.01);
    }
    enum { SPIKES = 22 };
    fk_vec rim[2 * SPIKES];
    double wobble = 0.008 * sin(2 * FK_PI * f->pose->phase);
    for (int i = 0; i < 2 * SPIKES; i++) { /* shaggy outline */
        double t = FK_PI * i / SPIKES, d = i % 2 ? 1.0 : 1.13 + 0.06 * fk_random(7, (unsigned)i) + wobble * (i % 4 - 1);
        rim[i] = (fk_vec){h->o.x + 0.262 * d * cos(t), h->o.y + 0.232 * d * sin(t), 0};
    }
    fk_polygon(k, rim, 2 * SPIKES, 0.012, fk_darker(fur, 0.25), FK_LINE, h->o.z - 0.005);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, 0.265, 0.235, 0.235, fur, FK_SHADE, 0);
    for (int i = 0; i < 5; i++) /* spots on the back */
        fk_patch(k, &b, FK_PI + 0.6 * (i - 2), 0.1 + 0.35 * (i % 2), 0.2, 0.18, 0, fk_darker(fur, 0.5), FK_FLAT);
    face_style fs = {&b, &b, 0.0, 0.22, 0.36, -0.48, 0.42, 0.0, fur, fur, fk_hex(0xe8b020), 1, 0, 0, 1, 0};
    /* One eye only: the face is drawn by hand around it. */
    int em = f->pose->emotion;
    fk_tone dark = fk_hex(0x24161c), white = fk_rgb(1, 1, 1);
    double open = em == WORLD_SURPRISED ? 1.25 : em == WORLD_SAD || em == WORLD_ANGRY ? 0.92 : 1.0;
    if (fk_facing_of(&b, 0, 0.2) > 0.02) {
        if (em == WORLD_HAPPY || r.blink) {
            double s = em == WORLD_HAPPY ? 1 : -0.5, p[5][2];
            for (int i = 0; i < 5; i++) {
                double t = (i - 2) / 2.0;
                p[i][0] = 0.36 * t, p[i][1] = s * (0.26 * (1 - t * t) - 0.12);
            }
            fk_patch_line(k, &b, 0, 0.24, (const double(*)[2])p, 5, 0.042,
                          fk_luma(fur) < 0.22 ? fk_hex(0xeee6d0) : dark);
        } else {
            double pupil = em == WORLD_SURPRISED ? 0.13 : 0.20;
            fk_patch(k, &b, 0, 0.24, 0.37 * open, 0.36 * open, 0, white, FK_LINE);
            fk_patch(k, &b, 0, 0.21, pupil * 1.28, pupil * 1.28, 0, fs.iris, FK_FLAT);
            fk_patch(k, &b, 0, 0.21, pupil * 0.85, pupil * 0.85, 0, dark, FK_FLAT);
            fk_patch(k, &b, -0.10, 0.33, 0.07, 0.07, 0, white, FK_FLAT);
            if (em == WORLD_SAD || em == WORLD_ANGRY) {
                double mid = em == WORLD_SAD ? 0.34 : 0.02, end = em == WORLD_SAD ? 0.0 : 0.30;
                double p[6][2] = {{-0.45, end}, {0, mid}, {0.45, end}, {0.45, 0.5}, {0, 0.55}, {-0.45, 0.5}},
                       q[3][2] = {{-0.45, end}, {0, mid}, {0.45, end}};
                fk_patch_shape(k, &b, 0, 0.24, (const double(*)[2])p, 6, 0, fur, FK_FLAT);
                fk_patch_line(k, &b, 0, 0.24, (const double(*)[2])q, 3, 0.03,
                              fk_luma(fur) < 0.22 ? fk_hex(0xeee6d0) : fk_darker(fur, 1.0));
            }
            if (em == WORLD_SAD) fk_patch(k, &b, 0.28, -0.12, 0.07, 0.13, 0, fk_rgb(0.45, 0.78, 1.0), FK_FLAT);
        }
    }
    /* Mouth: the common one, without eyes, and two fangs. */
    face_style mouth = fs;
    mouth.eye_az = FK_PI; /* eyes out of sight */
    mouth.eye = 0.01;
    if (fk_facing_of(&b, 0, -0.4) > 0) face_draw(f, &r, &mouth);
    static const double fang[3][2] = {{-0.07, 0}, {0.07, 0}, {0, 0.2}};
    for (int i = -1; i <= 1; i += 2)
        if (em != WORLD_SURPRISED)
            fk_patch_shape(k, &b, i * 0.24, -0.50, fang, 3, 0, white, f->fine ? FK_LINE : FK_FLAT);
    body_hat(f, &r, 0.235, 0.12);
    face_marks(f, &r.head, 0.33, 0.27);
}

/* ---- the toy robot ---- */

static void front_spot(const fig *f, const fk_frame *h, double s, double y, double d, double rs, double ry, fk_tone t,
                       double z) {
    fk_frame at = fk_move(*h, s, y, d);
    (void)fk_ellipsoid(f->kit, &at, 0, 0, 0, rs, ry, 0.002, t, FK_FLAT, z + 1e-6 - at.o.z);
}

static void robot_screen(const fig *f, const rig *r, const fk_frame *h, double z, fk_tone light) {
    fk_kit *k = f->kit;
    double hs = 0.150, hy = 0.098, d = 0.146;
    fk_vec q[4] = {fk_at(h, -hs, -hy, d), fk_at(h, hs, -hy, d), fk_at(h, hs, hy, d), fk_at(h, -hs, hy, d)};
    fk_polygon(k, q, 4, 0.035, fk_hex(0x1b2230), FK_FLAT, z);
    int em = f->pose->emotion;
    for (int i = -1; i <= 1; i += 2) {
        double x = i * 0.066;
        if (em == WORLD_HAPPY || r->blink) {
            double up = em == WORLD_HAPPY ? 0.036 : 0.0;
            fk_vec a[3] = {fk_at(h, x - 0.034, 0.018, d), fk_at(h, x, 0.018 + up * 1.3, d),
                           fk_at(h, x + 0.034, 0.018, d)};
            fk_stroke(k, a, 3, 0.018, light, FK_FLAT, z);
            continue;
        }
        double big = em == WORLD_SURPRISED ? 1.3 : 1;
        front_spot(f, h, x, 0.024, d, 0.034 * big, 0.040 * big, light, z);
        front_spot(f, h, x, 0.022, d, 0.016, 0.020, fk_hex(0x1b2230), z);
        if (em == WORLD_SAD || em == WORLD_ANGRY) {
            double in = em == WORLD_SAD ? 0.085 : 0.035, out = em == WORLD_SAD ? 0.045 : 0.085;
            fk_vec a[2] = {fk_at(h, x - i * 0.04, in, d), fk_at(h, x + i * 0.045, out, d)};
            fk_stroke(k, a, 2, 0.022, em == WORLD_SAD ? fk_hex(0x5ab0ff) : fk_hex(0xff5a48), FK_FLAT, z);
        }
    }
    double bend = em == WORLD_HAPPY ? -0.030 : em == WORLD_SAD ? 0.024 : -0.008;
    if (em == WORLD_SURPRISED || r->chew > 0.35) {
        front_spot(f, h, 0, -0.055, d, 0.024, 0.026, light, z);
    } else {
        fk_vec m[3] = {fk_at(h, -0.045, -0.050, d), fk_at(h, 0, -0.050 + bend, d), fk_at(h, 0.045, -0.050, d)};
        fk_stroke(k, m, 3, 0.016, light, FK_FLAT, z);
    }
}

void figure_robot(const fig *f) {
    static const rig_shape sh = {0.24, 0.080, 0.27, 0.145, 0.105, 0.185, 0.100, 0.05, 0.0, 0.0, 0};
    fk_kit *k = f->kit;
    rig r;
    rig_biped(&r, f, &sh);
    const fk_frame *h = &r.head;
    int bare = f->look->outfit == WORLD_BARE;
    fk_tone steel = fk_hex(0xb4bfcb), shell = bare ? f->main : steel, dark = fk_hex(0x4a5160), light = fk_hex(0x5ff2ff);
    body_style st = {.girth = 1.45,
                     .leg = 0.043,
                     .arm = 0.036,
                     .hand = 0.046,
                     .foot = 1.5,
                     .skin = fk_hex(0x8b95a3),
                     .hand_tone = shell,
                     .foot_tone = shell,
                     .belly_tone = steel};
    body_draw(f, &r, &sh, &st);
    if (bare) { /* a tin box with a dial and buttons */
        fk_frame box = fk_move(r.chest, 0, 0.125, 0);
        double z = fk_box(k, &box, 0.135, 0.145, 0.105, 0.035, shell, 0.02);
        if (box.d.z > 0.05) {
            fk_vec q[4] = {fk_at(&box, -0.09, -0.02, 0.106), fk_at(&box, 0.09, -0.02, 0.106),
                           fk_at(&box, 0.09, 0.10, 0.106), fk_at(&box, -0.09, 0.10, 0.106)};
            fk_polygon(k, q, 4, 0.02, fk_blend(shell, fk_luma(shell) > 0.8 ? fk_hex(0x8b95a3) : fk_rgb(1, 1, 1), 0.6),
                       FK_FLAT, z);
            front_spot(f, &box, -0.04, 0.04, 0.106, 0.034, 0.034, fk_hex(0xfff6d8), z);
            fk_vec needle[2] = {fk_at(&box, -0.04, 0.03, 0.106),
                                fk_at(&box, -0.04 + 0.028 * sin(2 * FK_PI * f->pose->phase), 0.065, 0.106)};
            fk_stroke(k, needle, 2, 0.010, fk_hex(0xd03028), FK_FLAT, z);
            front_spot(f, &box, 0.05, 0.065, 0.106, 0.018, 0.018, fk_hex(0xf04438), z);
            front_spot(f, &box, 0.05, 0.015, 0.106, 0.018, 0.018, fk_hex(0xf8c838), z);
            for (int i = 0; f->fine && i < 4; i++)
                front_spot(f, &box, i % 2 ? 0.112 : -0.112, i / 2 ? 0.118 : -0.118, 0.106, 0.010, 0.010, dark, z);
        } else if (box.d.z < -0.05) { /* the wind-up key */
            double a = 2 * FK_PI * f->pose->phase, c = cos(a), s = sin(a);
            fk_vec key[2] = {fk_at(&box, 0.07 * c, 0.02 + 0.07 * s, -0.14),
                             fk_at(&box, -0.07 * c, 0.02 - 0.07 * s, -0.14)};
            const double w[2] = {0.032, 0.032};
            fk_limb(k, key, w, 2, fk_hex(0xf2c14b), FK_CEL, z + 0.01 - key[0].z / 2 - key[1].z / 2);
        }
    }
    fk_vec neck[2] = {fk_at(&r.chest, 0, sh.torso - 0.02, 0), fk_at(h, 0, -0.11, 0)};
    const double nr[2] = {0.038, 0.038};
    fk_limb(k, neck, nr, 2, dark, FK_CEL, -0.02);
    for (int i = -1; i <= 1; i += 2) /* ears */
        (void)fk_ellipsoid(k, h, i * 0.200, 0, 0, 0.032, 0.058, 0.058, fk_hex(0xf2c14b), FK_CEL,
                           0.10 * i * h->s.z - 0.004);
    double z = fk_box(k, h, 0.190, 0.135, 0.145, 0.045, shell, 0);
    if (h->d.z > 0.05) robot_screen(f, &r, h, z, light);
    int hat = f->look->outfit == WORLD_DRESS || f->look->outfit == WORLD_TURTLENECK || f->look->outfit == WORLD_SCARF;
    if (!hat) { /* antenna */
        fk_vec a[2] = {fk_at(h, 0, 0.12, 0), fk_at(h, 0.01 * sin(2 * FK_PI * f->pose->phase), 0.235, 0)};
        const double w[2] = {0.016, 0.012};
        fk_limb(k, a, w, 2, dark, FK_CEL, -0.01);
        fk_sphere(k, a[1], 0.036, fk_hex(0xff4a3c), FK_SHINY, 0);
    }
    body_hat(f, &r, 0.185, 0.135);
    face_marks(f, h, 0.24, 0.24);
}
