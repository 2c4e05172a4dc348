#include "tools/world/figure_body.h"

#include <math.h>

typedef struct dress_code {
    fk_tone leg, shoe, top, sleeve;
    int boots;          /* 1: cowboy boots */
    double sleeve_part; /* how far down the arm: 0 none, 1 to the elbow, 2 to the hand */
    int bare_leg;
} dress_code;

static dress_code dress_of(const fig *f, const body_style *st) {
    fk_tone m = f->main;
    switch (f->look->outfit) {
    case WORLD_OVERALLS:
        return (dress_code){m, fk_hex(0x8a4f24), fk_hex(0xf6ecd4), fk_hex(0xf6ecd4), 1, 1.15, 0};
    case WORLD_JEANS:
        return (dress_code){fk_hex(0x3b5f9e), fk_hex(0xf4f4f2), m, m, 0, 0.75, 0};
    case WORLD_DRESS:
        return (dress_code){st->skin, fk_darker(m, 0.35), m, m, 0, 0.55, 1};
    case WORLD_TURTLENECK:
        return (dress_code){fk_hex(0x7d838c), fk_hex(0x3a3236), m, m, 0, 1.86, 0};
    case WORLD_SCARF:
        return (dress_code){fk_hex(0x4a4f5a), fk_hex(0x5e4130), fk_hex(0x5a616d), fk_hex(0x5a616d), 0, 1.84, 0};
    default:
        return (dress_code){st->skin, st->foot_tone, st->skin, st->skin, 0, 0, 1};
    }
}

/* Two dark rings around a limb of three points. */
static void limb_rings(const fig *f, const fk_vec *p, const double *rad, fk_tone tone, double z) {
    for (int i = 0; i < 2; i++) {
        fk_vec q[2] = {fk_mix(p[i], p[i + 1], 0.50), fk_mix(p[i], p[i + 1], 0.66)};
        fk_vec u = fk_sub(q[1], q[0]), n = {-u.y, u.x, 0};
        double len = fmax(fk_len(n), 1e-6), w = rad[i] * 0.98;
        fk_vec ring[4] = {fk_add(q[0], fk_mul(n, w / len)), fk_add(q[0], fk_mul(n, -w / len)),
                          fk_add(q[1], fk_mul(n, -w / len)), fk_add(q[1], fk_mul(n, w / len))};
        if (len > 0.006) fk_polygon(f->kit, ring, 4, 0, tone, FK_FLAT, z + 1e-4);
    }
}

static void draw_leg(const fig *f, const rig *r, const body_style *st, const dress_code *dc, int i, double body_z) {
    fk_kit *k = f->kit;
    double z = (r->hip[i].z + r->knee[i].z + r->ankle[i].z) / 3;
    fk_tone leg = rig_far(dc->leg, z, body_z), shoe = rig_far(dc->shoe, z, body_z),
            gold = rig_far(fk_hex(0xd9a05b), z, body_z);
    double w = dc->bare_leg ? st->leg * 0.86 : st->leg * 1.08;
    fk_vec p[3] = {r->hip[i], r->knee[i], r->ankle[i]};
    double rad[3] = {w * 1.12, w, w * 0.86};
    /* A skirt or long coat hangs in front of the legs, from wherever it is seen. */
    double under = f->look->outfit == WORLD_DRESS || f->look->outfit == WORLD_SCARF ? -0.10 : -0.05;
    fk_limb(k, p, rad, 3, leg, FK_CEL, under);
    z += under;
    if (st->stripes && f->look->outfit == WORLD_BARE) limb_rings(f, p, rad, st->stripe_tone, z);
    fk_frame foot = r->foot[i];
    double len = 0.068 * st->foot, wide = 0.044 * (0.5 + 0.5 * st->foot), zf = 0.012;
    fk_frame flat = fk_move(foot, 0, -0.018, 0.028 * st->foot);
    if (dc->boots) {
        fk_vec top = fk_mix(r->knee[i], r->ankle[i], 0.42), q[2] = {top, r->ankle[i]};
        double qr[2] = {w * 1.22, w * 1.12};
        double mid = (top.z + r->ankle[i].z) / 2;
        fk_limb(k, q, qr, 2, shoe, FK_CEL, z + 0.006 - mid);
        fk_vec u = fk_sub(r->ankle[i], top), side = {-u.y, u.x, 0};
        double un = fmax(fk_len(side), 1e-6);
        fk_vec band[3] = {fk_add(top, fk_mul(side, w * 1.25 / un)), fk_mix(top, r->ankle[i], 0.2),
                          fk_add(top, fk_mul(side, -w * 1.25 / un))};
        if (f->fine) fk_stroke(k, band, 3, w * 0.36, gold, FK_FLAT, z + 0.0065);
        (void)fk_ellipsoid(k, &flat, 0, 0, 0, wide * 0.92, 0.030, len * 1.12, shoe, FK_CEL, zf);
        if (f->fine)
            (void)fk_ellipsoid(k, &flat, 0, -0.021, -len * 0.7, wide * 0.6, 0.013, len * 0.3, fk_darker(shoe, 0.9),
                               FK_FLAT, zf + 0.001);
        return;
    }
    fk_ball b = fk_ellipsoid(k, &flat, 0, 0, 0, wide, 0.030, len, shoe, FK_CEL, zf);
    if (f->look->outfit == WORLD_JEANS) { /* turned-up cuffs, rubber soles */
        fk_vec top = fk_mix(r->knee[i], r->ankle[i], 0.80), q[2] = {top, fk_mix(top, r->ankle[i], 0.6)};
        double qr[2] = {w * 1.0, w * 1.0};
        fk_limb(k, q, qr, 2, rig_far(fk_hex(0x9db8de), z, body_z), FK_CEL, z + 0.002 - (q[0].z + q[1].z) / 2);
        if (f->fine) fk_patch(k, &b, 0, -0.75, 1.2, 0.3, 0, fk_hex(0xd8553f), FK_FLAT);
    }
}

static void draw_arm(const fig *f, const rig *r, const body_style *st, const dress_code *dc, int i, double body_z) {
    fk_kit *k = f->kit;
    double z = (r->shoulder[i].z + r->elbow[i].z + r->hand[i].z) / 3, bias = 0.028;
    fk_tone skin = rig_far(st->skin, z + bias, body_z), cloth = rig_far(dc->sleeve, z + bias, body_z);
    fk_tone hand = rig_far(f->look->outfit == WORLD_SCARF ? f->main : st->hand_tone, z + bias, body_z);
    double w = st->arm;
    fk_vec p[3] = {r->shoulder[i], r->elbow[i], r->hand[i]};
    double rad[3] = {w, w * 0.95, w * 0.86};
    if (dc->sleeve_part < 1.8) fk_limb(k, p, rad, 3, skin, FK_CEL, bias);
    if (st->stripes && dc->sleeve_part == 0) limb_rings(f, p, rad, st->stripe_tone, z + bias);
    fk_sphere(k, r->hand[i], st->hand, hand, FK_CEL, z + bias + 0.002 - r->hand[i].z);
    if (dc->sleeve_part > 0) {
        double s = dc->sleeve_part;
        fk_vec q[3] = {p[0], s < 1 ? fk_mix(p[0], p[1], s) : p[1], s > 1 ? fk_mix(p[1], p[2], s - 1) : p[1]};
        double qr[3] = {w * 1.18, w * 1.2, w * (s < 1.8 ? 1.22 : 1.12)};
        int n = s > 1 ? 3 : 2;
        double zq = 0;
        for (int j = 0; j < n; j++) zq += q[j].z / n;
        fk_limb(k, q, qr, n, cloth, FK_CEL, z + bias + 0.001 - zq);
    }
}

enum { RINGS = 6 };

static void torso_rings(fk_ring *ring, const rig_shape *sh, const body_style *st, int outfit) {
    double t = sh->torso, g = st->girth, b = st->belly, h = sh->hip;
    const fk_ring bare[RINGS] = {{-0.030, 0.058, 0.052, 0},   {0.015, 0.094, 0.080, 0.2 * b},
                                 {0.42 * t, 0.096, 0.084, b}, {0.80 * t, 0.090, 0.070, 0.2 * b},
                                 {t, 0.066, 0.052, 0},        {t + 0.03, 0.030, 0.028, 0}};
    const fk_ring dress[RINGS] = {{-0.50 * h, 0.185, 0.160, 0}, {-0.25 * h, 0.145, 0.128, 0},
                                  {0.36 * t, 0.088, 0.078, b},  {0.80 * t, 0.090, 0.072, 0.2 * b},
                                  {t, 0.066, 0.052, 0},         {t + 0.025, 0.030, 0.028, 0}};
    const fk_ring coat[RINGS] = {{-0.60 * h, 0.142, 0.128, 0}, {-0.1 * h, 0.120, 0.106, 0.3 * b},
                                 {0.42 * t, 0.108, 0.096, b},  {0.80 * t, 0.100, 0.082, 0.2 * b},
                                 {t, 0.076, 0.060, 0},         {t + 0.03, 0.036, 0.032, 0}};
    const fk_ring *from = outfit == WORLD_DRESS ? dress : outfit == WORLD_SCARF ? coat : bare;
    for (int i = 0; i < RINGS; i++) {
        ring[i] = from[i];
        double grow = i < RINGS - 1 ? g : 1;
        if (i < 2 && from != bare) /* wide bodies need no wider hem */
            grow = 1 + (g - 1) * 0.6;
        ring[i].rs *= grow, ring[i].rd *= grow;
    }
}

static void draw_overalls(const fig *f, const rig *r, const rig_shape *sh, const fk_drum *shirt, const fk_ring *ring) {
    double t = sh->torso;
    fk_ring low[4] = {ring[0], ring[1], ring[2], ring[2]};
    low[3].y = 0.56 * t;
    low[2].y = 0.30 * t;
    for (int i = 0; i < 4; i++) low[i].rs *= 1.04, low[i].rd *= 1.04;
    fk_drum d = *shirt;
    for (int i = -1; i <= 1; i += 2) { /* straps */
        fk_vec p[3];
        int n = 0;
        for (int j = 0; j < 3; j++)
            if (drum_facing(&d, i * 0.55) > -0.1)
                p[n++] = drum_at(&d, i * (0.55 + 0.2 * j), t * (0.70 + 0.16 * j), 1.02);
        if (n > 1) fk_stroke(f->kit, p, n, 0.030, f->main, FK_LINE, d.z + 0.001);
        n = 0;
        for (int j = 0; j < 3; j++)
            if (drum_facing(&d, FK_PI) > -0.1)
                p[n++] = drum_at(&d, FK_PI + i * (0.15 + 0.28 * j), t * (0.46 + 0.27 * j), 1.02);
        if (n > 1) fk_stroke(f->kit, p, n, 0.030, f->main, FK_LINE, d.z + 0.001);
    }
    drum_patch(f, &d, -0.78, 0.78, 0.40 * t, 0.80 * t, f->main, FK_CEL);
    fk_drum trousers = drum_draw(f, &r->chest, low, 4, 0, f->main, 0.001);
    trousers.z = d.z + 0.0015;
    fk_tone seam = fk_luma(f->main) > 0.5 ? fk_darker(f->main, 0.55) : fk_blend(f->main, fk_rgb(1, 1, 1), 0.3);
    drum_patch(f, &d, -0.4, 0.4, 0.60 * t, 0.74 * t, seam, FK_FLAT);
    for (int i = -1; i <= 1; i += 2) drum_spot(f, &trousers, i * 0.62, 0.76 * t, 0.014, fk_hex(0xf2c14b));
}

static void draw_torso(const fig *f, const rig *r, const rig_shape *sh, const body_style *st, const dress_code *dc) {
    fk_ring ring[RINGS];
    int o = f->look->outfit;
    torso_rings(ring, sh, st, o);
    double t = sh->torso, h = sh->hip;
    fk_tone white = fk_rgb(1, 1, 1);
    if (o == WORLD_JEANS || o == WORLD_TURTLENECK) { /* trousers first, the shirt hangs over them */
        fk_ring low[3] = {ring[0], ring[1], ring[1]};
        low[2].y = 0.12;
        (void)drum_draw(f, &r->chest, low, 3, 0, dc->leg, -0.001);
        fk_ring top[RINGS] = {
            {0.005, ring[1].rs * 1.07, ring[1].rd * 1.07, ring[1].d}, ring[2], ring[2], ring[3], ring[4], ring[5]};
        top[1].y = 0.25 * t;
        fk_drum d = drum_draw(f, &r->chest, top, RINGS, 1, dc->top, 0);
        fk_tone mark = fk_luma(f->main) > 0.62 ? fk_darker(f->main, 0.5) : fk_blend(f->main, white, 0.75);
        if (o == WORLD_JEANS)
            drum_spot(f, &d, 0, 0.62 * t, 0.034, mark);
        else {
            drum_patch(f, &d, -FK_PI, FK_PI, 0.002, 0.05, fk_darker(f->main, 0.45), FK_FLAT);
            fk_frame neck = fk_move(r->chest, 0, t + 0.012, 0.004);
            (void)fk_ellipsoid(f->kit, &neck, 0, 0, 0, 0.068, 0.036, 0.062, f->main, FK_CEL, 0.05);
            if (f->fine)
                (void)fk_ellipsoid(f->kit, &neck, 0, 0.016, 0, 0.066, 0.020, 0.060, fk_blend(f->main, white, 0.12),
                                   FK_CEL, 0.0505);
        }
        return;
    }
    fk_drum d = drum_draw(f, &r->chest, ring, RINGS, o == WORLD_DRESS || o == WORLD_SCARF, dc->top, 0);
    fk_tone mark = fk_luma(f->main) > 0.5 ? fk_darker(f->main, 0.6) : fk_blend(f->main, white, 0.6);
    if (o == WORLD_BARE && st->bare_belly) drum_oval(f, &d, 0, 0.95, -0.045, 0.80 * t, st->belly_tone);
    if (o == WORLD_BARE && st->stripes)
        for (int i = 0; i < 6; i++) {
            double y = -0.03 + 0.085 * (i / 2), az = i % 2 ? 1.75 : -1.75;
            drum_oval(f, &d, az, 0.72, y, y + 0.045, st->stripe_tone);
        }
    if (o == WORLD_OVERALLS) draw_overalls(f, r, sh, &d, ring);
    if (o == WORLD_DRESS) {
        drum_patch(f, &d, -FK_PI, FK_PI, 0.26 * t, 0.46 * t, mark, FK_FLAT);
        for (int i = 0; f->fine && i < 9; i++)
            drum_spot(f, &d, i * 2 * FK_PI / 9, i % 2 ? -0.38 * h : -0.12 * h, 0.016, fk_blend(mark, white, 0.4));
        for (int i = -1; f->fine && i <= 1; i++) drum_spot(f, &d, 0.3 * i, 0.92 * t - 0.02 * (1 - i * i), 0.013, white);
    }
    if (o == WORLD_SCARF) {
        drum_patch(f, &d, -0.05, 0.05, -0.58 * h, 0.85 * t, fk_darker(dc->top, 0.8), FK_FLAT);
        for (int i = 0; i < 3; i++) drum_spot(f, &d, 0.26, 0.45 * t - 0.3 * t * i, 0.013, fk_hex(0xe6c88a));
        fk_frame neck = fk_move(r->chest, 0, t + 0.008, 0.005);
        wear_scarf(f, &neck, 0.088, 0, 0.19, 0.05);
    }
}

void body_draw(const fig *f, const rig *r, const rig_shape *shape, const body_style *style) {
    dress_code dc = dress_of(f, style);
    double body_z = r->chest.o.z;
    for (int i = 0; i < 2; i++) draw_leg(f, r, style, &dc, i, body_z);
    draw_torso(f, r, shape, style, &dc);
    for (int i = 0; i < 2; i++) draw_arm(f, r, style, &dc, i, body_z);
    if (f->pose->action == WORLD_EAT && r->busy >= 0) prop_food(f, r->hand[r->busy], 0.088);
    if (f->pose->action == WORLD_PAINT && r->busy >= 0) prop_easel(f, r->hand[r->busy], 0);
}

void body_hat(const fig *f, const rig *r, double radius, double y) {
    if (f->look->outfit == WORLD_DRESS)
        wear_sun_hat(f, &r->head, radius, y, 0.03);
    else if (f->look->outfit == WORLD_TURTLENECK)
        wear_beret(f, &r->head, radius, y, 0.03);
    else if (f->look->outfit == WORLD_SCARF)
        wear_wool_hat(f, &r->head, radius, y, 0.03);
}
