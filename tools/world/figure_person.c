#include "tools/world/figure_body.h"

#include <math.h>

/* Skin and hair differ a little from person to person; what tells the three apart never does. */
static fk_tone pick(uint64_t seed, unsigned n, const uint32_t *from, int count) {
    int i = (int)(fk_random(seed, n) * count);
    return fk_hex(from[i < count ? i : count - 1]);
}

static fk_tone skin_of(const fig *f) {
    static const uint32_t skins[6] = {0xffd9b8, 0xf7c9a0, 0xf0bd94, 0xe2a878, 0xc88c60, 0x9a6644};
    return pick(f->look->seed, 1, skins, 6);
}

static void draw_ears(const fig *f, const fk_frame *head, double r, double size, fk_tone skin) {
    for (int i = -1; i <= 1; i += 2)
        (void)fk_ellipsoid(f->kit, head, i * r * 1.0, -0.10 * r, -0.05 * r, 0.35 * size, size, 0.7 * size, skin, FK_CEL,
                           head->s.z * i > 0 ? 0.01 : -0.02);
}

static void old_man_head(const fig *f, const rig *r, double rad, fk_tone skin) {
    fk_kit *k = f->kit;
    const fk_frame *h = &r->head;
    fk_tone white = fk_hex(0xf4f2ee), line = fk_hex(0x2b2530);
    draw_ears(f, h, rad, 0.042, skin);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, rad, rad * 1.04, rad * 0.98, skin, FK_SHINY, 0);
    fk_patch(k, &b, FK_PI, -0.28, 1.60, 0.60, 0, white, FK_SHADE);
    for (int i = -1; i <= 1; i += 2) { /* fluffy tufts over the ears */
        double z = i * h->s.z;
        (void)fk_ellipsoid(k, h, i * 0.95 * rad, 0.12 * rad, -0.30 * rad, 0.25 * rad, 0.36 * rad, 0.40 * rad, white,
                           FK_CEL, z > 0.05 ? 0.04 : 0.005);
    }
    face_style st = {&b, &b, 0.42, 0.12, 0.18, 0, 0, 0.034, skin, white, fk_hex(0x4a78a8), 1, 0, 0, 0, 0};
    for (int i = -1; i <= 1; i += 2) fk_patch(k, &b, i * 1.22, -0.30, 0.30, 0.50, 0, white, FK_FLAT);
    fk_ball beard =
        fk_ellipsoid(k, h, 0, -0.90 * rad, 0.28 * rad, 0.80 * rad, 0.84 * rad, 0.66 * rad, white, FK_CEL, 0.02);
    st.muzzle = &beard, st.mouth_el = 0.36, st.mouth = 0.28, st.teeth = 1;
    face_draw(f, r, &st);
    for (int i = -1; i <= 1; i += 2) { /* moustache */
        fk_frame m = fk_roll(fk_move(*h, i * 0.23 * rad, -0.40 * rad, 0.92 * rad), i * 0.30);
        (void)fk_ellipsoid(k, &m, 0, 0, 0, 0.30 * rad, 0.14 * rad, 0.16 * rad, white, FK_CEL, 0.01);
    }
    (void)fk_ellipsoid(k, h, 0, -0.16 * rad, 1.02 * rad, 0.17 * rad, 0.16 * rad, 0.20 * rad,
                       fk_blend(skin, fk_rgb(0.95, 0.4, 0.35), 0.12), FK_CEL, 0.03);
    if (f->pixels >= 60) { /* round glasses */
        for (int i = -1; i <= 1; i += 2) {
            double p[9][2];
            for (int j = 0; j < 9; j++)
                p[j][0] = 0.26 * cos(2 * FK_PI * j / 8), p[j][1] = 0.27 * sin(2 * FK_PI * j / 8);
            fk_patch_line(k, &b, i * 0.42, 0.10, (const double(*)[2])p, 9, 0.011, line);
        }
        double p[3][2] = {{-0.17, 0}, {0, 0.05}, {0.17, 0}};
        fk_patch_line(k, &b, 0, 0.12, (const double(*)[2])p, 3, 0.011, line);
    }
}

static void woman_head(const fig *f, const rig *r, double rad, fk_tone skin) {
    static const uint32_t hairs[5] = {0x3a2118, 0x6b3a1e, 0x1f1a22, 0x93421f, 0x54301c};
    fk_kit *k = f->kit;
    const fk_frame *h = &r->head;
    fk_tone hair = pick(f->look->seed, 2, hairs, 5);
    double sway = 0.05 * sin(2 * FK_PI * f->pose->phase) * rad;
    (void)fk_ellipsoid(k, h, sway, -0.95 * rad, -0.42 * rad, 1.22 * rad, 1.35 * rad, 0.62 * rad, hair, FK_CEL, -0.02);
    for (int i = -1; i <= 1; i += 2) { /* locks in front of the shoulders */
        fk_vec p[3] = {fk_at(h, i * 0.88 * rad, 0.1 * rad, 0.15 * rad),
                       fk_at(h, i * 1.10 * rad, -0.6 * rad, 0.15 * rad),
                       fk_at(h, i * 1.06 * rad + sway, -1.40 * rad, 0.25 * rad)};
        double w[3] = {0.22 * rad, 0.28 * rad, 0.16 * rad};
        fk_limb(k, p, w, 3, hair, FK_CEL, h->s.z * i < -0.25 ? -0.03 : 0.03);
    }
    (void)fk_ellipsoid(k, h, 0, 0.02 * rad, -0.16 * rad, rad * 1.08, rad * 1.06, rad * 1.0, hair, FK_CEL, -0.004);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, rad * 1.06, rad * 1.06, rad * 1.04, hair, FK_CEL, 0);
    static const double face[9][2] = {{0, 0.42},  {0.45, 0.34},  {0.80, 0.0},   {0.82, -0.55}, {0.5, -1.05},
                                      {0, -1.22}, {-0.5, -1.05}, {-0.82, -0.5}, {-0.62, 0.15}};
    fk_patch_shape(k, &b, 0, 0.12, face, 9, 1, skin, FK_SHADE);
    face_style st = {&b, &b, 0.42, -0.06, 0.19, -0.66, 0.22, 0.015, skin, fk_darker(hair, 0.3), fk_hex(0x5b8f4a),
                     1,  1,  1,    1,     0};
    if (f->pose->emotion == WORLD_NEUTRAL) fk_patch(k, &b, 0, -0.63, 0.17, 0.09, 0, fk_hex(0xd2404f), FK_FLAT);
    face_draw(f, r, &st);
    (void)fk_ellipsoid(k, h, 0, -0.28 * rad, 1.03 * rad, 0.09 * rad, 0.09 * rad, 0.12 * rad, fk_darker(skin, 0.12),
                       FK_FLAT, 0.01);
    for (int i = -1; f->fine && i <= 1; i += 2)
        (void)fk_ellipsoid(k, h, i * 1.0 * rad, -0.55 * rad, 0.2 * rad, 0.07 * rad, 0.09 * rad, 0.07 * rad,
                           fk_hex(0xf2c14b), FK_SHINY, h->s.z * i < -0.25 ? -0.04 : 0.05);
}

static void boy_head(const fig *f, const rig *r, double rad, fk_tone skin) {
    static const uint32_t hairs[4] = {0xe08a2c, 0xd06a22, 0xeab54a, 0xb5561f};
    fk_kit *k = f->kit;
    const fk_frame *h = &r->head;
    fk_tone hair = fk_luma(skin) < 0.62 ? fk_hex(0x2e1e1a) : pick(f->look->seed, 2, hairs, 4);
    draw_ears(f, h, rad, 0.056, skin);
    int hat = f->look->outfit == WORLD_DRESS || f->look->outfit == WORLD_TURTLENECK || f->look->outfit == WORLD_SCARF;
    static const double tuft[6][3] = {{-0.55, 0.95, 0.2}, {-0.2, 1.22, 0.15}, {0.2, 1.28, 0.1},
                                      {0.6, 1.0, 0.1},    {0.05, 1.05, -0.6}, {-0.4, 0.8, -0.8}};
    for (int i = 0; !hat && i < 6; i++) { /* spiky hair */
        fk_vec p[2] = {fk_at(h, tuft[i][0] * rad * 0.75, tuft[i][1] * rad * 0.66, tuft[i][2] * rad * 0.7),
                       fk_at(h, tuft[i][0] * rad * 1.05 + 0.06 * rad, tuft[i][1] * rad, tuft[i][2] * rad)};
        double w[2] = {0.30 * rad, 0.035 * rad};
        fk_limb(k, p, w, 2, hair, FK_CEL, -0.01 - (p[0].z + p[1].z) / 2 + h->o.z - 0.002 * i);
    }
    (void)fk_ellipsoid(k, h, 0, 0.06 * rad, -0.10 * rad, rad * 1.04, rad * 0.94, rad * 0.98, hair, FK_CEL, -0.004);
    fk_ball b = fk_ellipsoid(k, h, 0, 0, 0, rad * 1.02, rad * 0.96, rad, hair, FK_CEL, 0);
    static const double face[13][2] = {{0, 0.40},     {0.22, 0.62},  {0.36, 0.36}, {0.62, 0.52},  {0.98, 0.10},
                                       {1.10, -0.45}, {0.75, -1.1},  {0, -1.4},    {-0.75, -1.1}, {-1.10, -0.45},
                                       {-0.98, 0.15}, {-0.55, 0.55}, {-0.30, 0.30}};
    fk_patch_shape(k, &b, 0, -0.02, face, 13, 1, skin, FK_SHADE);
    face_style st = {&b, &b, 0.40, -0.10, 0.18, -0.62, 0.22, 0.018, skin, fk_darker(hair, 0.5), fk_hex(0x6b4a2a),
                     1,  1,  0,    1,     0};
    for (int i = 0; f->fine && i < 6; i++)
        fk_patch(k, &b, (i < 3 ? 0.36 : -0.36) + 0.11 * (i % 3 - 1), -0.42 + 0.05 * (i % 2), 0.025, 0.025, 0,
                 fk_darker(skin, 0.5), FK_FLAT);
    face_draw(f, r, &st);
    (void)fk_ellipsoid(k, h, 0, -0.28 * rad, 0.98 * rad, 0.11 * rad, 0.10 * rad, 0.14 * rad,
                       fk_blend(skin, fk_rgb(0.95, 0.4, 0.35), 0.2), FK_CEL, 0.01);
}

void figure_person(const fig *f) {
    static const rig_shape shapes[3] = {
        {0.275, 0.068, 0.285, 0.122, 0.120, 0.205, 0.110, 0.05, 0.07, 0.25, 0},
        {0.335, 0.056, 0.275, 0.098, 0.124, 0.190, 0.125, 0.06, 0.00, 0.10, 0},
        {0.205, 0.064, 0.220, 0.110, 0.112, 0.262, 0.090, 0.05, 0.00, 0.20, 0},
    };
    int who = f->look->subject == WORLD_WOMAN ? 1 : f->look->subject == WORLD_BOY ? 2 : 0;
    const rig_shape *sh = &shapes[who];
    rig r;
    rig_biped(&r, f, sh);
    fk_tone skin = skin_of(f);
    body_style st = {
        .girth = 1.14, .leg = 0.050, .arm = 0.042, .hand = 0.052, .foot = 1.2, .skin = skin, .hand_tone = skin};
    st.foot_tone = fk_darker(skin, 0.3);
    if (who == 0) st.girth = 1.48, st.belly = 0.026, st.leg = 0.053;
    if (who == 1) st.girth = 1.10, st.leg = 0.044, st.arm = 0.037, st.hand = 0.045, st.foot = 1.05;
    if (who == 2) st.girth = 1.30;
    body_draw(f, &r, sh, &st);
    fk_vec neck[2] = {fk_at(&r.chest, 0, sh->torso - 0.03, 0), fk_at(&r.chest, 0, sh->torso + 0.03, 0.005)};
    const double nr[2] = {0.042, 0.040};
    fk_limb(f->kit, neck, nr, 2, fk_darker(skin, 0.25), FK_CEL, -0.04);
    if (who == 0) {
        old_man_head(f, &r, 0.180, skin);
        body_hat(f, &r, 0.180, 0.095);
        face_marks(f, &r.head, 0.21, 0.20);
    } else if (who == 1) {
        woman_head(f, &r, 0.166, skin);
        body_hat(f, &r, 0.176, 0.080);
        face_marks(f, &r.head, 0.21, 0.20);
    } else {
        boy_head(f, &r, 0.232, skin);
        body_hat(f, &r, 0.226, 0.11);
        face_marks(f, &r.head, 0.25, 0.23);
    }
}
