#include "tools/world/figure_body.h"

#include <math.h>

/* The coat: natural when the animal is dressed, the main colour when it is not. */
static fk_tone coat_of(const fig *f, uint32_t natural) {
    return f->look->outfit == WORLD_BARE ? f->main : fk_hex(natural);
}

static void cone_ear(const fig *f, const fk_frame *h, double s, double y, double d, double ts, double ty, double td,
                     double w, fk_tone t, fk_tone in, int round) {
    fk_vec p[2] = {fk_at(h, s, y, d), fk_at(h, s + ts, y + ty, d + td)};
    double r[2] = {w, round ? w * 0.85 : w * 0.12};
    fk_limb(f->kit, p, r, 2, t, FK_CEL, h->d.z > 0 ? -0.05 : 0.02);
    if (h->d.z < -0.05) return;
    fk_vec q[2] = {fk_mix(p[0], p[1], 0.12), fk_mix(p[0], p[1], 0.74)};
    fk_vec out = fk_dir(h, 0, 0, w * 0.42);
    q[0] = fk_add(q[0], out), q[1] = fk_add(q[1], out);
    double z = (p[0].z + p[1].z) / 2 + (h->d.z > 0 ? -0.05 : 0.02), qr[2] = {w * 0.56, round ? w * 0.5 : w * 0.10};
    fk_limb(f->kit, q, qr, 2, in, FK_FLAT, z + 1e-4 - (q[0].z + q[1].z) / 2);
}

static void whiskers(const fig *f, const fk_ball *b) {
    for (int side = -1; side <= 1; side += 2)
        for (int i = 0; i < (f->fine ? 2 : 1); i++) {
            fk_vec p[2] = {fk_on_ball(b, side * 0.9, 0.05 - 0.2 * i, 0.95),
                           fk_on_ball(b, side * 1.15, 0.12 - 0.34 * i, 2.0)};
            if (fk_facing_of(b, side * 0.9, 0) > -0.1)
                fk_stroke(f->kit, p, 2, f->fine ? 0.005 : 0.010, fk_rgb(0.25, 0.22, 0.25), FK_FLAT, b->z + 0.001);
        }
}

static void tail_chain(const fig *f, const fk_frame *body, const double (*p)[3], int n, double w0, double w1, fk_tone t,
                       fk_tone tip, fk_tone ring, int rings) {
    enum { CUTS = 3 };
    fk_vec q[7 * CUTS];
    double r[7 * CUTS], swing = 0.10 * sin(2 * FK_PI * f->pose->phase);
    int cuts = f->fine ? CUTS : 1, last = (n - 1) * cuts;
    for (int i = 0; i <= last; i++) { /* a smooth curve through the points */
        double u = (double)i / last, v = (double)(i % cuts) / cuts, c[3];
        int at = i / cuts, a = at > 0 ? at - 1 : 0, b = at + 1 < n ? at + 1 : n - 1, e = at + 2 < n ? at + 2 : n - 1;
        for (int j = 0; j < 3; j++)
            c[j] = p[at][j] + 0.5 * v *
                                  (p[b][j] - p[a][j] +
                                   v * (2 * p[a][j] - 5 * p[at][j] + 4 * p[b][j] - p[e][j] +
                                        v * (3 * (p[at][j] - p[b][j]) + p[e][j] - p[a][j])));
        q[i] = fk_at(body, c[0] + swing * u * u, c[1], c[2]);
        r[i] = w0 + (w1 - w0) * u;
    }
    n = last + 1;
    double z = 0, bias = body->d.z > 0.2 ? -0.05 : 0.06 * (body->d.z < -0.2);
    for (int i = 0; i < n; i++) z += q[i].z / n;
    fk_limb(f->kit, q, r, n, t, FK_CEL, bias);
    double rt[2] = {r[n - 1 - cuts] * 0.98, r[n - 1] * 0.98};
    fk_vec qt[2] = {fk_mix(q[n - 1 - cuts], q[n - 1], 0.4), q[n - 1]};
    fk_limb(f->kit, qt, rt, 2, tip, FK_SHADE, z + bias + 1e-4 - (qt[0].z + qt[1].z) / 2);
    for (int i = cuts; rings && i < n - 1; i += cuts) {
        fk_vec qq[2] = {q[i], fk_mix(q[i], q[i + 1], 0.22 * cuts)};
        double rr[2] = {r[i], r[i]};
        fk_limb(f->kit, qq, rr, 2, ring, FK_FLAT, z + bias + 1e-4 - (qq[0].z + qq[1].z) / 2);
    }
}

static void muzzle_nose(const fig *f, const fk_frame *h, double y, double d, double w, fk_tone nose) {
    fk_ball b = fk_ellipsoid(f->kit, h, 0, y, d, w, w * 0.72, w * 0.7, nose, FK_LINE, 0.03);
    fk_patch(f->kit, &b, -0.4, 0.5, 0.35, 0.25, 0, fk_blend(nose, fk_rgb(1, 1, 1), 0.6), FK_FLAT);
}

static const double cat_tail[5][3] = {
    {0, 0.03, -0.10}, {0.08, -0.04, -0.22}, {0.17, 0.06, -0.30}, {0.20, 0.22, -0.30}, {0.25, 0.35, -0.34}};
static const double tiger_tail[6][3] = {{0, 0.02, -0.10},     {-0.06, -0.08, -0.22}, {-0.14, -0.08, -0.33},
                                        {-0.21, 0.04, -0.41}, {-0.24, 0.18, -0.42},  {-0.22, 0.28, -0.38}};
static const double shiba_tail[7][3] = {{0, 0.05, -0.09},    {0.06, 0.10, -0.18}, {0.15, 0.20, -0.20},
                                        {0.19, 0.30, -0.17}, {0.14, 0.35, -0.13}, {0.09, 0.30, -0.13},
                                        {0.11, 0.25, -0.15}};

static void cat_head(const fig *f, const rig *r, fk_tone coat, fk_tone cream) {
    const fk_frame *h = &r->head;
    fk_kit *k = f->kit;
    fk_tone pink = fk_hex(0xf0949c);
    for (int i = -1; i <= 1; i += 2) cone_ear(f, h, i * 0.125, 0.10, -0.02, i * 0.055, 0.16, 0, 0.072, coat, pink, 0);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, 0.205, 0.168, 0.175, coat, FK_CEL, 0);
    fk_ball m = fk_ellipsoid(k, h, 0, -0.062, 0.115, 0.095, 0.066, 0.075, cream, FK_SHADE, 0.01);
    face_style st = {&b, &m, 0.46, 0.12, 0.20, -0.20, 0.42, 0, coat, coat, fk_hex(0x58b848), 1, 0, 0, 0, 0};
    if (f->pose->emotion == WORLD_ANGRY || f->pose->emotion == WORLD_SAD)
        st.brow = 0.016, st.brow_tone = fk_darker(coat, 1.0);
    face_draw(f, r, &st);
    muzzle_nose(f, h, -0.035, 0.185, 0.026, pink);
    whiskers(f, &m);
}

static void tiger_head(const fig *f, const rig *r, fk_tone coat, fk_tone cream) {
    const fk_frame *h = &r->head;
    fk_kit *k = f->kit;
    fk_tone black = fk_hex(0x2a2024);
    if (fk_luma(coat) < 0.25) black = fk_hex(0xd8d4d0); /* a black tiger has pale stripes */
    for (int i = -1; i <= 1; i += 2) cone_ear(f, h, i * 0.160, 0.135, -0.02, i * 0.02, 0.03, 0, 0.074, coat, cream, 1);
    for (int i = -1; i <= 1; i += 2) /* a ruff at the cheeks */
        (void)fk_ellipsoid(k, h, i * 0.150, -0.095, 0.0, 0.085, 0.07, 0.08, coat, FK_CEL, -0.16);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, 0.205, 0.185, 0.185, coat, FK_CEL, 0);
    static const double wedge[4][2] = {{-0.13, 0.26}, {0.13, 0.26}, {0.06, -0.30}, {-0.06, -0.30}};
    for (int i = -1; i <= 1; i++) fk_patch_shape(k, &b, i * 0.40, 1.10 - 0.12 * i * i, wedge, 4, 0, black, FK_FLAT);
    for (int i = -1; i <= 1; i += 2)
        for (int j = 0; j < 3; j++) {
            static const double side[3][2] = {{0.42, 0.13}, {0.42, -0.13}, {-0.24, 0.02}};
            double s[3][2];
            for (int n = 0; n < 3; n++) s[n][0] = i * side[n][0], s[n][1] = side[n][1];
            fk_patch_shape(k, &b, i * 1.12, 0.32 - 0.36 * j, (const double(*)[2])s, 3, 0, black, FK_FLAT);
        }
    for (int j = -1; j <= 1; j++) fk_patch(k, &b, FK_PI + 0.45 * j, 0.3, 0.10, 0.5, 0, black, FK_FLAT);
    for (int i = -1; i <= 1; i += 2) {
        fk_patch(k, &b, i * 0.44, 0.30, 0.27, 0.30, 0, cream, FK_FLAT);
        fk_patch(k, &b, i * 0.70, -0.55, 0.40, 0.28, 0, cream, FK_FLAT);
    }
    fk_ball m = fk_ellipsoid(k, h, 0, -0.082, 0.120, 0.108, 0.078, 0.090, cream, FK_CEL, 0.01);
    face_style st = {&b, &m, 0.44, 0.25, 0.185, -0.25, 0.48, 0.020, cream, black, fk_hex(0xe0a020), 1, 0, 0, 1, 0};
    face_draw(f, r, &st);
    muzzle_nose(f, h, -0.042, 0.204, 0.036, fk_hex(0xe07a80));
    whiskers(f, &m);
}

static void shiba_head(const fig *f, const rig *r, fk_tone coat, fk_tone cream) {
    const fk_frame *h = &r->head;
    fk_kit *k = f->kit;
    for (int i = -1; i <= 1; i += 2)
        cone_ear(f, h, i * 0.115, 0.11, -0.02, i * 0.035, 0.125, 0.01, 0.066, coat, cream, 0);
    for (int i = -1; i <= 1; i += 2)
        (void)fk_ellipsoid(k, h, i * 0.128, -0.070, 0.02, 0.092, 0.082, 0.085, cream, FK_CEL, -0.16);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, 0.19, 0.172, 0.175, coat, FK_CEL, 0);
    for (int i = -1; i <= 1; i += 2) {
        fk_patch(k, &b, i * 0.72, -0.42, 0.52, 0.44, 0, cream, FK_FLAT);
        fk_patch(k, &b, i * 0.34, 0.62, 0.14, 0.10, 0, cream, FK_FLAT);
    }
    fk_ball m = fk_ellipsoid(k, h, 0, -0.066, 0.160, 0.084, 0.066, 0.115, cream, FK_CEL, 0.01);
    face_style st = {&b, &m, 0.46, 0.24, 0.165, -0.38, 0.50, 0, coat, coat, fk_hex(0x5a3a1a), 0, 0, 0, 0, 0};
    if (f->pose->emotion == WORLD_ANGRY || f->pose->emotion == WORLD_SAD)
        st.brow = 0.016, st.brow_tone = fk_darker(coat, 1.0);
    face_draw(f, r, &st);
    muzzle_nose(f, h, -0.032, 0.258, 0.036, fk_hex(0x241c20));
}

void figure_four_legs(const fig *f) {
    static const rig_shape sh = {0.225, 0.066, 0.25, 0.110, 0.112, 0.215, 0.095, 0.05, 0.02, 0.15, 0};
    static const uint32_t natural[3] = {0xd9924c, 0x8f96a8, 0xf5841a};
    int who = f->look->subject == WORLD_SHIBA ? 0 : f->look->subject == WORLD_CAT ? 1 : 2;
    rig r;
    rig_biped(&r, f, &sh);
    fk_tone coat = coat_of(f, natural[who]), cream = fk_hex(0xfff3e0), black = fk_hex(0x2a2024);
    if (fk_luma(coat) > 0.92) cream = fk_hex(0xf3e2cf);
    body_style st = {.girth = 1.22,
                     .leg = 0.047,
                     .arm = 0.042,
                     .hand = 0.047,
                     .foot = 1.25,
                     .skin = coat,
                     .hand_tone = cream,
                     .foot_tone = cream,
                     .belly_tone = cream,
                     .bare_belly = 1};
    if (who == 2)
        st.girth = 1.36, st.arm = 0.047, st.hand = 0.054, st.stripes = 1,
        st.stripe_tone = fk_luma(coat) < 0.25 ? fk_hex(0xd8d4d0) : black;
    body_draw(f, &r, &sh, &st);
    if (who == 0) {
        tail_chain(f, &r.chest, shiba_tail, 7, 0.048, 0.036, coat, cream, cream, 0);
        shiba_head(f, &r, coat, cream);
    } else if (who == 1) {
        tail_chain(f, &r.chest, cat_tail, 5, 0.032, 0.026, coat, cream, cream, 0);
        cat_head(f, &r, coat, cream);
    } else {
        tail_chain(f, &r.chest, tiger_tail, 6, 0.034, 0.032, coat, st.stripe_tone, st.stripe_tone, 1);
        tiger_head(f, &r, coat, cream);
    }
    body_hat(f, &r, 0.185, 0.105);
    face_marks(f, &r.head, 0.23, 0.23);
}

void figure_kangaroo(const fig *f) {
    static const rig_shape sh = {0.29, 0.075, 0.30, 0.085, 0.095, 0.155, 0.13, 0.11, 0.12, 0.06, 1};
    static const double tail[6][3] = {{0, 0.02, -0.05},  {0, -0.07, -0.18}, {0, -0.16, -0.28},
                                      {0, -0.22, -0.38}, {0, -0.24, -0.48}, {0, -0.22, -0.56}};
    fk_kit *k = f->kit;
    rig r;
    rig_biped(&r, f, &sh);
    r.head = fk_scale(r.head, 1.18, 1.18, 1.12);
    const fk_frame *h = &r.head;
    fk_tone coat = coat_of(f, 0xb9784a), cream = fk_hex(0xf8e3c4);
    body_style st = {.girth = 1.22,
                     .belly = 0.03,
                     .leg = 0.058,
                     .arm = 0.030,
                     .hand = 0.036,
                     .foot = 2.0,
                     .skin = coat,
                     .hand_tone = coat,
                     .foot_tone = coat,
                     .belly_tone = cream,
                     .bare_belly = 1};
    body_draw(f, &r, &sh, &st);
    tail_chain(f, &r.chest, tail, 6, 0.082, 0.028, coat, fk_darker(coat, 0.5), cream, 0);
    fk_vec neck[2] = {fk_at(&r.chest, 0, sh.torso - 0.04, 0), fk_at(h, 0, -0.02, -0.02)};
    const double nr[2] = {0.062, 0.058};
    fk_limb(k, neck, nr, 2, coat, FK_CEL, -0.02);
    for (int i = -1; i <= 1; i += 2)
        cone_ear(f, h, i * 0.062, 0.085, -0.03, i * 0.068, 0.145, -0.01, 0.050, coat, fk_hex(0xf0a8a0), 0);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, 0.118, 0.122, 0.125, coat, FK_CEL, 0);
    fk_ball m = fk_ellipsoid(k, h, 0, -0.045, 0.135, 0.070, 0.062, 0.105, fk_blend(coat, cream, 0.45), FK_CEL, 0.01);
    face_style fs = {&b, &m, 0.58, 0.20, 0.24, -0.35, 0.50, 0, coat, coat, fk_hex(0x5a3a1a), 0, 0, 1, 0, 0};
    if (f->pose->emotion == WORLD_ANGRY || f->pose->emotion == WORLD_SAD)
        fs.brow = 0.014, fs.brow_tone = fk_darker(coat, 1.0);
    face_draw(f, &r, &fs);
    muzzle_nose(f, h, -0.020, 0.228, 0.030, fk_hex(0x2c2026));
    body_hat(f, &r, 0.118, 0.072);
    face_marks(f, &r.head, 0.17, 0.20);
}

void figure_dinosaur(const fig *f) {
    static const rig_shape sh = {0.26, 0.085, 0.30, 0.10, 0.070, 0.185, 0.110, 0.06, 0.10, 0.20, 0};
    static const double tail[6][3] = {{0, 0.06, -0.06},  {0, -0.02, -0.22}, {0, -0.10, -0.34},
                                      {0, -0.16, -0.46}, {0, -0.17, -0.57}, {0, -0.13, -0.67}};
    fk_kit *k = f->kit;
    rig r;
    rig_biped(&r, f, &sh);
    const fk_frame *h = &r.head;
    fk_tone coat = coat_of(f, 0x4fae4a),
            belly = fk_blend(coat, fk_luma(coat) > 0.9 ? fk_hex(0xd8c89a) : fk_hex(0xfff8dc), 0.66),
            plate = fk_hex(0xf2a02c);
    if (coat.r > 0.85 && coat.g > 0.4 && coat.g < 0.9 && coat.b < 0.3)
        plate = fk_hex(0x3f7fd0); /* plates that stand out on an orange or yellow skin */
    body_style st = {.girth = 1.45,
                     .belly = 0.03,
                     .leg = 0.066,
                     .arm = 0.031,
                     .hand = 0.036,
                     .foot = 1.6,
                     .skin = coat,
                     .hand_tone = coat,
                     .foot_tone = coat,
                     .belly_tone = belly,
                     .bare_belly = 1};
    body_draw(f, &r, &sh, &st);
    tail_chain(f, &r.chest, tail, 6, 0.115, 0.022, coat, coat, coat, 0);
    double back = r.chest.d.z < 0 ? 0.05 : -0.10;
    for (int i = 0; i < 7; i++) { /* plates from head to tail */
        double u = i / 6.0;
        fk_vec base, dir;
        if (i < 4) {
            const fk_frame *at = i < 2 ? h : &r.chest;
            static const double spot[4][4] = {
                {0.16, 0.03, 1, -0.4}, {0.10, -0.15, 0.7, -0.9}, {0.26, -0.105, 0.5, -1}, {0.13, -0.135, 0.4, -1}};
            base = fk_at(at, 0, spot[i][0], spot[i][1]), dir = fk_dir(at, 0, spot[i][2], spot[i][3]);
        } else {
            int j = i - 3;
            base = fk_at(&r.chest, 0, tail[j][1] + 0.085 - 0.018 * j, tail[j][2] - 0.02),
            dir = fk_dir(&r.chest, 0, 0.85, -0.55);
        }
        double len = 0.105 - 0.045 * u, w[2] = {0.046 - 0.02 * u, 0.006};
        fk_vec p[2] = {base, fk_add(base, fk_mul(dir, len))};
        fk_limb(k, p, w, 2, plate, FK_CEL, i < 2 ? (h->d.z < 0 ? 0.02 : -0.12) : back);
    }
    fk_vec neck[2] = {fk_at(&r.chest, 0, sh.torso - 0.05, 0), fk_at(h, 0, -0.05, -0.03)};
    const double nr[2] = {0.095, 0.095};
    fk_limb(k, neck, nr, 2, coat, FK_CEL, -0.02);
    fk_ball b = fk_ellipsoid(k, h, 0, 0.02, -0.01, 0.155, 0.150, 0.155, coat, FK_CEL, 0);
    fk_ball m = fk_ellipsoid(k, h, 0, -0.045, 0.165, 0.135, 0.090, 0.145, coat, FK_CEL, 0.015);
    face_style fs = {&b, &m, 0.50, 0.36, 0.23, -0.22, 0.62, 0.018, coat, fk_darker(coat, 1), fk_hex(0xd8b020),
                     1,  0,  0,    1,    0};
    fs.coat_muzzle = 1;
    face_draw(f, &r, &fs);
    for (int i = -1; i <= 1; i += 2) {
        fk_patch(k, &m, i * 0.30, 0.52, 0.09, 0.08, 0, fk_darker(coat, 1), FK_FLAT);
        static const double tooth[3][2] = {{-0.09, 0.06}, {0.09, 0.06}, {0, -0.18}};
        for (int j = 0; j < 2; j++)
            fk_patch_shape(k, &m, i * (0.62 + 0.42 * j), -0.12, tooth, 3, 0, fk_rgb(1, 1, 1), FK_FLAT);
    }
    body_hat(f, &r, 0.15, 0.105);
    face_marks(f, &r.head, 0.19, 0.22);
}
