/* The words of the world: every attribute a scene has and the values it can take.
 *
 * Values are small integers that index arrays; their order is part of the data format (JSON, probes, held-out split),
 * so new values are only ever appended. Names are the words used in captions and on the command line. */
#ifndef SORA_TOOLS_WORLD_VOCABULARY_H
#define SORA_TOOLS_WORLD_VOCABULARY_H

#include <stdbool.h>

enum {
    WORLD_SUBJECT,
    WORLD_OUTFIT,
    WORLD_COLOUR, /* main colour: of the outfit, or of the body where the subject wears nothing */
    WORLD_PLACE,
    WORLD_CONDITION,
    WORLD_STYLE,
    WORLD_ACTION,
    WORLD_DIRECTION,
    WORLD_CAMERA,
    WORLD_EMOTION,
    WORLD_RELATION, /* of the first subject to the second; WORLD_ALONE: there is no second */
    WORLD_SUBJECT2,
    WORLD_OUTFIT2,
    WORLD_COLOUR2,
    WORLD_SHOTS, /* cut structure of the clip */
    WORLD_KIND,  /* film or video game */
    WORLD_ATTRS
};

enum {
    WORLD_OLD_MAN,
    WORLD_WOMAN,
    WORLD_BOY,
    WORLD_ROBOT,
    WORLD_KANGAROO,
    WORLD_SHIBA,
    WORLD_CAT,
    WORLD_TIGER,
    WORLD_MONSTER,
    WORLD_DINOSAUR,
    WORLD_CAR,
    WORLD_BOAT,
    WORLD_FISH,
    WORLD_SUBJECTS
};

enum {
    WORLD_BARE,       /* no clothes: the body has the main colour (never for people) */
    WORLD_OVERALLS,   /* overalls in the main colour over a pale shirt, brown cowboy boots */
    WORLD_JEANS,      /* t-shirt in the main colour, blue jeans */
    WORLD_DRESS,      /* dress in the main colour, wide straw sun hat */
    WORLD_TURTLENECK, /* turtleneck in the main colour, beret (dark red; black if the colour is red), grey trousers */
    WORLD_SCARF,      /* long winter coat in dark grey, wool hat and big scarf in the main colour */
    WORLD_OUTFITS
};

enum {
    WORLD_RED,
    WORLD_ORANGE,
    WORLD_YELLOW,
    WORLD_GREEN,
    WORLD_BLUE,
    WORLD_PURPLE,
    WORLD_PINK,
    WORLD_WHITE,
    WORLD_BLACK,
    WORLD_COLOURS
};

enum {
    WORLD_CITY,
    WORLD_BEACH,
    WORLD_JUNGLE,
    WORLD_DESERT,
    WORLD_MOUNTAINS,
    WORLD_ANTARCTICA,
    WORLD_UNDERWATER,
    WORLD_REEF,
    WORLD_SPACE,
    WORLD_CASTLE,
    WORLD_NEON,
    WORLD_VILLAGE,
    WORLD_JOHANNESBURG,
    WORLD_MUMBAI,
    WORLD_MEADOW,
    WORLD_HALL, /* a grand palace hall, indoors */
    WORLD_PLACES
};

enum {
    WORLD_CLEAR,
    WORLD_SUNSET,
    WORLD_NIGHT,
    WORLD_AURORA,
    WORLD_RAIN,
    WORLD_SNOWSTORM,
    WORLD_FESTIVAL,
    WORLD_AUTUMN,
    WORLD_CONDITIONS
};

enum { WORLD_FLAT, WORLD_CLAY, WORLD_CHARCOAL, WORLD_PIXEL, WORLD_FILM, WORLD_STYLES };

enum {
    WORLD_STAND, /* idle: breathing, blinking, small sway */
    WORLD_STROLL,
    WORLD_RUN,
    WORLD_JUMP,
    WORLD_WAVE,
    WORLD_DANCE,
    WORLD_TURN,   /* turns around once on the spot */
    WORLD_EAT,    /* bites that stay */
    WORLD_PAINT,  /* strokes on a canvas that stay */
    WORLD_PASS,   /* passes behind a thing and comes out */
    WORLD_RETURN, /* leaves the frame and comes back */
    WORLD_ACTIONS
};

enum { WORLD_NO_DIRECTION, WORLD_LEFT, WORLD_RIGHT, WORLD_TOWARD, WORLD_AWAY, WORLD_DIRECTIONS };

enum {
    WORLD_STILL,
    WORLD_PAN_LEFT,
    WORLD_PAN_RIGHT,
    WORLD_ORBIT,
    WORLD_ZOOM_IN,
    WORLD_ZOOM_OUT,
    WORLD_DOLLY, /* the camera itself moves forward */
    WORLD_TRACK, /* the camera goes along with the subject */
    WORLD_CAMERAS
};

enum { WORLD_NEUTRAL, WORLD_HAPPY, WORLD_SAD, WORLD_ANGRY, WORLD_SURPRISED, WORLD_EMOTIONS };

enum { WORLD_ALONE, WORLD_LEFT_OF, WORLD_RIGHT_OF, WORLD_BEHIND, WORLD_CHASING, WORLD_RELATIONS };

enum { WORLD_ONE_SHOT, WORLD_CLOSE_UP_CUT, WORLD_PLACE_CUT, WORLD_SHOT_KINDS };

enum { WORLD_MOVIE, WORLD_GAME, WORLD_KINDS };

/* Number of values of an attribute, its name ("colour") and the name of a value ("red"). NULL or 0 out of range. */
int world_attr_count(int attr);
const char *world_attr_name(int attr);
const char *world_value_name(int attr, int value);

/* The attribute or value with this name (as printed by the functions above), or -1. */
int world_attr_find(const char *name);
int world_value_find(int attr, const char *name);

/* What may go with what. */
bool world_outfit_allowed(int subject, int outfit);
bool world_action_allowed(int subject, int action);
bool world_place_allowed(int subject, int place);
bool world_condition_allowed(int place, int condition);
bool world_direction_allowed(int action, int direction);
bool world_camera_allowed(int action, int direction, int camera);
bool world_has_face(int subject); /* emotions can be seen */

/* The main colour, linear 0..1 per channel as cairo takes it (sRGB values). */
void world_colour_rgb(int colour, double rgb[3]);

#endif
