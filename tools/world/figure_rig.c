#include "tools/world/figure_rig.h"

#include <math.h>

int rig_near_hand(double facing) { return sin(facing) >= -0.25 ? 1 : 0; }

double rig_bite(double progress) {
    static const double at[3] = {0.3, 0.6, 0.9};
    double near = 0;
    for (int i = 0; i < 3; i++) {
        double t = (progress - at[i]) / 0.11;
        near = fmax(near, exp(-t * t));
    }
    return near;
}

fk_tone rig_far(fk_tone t, double z, double body_z) { return fk_darker(t, 0.6 * fk_smooth(0.03, 0.12, body_z - z)); }

fk_frame rig_look(fk_frame head, double facing, const world_pose *pose) {
    double toward = -0.38 * sin(facing) * (cos(facing) > 0 ? 1 : 0.5 + 0.5 * fk_smooth(-1, 0, cos(facing)));
    if (pose->action == WORLD_PAINT) toward = prop_side(facing) * 0.25 * fmax(cos(facing), 0) - 0.25 * sin(facing);
    return fk_yaw(head, toward);
}

typedef struct gait {
    double s[2], d[2], y[2], toe[2];               /* feet: sideways, forward, lifted, pitch (positive: toes down) */
    double drop, sway, roll, yaw, lean, nod, tilt; /* body */
    double stretch;                                /* vertical scale - 1 */
    double arm_d[2], arm_s[2], elbow[2];           /* swing forward, outward, bend: radians */
} gait;

static double bump(double x, double at, double width) {
    double t = (x - at) / width;
    return exp(-t * t);
}

static void pose_feet(gait *g, const rig_shape *sh, double phi, double stride, double lift, double kick) {
    for (int i = 0; i < 2; i++) {
        double a = phi + (i && !sh->hop ? FK_PI : 0), c = cos(a), s = sin(a);
        double swing = s < 0 ? -s : 0;
        g->d[i] = stride * c - kick * swing * swing * 0.4;
        g->y[i] = lift * swing + kick * (s < 0 ? fmax(0, -c * -s) : 0) * 0.6;
        g->toe[i] =
            s < 0 ? 0.55 * fmax(-c, 0) * swing * 2 - 0.3 * fmax(c, 0) : -0.25 * fmax(c, 0) + 0.35 * fmax(-c - 0.5, 0);
    }
}

static void pose_jump(gait *g, double u, double lift) {
    double crouch = 1 - fk_smooth(0, 0.2, u) * (1 - fk_smooth(0.8, 1, u));
    double fly = fk_smooth(0.12, 0.34, u) * (1 - fk_smooth(0.66, 0.88, u));
    double push = bump(u, 0.2, 0.08);
    g->drop += 0.10 * crouch;
    g->stretch += 0.07 * push - 0.09 * crouch;
    g->lean += 0.30 * crouch - 0.05 * fly;
    double tuck = fly * (lift > 0.02 ? 1 : 0.6);
    for (int i = 0; i < 2; i++) {
        g->s[i] += (i ? -1 : 1) * 0.03 * fly;
        g->y[i] += 0.07 * tuck * (i ? 1 : 0.7);
        g->toe[i] = 0.6 * fly;
        g->arm_s[i] = 0.35 + 1.75 * fly;
        g->arm_d[i] = -0.9 * crouch + 0.25 * fly;
        g->elbow[i] = 0.5 - 0.35 * fly;
    }
}

static void pose_dance(gait *g, double phi) {
    double c = cos(phi), s2 = sin(2 * phi);
    g->sway = 0.045 * c;
    g->roll = -0.16 * c;
    g->tilt = 0.2 * c;
    g->yaw = 0.25 * c;
    g->drop += 0.018 + 0.018 * s2;
    g->stretch += -0.03 * s2;
    double up[2] = {fk_smooth(-0.5, 0.5, c), fk_smooth(-0.5, 0.5, -c)};
    for (int i = 0; i < 2; i++) {
        g->arm_s[i] = 0.7 + 1.45 * up[i];
        g->arm_d[i] = 0.25;
        g->elbow[i] = 0.5 + 0.6 * (1 - up[i]);
        g->s[i] = (i ? -1 : 1) * 0.025;
        g->y[i] = 0.075 * fmax(0, (i ? c : -c) - 0.25);
        g->toe[i] = g->y[i] > 0 ? 0.5 : 0;
    }
}

/* Both legs push off together: the body flies while the feet come forward. */
static void pose_hop(gait *g, double s, double c, double height) {
    double fly = fmax(0, -s) * height;
    g->drop = 0.025 * fmax(0, s) - fly;
    g->y[0] += fly, g->y[1] += fly;
    g->arm_d[0] = g->arm_d[1] = 0.6 + 0.2 * c;
    g->elbow[0] = g->elbow[1] = 0.9;
    g->roll = g->yaw = 0;
    g->lean += 0.10 * c;
}

/* Someone who just stands shows a mood with the whole body. */
static void pose_mood(gait *g, int emotion, double s) {
    for (int i = 0; i < 2; i++) {
        double up = i ? -s : s;
        if (emotion == WORLD_HAPPY) /* arms open */
            g->arm_s[i] = 1.15 + 0.1 * up, g->elbow[i] = 0.9, g->arm_d[i] = 0.2;
        else if (emotion == WORLD_SAD) /* everything hangs */
            g->arm_s[i] = 0.10, g->elbow[i] = 0.15, g->arm_d[i] = 0.18;
        else if (emotion == WORLD_ANGRY) /* arms down and stiff, fists out */
            g->arm_s[i] = 0.75, g->elbow[i] = -0.1, g->arm_d[i] = -0.25;
        else if (emotion == WORLD_SURPRISED) /* hands up */
            g->arm_s[i] = 1.75 + 0.05 * up, g->elbow[i] = 0.2, g->arm_d[i] = 0.25;
    }
    if (emotion == WORLD_SAD) g->lean += 0.14, g->drop += 0.012;
    if (emotion == WORLD_ANGRY) g->lean += 0.10, g->nod = 0.12;
    if (emotion == WORLD_SURPRISED) g->lean -= 0.08, g->stretch += 0.02;
    if (emotion == WORLD_HAPPY) g->tilt = 0.10 * s, g->stretch += 0.012 * s;
}

static void pose_body(gait *g, rig *r, const fig *f, const rig_shape *sh) {
    const world_pose *p = f->pose;
    double u = p->phase - floor(p->phase), phi = 2 * FK_PI * u, s = sin(phi), c = cos(phi);
    *g = (gait){.lean = sh->lean};
    for (int i = 0; i < 2; i++) g->arm_s[i] = 0.22, g->elbow[i] = 0.25;
    r->busy = -1;
    r->blink = (p->action == WORLD_STAND || p->action == WORLD_TURN) && u > 0.93;
    switch (p->action) {
    case WORLD_STROLL:
    case WORLD_PASS:
    case WORLD_RETURN:
        pose_feet(g, sh, phi, sh->stride, sh->lift, 0);
        g->drop = 0.014 + 0.014 * cos(2 * phi);
        g->roll = 0.045 * s, g->yaw = 0.12 * c;
        for (int i = 0; i < 2; i++)
            g->arm_d[i] = (i ? 0.62 : -0.62) * c, g->elbow[i] = 0.3 + 0.25 * fmax(0, i ? c : -c);
        if (sh->hop) pose_hop(g, s, c, 0.07);
        break;
    case WORLD_RUN:
        pose_feet(g, sh, phi, sh->stride * 1.55, sh->lift * 1.5, 0.16);
        g->drop = 0.02 - 0.035 * cos(2 * phi + 0.8);
        g->lean += 0.30, g->nod = -0.18, g->yaw = 0.22 * c;
        for (int i = 0; i < 2; i++) g->arm_d[i] = (i ? 1.05 : -1.05) * c + 0.1, g->elbow[i] = 1.5, g->arm_s[i] = 0.28;
        if (sh->hop) pose_hop(g, s, c, 0.13);
        break;
    case WORLD_JUMP:
        pose_jump(g, u, p->lift);
        break;
    case WORLD_WAVE:
        r->busy = rig_near_hand(p->facing);
        g->roll = (r->busy ? 1 : -1) * 0.05;
        g->tilt = (r->busy ? -1 : 1) * 0.12;
        g->stretch = 0.01 * s;
        break;
    case WORLD_DANCE:
        pose_dance(g, phi);
        break;
    case WORLD_TURN:
        for (int i = 0; i < 2; i++) {
            g->y[i] = 0.04 * fmax(0, i ? s : -s);
            g->arm_s[i] = 0.5, g->elbow[i] = 0.35;
        }
        g->drop = 0.008 + 0.008 * cos(2 * phi);
        break;
    case WORLD_EAT:
    case WORLD_PAINT:
        r->busy = rig_near_hand(p->facing);
        if (p->action == WORLD_PAINT && cos(p->facing) * prop_side(p->facing) > 0.25)
            r->busy = 0; /* the hand next to the easel */
        else if (p->action == WORLD_PAINT && cos(p->facing) * prop_side(p->facing) < -0.25)
            r->busy = 1;
        g->stretch = 0.008 * s;
        break;
    default:
        g->stretch = 0.012 * s;
        g->sway = 0.006 * c;
        g->tilt = 0.05 * s;
        for (int i = 0; i < 2; i++) g->arm_s[i] += 0.03 * s;
        if (p->action == WORLD_STAND) pose_mood(g, p->emotion, s);
        break;
    }
}

static void pose_busy_hand(rig *r, const fig *f, const rig_shape *sh) {
    const world_pose *p = f->pose;
    int b = r->busy;
    double side = b ? -1 : 1;
    if (p->action == WORLD_EAT) {
        double near = rig_bite(p->progress), front = fmax(cos(p->facing), 0);
        r->chew = near;
        /* In front of the body and a little to the side, so that the food is never hidden; then to the mouth. */
        fk_vec rest =
            fk_at(&r->chest, side * (sh->shoulder_w * 1.0 + 0.05 * front), sh->torso * 0.80, 0.20 + 0.03 * (1 - front));
        fk_vec mouth = fk_at(&r->head, side * 0.06, -0.12, 0.20);
        r->hand[b] = fk_mix(rest, mouth, near);
    } else if (p->action == WORLD_WAVE) { /* clear of the head: to the side, in side views also forward */
        double swing = sin(2 * FK_PI * p->phase), out = 0.80 + 0.60 * swing, along = fabs(sin(p->facing));
        r->hand[b] = fk_add(r->shoulder[b],
                            fk_dir(&r->chest, side * sh->arm * (1.25 - 0.5 * along + out * (1 - along)),
                                   sh->arm * (2.15 - 0.55 * fmax(swing, 0)), sh->arm * (0.2 + (0.75 + out) * along)));
    } else if (p->action == WORLD_PAINT) {
        fk_vec tip = prop_brush_tip(f), from = r->shoulder[b], to = fk_sub(tip, from);
        double len = fk_len(to), keep = fmin(len - 0.06, 2 * sh->arm * 0.97);
        r->hand[b] = fk_add(from, fk_mul(to, fmax(keep, 0.05) / len));
        r->hand[b].y -= 0.02;
    }
}

void rig_biped(rig *r, const fig *f, const rig_shape *sh) {
    const world_pose *p = f->pose;
    gait g;
    *r = (rig){.busy = -1};
    pose_body(&g, r, f, sh);
    double wide = 1 / sqrt(1 + g.stretch);
    r->root = fk_scale(fk_root(p->facing, FK_TILT), wide, 1 + g.stretch, wide);

    fk_frame base = fk_move(r->root, g.sway, sh->hip - g.drop, 0);
    fk_frame pelvis = fk_yaw(base, -0.5 * g.yaw);
    r->chest = fk_roll(fk_pitch(fk_yaw(base, g.yaw), g.lean), g.roll);
    double bone = (sh->hip - 0.035) * 0.51;
    for (int i = 0; i < 2; i++) {
        double side = i ? -1 : 1;
        r->hip[i] = fk_at(&pelvis, side * sh->hip_w, 0, 0);
        r->ankle[i] = fk_at(&r->root, side * (sh->hip_w * 1.05) + g.s[i], 0.045 + g.y[i], g.d[i]);
        fk_vec pole = fk_dir(&r->root, side * 0.25, 0.05, 1);
        r->knee[i] = fk_bend(r->hip[i], &r->ankle[i], bone, bone, pole);
        fk_frame foot = r->root;
        foot.o = r->ankle[i];
        r->foot[i] = fk_pitch(fk_yaw(foot, side * (sh->splay + 0.08)), g.toe[i]);
    }
    fk_frame neck = fk_move(r->chest, 0, sh->torso, 0);
    r->head = fk_roll(fk_pitch(neck, -0.75 * g.lean + g.nod * 0.6), g.tilt);
    r->head = fk_move(rig_look(r->head, p->facing, p), 0, sh->neck, 0);
    if (p->emotion == WORLD_SAD) r->head = fk_move(fk_pitch(r->head, 0.16), 0, -0.008, 0.01);

    for (int i = 0; i < 2; i++) {
        double side = i ? -1 : 1;
        r->shoulder[i] = fk_at(&r->chest, side * sh->shoulder_w, sh->torso, 0);
        fk_frame arm = r->chest;
        arm.o = r->shoulder[i];
        arm = fk_pitch(fk_roll(arm, -side * g.arm_s[i]), -g.arm_d[i]);
        r->elbow[i] = fk_at(&arm, 0, -sh->arm, 0);
        double up = fk_smooth(0.7, 1.5, g.arm_s[i]); /* a hanging arm bends forward, a raised one upward */
        fk_frame fore = fk_pitch(fk_roll(arm, -side * up * (g.elbow[i] - 0.25)), -g.elbow[i] * (1 - up));
        fore.o = r->elbow[i];
        r->hand[i] = fk_at(&fore, 0, -sh->arm, 0.02 * up);
    }
    if (p->action == WORLD_EAT || p->action == WORLD_PAINT || p->action == WORLD_WAVE) {
        pose_busy_hand(r, f, sh);
        int b = r->busy;
        fk_vec pole = fk_dir(&r->chest, b ? -0.8 : 0.8, -1, -0.2);
        double len = sh->arm * (p->action == WORLD_WAVE ? 1.5 : 1.0);
        r->elbow[b] = fk_bend(r->shoulder[b], &r->hand[b], len, len, pole);
    }
}

/* ---- drums ---- */

fk_drum drum_draw(const fig *f, const fk_frame *at, const fk_ring *ring, int n, int skirt, fk_tone tone, double bias) {
    fk_drum d = {*at, ring, n, 0, 0};
    fk_frame mid = fk_move(*at, 0, 0, 0);
    fk_lathe(f->kit, &mid, ring, n, skirt, tone, FK_CEL, bias);
    d.z = at->o.z + bias;
    d.view = atan2(at->s.z, at->d.z);
    return d;
}

double drum_facing(const fk_drum *d, double az) { return cos(az - d->view); }

/* rel: azimuth from the viewer; what is behind is put on the outline. */
static fk_vec drum_point(const fk_drum *d, double rel, double y, double out) {
    double az = d->view + fk_clamp(rel, -FK_PI / 2, FK_PI / 2);
    int i = 0;
    while (i < d->n - 2 && d->ring[i + 1].y < y) i++;
    const fk_ring *a = &d->ring[i], *b = &d->ring[i + 1];
    double t = fk_clamp((y - a->y) / (b->y - a->y), 0, 1);
    double rs = a->rs + (b->rs - a->rs) * t, rd = a->rd + (b->rd - a->rd) * t, fd = a->d + (b->d - a->d) * t;
    return fk_at(&d->f, sin(az) * rs * out, y, cos(az) * rd * out + fd);
}

fk_vec drum_at(const fk_drum *d, double az, double y, double out) {
    return drum_point(d, remainder(az - d->view, 2 * FK_PI), y, out);
}

void drum_patch(const fig *f, const fk_drum *d, double az0, double az1, double y0, double y1, fk_tone tone, int flags) {
    enum { N = 5 };
    fk_vec p[2 * N];
    double h = (az1 - az0) / 2, c = h > 3.1 ? 0 : remainder((az0 + az1) / 2 - d->view, 2 * FK_PI);
    double lo = fk_clamp(c - h, -FK_PI / 2, FK_PI / 2), hi = fk_clamp(c + h, -FK_PI / 2, FK_PI / 2);
    if (hi - lo < 0.02) return;
    for (int i = 0; i < N; i++) {
        double rel = lo + (hi - lo) * i / (N - 1);
        p[i] = drum_point(d, rel, y0, 1);
        p[2 * N - 1 - i] = drum_point(d, rel, y1, 1);
    }
    fk_polygon(f->kit, p, 2 * N, 0, tone, flags, d->z);
}

void drum_oval(const fig *f, const fk_drum *d, double az, double ra, double y0, double y1, fk_tone tone) {
    enum { N = 12 };
    fk_vec p[N];
    int seen = 0;
    double c = remainder(az - d->view, 2 * FK_PI);
    for (int i = 0; i < N; i++) {
        double t = 2 * FK_PI * i / N, rel = c + ra * cos(t);
        seen += fabs(rel) < FK_PI / 2;
        p[i] = drum_point(d, rel, (y0 + y1) / 2 + (y1 - y0) / 2 * sin(t), 1);
    }
    if (seen > 0) fk_curve(f->kit, p, N, tone, FK_FLAT, d->z);
}

void drum_spot(const fig *f, const fk_drum *d, double az, double y, double r, fk_tone tone) {
    double front = drum_facing(d, az);
    if (front < 0.15) return;
    fk_vec c = drum_at(d, az, y, 1);
    fk_frame at = {c, {front, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    (void)fk_ellipsoid(f->kit, &at, 0, 0, 0, r, r, 0.001, tone, FK_FLAT, d->z + 1e-6 - c.z);
}
