/* Video files of the program: what is written is read back; damage is told. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/eval/measures.h"
#include "tools/video/video.h"

enum { WIDTH = 48, HEIGHT = 33, FRAMES = 7 };

static char folder[64];
static sora_context *ctx;
static sora_error err;

static void setup(void) {
    strcpy(folder, "/tmp/sora-video-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    ck_assert_int_eq(sora_context_create(&ctx, NULL, &err), SORA_OK);
}

static void teardown(void) {
    char command[128];
    sora_context_unref(&ctx);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void path_of(const char *name, char out[160]) { snprintf(out, 160, "%s/%s", folder, name); }

/* A soft pattern that moves: every format keeps it well. */
static void draw(uint8_t *rgb, int width, int height, int frame) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = rgb + (y * width + x) * 3;
            p[0] = (uint8_t)(128 + 100 * sin(0.12 * (x + 2 * frame)));
            p[1] = (uint8_t)(128 + 100 * sin(0.10 * (y - frame)));
            p[2] = (uint8_t)(60 + 2 * frame);
        }
}

static int write_clip(const char *path, int width, int height, int frames, double fps) {
    video_writer *w = NULL;
    uint8_t *rgb = malloc((size_t)(width * height * 3));
    int status = video_writer_open(&w, ctx, path, width, height, fps, &err);
    for (int f = 0; f < frames && status == SORA_OK; f++) {
        draw(rgb, width, height, f);
        status = video_writer_add(w, rgb, &err);
    }
    free(rgb);
    if (status == SORA_OK) return video_writer_commit(&w, &err);
    video_writer_abandon(&w);
    return status;
}

static double psnr_of(const video_clip *c) {
    const int64_t size = (int64_t)c->width * c->height * 3;
    uint8_t *want = malloc((size_t)size);
    double mse = 0;
    for (int64_t f = 0; f < c->frames; f++) {
        draw(want, c->width, c->height, (int)f);
        mse += measure_mse(want, c->rgb + f * size, size) / (double)c->frames;
    }
    free(want);
    return 10 * log10(255.0 * 255.0 / fmax(mse, 1e-9));
}

START_TEST(written_and_read_back) {
    static const struct {
        const char *name;
        int width, height;
        double psnr;
    } kinds[] = {{"a.mp4", WIDTH, HEIGHT + 1, 34}, {"odd.mp4", WIDTH + 1, HEIGHT, 34}, {"a.webm", WIDTH, HEIGHT, 32},
                 {"a.gif", WIDTH, HEIGHT, 28},     {"a.y4m", WIDTH, HEIGHT, 34},       {"one.mp4", 16, 16, 30}};
    char path[160];
    video_clip c;
    path_of(kinds[_i].name, path);
    ck_assert_msg(write_clip(path, kinds[_i].width, kinds[_i].height, FRAMES, 12.5) == SORA_OK, "%s", err.message);
    ck_assert_msg(video_read(&c, path, 0, 1 << 24, &err) == SORA_OK, "%s", err.message);
    ck_assert_int_eq(c.width, kinds[_i].width);
    ck_assert_int_eq(c.height, kinds[_i].height);
    ck_assert_int_eq(c.frames, FRAMES);
    ck_assert_msg(fabs(c.fps - 12.5) < 0.1, "%g frames a second", c.fps);
    ck_assert_msg(psnr_of(&c) >= kinds[_i].psnr, "%s: %.1f dB", kinds[_i].name, psnr_of(&c));
    video_clip_free(&c);
    ck_assert_int_eq(video_read(&c, path, 3, 1 << 24, &err), SORA_OK);
    ck_assert_int_eq(c.frames, 3);
    video_clip_free(&c);
    ck_assert_int_eq(video_read(&c, path, 0, (size_t)(2 * kinds[_i].width * kinds[_i].height * 3), &err), SORA_E_LIMIT);
    ck_assert_ptr_null(c.rgb);
}
END_TEST

START_TEST(png_and_folders) {
    char path[160], frame[200];
    video_clip c;
    path_of("a.png", path);
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT, 1, 8), SORA_OK);
    ck_assert_msg(video_read(&c, path, 0, 1 << 24, &err) == SORA_OK, "%s", err.message);
    ck_assert_double_gt(psnr_of(&c), 80);
    video_clip_free(&c);
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT, 2, 8), SORA_E_UNSUPPORTED);
    path_of("frames", path);
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT, FRAMES, 8), SORA_OK);
    snprintf(frame, sizeof frame, "%s/frame-%04d.png", path, FRAMES - 1);
    ck_assert_int_eq(access(frame, R_OK), 0);
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT, FRAMES, 8), SORA_E_IO); /* not empty */
    path_of("a.webp", path);
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT, FRAMES, 8), SORA_OK);
}
END_TEST

START_TEST(abandoned_leaves_nothing) {
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif", "a.webp", "a.y4m", "frames"};
    char path[160];
    uint8_t *rgb = malloc((size_t)(WIDTH * HEIGHT * 3));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        video_writer *w = NULL;
        path_of(names[i], path);
        ck_assert_int_eq(video_writer_open(&w, ctx, path, WIDTH, HEIGHT, 8, &err), SORA_OK);
        draw(rgb, WIDTH, HEIGHT, 0);
        ck_assert_int_eq(video_writer_add(w, rgb, &err), SORA_OK);
        video_writer_abandon(&w);
        ck_assert_ptr_null(w);
        ck_assert_int_ne(access(path, F_OK), 0);
    }
    free(rgb);
    ck_assert_int_eq(rmdir(folder), 0); /* empty */
    ck_assert_int_eq(mkdir(folder, 0700), 0);
}
END_TEST

START_TEST(places_that_are_refused) {
    char path[160];
    ck_assert_int_eq(video_check("/tmp/x.avi", &err), SORA_E_UNSUPPORTED);
    ck_assert_int_eq(video_check("", &err), SORA_E_UNSUPPORTED);
    ck_assert_int_eq(video_check("/nowhere/x.mp4", &err), SORA_E_IO);
    path_of("dir.mp4", path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(video_check(path, &err), SORA_E_IO);
    ck_assert_int_eq(video_format_of("a/b.c/frames"), VIDEO_FOLDER);
    ck_assert_int_eq(video_format_of("A.MP4"), VIDEO_MP4);
}
END_TEST

/* Cut anywhere, a clip gives an error or is complete; it never crashes and never gives a part as the whole. */
START_TEST(cut_files) {
    static const char *const names[] = {"a.mp4", "a.webm", "a.gif", "a.y4m"};
    char path[160], cut[160];
    path_of(names[_i], path);
    path_of("cut", cut);
    strcat(cut, strrchr(path, '.'));
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT + 1, FRAMES, 8), SORA_OK);
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(1 << 20);
    const size_t size = fread(data, 1, 1 << 20, f);
    fclose(f);
    int refused = 0;
    for (size_t n = 0; n < size; n += 1 + size / 23) {
        video_clip c;
        f = fopen(cut, "wb");
        ck_assert_uint_eq(fwrite(data, 1, n, f), n);
        fclose(f);
        const int status = video_read(&c, cut, 0, 1 << 24, &err);
        refused += status != SORA_OK;
        ck_assert(status == SORA_OK || (c.rgb == NULL && err.message[0]));
        video_clip_free(&c);
    }
    ck_assert_int_ge(refused, 3);
    free(data);
    video_clip c;
    ck_assert_int_eq(video_read(&c, "/nowhere/a.mp4", 0, 1 << 24, &err), SORA_E_NOTFOUND);
}
END_TEST

Suite *suite_video(void) {
    Suite *s = suite_create("video");
    TCase *c = tcase_create("video");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, written_and_read_back, 0, 6);
    tcase_add_test(c, png_and_folders);
    tcase_add_test(c, abandoned_leaves_nothing);
    tcase_add_test(c, places_that_are_refused);
    tcase_add_loop_test(c, cut_files, 0, 4);
    suite_add_tcase(s, c);
    return s;
}
