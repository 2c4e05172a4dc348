#include "tools/world/figure_body.h"

#include <math.h>

/* The monster: a round shaggy thing with horns, one large eye and a wide mouth. */
void figure_monster(const fig *f) {
    static const rig_shape sh = {0.17, 0.095, 0.26, 0.19, 0.115, 0.20, 0.065, 0.045, 0.0, 0.25, 0};
    fk_kit *k = f->kit;
    rig r;
    rig_biped(&r, f, &sh);
    const fk_frame *h = &r.head;
    int bare = f->look->outfit == WORLD_BARE;
    fk_tone fur = bare ? f->main : fk_hex(0x3fb8ad), horn = fk_hex(0xfbe9c0), belly = fk_blend(fur, fk_rgb(1, 1, 1), 0.45);
    body_style st = {.girth = 2.15, .belly = 0.02, .leg = 0.062, .arm = 0.052, .hand = 0.066, .foot = 1.8, .skin = fur, .hand_tone = fk_darker(fur, 0.35),
                     .foot_tone = fk_darker(fur, 0.35), .belly_tone = belly, .bare_belly = 1};
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
    face_style fs = {&b, &b, 0.0, 0.22, 0.36, -0.48, 0.42, 0.0, fur, fur, fk_hex(0xe8b020), 1, 0, 0, 1};
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
            fk_patch_line(k, &b, 0, 0.24, (const double(*)[2])p, 5, 0.042, dark);
        } else {
            double pupil = em == WORLD_SURPRISED ? 0.13 : 0.20;
            fk_patch(k, &b, 0, 0.24, 0.37 * open, 0.36 * open, 0, white, FK_LINE);
            fk_patch(k, &b, 0, 0.21, pupil * 1.28, pupil * 1.28, 0, fs.iris, FK_FLAT);
            fk_patch(k, &b, 0, 0.21, pupil * 0.85, pupil * 0.85, 0, dark, FK_FLAT);
            fk_patch(k, &b, -0.10, 0.33, 0.07, 0.07, 0, white, FK_FLAT);
            if (em == WORLD_SAD || em == WORLD_ANGRY) {
                double mid = em == WORLD_SAD ? 0.34 : 0.02, end = em == WORLD_SAD ? 0.0 : 0.30;
                double p[6][2] = {{-0.45, end}, {0, mid}, {0.45, end}, {0.45, 0.5}, {0, 0.55}, {-0.45, 0.5}}, q[3][2] = {{-0.45, end}, {0, mid}, {0.45, end}};
                fk_patch_shape(k, &b, 0, 0.24, (const double(*)[2])p, 6, 0, fur, FK_FLAT);
                fk_patch_line(k, &b, 0, 0.24, (const double(*)[2])q, 3, 0.03, fk_darker(fur, 1.0));
            }
            if (em == WORLD_SAD)
                fk_patch(k, &b, 0.28, -0.12, 0.07, 0.13, 0, fk_rgb(0.45, 0.78, 1.0), FK_FLAT);
        }
    }
    /* Mouth: the common one, without eyes, and two fangs. */
    face_style mouth = fs;
    mouth.eye_az = FK_PI; /* eyes out of sight */
    mouth.eye = 0.01;
    if (fk_facing_of(&b, 0, -0.4) > 0)
        face_draw(f, &r, &mouth);
    static const double fang[3][2] = {{-0.07, 0}, {0.07, 0}, {0, 0.2}};
    for (int i = -1; i <= 1; i += 2)
        if (em != WORLD_SURPRISED)
            fk_patch_shape(k, &b, i * 0.24, -0.50, fang, 3, 0, white, f->fine ? FK_LINE : FK_FLAT);
    body_hat(f, &r, 0.235, 0.12);
}
