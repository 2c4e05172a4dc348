/* Making scenes: drawing attributes that fit together, the held-out split, what can be seen. */
#include "tools/world/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/world/internal.h"

static bool in_place(int action) {
    return action == WORLD_STAND || action == WORLD_WAVE || action == WORLD_DANCE || action == WORLD_JUMP;
}

static bool shows_colour(int style) { return style != WORLD_CHARCOAL && style != WORLD_FILM; }

/* Without colours a sunset, northern lights and autumn look like any day or night. */
static bool shows_condition(int style, int condition) {
    return shows_colour(style) || (condition != WORLD_SUNSET && condition != WORLD_AURORA && condition != WORLD_AUTUMN);
}

/* A face is seen long enough only from the front. */
static bool shows_face(const int *attr) {
    int action = attr[WORLD_ACTION];
    if (!world_has_face(attr[WORLD_SUBJECT]) || attr[WORLD_SUBJECT] == WORLD_FISH) return false;
    return in_place(action) || action == WORLD_EAT || attr[WORLD_DIRECTION] == WORLD_TOWARD;
}

void world_limits_default(world_limits *l) {
    memset(l, 0, sizeof *l);
    for (int a = 0; a < WORLD_ATTRS; a++) l->allow[a] = (1u << world_attr_count(a)) - 1u;
    l->height_min = .5;
    l->height_max = .8;
    l->offset_max = .6;
    l->max_subjects = 2;
    l->split = WORLD_TRAIN;
    l->second_prob = .15;
    l->cut_prob = .05;
    l->game_prob = .03;
    l->emotion_prob = .35;
    l->style_prob = .5;
    l->move_prob = .5;
    l->vary = 1;
}

void world_limits_only(world_limits *l, int attr, int value) {
    if (attr >= 0 && attr < WORLD_ATTRS && value >= 0 && value < world_attr_count(attr)) l->allow[attr] = 1u << value;
}

bool world_scene_valid(const world_scene *s) {
    const int *a = s->attr;
    for (int i = 0; i < WORLD_ATTRS; i++)
        if (a[i] < 0 || a[i] >= world_attr_count(i)) return false;
    if (!world_outfit_allowed(a[WORLD_SUBJECT], a[WORLD_OUTFIT]) ||
        !world_action_allowed(a[WORLD_SUBJECT], a[WORLD_ACTION]) ||
        !world_place_allowed(a[WORLD_SUBJECT], a[WORLD_PLACE]) ||
        !world_condition_allowed(a[WORLD_PLACE], a[WORLD_CONDITION]) ||
        !world_direction_allowed(a[WORLD_ACTION], a[WORLD_DIRECTION]) ||
        !world_camera_allowed(a[WORLD_ACTION], a[WORLD_DIRECTION], a[WORLD_CAMERA]))
        return false;
    if (a[WORLD_EMOTION] != WORLD_NEUTRAL && !shows_face(a)) return false;
    if (!shows_condition(a[WORLD_STYLE], a[WORLD_CONDITION])) return false;
    int relation = a[WORLD_RELATION], shots = a[WORLD_SHOTS];
    if (relation != WORLD_ALONE) {
        bool sideways = a[WORLD_DIRECTION] == WORLD_LEFT || a[WORLD_DIRECTION] == WORLD_RIGHT;
        if (a[WORLD_SUBJECT] == WORLD_BOAT || a[WORLD_SUBJECT2] == WORLD_BOAT || a[WORLD_SUBJECT] == a[WORLD_SUBJECT2])
            return false;
        if (!world_outfit_allowed(a[WORLD_SUBJECT2], a[WORLD_OUTFIT2])) return false;
        if (relation == WORLD_CHASING ? !(a[WORLD_ACTION] == WORLD_RUN && sideways) : !in_place(a[WORLD_ACTION]))
            return false;
        if (shots != WORLD_ONE_SHOT || a[WORLD_CAMERA] == WORLD_ORBIT || a[WORLD_CAMERA] == WORLD_DOLLY) return false;
    }
    if (shots != WORLD_ONE_SHOT) {
        if (a[WORLD_CAMERA] != WORLD_STILL) return false;
        if (!in_place(a[WORLD_ACTION]) && !(shots == WORLD_PLACE_CUT && a[WORLD_ACTION] == WORLD_STROLL)) return false;
        if (shots == WORLD_PLACE_CUT &&
            (s->place2 == a[WORLD_PLACE] || !world_place_allowed(a[WORLD_SUBJECT], s->place2) ||
             !world_condition_allowed(s->place2, s->condition2) || !shows_condition(a[WORLD_STYLE], s->condition2)))
            return false;
    }
    if (a[WORLD_KIND] == WORLD_GAME) /* one player, who runs left or right with the camera after him */
        return a[WORLD_SUBJECT] != WORLD_BOAT && relation == WORLD_ALONE && shots == WORLD_ONE_SHOT &&
               a[WORLD_ACTION] == WORLD_RUN && a[WORLD_CAMERA] == WORLD_TRACK &&
               (a[WORLD_DIRECTION] == WORLD_LEFT || a[WORLD_DIRECTION] == WORLD_RIGHT);
    if (shots == WORLD_CLOSE_UP_CUT && a[WORLD_ACTION] == WORLD_JUMP) /* the head would leave the picture */
        return false;
    return true;
}

static uint64_t chain(uint64_t h, int v) { return world_hash(h, (uint64_t)(v + 1)); }

bool world_scene_heldout(const world_scene *s) {
    const int *a = s->attr;
    int colour = shows_colour(a[WORLD_STYLE]) ? a[WORLD_COLOUR] : -1;
    uint64_t h = chain(chain(chain(0x736f7261, a[WORLD_SUBJECT]), colour), a[WORLD_PLACE]);
    if (colour >= 0 && h % 25 == 0) return true;
    return chain(chain(chain(h, a[WORLD_OUTFIT]), a[WORLD_ACTION]), a[WORLD_STYLE]) % 16 == 0;
}

/* A random set bit of the mask; -1 for none. */
static int draw(uint64_t seed, uint64_t label, uint32_t mask) {
    int n = 0;
    for (int i = 0; i < 32; i++) n += (int)(mask >> i & 1u);
    if (n == 0) return -1;
    int k = (int)(world_hash(seed, label) % (uint64_t)n);
    for (int i = 0; i < 32; i++)
        if ((mask >> i & 1u) && k-- == 0) return i;
    return -1;
}

/* The common value, or with this probability one of the others, as far as the mask allows. */
static int draw_rare(uint64_t seed, uint64_t label, uint32_t mask, int common, double prob) {
    uint32_t others = mask & ~(1u << common);
    bool rare = world_unit(seed, label + 100) < prob;
    if (others && (rare || !(mask >> common & 1u))) return draw(seed, label, others);
    return mask >> common & 1u ? common : -1;
}

#define FILTER(mask, count, test)                                                                                      \
    for (int v = 0; v < (count); v++) {                                                                                \
        if (!(test)) (mask) &= ~(1u << v);                                                                             \
    }

static bool try_scene(world_scene *s, uint64_t seed, const world_limits *given) {
    world_limits copy = *given;
    const world_limits *l = &copy;
    if (copy.image) {
        copy.allow[WORLD_ACTION] &= ~(1u << WORLD_PASS | 1u << WORLD_RETURN);
        copy.allow[WORLD_CAMERA] &= 1u << WORLD_STILL;
        copy.allow[WORLD_SHOTS] &= 1u << WORLD_ONE_SHOT;
        copy.allow[WORLD_KIND] &= 1u << WORLD_MOVIE;
    }
    int *a = s->attr;
    uint32_t m;
    a[WORLD_KIND] = draw_rare(seed, WORLD_KIND, l->allow[WORLD_KIND], WORLD_MOVIE, l->game_prob);
    a[WORLD_SUBJECT] = draw(seed, WORLD_SUBJECT, l->allow[WORLD_SUBJECT]);
    m = l->allow[WORLD_OUTFIT];
    FILTER(m, WORLD_OUTFITS, world_outfit_allowed(a[WORLD_SUBJECT], v))
    a[WORLD_OUTFIT] = draw(seed, WORLD_OUTFIT, m);
    a[WORLD_COLOUR] = draw(seed, WORLD_COLOUR, l->allow[WORLD_COLOUR]);
    m = l->allow[WORLD_PLACE];
    FILTER(m, WORLD_PLACES, world_place_allowed(a[WORLD_SUBJECT], v))
    a[WORLD_PLACE] = draw(seed, WORLD_PLACE, m);
    a[WORLD_STYLE] = draw_rare(seed, WORLD_STYLE, l->allow[WORLD_STYLE], WORLD_FLAT, l->style_prob);
    m = l->allow[WORLD_CONDITION];
    FILTER(m, WORLD_CONDITIONS, world_condition_allowed(a[WORLD_PLACE], v) && shows_condition(a[WORLD_STYLE], v))
    a[WORLD_CONDITION] = draw(seed, WORLD_CONDITION, m);

    int relation = WORLD_ALONE;
    uint32_t relations = l->allow[WORLD_RELATION];
    bool game = a[WORLD_KIND] == WORLD_GAME;
    if (l->max_subjects < 2 || game) relations &= 1u << WORLD_ALONE;
    relation = draw_rare(seed, WORLD_RELATION, relations, WORLD_ALONE, l->second_prob);
    a[WORLD_RELATION] = relation;
    a[WORLD_SHOTS] = draw_rare(seed, WORLD_SHOTS, l->allow[WORLD_SHOTS], WORLD_ONE_SHOT,
                               relation > WORLD_ALONE || game ? 0 : l->cut_prob);

    m = l->allow[WORLD_ACTION];
    FILTER(m, WORLD_ACTIONS, world_action_allowed(a[WORLD_SUBJECT], v))
    if (relation == WORLD_CHASING || game)
        m &= 1u << WORLD_RUN;
    else if (relation > WORLD_ALONE)
        FILTER(m, WORLD_ACTIONS, in_place(v))
    if (a[WORLD_SHOTS] != WORLD_ONE_SHOT)
        FILTER(m, WORLD_ACTIONS, in_place(v) || (a[WORLD_SHOTS] == WORLD_PLACE_CUT && v == WORLD_STROLL))
    a[WORLD_ACTION] = draw(seed, WORLD_ACTION, m);
    m = l->allow[WORLD_DIRECTION];
    FILTER(m, WORLD_DIRECTIONS, world_direction_allowed(a[WORLD_ACTION], v))
    if (relation == WORLD_CHASING || game) m &= 1u << WORLD_LEFT | 1u << WORLD_RIGHT;
    a[WORLD_DIRECTION] = draw(seed, WORLD_DIRECTION, m);
    m = l->allow[WORLD_CAMERA];
    FILTER(m, WORLD_CAMERAS, world_camera_allowed(a[WORLD_ACTION], a[WORLD_DIRECTION], v))
    if (relation > WORLD_ALONE) m &= ~(1u << WORLD_ORBIT | 1u << WORLD_DOLLY);
    if (a[WORLD_SHOTS] != WORLD_ONE_SHOT) m &= 1u << WORLD_STILL;
    if (game) m &= 1u << WORLD_TRACK;
    a[WORLD_CAMERA] = draw_rare(seed, WORLD_CAMERA, m, WORLD_STILL, l->move_prob);
    for (int i = 0; i < WORLD_EMOTION; i++)
        if (a[i] < 0) return false;
    m = l->allow[WORLD_EMOTION];
    if (!shows_face(a)) m &= 1u << WORLD_NEUTRAL;
    a[WORLD_EMOTION] = draw_rare(seed, WORLD_EMOTION, m, WORLD_NEUTRAL, l->emotion_prob);

    m = l->allow[WORLD_SUBJECT2] & ~(1u << WORLD_BOAT | 1u << a[WORLD_SUBJECT]);
    a[WORLD_SUBJECT2] = draw(seed, WORLD_SUBJECT2, m);
    m = l->allow[WORLD_OUTFIT2];
    FILTER(m, WORLD_OUTFITS, world_outfit_allowed(a[WORLD_SUBJECT2], v))
    a[WORLD_OUTFIT2] = draw(seed, WORLD_OUTFIT2, m);
    m = l->allow[WORLD_COLOUR2];
    if (m & ~(1u << a[WORLD_COLOUR])) m &= ~(1u << a[WORLD_COLOUR]);
    a[WORLD_COLOUR2] = draw(seed, WORLD_COLOUR2, m);
    if (relation == WORLD_ALONE) /* not there: canonical values, so that equal scenes compare equal */
        a[WORLD_SUBJECT2] = a[WORLD_OUTFIT2] = a[WORLD_COLOUR2] = 0;

    bool pair = relation > WORLD_ALONE;
    double lo = l->height_min, hi = l->height_max;
    s->height = world_range(seed, 40, lo, hi);
    if (pair) s->height *= .85;
    s->offset = world_range(seed, 41, -1, 1) * l->offset_max;
    double vary = l->vary;
    s->speed = 1 + vary * world_range(seed, 42, -.1, .15);
    s->eye = .62 + vary * world_range(seed, 43, -.1, .12);
    s->sun = .4 + vary * world_range(seed, 44, -1.4, .6);
    s->cut = world_range(seed, 45, .42, .58);
    m = l->allow[WORLD_PLACE];
    FILTER(m, WORLD_PLACES, world_place_allowed(a[WORLD_SUBJECT], v) && v != a[WORLD_PLACE])
    s->image = given->image;
    s->place2 = draw(seed, 46, m);
    m = l->allow[WORLD_CONDITION];
    FILTER(m, WORLD_CONDITIONS, world_condition_allowed(s->place2, v) && shows_condition(a[WORLD_STYLE], v))
    s->condition2 = draw(seed, 47, m);
    if (a[WORLD_SHOTS] != WORLD_PLACE_CUT) {
        s->place2 = a[WORLD_PLACE];
        s->condition2 = a[WORLD_CONDITION];
    }
    return world_scene_valid(s);
}

int world_scene_make(world_scene *s, uint64_t seed, const world_limits *l) {
    for (int i = 0; i < 20000; i++) {
        uint64_t k = world_hash(seed, (uint64_t)(1000 + i));
        /* Held out by seed as well: a sixteenth of the seeds, with their scenery and motions, is never trained on. */
        if (l->split != WORLD_ANY && (world_hash(k, 51) % 16 == 0) != (l->split == WORLD_HELDOUT)) continue;
        memset(s, 0, sizeof *s);
        s->seed = k;
        s->decor = world_unit(k, 48) < l->vary ? world_hash(k, 49) : 7;
        if (!try_scene(s, k, l)) continue;
        if (l->split == WORLD_ANY || world_scene_heldout(s) == (l->split == WORLD_HELDOUT)) return 0;
    }
    memset(s, 0, sizeof *s);
    return -1;
}

void world_scene_set(world_scene *s, int attr, int value) {
    if (attr >= 0 && attr < WORLD_ATTRS && value >= 0 && value < world_attr_count(attr)) s->attr[attr] = value;
}

int world_scene_parse(world_scene *s, uint64_t seed, const char *spec, char *message, size_t capacity) {
    world_limits l;
    bool second = false, related = false;
    memset(s, 0, sizeof *s);
    world_limits_default(&l);
    l.split = WORLD_ANY;
    l.second_prob = l.cut_prob = l.game_prob = l.emotion_prob = l.style_prob = l.move_prob = 0;
    while (spec && *spec) {
        char word[96], *equals;
        size_t n = strcspn(spec, ",");
        if (n >= sizeof word) n = sizeof word - 1;
        memcpy(word, spec, n);
        word[n] = 0;
        spec += strcspn(spec, ",");
        spec += *spec == ',';
        equals = strchr(word, '=');
        char *name = word;
        name += strspn(name, " ");
        if (equals) *equals = 0;
        int attr = world_attr_find(name), value = attr < 0 || !equals ? -1 : world_value_find(attr, equals + 1);
        if (attr >= 0 && equals && value < 0) {
            char *end;
            long v = strtol(equals + 1, &end, 10);
            if (end != equals + 1 && *end == 0 && v >= 0 && v < world_attr_count(attr)) value = (int)v;
        }
        if (attr < 0 || value < 0) {
            if (message)
                snprintf(message, capacity, attr < 0 ? "unknown attribute '%.60s'" : "unknown value '%.60s'",
                         attr < 0 ? name
                         : equals ? equals + 1
                                  : "");
            return -1;
        }
        world_limits_only(&l, attr, value);
        second = second || attr == WORLD_SUBJECT2 || attr == WORLD_OUTFIT2 || attr == WORLD_COLOUR2;
        related = related || attr == WORLD_RELATION;
    }
    if (second && !related) l.allow[WORLD_RELATION] &= ~(1u << WORLD_ALONE);
    if (world_scene_make(s, seed, &l)) {
        if (message) snprintf(message, capacity, "these values cannot stand together");
        return -1;
    }
    return 0;
}

bool world_attr_visible(const world_scene *s, int attr, bool moving) {
    const int *a = s->attr;
    int action = a[WORLD_ACTION];
    bool pair = a[WORLD_RELATION] != WORLD_ALONE;
    switch (attr) {
    case WORLD_OUTFIT:
        return a[WORLD_SUBJECT] < WORLD_CAR;
    case WORLD_COLOUR:
        return shows_colour(a[WORLD_STYLE]);
    case WORLD_ACTION:
        return moving || action == WORLD_STROLL || action == WORLD_RUN || action == WORLD_WAVE || action == WORLD_EAT ||
               action == WORLD_PAINT;
    case WORLD_DIRECTION:
        return a[WORLD_DIRECTION] != WORLD_NO_DIRECTION && (moving || action == WORLD_STROLL || action == WORLD_RUN);
    case WORLD_CAMERA:
    case WORLD_SHOTS:
        return moving;
    case WORLD_EMOTION:
        return shows_face(a);
    case WORLD_RELATION:
    case WORLD_SUBJECT2:
        return pair;
    case WORLD_OUTFIT2:
        return pair && a[WORLD_SUBJECT2] < WORLD_CAR;
    case WORLD_COLOUR2:
        return pair && shows_colour(a[WORLD_STYLE]);
    default:
        return attr >= 0 && attr < WORLD_ATTRS;
    }
}
