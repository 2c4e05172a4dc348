/* Video files of the program: what is written is read back; damage is told. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/frame.h>

#include "tools/eval/measures.h"
#include "tools/operations/clip.h"
#include "tools/video/convert.h"
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

/* ---- pictures of any kind ------------------------------------------------------------------------------------------------- */

static AVFrame *picture(enum AVPixelFormat kind, int width, int height) {
    AVFrame *f = av_frame_alloc();
    f->format = kind;
    f->width = width;
    f->height = height;
    ck_assert_int_eq(av_frame_get_buffer(f, 0), 0);
    return f;
}

/* A plain picture in 8-bit Y, Cb, Cr. */
static AVFrame *plain(int y, int cb, int cr, int height) {
    AVFrame *f = picture(AV_PIX_FMT_YUV420P, 16, height);
    memset(f->data[0], y, (size_t)(f->linesize[0] * height));
    memset(f->data[1], cb, (size_t)(f->linesize[1] * height / 2));
    memset(f->data[2], cr, (size_t)(f->linesize[2] * height / 2));
    return f;
}

/* Converts, and gives the size and the first pixel. */
static void converted(AVFrame *f, const int32_t *matrix, int size[2], uint8_t first[3]) {
    video_converter c = {0};
    ck_assert_msg(video_convert_begin(&c, f, matrix, "x", &err) == SORA_OK, "%s", err.message);
    uint8_t *rgb = malloc((size_t)c.width * (size_t)c.height * 3);
    ck_assert_msg(video_convert(&c, f, matrix, "x", rgb, &err) == SORA_OK, "%s", err.message);
    size[0] = c.width;
    size[1] = c.height;
    memcpy(first, rgb, 3);
    free(rgb);
    video_convert_end(&c);
    av_frame_free(&f);
}

static void near(const uint8_t got[3], int r, int g, int b, int within) {
    const int want[3] = {r, g, b};
    for (int k = 0; k < 3; k++)
        ck_assert_msg(abs(got[k] - want[k]) <= within, "%d %d %d in place of %d %d %d", got[0], got[1], got[2], r, g, b);
}

/* A saturated red: Y, Cb, Cr follow from the coefficients; read by the wrong ones it is another colour. */
START_TEST(colours_are_read_as_named) {
    static const struct {
        enum AVColorSpace space;
        enum AVColorRange range;
        int height, y, cb, cr;
    } kinds[] = {
        {AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG, 16, 81, 90, 240},    /* 16 + 219 * .299, .. */
        {AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, 16, 63, 102, 240},       /* 16 + 219 * .2126 */
        {AVCOL_SPC_BT2020_NCL, AVCOL_RANGE_MPEG, 16, 74, 97, 240},   /* 16 + 219 * .2627 */
        {AVCOL_SPC_BT470BG, AVCOL_RANGE_JPEG, 16, 76, 85, 255},      /* full range */
        {AVCOL_SPC_UNSPECIFIED, AVCOL_RANGE_MPEG, 720, 63, 102, 240}, /* large: BT.709 */
        {AVCOL_SPC_UNSPECIFIED, AVCOL_RANGE_MPEG, 480, 81, 90, 240}, /* small: BT.601 */
    };
    int size[2];
    uint8_t first[3];
    AVFrame *f = plain(kinds[_i].y, kinds[_i].cb, kinds[_i].cr, kinds[_i].height);
    f->colorspace = kinds[_i].space;
    f->color_range = kinds[_i].range;
    converted(f, NULL, size, first);
    near(first, 255, 0, 0, 4);
}
END_TEST

START_TEST(transparent_is_white_behind) {
    int size[2];
    uint8_t first[3];
    for (int alpha = 0; alpha <= 255; alpha += 85) {
        AVFrame *f = picture(AV_PIX_FMT_RGBA, 4, 4);
        for (int i = 0; i < 4 * f->linesize[0]; i += 4) memcpy(f->data[0] + i, (uint8_t[4]){255, 0, 60, (uint8_t)alpha}, 4);
        converted(f, NULL, size, first);
        near(first, 255, 255 - alpha, 255 - 195 * alpha / 255, 1);
    }
}
END_TEST

/* Grey levels of HDR: white of 203 cd/m2 is bright, half of its light is the sRGB code of a half, the brightest is full, order is kept. */
START_TEST(hdr_is_mapped) {
    static const int transfers[] = {AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67};
    static const double white[] = {0.5807, 0.75}; /* codes of 203 cd/m2 */
    int size[2], before = -1;
    uint8_t first[3];
    for (int step = 0; step <= 20; step++) {
        AVFrame *f = picture(AV_PIX_FMT_YUV420P10, 16, 16);
        const double code = step == 20 ? white[_i] : step / 19.0;
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < (k ? 8 : 16) * f->linesize[k] / 2; i++)
                ((uint16_t *)(void *)f->data[k])[i] = (uint16_t)(k ? 512 : 64 + 876 * code + 0.5);
        f->color_trc = (enum AVColorTransferCharacteristic)transfers[_i];
        f->colorspace = AVCOL_SPC_BT2020_NCL;
        f->color_primaries = AVCOL_PRI_BT2020;
        f->color_range = AVCOL_RANGE_MPEG;
        converted(f, NULL, size, first);
        near(first, first[1], first[1], first[1], 1); /* stays grey */
        if (step == 20) {
            near(first, 243, 243, 243, 3); /* light of 0.9 */
            break;
        }
        ck_assert_int_ge(first[1], before);
        before = first[1];
        if (step == 0) ck_assert_int_le(first[1], 1);
    }
    ck_assert_int_ge(before, 252);
}
END_TEST

/* HDR blue of BT.2020 lies outside of sRGB: it comes out as blue, not as something else. */
START_TEST(hdr_colours) {
    int size[2];
    uint8_t first[3];
    AVFrame *f = picture(AV_PIX_FMT_GBRP10, 16, 16);
    for (int k = 0; k < 3; k++) /* planes are G, B, R */
        for (int i = 0; i < 16 * f->linesize[k] / 2; i++) ((uint16_t *)(void *)f->data[k])[i] = k == 1 ? 594 : 0;
    f->color_trc = AVCOL_TRC_SMPTE2084;
    f->colorspace = AVCOL_SPC_RGB;
    f->color_primaries = AVCOL_PRI_BT2020;
    converted(f, NULL, size, first);
    near(first, 0, 0, 243, 12);
}
END_TEST

START_TEST(pixels_that_are_not_square) {
    int size[2];
    uint8_t first[3];
    AVFrame *f = plain(100, 128, 128, 30);
    f->sample_aspect_ratio = (AVRational){16, 11};
    converted(f, NULL, size, first);
    ck_assert_int_eq(size[0], 23); /* 16 * 16 / 11 */
    ck_assert_int_eq(size[1], 30);
    f = plain(100, 128, 128, 30);
    f->sample_aspect_ratio = (AVRational){1, 2};
    converted(f, NULL, size, first);
    ck_assert_int_eq(size[0], 16);
    ck_assert_int_eq(size[1], 60);
    f = plain(100, 128, 128, 30);
    f->sample_aspect_ratio = (AVRational){1, 2000000};
    video_converter c = {0};
    ck_assert_int_eq(video_convert_begin(&c, f, NULL, "x", &err), SORA_E_FORMAT);
    video_convert_end(&c);
    av_frame_free(&f);
}
END_TEST

/* The tkhd box of an MP4 has a matrix: a b u, c d v, x y w. */
static void turn_file(const char *path, int a, int b, int c, int d) {
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "r+b");
    const size_t n = fread(data, 1, sizeof data, f);
    size_t at = 0;
    while (at + 84 < n && memcmp(data + at, "tkhd", 4) != 0) at++;
    ck_assert_uint_lt(at + 84, n);
    const int values[9] = {a, b, 0, c, d, 0, 0, 0, 0x4000};
    for (int i = 0; i < 8; i++) {
        const int32_t v = values[i] * 65536;
        for (int k = 0; k < 4; k++) data[at + 44 + (size_t)(i * 4 + k)] = (uint8_t)((uint32_t)v >> (24 - 8 * k));
    }
    rewind(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    fclose(f);
}

/* A file whose left half is dark and whose upper half is red, shown in the eight ways there are. */
START_TEST(turned_files) {
    /* matrix, and where the dark red quarter must come to stand */
    static const struct {
        int a, b, c, d, right, below;
    } turns[] = {{1, 0, 0, 1, 0, 0},  {0, 1, -1, 0, 1, 0}, {-1, 0, 0, -1, 1, 1}, {0, -1, 1, 0, 0, 1},
                 {-1, 0, 0, 1, 1, 0}, {1, 0, 0, -1, 0, 1}, {0, 1, 1, 0, 0, 0},   {0, -1, -1, 0, 1, 1}};
    const int w = 64, h = 32, swap = turns[_i].a == 0;
    char path[160];
    static uint8_t rgb[64 * 32 * 3];
    video_writer *writer = NULL;
    video_clip c;
    path_of("turned.mp4", path);
    for (int i = 0; i < w * h; i++) memcpy(rgb + i * 3, (uint8_t[3]){i % w < w / 2 ? 60 : 220, i / w < h / 2 ? 30 : 200, i % w < w / 2 ? 30 : 200}, 3);
    for (int i = 0; i < w * h; i++)
        if (i / w < h / 2 && i % w < w / 2) memcpy(rgb + i * 3, (uint8_t[3]){150, 10, 10}, 3);
    ck_assert_int_eq(video_writer_open(&writer, ctx, path, w, h, 8, &err), SORA_OK);
    for (int f = 0; f < 3; f++) ck_assert_int_eq(video_writer_add(writer, rgb, &err), SORA_OK);
    ck_assert_int_eq(video_writer_commit(&writer, &err), SORA_OK);
    turn_file(path, turns[_i].a, turns[_i].b, turns[_i].c, turns[_i].d);
    ck_assert_msg(video_read(&c, path, 0, 1 << 24, &err) == SORA_OK, "%s", err.message);
    ck_assert_int_eq(c.width, swap ? h : w);
    ck_assert_int_eq(c.height, swap ? w : h);
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 2; x++) {
            const uint8_t *p = c.rgb + ((c.height * (1 + 2 * y) / 4) * c.width + c.width * (1 + 2 * x) / 4) * 3;
            const int red = p[0] > 120 && p[1] < 60 && p[2] < 60;
            ck_assert_msg(red == (x == turns[_i].right && y == turns[_i].below), "quarter %d %d is %d %d %d", x, y, p[0], p[1], p[2]);
        }
    video_clip_free(&c);
}
END_TEST

/* Frames of a GIF are shown for as long as its control blocks say, in hundredths. */
static void set_delays(const char *path, const int *delays, int count) {
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "r+b");
    const size_t n = fread(data, 1, sizeof data, f);
    int k = 0;
    for (size_t i = 0; i + 8 < n && k < count; i++)
        if (data[i] == 0x21 && data[i + 1] == 0xf9 && data[i + 2] == 4 && data[i + 7] == 0) {
            data[i + 4] = (uint8_t)delays[k];
            data[i + 5] = (uint8_t)(delays[k++] >> 8);
        }
    ck_assert_int_eq(k, count);
    rewind(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    fclose(f);
}

START_TEST(frames_of_unequal_length) {
    static const int delays[] = {10, 50, 10, 20, 30};
    static const double times[] = {0, 0.1, 0.6, 0.7, 0.9};
    char path[160];
    video_clip v;
    clip c;
    path_of("unequal.gif", path);
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT, 5, 10), SORA_OK);
    set_delays(path, delays, 5);
    ck_assert_msg(video_read(&v, path, 0, 1 << 24, &err) == SORA_OK, "%s", err.message);
    ck_assert_int_eq(v.frames, 5);
    for (int f = 0; f < 5; f++) ck_assert_double_eq_tol(v.at[f], times[f], 1e-6);
    ck_assert_double_eq_tol(v.seconds, 1.2, 1e-6);
    ck_assert_int_eq(video_frame_at(&v, 0), 0);
    ck_assert_int_eq(video_frame_at(&v, 0.59), 1);
    ck_assert_int_eq(video_frame_at(&v, 0.6), 2);
    ck_assert_int_eq(video_frame_at(&v, 5), 4);
    /* At ten a second: each for its hundredths, and as long as the file. */
    static const int shown[] = {0, 1, 1, 1, 1, 1, 2, 3, 3, 4, 4, 4};
    ck_assert_int_eq(clip_read(&c, path, 10, 0, 0), 0);
    ck_assert_int_eq(c.frames, 12);
    for (int k = 0; k < 12; k++)
        ck_assert_msg(memcmp(clip_frame(&c, k), v.rgb + (size_t)shown[k] * clip_frame_bytes(&c), clip_frame_bytes(&c)) == 0, "frame %d", k);
    clip_free(&c);
    video_clip_free(&v);
}
END_TEST

/* What has no end loops for ever, and says so. */
START_TEST(marked_to_loop) {
    static const char *const names[] = {"a.gif", "a.webp"};
    char path[160];
    static uint8_t data[1 << 20];
    path_of(names[_i], path);
    ck_assert_int_eq(write_clip(path, WIDTH, HEIGHT, 3, 8), SORA_OK);
    FILE *f = fopen(path, "rb");
    const size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    int found = 0;
    for (size_t i = 0; i + 20 < n; i++) /* a count of 0 */
        found |= _i == 0 ? memcmp(data + i, "NETSCAPE2.0\3\1\0\0", 15) == 0 : memcmp(data + i, "ANIM\6\0\0\0", 8) == 0 && !data[i + 12] && !data[i + 13];
    ck_assert_int_eq(found, 1);
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
    tcase_add_loop_test(c, colours_are_read_as_named, 0, 6);
    tcase_add_test(c, transparent_is_white_behind);
    tcase_add_loop_test(c, hdr_is_mapped, 0, 2);
    tcase_add_test(c, hdr_colours);
    tcase_add_test(c, pixels_that_are_not_square);
    tcase_add_loop_test(c, turned_files, 0, 8);
    tcase_add_test(c, frames_of_unequal_length);
    tcase_add_loop_test(c, marked_to_loop, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
