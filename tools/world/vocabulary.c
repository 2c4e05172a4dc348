#include "tools/world/vocabulary.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define BIT(v) (1u << (v))

static const char *const SUBJECTS[] = {"old man", "woman",   "boy",      "toy robot", "kangaroo", "Shiba Inu", "cat",
                                       "tiger",   "monster", "dinosaur", "car",       "boat",     "fish"};
static const char *const OUTFITS[] = {"bare", "overalls", "jeans", "dress", "turtleneck", "scarf"};
static const char *const COLOURS[] = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black"};
static const char *const PLACES[] = {"city",         "beach",  "jungle", "desert", "mountains", "Antarctica",
                                     "underwater",   "reef",   "space",  "castle", "neon",      "village",
                                     "Johannesburg", "Mumbai", "meadow", "hall"};
static const char *const CONDITIONS[] = {"clear", "sunset",    "night",    "aurora",
                                         "rain",  "snowstorm", "festival", "autumn"};
static const char *const STYLES[] = {"flat", "clay", "charcoal", "pixel", "film"};
static const char *const ACTIONS[] = {"stand", "stroll", "run",   "jump", "wave",  "dance",
                                      "turn",  "eat",    "paint", "pass", "return"};
static const char *const DIRECTIONS[] = {"none", "left", "right", "toward", "away"};
static const char *const CAMERAS[] = {"still",   "pan left", "pan right", "orbit",
                                      "zoom in", "zoom out", "dolly",     "track"};
static const char *const EMOTIONS[] = {"neutral", "happy", "sad", "angry", "surprised"};
static const char *const RELATIONS[] = {"alone", "left of", "right of", "behind", "chasing"};
static const char *const SHOTS[] = {"one shot", "close-up cut", "place cut"};
static const char *const KINDS[] = {"movie", "game"};

static const struct {
    const char *name;
    const char *const *values;
    int count;
} ATTRS[WORLD_ATTRS] = {
    [WORLD_SUBJECT] = {"subject", SUBJECTS, WORLD_SUBJECTS},
    [WORLD_OUTFIT] = {"outfit", OUTFITS, WORLD_OUTFITS},
    [WORLD_COLOUR] = {"colour", COLOURS, WORLD_COLOURS},
    [WORLD_PLACE] = {"place", PLACES, WORLD_PLACES},
    [WORLD_CONDITION] = {"condition", CONDITIONS, WORLD_CONDITIONS},
    [WORLD_STYLE] = {"style", STYLES, WORLD_STYLES},
    [WORLD_ACTION] = {"action", ACTIONS, WORLD_ACTIONS},
    [WORLD_DIRECTION] = {"direction", DIRECTIONS, WORLD_DIRECTIONS},
    [WORLD_CAMERA] = {"camera", CAMERAS, WORLD_CAMERAS},
    [WORLD_EMOTION] = {"emotion", EMOTIONS, WORLD_EMOTIONS},
    [WORLD_RELATION] = {"relation", RELATIONS, WORLD_RELATIONS},
    [WORLD_SUBJECT2] = {"subject2", SUBJECTS, WORLD_SUBJECTS},
    [WORLD_OUTFIT2] = {"outfit2", OUTFITS, WORLD_OUTFITS},
    [WORLD_COLOUR2] = {"colour2", COLOURS, WORLD_COLOURS},
    [WORLD_SHOTS] = {"shots", SHOTS, WORLD_SHOT_KINDS},
    [WORLD_KIND] = {"kind", KINDS, WORLD_KINDS},
};

int world_attr_count(int attr) { return attr >= 0 && attr < WORLD_ATTRS ? ATTRS[attr].count : 0; }

const char *world_attr_name(int attr) { return attr >= 0 && attr < WORLD_ATTRS ? ATTRS[attr].name : NULL; }

const char *world_value_name(int attr, int value) {
    return value >= 0 && value < world_attr_count(attr) ? ATTRS[attr].values[value] : NULL;
}

int world_attr_find(const char *name) {
    for (int a = 0; a < WORLD_ATTRS; a++)
        if (name && strcasecmp(name, ATTRS[a].name) == 0) return a;
    return name && strcasecmp(name, "color") == 0 ? WORLD_COLOUR : -1;
}

int world_value_find(int attr, const char *name) {
    for (int v = 0; name && v < world_attr_count(attr); v++)
        if (strcasecmp(name, ATTRS[attr].values[v]) == 0) return v;
    return -1;
}

static bool is_person(int subject) {
    return subject == WORLD_OLD_MAN || subject == WORLD_WOMAN || subject == WORLD_BOY;
}

bool world_outfit_allowed(int subject, int outfit) {
    if (subject < 0 || subject >= WORLD_SUBJECTS || outfit < 0 || outfit >= WORLD_OUTFITS) return false;
    if (subject >= WORLD_CAR) return outfit == WORLD_BARE;
    return outfit != WORLD_BARE || !is_person(subject);
}

bool world_action_allowed(int subject, int action) {
    if (subject < 0 || subject >= WORLD_SUBJECTS || action < 0 || action >= WORLD_ACTIONS) return false;
    const unsigned moves =
        BIT(WORLD_STAND) | BIT(WORLD_STROLL) | BIT(WORLD_RUN) | BIT(WORLD_TURN) | BIT(WORLD_PASS) | BIT(WORLD_RETURN);
    switch (subject) {
    case WORLD_CAR:
    case WORLD_FISH:
        return (moves | BIT(WORLD_JUMP)) >> action & 1u;
    case WORLD_BOAT:
        return moves >> action & 1u;
    default:
        return true;
    }
}

bool world_place_allowed(int subject, int place) {
    if (place < 0 || place >= WORLD_PLACES) return false;
    /* A boat needs water to float on: these places get a bay, a river, a lake or a canal. */
    const unsigned water = BIT(WORLD_CITY) | BIT(WORLD_BEACH) | BIT(WORLD_JUNGLE) | BIT(WORLD_MOUNTAINS) |
                           BIT(WORLD_ANTARCTICA) | BIT(WORLD_CASTLE) | BIT(WORLD_NEON) | BIT(WORLD_VILLAGE) |
                           BIT(WORLD_MUMBAI) | BIT(WORLD_MEADOW);
    return subject != WORLD_BOAT || (water >> place & 1u);
}

bool world_condition_allowed(int place, int condition) {
    if (place < 0 || place >= WORLD_PLACES || condition < 0 || condition >= WORLD_CONDITIONS) return false;
    const unsigned all = (1u << WORLD_CONDITIONS) - 1u;
    unsigned ok = all;
    switch (place) {
    case WORLD_UNDERWATER:
    case WORLD_REEF:
    case WORLD_HALL:
        ok = BIT(WORLD_CLEAR) | BIT(WORLD_NIGHT) | BIT(WORLD_FESTIVAL);
        break;
    case WORLD_SPACE:
        ok = BIT(WORLD_CLEAR) | BIT(WORLD_FESTIVAL);
        break;
    case WORLD_NEON:
        ok = BIT(WORLD_NIGHT) | BIT(WORLD_RAIN) | BIT(WORLD_SNOWSTORM) | BIT(WORLD_FESTIVAL);
        break;
    case WORLD_ANTARCTICA:
        ok = all & ~(BIT(WORLD_RAIN) | BIT(WORLD_AUTUMN));
        break;
    case WORLD_DESERT:
    case WORLD_BEACH:
        ok = all & ~BIT(WORLD_AUTUMN);
        break;
    case WORLD_JUNGLE: /* its roof of leaves hides the sky */
        ok = all & ~(BIT(WORLD_AUTUMN) | BIT(WORLD_AURORA));
        break;
    default:
        break;
    }
    return ok >> condition & 1u;
}

bool world_direction_allowed(int action, int direction) {
    switch (action) {
    case WORLD_STROLL:
    case WORLD_RUN:
        return direction > WORLD_NO_DIRECTION && direction < WORLD_DIRECTIONS;
    case WORLD_PASS:
    case WORLD_RETURN:
        return direction == WORLD_LEFT || direction == WORLD_RIGHT;
    default:
        return direction == WORLD_NO_DIRECTION;
    }
}

bool world_camera_allowed(int action, int direction, int camera) {
    /* Only what can be told apart: a pan beside a moving subject looks like tracking, an orbit like a turn. */
    switch (action) {
    case WORLD_STROLL:
    case WORLD_RUN:
        if (camera == WORLD_STILL || camera == WORLD_TRACK) return true;
        return (camera == WORLD_ZOOM_IN || camera == WORLD_ZOOM_OUT) &&
               (direction == WORLD_LEFT || direction == WORLD_RIGHT);
    case WORLD_PASS:
    case WORLD_RETURN:
        return camera == WORLD_STILL;
    case WORLD_TURN:
        return camera != WORLD_TRACK && camera != WORLD_ORBIT && camera >= 0 && camera < WORLD_CAMERAS;
    case WORLD_EAT: /* what is held or stands beside would change sides */
    case WORLD_PAINT:
        return camera != WORLD_TRACK && camera != WORLD_ORBIT && camera >= 0 && camera < WORLD_CAMERAS;
    default:
        return camera != WORLD_TRACK && camera >= 0 && camera < WORLD_CAMERAS;
    }
}

bool world_has_face(int subject) {
    return subject >= 0 && subject < WORLD_SUBJECTS && subject != WORLD_CAR && subject != WORLD_BOAT &&
           subject != WORLD_ROBOT;
}

void world_colour_rgb(int colour, double rgb[3]) {
    static const double table[WORLD_COLOURS][3] = {
        {.88, .13, .15}, {.98, .52, .08}, {.99, .84, .12}, {.14, .66, .26}, {.12, .36, .88},
        {.52, .20, .72}, {.99, .52, .75}, {.97, .97, .98}, {.11, .11, .14},
    };
    for (int i = 0; i < 3; i++) rgb[i] = colour >= 0 && colour < WORLD_COLOURS ? table[colour][i] : .5;
}
