/* The furniture of every place as tables: rows that repeat without end along x, so that any pan or tracking shot finds
 * them, and landmarks that stand once. */
#include <math.h>
#include <string.h>

#include "tools/world/internal.h"

typedef struct row {
    double z, spacing, chance; /* depth of the row, distance between places in it, how often one is taken */
    double lo, hi;             /* sizes (heights, world units) */
    int kinds[4];
} row;

typedef struct landmark {
    int kind;
    double x, spread, z, size;
} landmark;

typedef struct layout {
    row rows[6];
    landmark marks[3];
} layout;

static const layout LAYOUTS[WORLD_PLACES] = {
    [WORLD_CITY] = {{{7, 1.9, 1, 2.0, 3.6, {PROP_BUILDING, PROP_BUILDING, PROP_SKYSCRAPER, PROP_HOUSE}},
                     {3.2, 2.7, .75, 1.3, 1.7, {PROP_TREE, PROP_TREE, PROP_TREE, PROP_TREE}},
                     {2.2, 3.1, .9, 1.55, 1.55, {PROP_LAMP, PROP_LAMP, PROP_LAMP, PROP_LAMP}}},
                    {{0}}},
    [WORLD_BEACH] = {{{3.4, 2.0, .6, 1.6, 2.3, {PROP_PALM, PROP_PALM, PROP_PALM, PROP_HUT}},
                      {2.2, 1.7, .5, .75, .95, {PROP_UMBRELLA, PROP_UMBRELLA, PROP_UMBRELLA, PROP_PALM}},
                      {-.75, .9, .5, .07, .12, {PROP_SHELL, PROP_SHELL, PROP_SHELL, PROP_ROCK}}},
                     {{0}}},
    [WORLD_JUNGLE] = {{{6, 1.1, .9, 2.4, 3.4, {PROP_VINE_TREE, PROP_VINE_TREE, PROP_TREE, PROP_VINE_TREE}},
                       {3, 1.5, .75, 2.2, 3.0, {PROP_VINE_TREE, PROP_VINE_TREE, PROP_PALM, PROP_VINE_TREE}},
                       {1.5, .8, .75, .4, .75, {PROP_FERN, PROP_FERN, PROP_BUSH, PROP_FERN}},
                       {-.8, .55, .6, .14, .26, {PROP_FERN, PROP_GRASS, PROP_FERN, PROP_FLOWER}}},
                      {{0}}},
    [WORLD_DESERT] = {{{15, 6, .8, 2.6, 4.2, {PROP_MESA, PROP_MESA, PROP_DUNE, PROP_MESA}},
                       {4.5, 2.3, .6, 1.0, 1.6, {PROP_JOSHUA, PROP_CACTUS, PROP_CACTUS, PROP_JOSHUA}},
                       {2.2, 1.9, .6, .7, 1.2, {PROP_CACTUS, PROP_CACTUS, PROP_ROCK, PROP_CACTUS}},
                       {-.8, 1.1, .5, .06, .14, {PROP_ROCK, PROP_GRASS, PROP_ROCK, PROP_ROCK}}},
                      {{0}}},
    [WORLD_MOUNTAINS] = {{{8, 1.5, .8, 1.4, 2.2, {PROP_PINE, PROP_PINE, PROP_PINE, PROP_PINE}},
                          {3, 1.5, .65, 1.1, 1.9, {PROP_PINE, PROP_PINE, PROP_PINE, PROP_PINE}},
                          {1.6, 1.6, .6, .16, .30, {PROP_SNOWDRIFT, PROP_SNOWDRIFT, PROP_ROCK, PROP_SNOWDRIFT}},
                          {-.8, 1.3, .5, .07, .13, {PROP_SNOWDRIFT, PROP_ROCK, PROP_SNOWDRIFT, PROP_SNOWDRIFT}}},
                         {{0}}},
    [WORLD_ANTARCTICA] = {{{8, 3.3, .85, 1.3, 2.3, {PROP_ICEBERG, PROP_ICEBERG, PROP_ICEBERG, PROP_ICEBERG}},
                           {4.6, 3.7, .6, .5, .9, {PROP_ICEBERG, PROP_ICEBERG, PROP_ICEBERG, PROP_ICEBERG}},
                           {2.1, .8, .62, .34, .46, {PROP_PENGUIN, PROP_PENGUIN, PROP_PENGUIN, PROP_PENGUIN}},
                           {1.3, 2.1, .5, .12, .2, {PROP_SNOWDRIFT, PROP_SNOWDRIFT, PROP_SNOWDRIFT, PROP_SNOWDRIFT}}},
                          {{0}}},
    [WORLD_UNDERWATER] =
        {{{5, .8, .8, 1.4, 2.4, {PROP_KELP, PROP_KELP, PROP_KELP, PROP_ROCK}},
          {2.2, .75, .75, .9, 1.7, {PROP_KELP, PROP_KELP, PROP_KELP, PROP_KELP}},
          {3.2, 1.5, .5, .25, .35, {PROP_SMALL_FISH, PROP_SMALL_FISH, PROP_SMALL_FISH, PROP_SMALL_FISH}},
          {-.8, .8, .5, .10, .2, {PROP_ROCK, PROP_KELP, PROP_SHELL, PROP_KELP}}},
         {{PROP_WRECK, 0, 1.2, 8, 2.6}}},
    [WORLD_REEF] = {{{3.6, .75, .9, .6, 1.1, {PROP_CORAL_FAN, PROP_CORAL_BRANCH, PROP_CORAL_BRAIN, PROP_CORAL_BRANCH}},
                     {1.6, .62, .85, .35, .75, {PROP_CORAL_BRANCH, PROP_CORAL_FAN, PROP_CORAL_BRAIN, PROP_ANEMONE}},
                     {2.6, .8, .6, .2, .3, {PROP_SMALL_FISH, PROP_SMALL_FISH, PROP_SMALL_FISH, PROP_SMALL_FISH}},
                     {-.8, .5, .55, .10, .2, {PROP_ANEMONE, PROP_CORAL_BRAIN, PROP_SHELL, PROP_CORAL_BRANCH}}},
                    {{0}}},
    [WORLD_SPACE] = {{{6, 2.2, .7, .5, 1.0, {PROP_MOON_ROCK, PROP_MOON_ROCK, PROP_MOON_ROCK, PROP_MOON_ROCK}},
                      {2.2, 1.8, .6, .15, .4, {PROP_MOON_ROCK, PROP_CRATER, PROP_MOON_ROCK, PROP_CRATER}},
                      {.8, 1.5, .6, .14, .26, {PROP_CRATER, PROP_CRATER, PROP_CRATER, PROP_CRATER}},
                      {-.7, 1.2, .6, .10, .2, {PROP_CRATER, PROP_MOON_ROCK, PROP_CRATER, PROP_CRATER}}},
                     {{PROP_ROCKET, 0, 1.5, 5, 2.2}, {PROP_FLAG, 0, 1.4, 2.4, 1.0}}},
    [WORLD_CASTLE] = {{{5, 2.6, .6, 1.2, 1.8, {PROP_TREE, PROP_TREE, PROP_PINE, PROP_TREE}},
                       {2.4, 2.2, .8, 1.1, 1.3, {PROP_FLAG, PROP_FLAG, PROP_BUSH, PROP_FLAG}},
                       {-.8, .8, .5, .08, .15, {PROP_GRASS, PROP_GRASS, PROP_FLOWER, PROP_GRASS}}},
                      {{PROP_CASTLE, 0, 1.5, 12, 3.7}}},
    [WORLD_NEON] = {{{7, 1.7, 1, 3.0, 5.2, {PROP_NEON_TOWER, PROP_NEON_TOWER, PROP_NEON_TOWER, PROP_NEON_TOWER}},
                     {3, 1.8, .8, 1.1, 1.6, {PROP_NEON_SIGN, PROP_NEON_SIGN, PROP_NEON_SIGN, PROP_LAMP}}},
                    {{0}}},
    [WORLD_VILLAGE] = {{{5, 2.0, .9, 1.2, 1.7, {PROP_COTTAGE, PROP_COTTAGE, PROP_COTTAGE, PROP_TREE}},
                        {3.2, 2.8, .5, 1.1, 1.5, {PROP_TREE, PROP_TREE, PROP_HAY, PROP_TREE}},
                        {2.0, 1.0, .85, .34, .34, {PROP_FENCE, PROP_FENCE, PROP_FENCE, PROP_FENCE}},
                        {-.8, .7, .5, .08, .15, {PROP_FLOWER, PROP_GRASS, PROP_FLOWER, PROP_GRASS}}},
                       {{PROP_CHURCH, 0, 2.4, 10, 3.3}}},
    [WORLD_JOHANNESBURG] =
        {{{8, 2.2, .8, 1.6, 2.8, {PROP_BUILDING, PROP_BUILDING, PROP_HOUSE, PROP_BUILDING}},
          {2.9, 1.8, .75, 1.5, 2.0, {PROP_JACARANDA, PROP_JACARANDA, PROP_JACARANDA, PROP_JACARANDA}},
          {1.7, 4.2, .6, .55, .55, {PROP_TAXI, PROP_TAXI, PROP_TAXI, PROP_TAXI}}},
         {{PROP_TELECOM, -1.6, .7, 12, 6.0}, {PROP_PONTE, 2.2, .7, 12, 4.6}}},
    [WORLD_MUMBAI] = {{{9, 2.4, .7, 1.4, 2.2, {PROP_DOME, PROP_BUILDING, PROP_DOME, PROP_HOUSE}},
                       {3.6, 2.3, .6, 1.6, 2.2, {PROP_PALM, PROP_PALM, PROP_PALM, PROP_PALM}},
                       {2.3, 1.9, .65, .8, .95, {PROP_STALL, PROP_STALL, PROP_STALL, PROP_STALL}},
                       {1.6, 4.6, .6, .45, .45, {PROP_TAXI, PROP_TAXI, PROP_TAXI, PROP_TAXI}}},
                      {{PROP_GATEWAY, 0, 1.1, 8, 2.5}}},
    [WORLD_MEADOW] = {{{5, 2.5, .7, 1.4, 2.0, {PROP_TREE, PROP_TREE, PROP_TREE, PROP_BUSH}},
                       {2.6, 2.6, .45, 1.2, 1.6, {PROP_TREE, PROP_HAY, PROP_BUSH, PROP_TREE}},
                       {1.8, .38, .8, .14, .24, {PROP_FLOWER, PROP_FLOWER, PROP_FLOWER, PROP_GRASS}},
                       {.7, .45, .7, .12, .2, {PROP_FLOWER, PROP_FLOWER, PROP_FLOWER, PROP_GRASS}},
                       {-.8, .32, .7, .10, .18, {PROP_FLOWER, PROP_GRASS, PROP_FLOWER, PROP_FLOWER}}},
                      {{0}}},
    [WORLD_HALL] = {{{6.0, 1.7, 1, 1.9, 1.9, {PROP_ARCH_WINDOW, PROP_ARCH_WINDOW, PROP_ARCH_WINDOW, PROP_ARCH_WINDOW}},
                     {4.4, 2.3, 1, 3.4, 3.4, {PROP_PILLAR, PROP_PILLAR, PROP_PILLAR, PROP_PILLAR}}},
                    {{0}}},
};

static bool floats(int kind) { return kind == PROP_SMALL_FISH; }

int world_layout(const world_frame *f, world_item *items, int capacity) {
    const layout *l = &LAYOUTS[f->place];
    int n = 0;
    double half = .5 * f->width / f->focal;
    for (int r = 0; r < 6 && l->rows[r].spacing > 0; r++) {
        const row *w = &l->rows[r];
        if (f->water && w->z < 4) continue; /* the water's surface is kept free; what stands on the far bank stays */
        /* Visible stretch of the row, from the two edges of the view. */
        double dz = w->z - f->cz;
        double left = f->cx + dz * tan(f->yaw - atan(half)), right = f->cx + dz * tan(f->yaw + atan(half));
        uint64_t seed = world_hash(f->seed, (uint64_t)(400 + r));
        double shift = world_range(seed, 7, 0, w->spacing), margin = w->hi * 1.4;
        int first = (int)floor((left - margin - shift) / w->spacing),
            last = (int)ceil((right + margin - shift) / w->spacing);
        if (last - first > 60) last = first + 60;
        for (int i = first; i <= last && n < capacity; i++) {
            uint64_t k = world_hash(seed, (uint64_t)(i + 1000000));
            if (world_unit(k, 1) > w->chance) continue;
            world_item *it = &items[n];
            it->kind = w->kinds[world_hash(k, 2) % 4];
            it->x = shift + (i + world_range(k, 3, -.28, .28)) * w->spacing;
            it->z = w->z + world_range(k, 4, -.12, .12) * (w->z < 0 ? 1 : fmax(1, w->z * .6));
            it->size = world_range(k, 5, w->lo, w->hi);
            it->seed = k;
            if (f->place == WORLD_HALL) { /* architecture stands in line */
                it->x = (i + (r == 0 ? .5 : 0)) * w->spacing;
                it->z = w->z;
            }
            if (it->z < 0 && floats(it->kind)) continue;
            n++;
        }
    }
    for (int m = 0; m < 3 && l->marks[m].kind && n < capacity; m++) {
        uint64_t k = world_hash(f->seed, (uint64_t)(430 + m));
        const landmark *mark = &l->marks[m];
        world_item *it = &items[n++];
        if (f->water && mark->z < 4) {
            n--;
            continue;
        }
        it->kind = mark->kind;
        it->x = mark->x + world_range(k, 1, -mark->spread, mark->spread);
        if (mark->kind == PROP_FLAG || mark->kind == PROP_ROCKET) /* beside the subject, not behind it */
            it->x = (world_hash(f->seed, 433) & 1 ? 1 : -1) * (mark->kind == PROP_FLAG ? -1 : 1) *
                    (.55 + .5 * mark->spread * world_unit(k, 1));
        it->z = mark->z;
        it->size = mark->size;
        it->seed = k;
    }
    return n;
}
