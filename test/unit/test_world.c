/* The world: determinism, split, captions that say what is seen. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/world/world.h"

Suite *suite_world(void);

#define PINNED 0x6bcfec3e8317b421u

static uint64_t fnv(uint64_t h, const void *data, size_t n) {
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static world_scene make(uint64_t seed, int split) {
    world_limits l;
    world_scene s;
    world_limits_default(&l);
    l.split = split;
    ck_assert_int_eq(world_scene_make(&s, seed, &l), 0);
    return s;
}

START_TEST(test_same_seed_same_bytes) {
    enum { W = 72, H = 48 };
    uint8_t *a = malloc(W * H * 3), *b = malloc(W * H * 3);
    ck_assert(a && b);
    for (uint64_t seed = 0; seed < 24; seed++) {
        world_scene s = make(seed, WORLD_ANY), again = make(seed, WORLD_ANY);
        ck_assert_int_eq(world_render(&s, W, H, .5, 2, a), 0);
        memset(b, 7, W * H * 3);
        ck_assert_int_eq(world_render(&again, W, H, .5, 2, b), 0);
        ck_assert_mem_eq(a, b, W * H * 3);
        ck_assert_int_eq(world_render(&s, W, H, 1.4, 2, b), 0);
        ck_assert_msg(memcmp(a, b, W * H * 3) != 0, "nothing moves in the clip of seed %d", (int)seed);
    }
    free(a);
    free(b);
}
END_TEST

/* Seeds must mean the same scenes and captions for ever: caches, tables and held-out clips are named by them. */
START_TEST(test_scenes_are_pinned) {
    uint64_t h = 0xcbf29ce484222325u;
    char text[2048];
    for (uint64_t seed = 0; seed < 200; seed++) {
        world_scene s = make(seed, WORLD_ANY);
        size_t n = world_json(&s, text, sizeof text);
        ck_assert_uint_lt(n, sizeof text);
        h = fnv(h, text, n);
    }
    ck_assert_msg(h == PINNED, "the scenes of the seeds changed: %016llx", (unsigned long long)h);
}
END_TEST

START_TEST(test_sizes) {
    static const int sizes[][2] = {{64, 64}, {112, 64}, {64, 112}, {16, 16}, {17, 33}, {256, 144}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int w = sizes[i][0], h = sizes[i][1];
        size_t n = (size_t)w * (size_t)h * 3;
        uint8_t *rgb = malloc(n + 16);
        ck_assert_ptr_nonnull(rgb);
        for (int style = 0; style < WORLD_STYLES; style++) {
            world_scene s = make(i, WORLD_ANY);
            world_scene_set(&s, WORLD_STYLE, style);
            memset(rgb + n, 0xa5, 16);
            ck_assert_int_eq(world_render(&s, w, h, .3, 1, rgb), 0);
            for (int k = 0; k < 16; k++) ck_assert_uint_eq(rgb[n + (size_t)k], 0xa5);
        }
        free(rgb);
    }
    uint8_t one[3];
    world_scene s = make(1, WORLD_ANY);
    ck_assert_int_eq(world_render(&s, 8, 8, 0, 1, one), -1);
    ck_assert_int_eq(world_render(&s, 5000, 64, 0, 1, one), -1);
    ck_assert_int_eq(world_render(NULL, 64, 64, 0, 1, one), -1);
}
END_TEST

START_TEST(test_subject_stays_in_view) {
    world_limits l;
    world_limits_default(&l);
    world_limits_only(&l, WORLD_DIRECTION, WORLD_NO_DIRECTION);
    l.second_prob = l.cut_prob = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        world_scene s;
        double box[4];
        ck_assert_int_eq(world_scene_make(&s, seed, &l), 0);
        for (int i = 0; i <= 8; i++) {
            ck_assert(world_bounds(&s, 96, seed & 1 ? 64 : 128, i * .25, 2, box));
            double middle = .5 * (box[0] + box[2]);
            ck_assert_msg(middle > .05 && middle < .95, "seed %d: subject at %f", (int)seed, middle);
            ck_assert_double_gt(box[3], box[1]);
        }
    }
}
END_TEST

START_TEST(test_split) {
    int held = 0, n = 6000;
    for (int i = 0; i < n; i++) {
        world_scene s = make((uint64_t)i, WORLD_ANY);
        ck_assert(world_scene_valid(&s));
        held += world_scene_heldout(&s);
    }
    ck_assert_msg(held > n * .06 && held < n * .14, "%d of %d are held out", held, n);
    bool seen[WORLD_ATTRS][32] = {{false}};
    for (int i = 0; i < n; i++) {
        world_scene t = make((uint64_t)i, WORLD_TRAIN);
        ck_assert(!world_scene_heldout(&t));
        for (int a = 0; a < WORLD_ATTRS; a++) seen[a][t.attr[a]] = true;
        if (i % 6 == 0) {
            world_scene h = make((uint64_t)i, WORLD_HELDOUT);
            ck_assert(world_scene_heldout(&h));
        }
    }
    for (int a = 0; a < WORLD_ATTRS; a++)
        for (int v = 0; v < world_attr_count(a); v++)
            if (!(a == WORLD_SUBJECT2 && v == WORLD_BOAT)) /* a boat comes alone */
                ck_assert_msg(seen[a][v], "%s %s never seen in training", world_attr_name(a), world_value_name(a, v));
}
END_TEST

START_TEST(test_limits) {
    world_limits l;
    world_scene s;
    world_limits_default(&l);
    world_limits_only(&l, WORLD_PLACE, WORLD_BEACH);
    world_limits_only(&l, WORLD_CONDITION, WORLD_CLEAR);
    world_limits_only(&l, WORLD_STYLE, WORLD_FLAT);
    l.max_subjects = 1;
    l.height_min = l.height_max = .7;
    l.vary = 0;
    uint64_t decor = 0;
    for (uint64_t i = 0; i < 200; i++) {
        ck_assert_int_eq(world_scene_make(&s, i, &l), 0);
        ck_assert_int_eq(s.attr[WORLD_PLACE], WORLD_BEACH);
        ck_assert_int_eq(s.attr[WORLD_RELATION], WORLD_ALONE);
        ck_assert_double_eq_tol(s.height, .7, 1e-12);
        ck_assert(i == 0 || s.decor == decor);
        decor = s.decor;
    }
    world_limits_only(&l, WORLD_CONDITION, WORLD_AUTUMN); /* no autumn on the beach */
    ck_assert_int_eq(world_scene_make(&s, 1, &l), -1);
}
END_TEST

START_TEST(test_parse) {
    world_scene s;
    char message[200] = "";
    ck_assert_int_eq(
        world_scene_parse(&s, 3, "subject=toy robot,colour=red,place=beach,action=wave", message, sizeof message), 0);
    ck_assert_int_eq(s.attr[WORLD_SUBJECT], WORLD_ROBOT);
    ck_assert_int_eq(s.attr[WORLD_COLOUR], WORLD_RED);
    ck_assert_int_eq(s.attr[WORLD_PLACE], WORLD_BEACH);
    ck_assert_int_eq(s.attr[WORLD_ACTION], WORLD_WAVE);
    ck_assert_int_eq(s.attr[WORLD_STYLE], WORLD_FLAT);
    ck_assert_int_eq(s.attr[WORLD_CAMERA], WORLD_STILL);
    ck_assert_int_eq(world_scene_parse(&s, 3, "subject=3,relation=chasing", message, sizeof message), 0);
    ck_assert_int_eq(s.attr[WORLD_SUBJECT], 3);
    ck_assert_int_eq(s.attr[WORLD_RELATION], WORLD_CHASING);
    ck_assert_int_eq(world_scene_parse(&s, 3, "subject=unicorn", message, sizeof message), -1);
    ck_assert_ptr_nonnull(strstr(message, "unicorn"));
    ck_assert_int_eq(world_scene_parse(&s, 3, "subject=boat,place=desert", message, sizeof message), -1);
}
END_TEST

START_TEST(test_images) {
    world_limits l;
    world_limits_default(&l);
    l.image = true;
    uint8_t *a = malloc(48 * 48 * 3), *b = malloc(48 * 48 * 3);
    ck_assert(a && b);
    for (uint64_t seed = 0; seed < 60; seed++) {
        world_scene s;
        double box[4];
        char one[1024], other[1024];
        ck_assert_int_eq(world_scene_make(&s, seed, &l), 0);
        ck_assert(s.attr[WORLD_ACTION] != WORLD_PASS && s.attr[WORLD_ACTION] != WORLD_RETURN);
        ck_assert_int_eq(s.attr[WORLD_CAMERA], WORLD_STILL);
        ck_assert(world_bounds(&s, 48, 48, 0, 1, box));
        ck_assert_int_eq(world_render(&s, 48, 48, 0, .125, a), 0);
        ck_assert_int_eq(world_render(&s, 48, 48, .7, 1, b), 0);
        ck_assert_mem_eq(a, b, 48 * 48 * 3);
        world_caption(&s, seed, WORLD_SHORT, one, sizeof one);
        world_caption(&s, seed, WORLD_SHORT | WORLD_IMAGE, other, sizeof other);
        ck_assert_str_eq(one, other);
    }
    free(a);
    free(b);
}
END_TEST

/* What the caption says of motion is what the subject does on the screen. */
START_TEST(test_directions) {
    for (int action = WORLD_STROLL; action <= WORLD_RUN; action++)
        for (int way = WORLD_LEFT; way < WORLD_DIRECTIONS; way++)
            for (uint64_t seed = 0; seed < 20; seed++) {
                world_scene s;
                char spec[64];
                double from[4], to[4];
                snprintf(spec, sizeof spec, "action=%d,direction=%d", action, way);
                ck_assert_int_eq(world_scene_parse(&s, seed, spec, NULL, 0), 0);
                world_bounds(&s, 64, 64, .1, 1.1, from);
                world_bounds(&s, 64, 64, 1, 1.1, to);
                double moved = .5 * (to[0] + to[2] - from[0] - from[2]), grown = (to[3] - to[1]) / (from[3] - from[1]);
                if (way == WORLD_LEFT)
                    ck_assert_double_lt(moved, -.15);
                else if (way == WORLD_RIGHT)
                    ck_assert_double_gt(moved, .15);
                else if (way == WORLD_TOWARD)
                    ck_assert_double_gt(grown, 1.15);
                else
                    ck_assert_double_lt(grown, .87);
            }
}
END_TEST

/* A word (or one of several) that a caption must have for a value. Written down here again, so that a slip in the
 * grammar shows. */
static const char *const SUBJECT_WORDS[WORLD_SUBJECTS] = {"man|grandfather|grandpa",
                                                          "woman|lady",
                                                          "boy",
                                                          "robot",
                                                          "kangaroo",
                                                          "shiba|dog",
                                                          "cat|kitty",
                                                          "tiger",
                                                          "monster",
                                                          "dino",
                                                          "car|automobile",
                                                          "boat",
                                                          "fish"};
static const char *const OUTFIT_WORDS[WORLD_OUTFITS] = {"", "boots", "jeans", "sun hat", "beret", "wool hat"};
static const char *const PLACE_WORDS[WORLD_PLACES] = {"city",
                                                      "beach",
                                                      "jungle",
                                                      "desert",
                                                      "mountains",
                                                      "Antarctica",
                                                      "under water|underwater|under the sea",
                                                      "reef",
                                                      "space|moon",
                                                      "castle",
                                                      "neon|cyberpunk",
                                                      "village",
                                                      "Johannesburg",
                                                      "Mumbai",
                                                      "meadow",
                                                      "hall|palace"};
static const char *const CONDITION_WORDS[WORLD_CONDITIONS] = {
    "",         "sunset|sun sets",   "night", "northern|aurora", "rain", "snow|winter storm|blizzard",
    "festival", "autumn|in the fall"};
static const char *const STYLE_WORDS[WORLD_STYLES] = {"", "clay", "charcoal", "pixel", "1920s"};
static const char *const DIRECTION_WORDS[WORLD_DIRECTIONS] = {"", "left", "right", "toward|closer", "away"};
static const char *const CAMERA_WORDS[WORLD_CAMERAS] = {"",
                                                        "left",
                                                        "right",
                                                        "orbit|circles",
                                                        "zooms in|zoom in|zooming in",
                                                        "zooms out|zoom out|zooming out",
                                                        "forward|dolly in",
                                                        "follows|tracking"};
static const char *const RELATION_WORDS[WORLD_RELATIONS] = {"", "left", "right", "behind", "chasing"};
static const char *const ACTION_WORDS[WORLD_ACTIONS] = {
    "standing|parked|floating|resting|hovering",
    "strolling|walking|stroll|taking a walk|driving|rolling|sailing|drifting|swimming|gliding",
    "running|sprinting|speeding|racing|darting|very fast|chasing",
    "jumping|hopping|bouncing|leaping",
    "waving",
    "dancing|dance",
    "turning around|spinning around",
    "eating",
    "painting",
    "behind",
    "coming back|returning"};

/* Letters of either case: sentences may begin with the word. */
static bool says(const char *caption, const char *words) {
    char lower[2048], word[128];
    size_t n = strlen(caption);
    ck_assert_uint_lt(n, sizeof lower);
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)(caption[i] >= 'A' && caption[i] <= 'Z' ? caption[i] + 32 : caption[i]);
    while (*words) {
        size_t m = strcspn(words, "|");
        for (size_t i = 0; i < m; i++) word[i] = (char)(words[i] >= 'A' && words[i] <= 'Z' ? words[i] + 32 : words[i]);
        word[m] = 0;
        if (strstr(lower, word)) return true;
        words += m + (words[m] == '|');
    }
    return false;
}

static void must(const world_scene *s, const char *text, int attr, const char *words) {
    if (words[0])
        ck_assert_msg(says(text, words), "%s %s is not in: %s", world_attr_name(attr),
                      world_value_name(attr, s->attr[attr]), text);
}

START_TEST(test_captions) {
    char text[2048];
    for (uint64_t seed = 0; seed < 4000; seed++) {
        world_scene s = make(seed, WORLD_ANY);
        const int *a = s.attr;
        int image = seed % 5 == 4 ? WORLD_IMAGE : 0, style = (int)(seed & 1) | image;
        bool moving = !image;
        size_t n = world_caption(&s, seed, style, text, sizeof text);
        ck_assert_uint_eq(n, strlen(text));
        must(&s, text, WORLD_SUBJECT, SUBJECT_WORDS[a[WORLD_SUBJECT]]);
        must(&s, text, WORLD_OUTFIT, OUTFIT_WORDS[a[WORLD_OUTFIT]]);
        must(&s, text, WORLD_PLACE, PLACE_WORDS[a[WORLD_PLACE]]);
        must(&s, text, WORLD_CONDITION, CONDITION_WORDS[a[WORLD_CONDITION]]);
        must(&s, text, WORLD_STYLE, STYLE_WORDS[a[WORLD_STYLE]]);
        must(&s, text, WORLD_RELATION, RELATION_WORDS[a[WORLD_RELATION]]);
        if (a[WORLD_RELATION]) must(&s, text, WORLD_SUBJECT2, SUBJECT_WORDS[a[WORLD_SUBJECT2]]);
        if (world_attr_visible(&s, WORLD_ACTION, moving)) must(&s, text, WORLD_ACTION, ACTION_WORDS[a[WORLD_ACTION]]);
        if (world_attr_visible(&s, WORLD_DIRECTION, moving))
            must(&s, text, WORLD_DIRECTION, DIRECTION_WORDS[a[WORLD_DIRECTION]]);
        if (moving)
            must(&s, text, WORLD_CAMERA, CAMERA_WORDS[a[WORLD_CAMERA]]);
        else
            ck_assert_msg(!says(text, "camera pans|zoom|tracking shot|dolly"), "a camera moves in an image: %s", text);
        if (world_attr_visible(&s, WORLD_COLOUR, moving)) {
            must(&s, text, WORLD_COLOUR, world_value_name(WORLD_COLOUR, a[WORLD_COLOUR]));
        } else {
            for (int c = 0; c < WORLD_WHITE; c++) {
                char word[32] = " ";
                strcat(word, world_value_name(WORLD_COLOUR, c));
                strcat(word, " ");
                ck_assert_msg(c == WORLD_BLUE || !says(text, word), "a colour that cannot be seen: %s", text);
            }
        }
        ck_assert_ptr_null(strstr(text, "  "));
        ck_assert_ptr_null(strstr(text, "%"));
        char cut[16];
        ck_assert_uint_eq(world_caption(&s, seed, style, cut, sizeof cut), n);
        ck_assert_uint_eq(strlen(cut), sizeof cut - 1);
        ck_assert_int_eq(strncmp(cut, text, sizeof cut - 1), 0);
    }
}
END_TEST

/* The caption-swap test of the trainer: one wrong value changes its own words and nothing else. */
START_TEST(test_swap) {
    char right[2048], wrong[2048];
    for (uint64_t seed = 0; seed < 300; seed++) {
        world_scene s = make(seed, WORLD_ANY);
        if (!world_attr_visible(&s, WORLD_COLOUR, true)) continue;
        world_scene w = s;
        world_scene_set(&w, WORLD_COLOUR, (s.attr[WORLD_COLOUR] + 1) % WORLD_COLOURS);
        world_caption(&s, seed, WORLD_SHORT, right, sizeof right);
        world_caption(&w, seed, WORLD_SHORT, wrong, sizeof wrong);
        ck_assert_str_ne(right, wrong);
        ck_assert_msg(says(wrong, world_value_name(WORLD_COLOUR, w.attr[WORLD_COLOUR])), "%s", wrong);
        size_t nr = strlen(right), nw = strlen(wrong);
        size_t front = 0, back = 0;
        while (right[front] == wrong[front]) front++;
        while (back < nr && back < nw && right[nr - 1 - back] == wrong[nw - 1 - back]) back++;
        ck_assert_msg(front + back + 12 >= nr, "more than one word differs:\n%s\n%s", right, wrong);
    }
}
END_TEST

Suite *suite_world(void) {
    Suite *s = suite_create("world");
    TCase *t = tcase_create("world");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_same_seed_same_bytes);
    tcase_add_test(t, test_scenes_are_pinned);
    tcase_add_test(t, test_sizes);
    tcase_add_test(t, test_subject_stays_in_view);
    tcase_add_test(t, test_split);
    tcase_add_test(t, test_limits);
    tcase_add_test(t, test_parse);
    tcase_add_test(t, test_images);
    tcase_add_test(t, test_directions);
    tcase_add_test(t, test_captions);
    tcase_add_test(t, test_swap);
    suite_add_tcase(s, t);
    return s;
}
