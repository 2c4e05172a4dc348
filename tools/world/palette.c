/* Colours of every place under every condition. */
#include "tools/world/internal.h"

typedef struct base {
    world_rgb sky_top, sky_low, ground_far, ground_near, leaf;
    double fog;
} base;

static const base BASES[WORLD_PLACES] = {
    [WORLD_CITY] = {{.36, .62, .92}, {.82, .91, .98}, {.66, .66, .68}, {.56, .56, .59}, {.32, .62, .28}, .016},
    [WORLD_BEACH] = {{.16, .62, .95}, {.72, .93, 1.0}, {.98, .90, .66}, {.94, .82, .56}, {.25, .62, .30}, .010},
    [WORLD_JUNGLE] = {{.36, .68, .50}, {.80, .92, .62}, {.30, .50, .20}, {.22, .40, .15}, {.16, .50, .20}, .035},
    [WORLD_DESERT] = {{.38, .68, .95}, {.99, .91, .74}, {.95, .74, .46}, {.88, .60, .33}, {.35, .58, .30}, .010},
    [WORLD_MOUNTAINS] = {{.22, .48, .88}, {.74, .87, 1.0}, {.96, .98, 1.0}, {.88, .93, .99}, {.12, .36, .28}, .012},
    [WORLD_ANTARCTICA] = {{.55, .78, .90}, {.90, .97, .98}, {.84, .95, .98}, {.70, .88, .95}, {.30, .50, .45}, .014},
    [WORLD_UNDERWATER] = {{.05, .40, .66}, {.03, .26, .48}, {.08, .32, .46}, {.14, .40, .46}, {.10, .46, .28}, .050},
    [WORLD_REEF] = {{.40, .90, .96}, {.10, .66, .82}, {.72, .88, .80}, {.98, .90, .70}, {.20, .60, .40}, .034},
    [WORLD_SPACE] = {{.03, .02, .09}, {.12, .06, .24}, {.60, .58, .66}, {.46, .44, .52}, {.50, .50, .56}, .004},
    [WORLD_CASTLE] = {{.42, .66, .92}, {.90, .94, .92}, {.52, .68, .34}, {.40, .58, .27}, {.26, .52, .24}, .014},
    [WORLD_NEON] = {{.06, .02, .18}, {.42, .08, .46}, {.16, .09, .30}, {.09, .06, .18}, {.10, .50, .45}, .014},
    [WORLD_VILLAGE] = {{.45, .74, .96}, {.92, .97, .98}, {.66, .78, .42}, {.56, .68, .34}, {.36, .62, .28}, .014},
    [WORLD_JOHANNESBURG] = {{.33, .58, .92}, {.97, .90, .82}, {.78, .52, .38}, {.66, .42, .31}, {.60, .42, .82}, .016},
    [WORLD_MUMBAI] = {{.52, .74, .84}, {.99, .92, .74}, {.86, .78, .62}, {.74, .66, .52}, {.30, .58, .26}, .024},
    [WORLD_MEADOW] = {{.40, .74, 1.0}, {.88, .97, 1.0}, {.60, .84, .34}, {.44, .72, .24}, {.34, .66, .24}, .010},
    [WORLD_HALL] = {{.93, .84, .68}, {.98, .93, .82}, {.86, .78, .66}, {.80, .70, .56}, {.30, .55, .30}, .004},
};

static world_rgb rgb(double r, double g, double b) {
    world_rgb c = {r, g, b};
    return c;
}

void world_palette_make(world_palette *p, int place, int condition, bool water) {
    const base *b = &BASES[place >= 0 && place < WORLD_PLACES ? place : 0];
    p->sky_top = b->sky_top;
    p->sky_low = b->sky_low;
    p->ground_far = b->ground_far;
    p->ground_near = b->ground_near;
    p->leaf = b->leaf;
    p->fog = b->fog;
    p->light = rgb(1, 1, 1);
    p->dark = place == WORLD_NEON ? .85 : place == WORLD_SPACE ? .3 : 0;
    p->snow = 0;
    if (water) {
        world_rgb sea = place == WORLD_BEACH  ? rgb(.12, .66, .80)
                        : place == WORLD_NEON ? rgb(.14, .08, .32)
                                              : rgb(.20, .50, .70);
        p->ground_near = world_mix(sea, p->ground_near, .1);
        p->ground_far = world_mix(sea, p->sky_low, .35);
    }
    bool deep = place == WORLD_UNDERWATER || place == WORLD_REEF, inside = place == WORLD_HALL;
    switch (condition) {
    case WORLD_SUNSET:
        p->sky_top = rgb(.36, .22, .50);
        p->sky_low = rgb(1.0, .58, .22);
        p->light = rgb(1.0, .76, .62);
        p->ground_far = world_mix(p->ground_far, rgb(1.0, .62, .34), .25);
        break;
    case WORLD_NIGHT:
        if (deep) {
            p->sky_top = world_mix(p->sky_top, rgb(.01, .03, .12), .80);
            p->sky_low = world_mix(p->sky_low, rgb(.01, .03, .12), .80);
            p->light = rgb(.48, .54, .76);
        } else if (inside) {
            p->sky_top = rgb(.30, .20, .20);
            p->sky_low = rgb(.44, .29, .24);
            p->light = rgb(.52, .42, .42);
        } else if (place != WORLD_NEON) {
            p->sky_top = rgb(.03, .04, .16);
            p->sky_low = rgb(.14, .18, .42);
            p->light = rgb(.42, .47, .74);
        } else {
            p->light = rgb(.9, .86, 1.0);
        }
        p->dark = 1;
        break;
    case WORLD_AURORA:
        p->sky_top = rgb(.02, .05, .14);
        p->sky_low = rgb(.06, .24, .30);
        p->light = rgb(.46, .63, .68);
        p->dark = .9;
        break;
    case WORLD_RAIN:
        p->sky_top = world_mix(p->sky_top, rgb(.33, .37, .44), place == WORLD_NEON ? .25 : .88);
        p->sky_low = world_mix(p->sky_low, rgb(.58, .62, .68), place == WORLD_NEON ? .25 : .88);
        p->light = place == WORLD_NEON ? rgb(.85, .85, 1.0) : rgb(.72, .77, .84);
        p->fog += .012;
        break;
    case WORLD_SNOWSTORM:
        p->sky_top = world_mix(p->sky_top, rgb(.66, .71, .79), place == WORLD_NEON ? .35 : .92);
        p->sky_low = world_mix(p->sky_low, rgb(.83, .87, .92), place == WORLD_NEON ? .35 : .92);
        p->ground_far = world_mix(p->ground_far, rgb(.90, .93, .97), water ? .35 : .85);
        p->ground_near = world_mix(p->ground_near, rgb(.86, .90, .96), water ? .25 : .80);
        p->light = rgb(.88, .91, .98);
        p->leaf = world_mix(p->leaf, rgb(.93, .95, .98), .45);
        p->fog += .028;
        p->snow = 1;
        break;
    case WORLD_FESTIVAL:
        if (!deep && !inside && place != WORLD_SPACE && place != WORLD_NEON) {
            p->sky_top = world_mix(p->sky_top, rgb(.98, .55, .72), .35);
            p->sky_low = world_mix(p->sky_low, rgb(1.0, .86, .62), .45);
        }
        break;
    case WORLD_AUTUMN:
        p->sky_top = world_mix(p->sky_top, rgb(.70, .76, .80), .5);
        p->sky_low = world_mix(p->sky_low, rgb(1.0, .90, .72), .6);
        p->light = rgb(1.0, .93, .84);
        p->leaf = rgb(.90, .46, .10);
        if (!water && place != WORLD_MOUNTAINS) {
            p->ground_far = world_mix(p->ground_far, rgb(.82, .58, .26), .55);
            p->ground_near = world_mix(p->ground_near, rgb(.74, .46, .18), .55);
        }
        break;
    default:
        break;
    }
    p->haze = p->sky_low;
}
