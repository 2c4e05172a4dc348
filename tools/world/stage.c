/* Where camera and subjects are at time t. */
#include <math.h>
#include <string.h>

#include "tools/world/internal.h"

#define DISTANCE 3.6 /* of the camera from the subject; the lens follows from the size wanted */

static double clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

static double smooth(double u) {
    u = clamp(u, 0, 1);
    return u * u * (3 - 2 * u);
}

bool world_project(const world_frame *f, double x, double y, double z, double *sx, double *sy, double *depth) {
    double dx = x - f->cx, dz = z - f->cz;
    double d = dx * f->sin_yaw + dz * f->cos_yaw;
    *depth = d;
    if (d < .05) return false;
    *sx = f->px + f->focal * (dx * f->cos_yaw - dz * f->sin_yaw) / d;
    *sy = f->py - f->focal * (y - f->cy) / d;
    return true;
}

static double subject_scale(int subject) { return subject == WORLD_CAR ? 1.05 : subject == WORLD_BOAT ? 1.0 : 1.0; }

static double side_width(int subject) {
    return world_figure_width(subject) * world_figure_height(subject) * subject_scale(subject);
}

static bool is_legged(int subject) { return subject < WORLD_CAR; }

/* Cycles a second: quick enough that a clip of one second at 8 frames a second shows a whole one. */
static double tempo(int action) {
    switch (action) {
    case WORLD_RUN:
        return 1.7;
    case WORLD_STROLL:
    case WORLD_PASS:
        return 1.1;
    case WORLD_RETURN:
        return 1.4;
    case WORLD_JUMP:
        return 1.0;
    case WORLD_WAVE:
        return 1.3;
    case WORLD_DANCE:
        return .8;
    default:
        return .4;
    }
}

static void dress(world_actor *a, const world_scene *s, int subject, int outfit, int colour, uint64_t seed) {
    double rgb[3];
    world_colour_rgb(colour, rgb);
    memset(a, 0, sizeof *a);
    a->look.subject = subject;
    a->look.outfit = outfit;
    a->look.r = rgb[0];
    a->look.g = rgb[1];
    a->look.b = rgb[2];
    a->look.seed = world_hash(s->seed, seed);
    a->scale = subject_scale(subject);
}

/* The first subject's path. `room` is the visible width at z = 0. */
static void act(world_frame *f, world_actor *a, double room) {
    const world_scene *s = f->scene;
    double u = f->progress, t = f->time, sign = f->direction == WORLD_LEFT ? -1 : 1, w = side_width(a->look.subject);
    double free_half = fmax(0, room / 2 - w * .6);
    double speed = s->speed;
    a->pose.action = f->action;
    a->pose.emotion = s->attr[WORLD_EMOTION];
    a->pose.progress = u;
    a->pose.phase = t * tempo(f->action) * speed + (f->action == WORLD_STAND ? world_unit(s->seed, 71) : 0);
    a->pose.phase -= floor(a->pose.phase);
    a->x = s->offset * free_half * (f->camera == WORLD_PAN_LEFT || f->camera == WORLD_PAN_RIGHT ? .25 : 1);
    switch (f->action) {
    case WORLD_STROLL:
    case WORLD_RUN: {
        double v = (f->action == WORLD_RUN ? 1.5 : .55) * speed;
        if (f->direction == WORLD_LEFT || f->direction == WORLD_RIGHT) {
            double way = v * f->duration;
            if (f->camera != WORLD_TRACK) {
                double least = room * (f->action == WORLD_RUN ? .5 : .3); /* seen also in a short clip */
                double most = fmax(least, f->action == WORLD_RUN ? room - .4 * w : room - 1.1 * w);
                way = clamp(way, least, most);
                if (f->camera != WORLD_STILL) /* zooming narrows the view */
                    way *= .6;
                a->x = s->offset * (f->camera == WORLD_STILL ? .35 : .1) * fmax(0, room - way);
            } else {
                way = fmax(way, f->action == WORLD_RUN ? 1.4 : .7);
            }
            a->x += sign * way * (u - .5);
            a->pose.facing = sign * WORLD_PI / 2;
        } else {
            double reach = f->action == WORLD_RUN ? 4.0 : 2.2;
            double way = clamp(v * 1.6 * f->duration, reach * .6, reach);
            double near_end = f->camera == WORLD_TRACK ? 0 : -.35;
            a->x = s->offset * .5 * free_half;
            a->z = near_end + (f->direction == WORLD_TOWARD ? way * (1 - u) : way * u);
            a->pose.facing = f->direction == WORLD_TOWARD ? 0 : WORLD_PI;
            a->pose.facing += world_range(s->seed, 72, -.15, .15);
        }
        break;
    }
    case WORLD_PASS:
        a->x = sign * room * .40 * (2 * u - 1);
        a->pose.facing = sign * WORLD_PI / 2;
        break;
    case WORLD_RETURN: {
        double out = room / 2 + w * .65;
        bool back = u > .5;
        a->x = sign * out * ((back ? smooth((1 - u) / .42) : smooth(u / .42)));
        a->pose.facing = (back ? -sign : sign) * WORLD_PI / 2;
        if (u < .06 || u > .95) /* it sets out from, and arrives at, looking half at us */
            a->pose.facing *= .5;
        break;
    }
    case WORLD_TURN:
        a->pose.facing = 2 * WORLD_PI * (.12 * u + .88 * smooth(u)) * (world_hash(s->seed, 73) & 1 ? 1 : -1);
        break;
    case WORLD_JUMP:
        a->y = .34 * fmax(0, sin(WORLD_PI * clamp((a->pose.phase - .15) / .7, 0, 1)));
        a->pose.facing = world_range(s->seed, 74, -.5, .5);
        break;
    case WORLD_WAVE: /* with a bounce: a hand of two pixels alone would be missed in a small picture */
        a->pose.facing = world_range(s->seed, 74, -.4, .4);
        a->y = .02 * (1 - cos(4 * WORLD_PI * a->pose.phase));
        break;
    case WORLD_DANCE:
        a->pose.facing = .35 * sin(2 * WORLD_PI * a->pose.phase);
        break;
    case WORLD_PAINT: /* room for the easel, which stands on the side that the painter looks to */
        a->pose.facing = world_range(s->seed, 74, -.4, .4);
        a->x = (sin(a->pose.facing) < -.05 ? 1 : -1) * fmin(.26, .13 * room) + .25 * a->x;
        break;
    default:
        a->pose.facing = world_range(s->seed, 74, -.4, .4);
        break;
    }
    if (!is_legged(a->look.subject) && f->action <= WORLD_JUMP && (f->action == WORLD_STAND || f->action == WORLD_JUMP))
        a->pose.facing = (world_hash(s->seed, 75) & 1 ? 1 : -1) * world_range(s->seed, 76, 1.0, 1.5);
    a->pose.lift = a->y;
    if (a->look.subject == WORLD_FISH) {
        a->y += .05 * sin(2 * WORLD_PI * (t * .7 + world_unit(s->seed, 77)));
    }
}

static void act_second(world_frame *f, world_actor *b, const world_actor *a, double room) {
    const world_scene *s = f->scene;
    int relation = s->attr[WORLD_RELATION];
    double gap = .55 * (side_width(a->look.subject) + side_width(b->look.subject)) + .12;
    b->pose.action = WORLD_STAND;
    b->pose.progress = f->progress;
    b->pose.phase = f->time * tempo(WORLD_STAND) + world_unit(s->seed, 81);
    b->pose.phase -= floor(b->pose.phase);
    b->pose.facing = world_range(s->seed, 82, -.4, .4);
    if (!is_legged(b->look.subject))
        b->pose.facing = (world_hash(s->seed, 83) & 1 ? 1 : -1) * world_range(s->seed, 84, 1.0, 1.5);
    (void)room;
    switch (relation) {
    case WORLD_LEFT_OF:
        b->x = a->x + gap;
        break;
    case WORLD_RIGHT_OF:
        b->x = a->x - gap;
        break;
    case WORLD_BEHIND:
        b->x = a->x + (world_hash(s->seed, 85) & 1 ? .62 : -.62) * gap;
        b->z = -.75;
        break;
    case WORLD_CHASING:
        b->x = a->x + (f->direction == WORLD_LEFT ? -1 : 1) * (gap + .08);
        b->z = .25;
        b->pose = a->pose;
        b->pose.emotion = WORLD_NEUTRAL;
        b->pose.phase = f->time * tempo(WORLD_RUN) * s->speed * 1.1 + .4;
        b->pose.phase -= floor(b->pose.phase);
        break;
    default:
        break;
    }
    if (b->look.subject == WORLD_FISH) b->y += .05 * sin(2 * WORLD_PI * (f->time * .7 + world_unit(s->seed, 86)));
}

void world_stage(world_frame *f, const world_scene *s, int width, int height, double t, double duration) {
    memset(f, 0, sizeof *f);
    f->scene = s;
    f->width = width;
    f->height = height;
    f->seed = s->decor;
    if (duration <= 0) duration = 1;
    if (s->image) { /* some moment from the middle of a clip of two seconds */
        duration = 2;
        t = world_range(s->seed, 50, .25, .75) * duration;
    }
    double u = clamp(t / duration, 0, 1);
    f->place = s->attr[WORLD_PLACE];
    f->condition = s->attr[WORLD_CONDITION];
    f->action = s->attr[WORLD_ACTION];
    f->direction = s->attr[WORLD_DIRECTION];
    f->camera = s->attr[WORLD_CAMERA];
    f->time = t;
    f->duration = duration;
    f->progress = u;
    double share = s->height;
    if (s->attr[WORLD_SHOTS] != WORLD_ONE_SHOT) {
        bool second = u >= s->cut;
        f->shot = second;
        f->duration = second ? duration * (1 - s->cut) : duration * s->cut;
        f->time = second ? t - duration * s->cut : t;
        f->progress = clamp(f->time / f->duration, 0, 1);
        if (second && s->attr[WORLD_SHOTS] == WORLD_CLOSE_UP_CUT) share *= 1.9;
        if (second && s->attr[WORLD_SHOTS] == WORLD_PLACE_CUT) {
            f->place = s->place2;
            f->condition = s->condition2;
        }
    }
    f->water =
        s->attr[WORLD_SUBJECT] == WORLD_BOAT || (s->attr[WORLD_RELATION] && s->attr[WORLD_SUBJECT2] == WORLD_BOAT);

    world_actor *a = &f->actor[0];
    f->actors = 1;
    dress(a, s, s->attr[WORLD_SUBJECT], s->attr[WORLD_OUTFIT], s->attr[WORLD_COLOUR], 61);
    bool pair = s->attr[WORLD_RELATION] != WORLD_ALONE;
    double widest = side_width(a->look.subject), aspect = (double)width / height;
    if (pair) {
        dress(&f->actor[1], s, s->attr[WORLD_SUBJECT2], s->attr[WORLD_OUTFIT2], s->attr[WORLD_COLOUR2], 62);
        f->actors = 2;
        widest = 1.25 * (side_width(a->look.subject) + side_width(f->actor[1].look.subject)) + .1;
    }
    if (!pair && !is_legged(a->look.subject) &&
        (f->direction == WORLD_TOWARD || f->direction == WORLD_AWAY)) /* long, but seen from an end */
        widest *= .62;
    if (f->action == WORLD_PASS)
        widest *= 2.6;
    else if (f->action == WORLD_PAINT)
        widest += .55;
    else if ((f->action == WORLD_STROLL || f->action == WORLD_RUN) &&
             (f->direction == WORLD_LEFT || f->direction == WORLD_RIGHT) && f->camera != WORLD_TRACK && !pair)
        widest *= 1.3;
    /* Wide subjects and narrow pictures: everything must still fit. */
    bool close = f->shot && s->attr[WORLD_SHOTS] == WORLD_CLOSE_UP_CUT;
    share = fmin(share, (close ? 1.3 : .87) * aspect / widest);
    if (s->attr[WORLD_KIND] == WORLD_GAME) share *= .62; /* a player needs to see what comes */
    f->share = share;
    double room = aspect / share; /* visible width at the subject */

    act(f, a, room);
    if (s->attr[WORLD_KIND] == WORLD_GAME) world_game_play(f, a);
    if (pair) {
        act_second(f, &f->actor[1], a, room);
        double middle =
            f->action == WORLD_RUN ? 0 : .5 * (a->x + f->actor[1].x); /* the pair is centred, not one of them */
        double shift =
            f->action == WORLD_RUN ? .5 * (f->actor[1].x - a->x) : middle - s->offset * .2 * fmax(0, room - widest);
        a->x -= shift;
        f->actor[1].x -= shift;
    }

    /* Camera. */
    double zoom = 1, distance = DISTANCE, angle = 0, pan = 0;
    double ease = .25 * f->progress + .75 * smooth(f->progress);
    switch (f->camera) {
    case WORLD_ZOOM_IN:
        zoom = .72 * pow(1.95, ease);
        break;
    case WORLD_ZOOM_OUT:
        zoom = .72 * pow(1.95, 1 - ease);
        break;
    case WORLD_DOLLY:
        distance = DISTANCE * (1.55 - .72 * ease);
        break;
    case WORLD_ORBIT:
        angle = (world_hash(s->seed, 91) & 1 ? 1 : -1) * .95 * (ease - .5);
        break;
    case WORLD_PAN_LEFT:
    case WORLD_PAN_RIGHT:
        pan = (f->camera == WORLD_PAN_LEFT ? -1 : 1) * (ease - .5) * .56 * room / DISTANCE;
        break;
    default:
        break;
    }
    f->focal = share * zoom * DISTANCE * height;
    double target_x = 0, target_z = 0;
    if (f->camera == WORLD_TRACK) {
        target_x = a->x - (s->attr[WORLD_KIND] == WORLD_GAME ? 0 : s->offset * .2);
        target_z = a->z;
        if (pair) target_x = .5 * (a->x + f->actor[1].x);
    } else if (f->camera == WORLD_ORBIT) {
        target_x = a->x;
    }
    f->cx = target_x - distance * sin(angle);
    f->cz = target_z - distance * cos(angle);
    f->yaw = angle + pan;
    f->cos_yaw = cos(f->yaw);
    f->sin_yaw = sin(f->yaw);
    f->cy = s->eye;
    f->px = width * .5;
    /* Vertical shift instead of pitch keeps walls upright: feet sit low in the picture, the head never leaves it. */
    double seen = share * zoom * DISTANCE / distance;
    double tall = world_figure_height(a->look.subject) * a->scale;
    double body = seen * tall;
    double feet = body < .9 ? .54 + body / 2 : .09 + body;
    if (f->action == WORLD_JUMP) feet = fmin(.95, feet + .06);
    f->py = (feet - seen * f->cy) * height;
    if (s->attr[WORLD_KIND] == WORLD_GAME) {
        f->px = width * (f->direction == WORLD_LEFT ? .66 : .34);
        f->py = (.74 - seen * f->cy) * height;
    }
    /* A figure is drawn as it looks from where the camera is. */
    for (int i = 0; i < f->actors; i++) {
        double dx = f->actor[i].x - f->cx, dz = f->actor[i].z - f->cz;
        f->actor[i].pose.facing += f->camera == WORLD_ORBIT ? atan2(dx, dz) : 0;
    }
    if (f->action == WORLD_PASS) {
        f->cover = true;
        f->cover_z = -.55;
        f->cover_x = 0;
        f->cover_width = fmax(.62, side_width(a->look.subject) * 1.15);
        f->cover_height = fmax(.8, tall * 1.12);
    }
    world_palette_make(&f->palette, f->place, f->condition, f->water);
    int style = s->attr[WORLD_STYLE];
    if (f->condition == WORLD_SNOWSTORM && (style == WORLD_CHARCOAL || style == WORLD_FILM)) {
        world_palette *p = &f->palette; /* without colours white flakes need a darker sky */
        world_rgb slate = {.38, .38, .38};
        p->sky_top = world_mix(p->sky_top, slate, .75);
        p->sky_low = world_mix(p->sky_low, slate, .55);
        p->haze = p->sky_low;
    }
}

bool world_bounds(const world_scene *scene, int width, int height, double t, double duration, double box[4]) {
    world_frame f;
    double sx, sy, depth;
    world_stage(&f, scene, width, height, t, duration);
    const world_actor *a = &f.actor[0];
    for (int i = 0; i < 4; i++) box[i] = 0;
    if (!world_project(&f, a->x, a->y, a->z, &sx, &sy, &depth)) return false;
    double unit = f.focal / depth * a->scale, tall = unit * world_figure_height(a->look.subject);
    double half = .5 * tall * world_figure_width(a->look.subject) * (.6 + .4 * fabs(sin(a->pose.facing)));
    box[0] = (sx - half) / width;
    box[1] = (sy - tall) / height;
    box[2] = (sx + half) / width;
    box[3] = sy / height;
    return box[2] > 0 && box[0] < 1;
}
