/* Seams between given and made frames: what the autoencoder lost of the given ones is carried into the made ones beside them. The rules on numbers, then
 * a run of a model with random weights. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pipeline/pipeline.h"
#include "test/unit/rig.h"

enum { FRAMES = 16, SIZE = 4 };

/* A video of 2 x 2, all 100 as decoded, 130 as given. */
typedef struct seams {
    rig r;
    sorai_held h;
    uint8_t video[FRAMES * SIZE * 3];
} seams;

static void begin(seams *s, const uint8_t keep[FRAMES]) {
    memset(s, 0, sizeof *s);
    open_rig(&s->r, 1, 0);
    s->h = (sorai_held){.mem = s->r.p->mem, .frames = FRAMES, .width = 2, .height = 2};
    s->h.rgb = sorai_alloc(s->h.mem, FRAMES * SIZE * 3);
    s->h.keep = sorai_alloc(s->h.mem, FRAMES * SIZE);
    memset(s->h.rgb, 130, FRAMES * SIZE * 3);
    for (int i = 0; i < FRAMES * SIZE; i++) s->h.keep[i] = keep[i / SIZE];
    memset(s->video, 100, sizeof s->video);
    ck_assert_int_eq(sorai_seam_begin(&s->h, &s->r.err), SORA_OK);
}

/* All frames, in order; those that are needed later are seen as they were decoded. */
static void lay(seams *s) {
    for (int64_t f = 0; f < FRAMES; f++) sorai_held_keep(&s->h, s->video, f);
}

static int at(const seams *s, int f, int i) { return s->video[(f * SIZE + i) * 3]; }

static void end(seams *s) {
    sorai_seam_release(&s->h);
    sorai_free(s->h.mem, s->h.rgb);
    sorai_free(s->h.mem, s->h.keep);
    close_rig(&s->r);
}

/* Frames 5 to 7 are given: unchanged, and what was lost of them (30) fades on both sides; further on nothing is touched. */
START_TEST(what_was_lost_fades) {
    static const int want[FRAMES] = {100, 106, 112, 118, 124, 130, 130, 130, 124, 118, 112, 106, 100, 100, 100, 100};
    seams s;
    begin(&s, (const uint8_t[FRAMES]){[5] = 255, [6] = 255, [7] = 255});
    for (int f = 0; f < FRAMES; f++) {
        const int64_t needed = f >= 1 && f < 5 ? f + 4 < 7 ? f + 5 : 8 : f + 1;
        ck_assert_msg(sorai_held_needs(&s.h, f) == needed, "frame %d needs %d", f, (int)sorai_held_needs(&s.h, f));
    }
    lay(&s);
    for (int f = 0; f < FRAMES; f++) ck_assert_msg(at(&s, f, 0) == want[f] && at(&s, f, 3) == want[f], "frame %d: %d", f, at(&s, f, 0));
    end(&s);
}
END_TEST

/* A single made frame between two given ones takes over what both lost, not twice as much. Where the two differ it lies between. */
START_TEST(both_sides_share) {
    seams s;
    begin(&s, (const uint8_t[FRAMES]){[4] = 255, [6] = 255});
    lay(&s);
    ck_assert_int_eq(at(&s, 5, 0), 130);
    end(&s);
    begin(&s, (const uint8_t[FRAMES]){[4] = 255, [6] = 255});
    memset(s.h.rgb + 6 * SIZE * 3, 70, SIZE * 3);
    lay(&s);
    ck_assert_int_eq(at(&s, 5, 0), 100);
    ck_assert_int_eq(at(&s, 3, 0), 124); /* the nearest on each side counts, not the one behind it */
    end(&s);
}
END_TEST

/* Pixels of a made frame that show something else than the given frame did take over less, down to nothing. */
START_TEST(what_has_changed_is_left) {
    seams s;
    begin(&s, (const uint8_t[FRAMES]){[4] = 255});
    memset(s.video + (5 * SIZE + 1) * 3, 120, 3); /* 60 apart: half */
    memset(s.video + (5 * SIZE + 2) * 3, 140, 3); /* 120 */
    memset(s.video + (5 * SIZE + 3) * 3, 0, 3);
    lay(&s);
    ck_assert_int_eq(at(&s, 5, 0), 124);
    ck_assert_int_eq(at(&s, 5, 1), 132);
    ck_assert_int_eq(at(&s, 5, 2), 140);
    ck_assert_int_eq(at(&s, 5, 3), 0);
    end(&s);
}
END_TEST

/* Pixels go by themselves; one that is kept in part is no source, and takes over before it is mixed. Sums stay in 0..255. */
START_TEST(masks_are_of_pixels) {
    seams s;
    begin(&s, (const uint8_t[FRAMES]){[4] = 255, [5] = 51});
    s.h.keep[4 * SIZE + 1] = 0;   /* this pixel is never given whole */
    s.h.keep[4 * SIZE + 2] = 128;
    sorai_seam_release(&s.h);
    ck_assert_int_eq(sorai_seam_begin(&s.h, &s.r.err), SORA_OK);
    memset(s.video + (4 * SIZE + 3) * 3, 240, 3);
    memset(s.video + (6 * SIZE + 3) * 3, 254, 3);
    memset(s.h.rgb + (4 * SIZE + 3) * 3, 255, 3);
    lay(&s);
    ck_assert_int_eq(at(&s, 4, 0), 130);
    ck_assert_int_eq(at(&s, 5, 0), 125); /* 124, a fifth of the way to 130 */
    ck_assert_int_eq(at(&s, 4, 1), 100);
    ck_assert_int_eq(at(&s, 6, 1), 100);
    ck_assert_int_eq(at(&s, 4, 2), 115);
    ck_assert_int_eq(at(&s, 6, 2), 100);
    ck_assert_int_eq(at(&s, 6, 3), 255);
    end(&s);
}
END_TEST

/* ---- a run ---------------------------------------------------------------------------------------------------------------------- */

enum { SIDE = 32, PLANE = SIDE * SIDE * 3, RUN = 17 };

static sora_tensor *add_clip(rig *r, int64_t n, int64_t place) {
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {n, SIDE, SIDE, 3}};
    sora_condition c;
    sora_condition_init(&c);
    c.at_frame = place;
    ck_assert_int_eq(sora_tensor_create(&c.frames, r->ctx, &shape, &r->err), SORA_OK);
    for (int64_t i = 0; i < n * PLANE; i++) ((uint8_t *)sora_tensor_data(c.frames))[i] = (uint8_t)(100 + i % 29 + 9 * (i / PLANE));
    ck_assert_int_eq(sora_pipeline_add_condition(r->p, &c, &r->err), SORA_OK);
    return c.frames;
}

typedef struct seen {
    int64_t count;
    uint8_t rgb[RUN * PLANE];
} seen;

static int on_frame(void *user, int64_t index, const uint8_t *rgb, int32_t width, int32_t height) {
    seen *s = user;
    ck_assert(index == s->count && width == SIDE && height == SIDE);
    memcpy(s->rgb + index * PLANE, rgb, PLANE);
    s->count++;
    return 0;
}

/* Frames leave in order and as soon as they can: at once behind what is given, and at most four later before it. Given frames are exact, frames
 * far from them what they are without keeping, frames beside them are not. */
START_TEST(frames_leave_in_order) {
    static const int64_t places[][6] = {{0, 1, 5, 9, 13, 17}, {10, 1, 5, 6, 13, 17}, {16, 1, 5, 9, 12, 17}};
    const int64_t given = places[_i][0];
    rig r;
    seen *s = calloc(1, sizeof *s);
    size_t size;
    ck_assert_ptr_nonnull(s);
    open_rig(&r, 2, 0);
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, SIDE);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, SIDE);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, RUN);
    sora_tensor *clip = add_clip(&r, 1, given);
    sora_pipeline_set_i64(r.p, SORA_PARAM_KEEP, 0);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    uint8_t *plain = frames_of(&r, &size);
    sora_pipeline_set_i64(r.p, SORA_PARAM_KEEP, 1);
    sora_pipeline_set_frame_callback(r.p, on_frame, s);
    ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
    for (int status = SORA_MORE; status == SORA_MORE;) {
        const int decoding = r.p->state == SORAI_RUN_DECODE;
        status = sora_pipeline_step(r.p, &r.err);
        ck_assert_msg(status == SORA_MORE || status == SORA_OK, "%s", r.err.message);
        if (decoding) ck_assert_msg(s->count == places[_i][r.p->decoded], "%d frames after step %d", (int)s->count, (int)r.p->decoded);
    }
    uint8_t *rgb = frames_of(&r, &size);
    ck_assert_mem_eq(rgb, s->rgb, size);
    ck_assert_mem_eq(rgb + given * PLANE, sora_tensor_data(clip), PLANE);
    for (int64_t f = 0; f < RUN; f++) {
        const int64_t away = llabs(f - given);
        if (away) ck_assert_msg((memcmp(rgb + f * PLANE, plain + f * PLANE, PLANE) != 0) == (away <= 4), "frame %d", (int)f);
    }
    free(rgb);
    free(plain);
    free(s);
    sora_tensor_unref(&clip);
    close_rig(&r);
}
END_TEST

Suite *suite_seam(void);
Suite *suite_seam(void) {
    Suite *s = suite_create("seam");
    TCase *c = tcase_create("seam");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_test(c, what_was_lost_fades);
    tcase_add_test(c, both_sides_share);
    tcase_add_test(c, what_has_changed_is_left);
    tcase_add_test(c, masks_are_of_pixels);
    tcase_add_loop_test(c, frames_leave_in_order, 0, 3);
    suite_add_tcase(s, c);
    return s;
}
