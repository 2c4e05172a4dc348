/* What the files of the renderer share. Space: x right, y up, z away from the camera, in heights of a person; the
 * ground is y = 0, the first subject passes through z = 0. */
#ifndef SORA_TOOLS_WORLD_INTERNAL_H
#define SORA_TOOLS_WORLD_INTERNAL_H

#include <cairo.h>

#include "tools/world/figure.h"
#include "tools/world/world.h"

#define WORLD_PI 3.14159265358979323846

typedef struct world_rgb {
    double r, g, b;
} world_rgb;

typedef struct world_palette {
    world_rgb sky_top, sky_low; /* sky, top to horizon */
    world_rgb ground_far, ground_near;
    world_rgb haze;  /* what distance fades to */
    world_rgb light; /* multiplies everything that does not shine itself */
    world_rgb leaf;  /* foliage */
    double fog;      /* haze per unit of depth */
    double dark;     /* 0 day .. 1 night: windows and lamps are lit */
    double snow;     /* 0..1: how much snow lies */
} world_palette;

typedef struct world_actor {
    world_look look;
    world_pose pose;
    double x, y, z; /* of its feet */
    double scale;   /* world units of one figure unit */
} world_actor;

/* Everything about one frame of one shot. */
typedef struct world_frame {
    const world_scene *scene;
    cairo_t *cr;
    int width, height;
    double time, progress, duration; /* seconds, 0..1, seconds; of this shot */
    int shot;
    int place, condition;
    int action, direction, camera;
    bool water;                               /* the subject floats: the ground is water */
    uint64_t seed;                            /* of the scenery */
    double share;                             /* share of the frame's height of one unit at z = 0 */
    double cx, cy, cz, yaw, cos_yaw, sin_yaw; /* camera */
    double focal, px, py;                     /* pixels; py is the row of the horizon */
    int actors;
    world_actor actor[2];
    bool cover; /* a thing stands in front of the path */
    double cover_x, cover_width, cover_height, cover_z;
    world_palette palette;
    double depth, hazed, pixel; /* of the item being drawn: depth, share of haze, pixels of one unit */
} world_frame;

/* One piece of furniture. */
typedef struct world_item {
    double x, z, size, depth;
    uint64_t seed;
    int kind; /* PROP_..., or -1 - actor, or PROP_COVER */
} world_item;

/* random.c: the only source of chance, a hash of seed and label */
uint64_t world_hash(uint64_t seed, uint64_t label);
double world_unit(uint64_t seed, uint64_t label); /* 0 <= u < 1 */
double world_range(uint64_t seed, uint64_t label, double lo, double hi);
double world_noise(uint64_t seed, double x); /* smooth, -1..1 */

/* stage.c: camera and subjects of the frame at time t */
void world_stage(world_frame *f, const world_scene *s, int width, int height, double t, double duration);
bool world_project(const world_frame *f, double x, double y, double z, double *sx, double *sy, double *depth);

/* palette.c */
void world_palette_make(world_palette *p, int place, int condition, bool water);

/* draw.c: colours go through light and haze of the current item */
world_rgb world_mix(world_rgb a, world_rgb b, double t);
void world_ink(world_frame *f, double r, double g, double b);
void world_ink_a(world_frame *f, double r, double g, double b, double a);
void world_ink_c(world_frame *f, world_rgb c);
void world_shine(world_frame *f, double r, double g, double b, double a); /* not darkened by night */
void world_poly(world_frame *f, int n, const double *xy);
void world_oval(world_frame *f, double x, double y, double rx, double ry);
void world_box(world_frame *f, double x, double y, double w, double h);
void world_ground_poly(world_frame *f, int n,
                       const double *xz);               /* polygon on the ground, clipped, as a path and filled */
void world_strip(world_frame *f, double z0, double z1); /* whole width of the ground between two depths */

/* sky.c, ground.c, layout.c, props_*.c, weather.c, style.c, game.c */
void world_sky(world_frame *f);
void world_ground(world_frame *f);
int world_layout(const world_frame *f, world_item *items, int capacity);
void world_prop(world_frame *f,
                const world_item *item); /* cr stands at the item's foot, y up, one unit = one world unit */
bool world_prop_nature(world_frame *f, const world_item *item);
bool world_prop_town(world_frame *f, const world_item *item);
void world_cover(world_frame *f, double width, double height);
void world_weather(world_frame *f, bool front);
void world_game_play(world_frame *f, world_actor *a); /* game.c: where the player is */
void world_game(world_frame *f, bool front);
int world_style(const world_frame *f, uint8_t *rgb); /* -1: no memory */

enum {
    PROP_NONE,
    PROP_TREE,
    PROP_PINE,
    PROP_PALM,
    PROP_JACARANDA,
    PROP_BUSH,
    PROP_GRASS,
    PROP_FLOWER,
    PROP_ROCK,
    PROP_CACTUS,
    PROP_JOSHUA,
    PROP_DUNE,
    PROP_SNOWDRIFT,
    PROP_ICEBERG,
    PROP_PENGUIN,
    PROP_VINE_TREE,
    PROP_FERN,
    PROP_KELP,
    PROP_CORAL_FAN,
    PROP_CORAL_BRANCH,
    PROP_CORAL_BRAIN,
    PROP_ANEMONE,
    PROP_SMALL_FISH,
    PROP_WRECK,
    PROP_CRATER,
    PROP_MOON_ROCK,
    PROP_ROCKET,
    PROP_SHELL,
    PROP_HAY,
    PROP_SNOW_PEAK,
    PROP_MESA,
    PROP_TOWN = 64,
    PROP_HOUSE,
    PROP_COTTAGE,
    PROP_BUILDING,
    PROP_SKYSCRAPER,
    PROP_NEON_TOWER,
    PROP_NEON_SIGN,
    PROP_LAMP,
    PROP_FENCE,
    PROP_HUT,
    PROP_UMBRELLA,
    PROP_CASTLE,
    PROP_TOWER,
    PROP_WALL,
    PROP_FLAG,
    PROP_GATEWAY,
    PROP_STALL,
    PROP_TAXI,
    PROP_TELECOM,
    PROP_PONTE,
    PROP_PILLAR,
    PROP_ARCH_WINDOW,
    PROP_MINE_HEAP,
    PROP_CHURCH,
    PROP_DOME,
    PROP_COVER = 127
};

#endif
