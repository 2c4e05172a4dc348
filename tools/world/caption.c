/* Captions from a small grammar with synonyms. Every choice of words is a hash of the caption's seed and of the slot,
 * never of how many choices came before: a scene with one value changed gets the same sentence with other words in that
 * one slot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/world/internal.h"

typedef struct text {
    char *buffer;
    size_t capacity, length;
    uint64_t seed;
} text;

static void put(text *t, const char *s) {
    for (; *s; s++, t->length++)
        if (t->length + 1 < t->capacity) t->buffer[t->length] = *s;
    if (t->capacity) t->buffer[t->length < t->capacity ? t->length : t->capacity - 1] = 0;
}

enum { WORDS = 7 }; /* most variants of a phrase, and a NULL */

/* One of the variants; the first is the usual word and comes more often than the others. */
static const char *pick(const text *t, uint64_t slot, const char *const *variants) {
    unsigned n = 0;
    while (n < WORDS && variants[n]) n++;
    if (n == 0 || world_unit(t->seed, slot + 1000) < .3) return n ? variants[0] : "";
    return variants[world_hash(t->seed, slot) % n];
}

static bool chance(const text *t, uint64_t slot, double p) { return world_unit(t->seed, slot) < p; }

static const char *const NOUNS[WORLD_SUBJECTS][WORDS] = {
    {"old man", "elderly man", "grandfather", "grandpa"},
    {"woman", "lady"},
    {"boy", "little boy", "young boy", "small boy"},
    {"toy robot", "robot", "small robot", "little robot"},
    {"kangaroo", "adorable kangaroo", "cute kangaroo"},
    {"Shiba Inu", "Shiba Inu dog", "dog", "shiba"},
    {"cat", "cute cat", "kitty", "little cat"},
    {"tiger", "young tiger", "little tiger"},
    {"monster", "one-eyed monster", "furry monster"},
    {"dinosaur", "little dinosaur", "dino"},
    {"car", "automobile", "little car"},
    {"boat", "sailing boat", "sailboat", "little boat"},
    {"fish", "big fish"},
};

/* "%" stands for the colour and a space, or for nothing where colours cannot be seen. */
static const char *const CLOTHES[WORLD_OUTFITS][WORDS] = {
    {""},
    {"%overalls and cowboy boots", "%dungarees and cowboy boots", "cowboy boots and %overalls"},
    {"blue jeans and a %t-shirt", "a %t-shirt and blue jeans", "jeans and a %t-shirt", "a %t-shirt and jeans"},
    {"a %dress and a sun hat", "a sun hat and a %dress", "a %dress with a straw sun hat"},
    {"a beret and a %turtleneck", "a %turtleneck and a beret", "a beret and a %turtleneck sweater"},
    {"a %scarf, a wool hat and a winter coat", "a winter coat with a %scarf and a wool hat", "a wool hat and a %scarf"},
};

static const char *const WEARING[] = {"wearing", "in", "dressed in", "with", NULL};

static const char *const LEGS[WORLD_ACTIONS][WORDS] = {
    {"standing", "standing still"},
    {"strolling", "walking", "taking a stroll", "taking a pleasant stroll", "taking a walk"},
    {"running", "sprinting", "running fast"},
    {"jumping", "jumping up and down", "hopping", "leaping into the air"},
    {"waving", "waving a hand", "waving hello"},
    {"dancing", "doing a dance", "dancing about"},
    {"turning around", "spinning around", "turning around once"},
    {"eating", "eating a snack", "eating something"},
    {"painting", "painting a picture", "painting on a canvas", "painting at an easel"},
    {"walking", "strolling"},
    {"walking out", "going out"},
};
static const char *const WHEELS[WORLD_ACTIONS][WORDS] = {
    {"standing", "parked"},
    {"driving", "driving slowly", "rolling along"},
    {"speeding", "racing"},
    {"jumping", "bouncing up and down"},
    {""},
    {""},
    {"turning around", "spinning around"},
    {""},
    {""},
    {"driving"},
    {"driving out"},
};
static const char *const SAILS[WORLD_ACTIONS][WORDS] = {
    {"floating", "resting"},
    {"sailing", "drifting"},
    {"speeding", "racing"},
    {""},
    {""},
    {""},
    {"turning around", "spinning around"},
    {""},
    {""},
    {"sailing"},
    {"sailing out"},
};
static const char *const FINS[WORLD_ACTIONS][WORDS] = {
    {"floating", "hovering"},
    {"swimming", "gliding"},
    {"darting", "swimming very fast"},
    {"jumping", "leaping"},
    {""},
    {""},
    {"turning around", "spinning around"},
    {""},
    {""},
    {"swimming"},
    {"swimming out"},
};

static const char *const WAYS[WORLD_DIRECTIONS][WORDS] = {
    {""},
    {"to the left", "from right to left", "leftward", "left"},
    {"to the right", "from left to right", "rightward", "right"},
    {"toward the camera", "toward us", "closer to the camera", "towards the viewer"},
    {"away from the camera", "away from us", "away into the distance"},
};

static const char *const PLACES[WORLD_PLACES][WORDS] = {
    {"on a city street", "in the city", "in a big city", "on a street in the city", "in a city"},
    {"on a beach", "at the beach", "on a sandy beach", "on a beach by the sea", "on the beach"},
    {"in a jungle", "in a lush jungle", "in the jungle", "in a dense jungle"},
    {"in the desert", "in a desert", "in a sandy desert"},
    {"in snowy mountains", "in the snow mountains", "among snowy mountains", "in the snowy mountains",
     "in the mountains"},
    {"in Antarctica", "on the ice of Antarctica", "in icy Antarctica"},
    {"under water", "underwater", "deep under water", "under the sea"},
    {"on a coral reef", "at a coral reef", "in a coral reef", "among the corals of a reef"},
    {"in space", "in outer space", "on the moon", "on the moon in space"},
    {"at a castle", "in front of a castle", "before a medieval castle", "near a castle", "at an old castle"},
    {"in a neon city", "in a cyberpunk city", "on a neon city street", "in a cyberpunk neon city"},
    {"in a village", "in a small village", "in a quiet village", "in a little village"},
    {"in Johannesburg", "on a street in Johannesburg"},
    {"in Mumbai", "on a street in Mumbai"},
    {"in a meadow", "in a meadow of flowers", "on a flowery meadow", "in a flower meadow"},
    {"in a palace hall", "in a grand hall", "in the hall of a palace", "inside a palace", "in a palace"},
};
static const char *const WATERS[WORLD_PLACES][WORDS] = {
    {"on a canal in the city", "on a city canal"},
    {"on the sea at a beach", "off a sandy beach"},
    {"on a river in the jungle", "on a jungle river"},
    {""},
    {"on a lake in snowy mountains", "on a lake among snowy mountains"},
    {"on the sea of Antarctica", "on the water in Antarctica"},
    {""},
    {""},
    {""},
    {"on a lake at a castle", "on the water in front of a castle"},
    {"on a canal in a neon city", "on the water of a neon city"},
    {"on a lake in a village", "on a village lake"},
    {""},
    {"in the harbour of Mumbai", "on the water in Mumbai"},
    {"on a river in a meadow", "on a river through a meadow"},
    {""},
};

static const char *const CONDITIONS[WORLD_CONDITIONS][WORDS] = {
    {"on a clear day", "on a sunny day", "in bright daylight", "in the daytime"},
    {"at sunset", "during a beautiful sunset", "in the light of the sunset", "during a sunset", "as the sun sets"},
    {"at night", "by night", "in the dark of night", "during the night"},
    {"under the northern lights", "with northern lights in the sky", "under an aurora", "with an aurora in the sky"},
    {"in the rain", "on a rainy day", "in pouring rain", "while it rains"},
    {"in a snow storm", "during a winter storm", "in a snowstorm", "in a blizzard", "in heavy snow"},
    {"during a festival", "during a colorful festival", "at a festival with lanterns", "at a festival"},
    {"in autumn", "on an autumn day", "with autumn leaves falling", "in the fall", "during autumn"},
};

static const char *const STYLES[WORLD_STYLES][WORDS] = {
    {"flat colour cartoon", "cartoon in flat colours", "flat cartoon"},
    {"claymation", "clay animation", "stop motion clay"},
    {"charcoal drawing", "black and white charcoal drawing", "charcoal sketch"},
    {"pixel art", "8-bit pixel art", "pixel art in the manner of an old game"},
    {"1920s film", "old film of the 1920s", "silent 1920s film", "vintage 1920s film"},
};

static const char *const CAMERAS[WORLD_CAMERAS][WORDS] = {
    {"still camera", "the camera stays still"},
    {"the camera pans left", "camera panning to the left", "pan to the left", "panning left"},
    {"the camera pans right", "camera panning to the right", "pan to the right", "panning right"},
    {"the camera orbits around", "the camera circles around", "orbit shot"},
    {"the camera zooms in", "zoom in", "zooming in"},
    {"the camera zooms out", "zoom out", "zooming out"},
    {"the camera moves forward", "dolly shot going forward", "dolly in"},
    {"the camera follows along", "tracking shot", "the camera follows"},
};

static const char *const MOODS[WORLD_EMOTIONS][WORDS] = {
    {""}, {"happy", "smiling"}, {"sad"}, {"angry"}, {"surprised", "astonished"}};

static const char *const COVERS[WORLD_PLACES] = {
    "a brick wall", "a boulder",    "a tree trunk", "a rock",   "a block of ice", "a block of ice",
    "a boulder",    "a rock",       "a moon rock",  "a pillar", "a brick wall",   "a brick wall",
    "a tree trunk", "a brick wall", "a tree trunk", "a pillar",
};

static const char *article(const char *next) {
    return strchr("aeiouAEIOU", next[0]) && strncmp(next, "one", 3) != 0 ? "an " : "a ";
}

/* "a %dress" with the colour put in; the article before it follows the word that really comes. */
static void put_clothes(text *t, const char *pattern, const char *colour) {
    for (const char *p = pattern; *p; p++) {
        char one[2] = {*p, 0};
        if (p[0] == 'a' && p[1] == ' ' && p[2] == '%' && (p == pattern || p[-1] == ' ')) {
            put(t, article(colour ? colour : p + 3));
            p++;
        } else if (*p == '%') {
            if (colour) {
                put(t, colour);
                put(t, " ");
            }
        } else {
            put(t, one);
        }
    }
}

/* Length of the adjective, with its space, that a noun begins with. */
static size_t adjectives(const char *noun) {
    static const char *const words[] = {"little ",   "big ",   "cute ",     "furry ",
                                        "one-eyed ", "young ", "adorable ", "small "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncmp(noun, words[i], strlen(words[i])) == 0) return strlen(words[i]);
    return 0;
}

static void put_subject(text *t, const world_scene *s, bool second) {
    const int *a = s->attr;
    int subject = a[second ? WORLD_SUBJECT2 : WORLD_SUBJECT], outfit = a[second ? WORLD_OUTFIT2 : WORLD_OUTFIT];
    int colour_attr = second ? WORLD_COLOUR2 : WORLD_COLOUR;
    uint64_t slot = second ? 50 : 10;
    const char *colour =
        world_attr_visible(s, colour_attr, true) ? world_value_name(WORLD_COLOUR, a[colour_attr]) : NULL;
    const char *noun = pick(t, slot, NOUNS[subject]);
    const char *mood =
        !second && world_attr_visible(s, WORLD_EMOTION, true) ? pick(t, slot + 1, MOODS[a[WORLD_EMOTION]]) : "";
    bool bare = outfit == WORLD_BARE;
    size_t lead = bare && colour ? adjectives(noun) : 0; /* "little red dinosaur", not "red little dinosaur" */
    const char *first = *mood ? mood : lead ? noun : bare && colour ? colour : noun;
    put(t, article(first));
    if (*mood) {
        put(t, mood);
        put(t, " ");
    }
    for (size_t i = 0; i < lead; i++) {
        char one[2] = {noun[i], 0};
        put(t, one);
    }
    if (bare && colour) {
        put(t, colour);
        put(t, " ");
    }
    put(t, noun + lead);
    if (!bare) {
        put(t, " ");
        put(t, pick(t, slot + 2, WEARING));
        put(t, " ");
        put_clothes(t, pick(t, slot + 3, CLOTHES[outfit]), colour);
    }
}

static const char *verb(const text *t, const world_scene *s, int subject, int action, uint64_t slot) {
    (void)s;
    const char *v = "";
    if (subject == WORLD_CAR)
        v = pick(t, slot, WHEELS[action]);
    else if (subject == WORLD_BOAT)
        v = pick(t, slot, SAILS[action]);
    else if (subject == WORLD_FISH)
        v = pick(t, slot, FINS[action]);
    return *v ? v : pick(t, slot, LEGS[action]);
}

static void put_action(text *t, const world_scene *s, bool moving) {
    const int *a = s->attr;
    const char *way = pick(t, 21, WAYS[a[WORLD_DIRECTION]]);
    if (a[WORLD_RELATION] == WORLD_CHASING) {
        put(t, " chasing ");
        put_subject(t, s, true);
        put(t, " ");
        put(t, way);
        return;
    }
    if (world_attr_visible(s, WORLD_ACTION, moving)) {
        put(t, " ");
        put(t, verb(t, s, a[WORLD_SUBJECT], a[WORLD_ACTION], 20));
        if (a[WORLD_KIND] == WORLD_GAME) {
            put(t, " ");
            put(t, way);
            put(t, chance(t, 24, .5) ? ", jumping over obstacles and collecting coins,"
                                     : " over blocks and pits after coins");
        } else if (a[WORLD_ACTION] == WORLD_PASS) {
            static const char *const side[WORLD_DIRECTIONS] = {"", "to the left", "to the right", "", ""};
            put(t, " ");
            put(t, side[a[WORLD_DIRECTION]]);
            put(t, " behind ");
            put(t, COVERS[a[WORLD_PLACE]]);
            put(t, chance(t, 22, .5) ? " and coming out again" : " and out on the other side");
        } else if (a[WORLD_ACTION] == WORLD_RETURN) {
            put(t, a[WORLD_DIRECTION] == WORLD_LEFT ? " of the picture to the left" : " of the picture to the right");
            put(t, chance(t, 22, .5) ? " and coming back" : " and returning");
        } else if (world_attr_visible(s, WORLD_DIRECTION, moving)) {
            put(t, " ");
            put(t, way);
        }
    }
    static const char *const RELATED[WORLD_RELATIONS][WORDS] = {{""},
                                                                {"to the left of", "on the left of", "left of"},
                                                                {"to the right of", "on the right of", "right of"},
                                                                {"behind"},
                                                                {""}};
    if (world_attr_visible(s, WORLD_RELATION, moving)) {
        put(t, " ");
        put(t, pick(t, 23, RELATED[a[WORLD_RELATION]]));
        put(t, " ");
        put_subject(t, s, true);
    }
}

static void put_place(text *t, const world_scene *s, int place, uint64_t slot) {
    put(t, pick(t, slot, s->attr[WORLD_SUBJECT] == WORLD_BOAT && *WATERS[place][0] ? WATERS[place] : PLACES[place]));
}

/* A clear day goes without saying where no sky is seen, and now and then elsewhere. */
static bool says_condition(const text *t, int place, int condition, bool full) {
    if (condition != WORLD_CLEAR) return true;
    if (place == WORLD_UNDERWATER || place == WORLD_REEF || place == WORLD_SPACE || place == WORLD_HALL) return false;
    return full || chance(t, 31, .4);
}

static void capital(text *t, size_t at) {
    if (at < t->capacity && t->buffer[at] >= 'a' && t->buffer[at] <= 'z' && at < t->length)
        t->buffer[at] = (char)(t->buffer[at] - 'a' + 'A');
}

static void put_shots(text *t, const world_scene *s) {
    if (s->attr[WORLD_SHOTS] == WORLD_CLOSE_UP_CUT) {
        put(t, chance(t, 60, .5) ? ", then a close-up" : ", then a cut to a close-up");
    } else if (s->attr[WORLD_SHOTS] == WORLD_PLACE_CUT) {
        put(t, chance(t, 60, .5) ? ", then the same " : ", then a cut to the same ");
        put(t, pick(t, 61, NOUNS[s->attr[WORLD_SUBJECT]]));
        put(t, " ");
        put_place(t, s, s->place2, 62);
        if (says_condition(t, s->place2, s->condition2, false)) {
            put(t, " ");
            put(t, pick(t, 63, CONDITIONS[s->condition2]));
        }
    }
}

static void brief(text *t, const world_scene *s, bool moving) {
    enum { SUBJECT_FIRST, CONDITION_FIRST, PLACE_FIRST };
    const int *a = s->attr;
    bool said_style = a[WORLD_STYLE] != WORLD_FLAT || chance(t, 41, .2), style_first = said_style && chance(t, 42, .5);
    bool said_condition = says_condition(t, a[WORLD_PLACE], a[WORLD_CONDITION], false);
    bool game = a[WORLD_KIND] == WORLD_GAME;
    double u = world_unit(t->seed, 32);
    int order = u < .12 ? PLACE_FIRST : u < .3 && said_condition ? CONDITION_FIRST : SUBJECT_FIRST;
    const char *condition = pick(t, 33, CONDITIONS[a[WORLD_CONDITION]]), *style = pick(t, 40, STYLES[a[WORLD_STYLE]]);
    if (style_first) {
        put(t, style);
        put(t, order == SUBJECT_FIRST && chance(t, 43, .5) ? " of " : ": ");
    }
    if (order == PLACE_FIRST) {
        put_place(t, s, a[WORLD_PLACE], 30);
        if (said_condition) put(t, " ");
    }
    if (order != SUBJECT_FIRST) {
        if (said_condition) put(t, condition);
        put(t, ", ");
    }
    if (game) put(t, chance(t, 25, .5) ? "a video game in which we see " : "a platform game with ");
    put_subject(t, s, false);
    if (!style_first && !game && chance(t, 26, .3) &&
        (a[WORLD_RELATION] == WORLD_CHASING || world_attr_visible(s, WORLD_ACTION, moving)))
        put(t, " is"); /* a sentence, not a title */
    put_action(t, s, moving);
    if (order != PLACE_FIRST) {
        put(t, " ");
        put_place(t, s, a[WORLD_PLACE], 30);
    }
    if (said_condition && order == SUBJECT_FIRST) {
        put(t, " ");
        put(t, condition);
    }
    if (moving) put_shots(t, s);
    if (said_style && !style_first) {
        put(t, ", ");
        put(t, style);
        put(t, chance(t, 43, .5) ? " style" : "");
    }
    if (moving && (a[WORLD_CAMERA] != WORLD_STILL || chance(t, 44, .15)) && a[WORLD_SHOTS] == WORLD_ONE_SHOT) {
        put(t, ", ");
        put(t, pick(t, 45, CAMERAS[a[WORLD_CAMERA]]));
    }
}

static void full(text *t, const world_scene *s, bool moving) {
    const int *a = s->attr;
    static const char *const OPENING[] = {"a video of", "a clip of", "we see", NULL};
    static const char *const OPENING_IMAGE[] = {"an image of", "a picture of", "we see", NULL};
    static const char *const SETTING[] = {"the scene is set", "it all happens", "this takes place", NULL};
    put(t, pick(t, 70, moving ? OPENING : OPENING_IMAGE));
    capital(t, 0);
    if (a[WORLD_KIND] == WORLD_GAME) put(t, " a video game with");
    put(t, " ");
    put_subject(t, s, false);
    put_action(t, s, moving);
    put(t, ". ");
    size_t at = t->length;
    put(t, pick(t, 71, SETTING));
    capital(t, at);
    put(t, " ");
    put_place(t, s, a[WORLD_PLACE], 30);
    if (says_condition(t, a[WORLD_PLACE], a[WORLD_CONDITION], true)) {
        put(t, " ");
        put(t, pick(t, 33, CONDITIONS[a[WORLD_CONDITION]]));
    }
    if (moving) put_shots(t, s);
    put(t, ". ");
    put(t, chance(t, 72, .5) ? "The style is " : "It is made as ");
    const char *style = pick(t, 40, STYLES[a[WORLD_STYLE]]);
    if (a[WORLD_STYLE] != WORLD_CLAY && a[WORLD_STYLE] != WORLD_PIXEL) put(t, style[0] == '1' ? "a " : article(style));
    put(t, style);
    put(t, ".");
    if (moving && a[WORLD_SHOTS] == WORLD_ONE_SHOT) {
        put(t, " ");
        at = t->length;
        put(t, pick(t, 45, CAMERAS[a[WORLD_CAMERA]]));
        capital(t, at);
        put(t, ".");
    }
}

size_t world_caption(const world_scene *s, uint64_t seed, int style, char *buffer, size_t capacity) {
    text t = {buffer, capacity, 0, world_hash(seed, 7001)};
    put(&t, "");
    bool moving = !(style & WORLD_IMAGE) && !s->image;
    if ((style & ~WORLD_IMAGE) == WORLD_LONG) {
        full(&t, s, moving);
    } else {
        brief(&t, s, moving);
        if (chance(&t, 80, .5)) capital(&t, 0);
    }
    return t.length;
}

static void put_number(text *t, const char *name, double v, const char *end) {
    char word[64];
    /* Thousandths as integers: printf's %f would follow the locale's decimal sign. */
    long k = (long)(v < 0 ? v * 1000 - .5 : v * 1000 + .5);
    snprintf(word, sizeof word, "\"%s\": %s%ld.%03ld%s", name, k < 0 ? "-" : "", labs(k) / 1000, labs(k) % 1000, end);
    put(t, word);
}

size_t world_json(const world_scene *s, char *buffer, size_t capacity) {
    text t = {buffer, capacity, 0, 0};
    char word[128];
    snprintf(word, sizeof word, "{\"seed\": \"%016llx\", ", (unsigned long long)s->seed);
    put(&t, word);
    for (int a = 0; a < WORLD_ATTRS; a++) {
        if ((a == WORLD_SUBJECT2 || a == WORLD_OUTFIT2 || a == WORLD_COLOUR2) && s->attr[WORLD_RELATION] == WORLD_ALONE)
            continue;
        snprintf(word, sizeof word, "\"%s\": \"%s\", ", world_attr_name(a),
                 world_value_name(a, s->attr[a]) ? world_value_name(a, s->attr[a]) : "");
        put(&t, word);
    }
    if (s->attr[WORLD_SHOTS] == WORLD_PLACE_CUT) {
        snprintf(word, sizeof word, "\"second_place\": \"%s\", \"second_condition\": \"%s\", ",
                 world_value_name(WORLD_PLACE, s->place2), world_value_name(WORLD_CONDITION, s->condition2));
        put(&t, word);
    }
    put_number(&t, "height", s->height, ", ");
    put_number(&t, "offset", s->offset, ", ");
    put_number(&t, "speed", s->speed, ", ");
    put_number(&t, "eye", s->eye, ", ");
    put_number(&t, "sun", s->sun, ", ");
    put_number(&t, "cut", s->cut, ", ");
    put(&t, world_scene_heldout(s) ? "\"split\": \"heldout\"}" : "\"split\": \"train\"}");
    return t.length;
}
