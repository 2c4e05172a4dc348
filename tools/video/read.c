/* Clips and images from files, decoded by libavcodec, and folders of pictures. */
#define _GNU_SOURCE /* scandir */
#include <dirent.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/video/internal.h"

#define MAX_SIDE 16384

typedef struct reading {
    const char *path;
    AVFormatContext *file;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    struct SwsContext *scale;
    int stream, full; /* full: as many frames as asked for are there */
    int64_t max_frames, capacity;
    size_t max_bytes;
    video_clip clip;
} reading;

static int fail_av(const reading *r, int code, const char *what, sora_error *err) {
    char why[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, why, sizeof why);
    const int status = code == AVERROR(ENOENT)   ? SORA_E_NOTFOUND
                       : code == AVERROR(ENOMEM) ? SORA_E_NOMEM
                                                 : SORA_E_FORMAT;
    return video_fail(err, status, "%.300s: %s: %s", r->path, what, why);
}

static int open_file(reading *r, sora_error *err) {
    char url[4200];
    const AVCodec *decoder = NULL;
    snprintf(url, sizeof url, "file:%s", r->path);
    int code = avformat_open_input(&r->file, url, NULL, NULL);
    if (code < 0) return fail_av(r, code, "cannot be opened", err);
    if ((code = avformat_find_stream_info(r->file, NULL)) < 0) return fail_av(r, code, "damaged", err);
    r->stream = av_find_best_stream(r->file, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (r->stream < 0 || !decoder)
        return video_fail(err, SORA_E_FORMAT, "%.300s: holds no pictures that can be decoded here", r->path);
    r->codec = avcodec_alloc_context3(decoder);
    r->frame = av_frame_alloc();
    r->packet = av_packet_alloc();
    if (!r->codec || !r->frame || !r->packet) return video_fail(err, SORA_E_NOMEM, "no memory to decode");
    const AVStream *stream = r->file->streams[r->stream];
    if ((code = avcodec_parameters_to_context(r->codec, stream->codecpar)) < 0) return fail_av(r, code, "damaged", err);
    r->codec->thread_count = 1;
    r->codec->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    if ((code = avcodec_open2(r->codec, decoder, NULL)) < 0) return fail_av(r, code, "the decoder does not start", err);
    const AVRational rate = stream->avg_frame_rate.num ? stream->avg_frame_rate : stream->r_frame_rate;
    r->clip.fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0.0;
    return SORA_OK;
}

static int take_frame(reading *r, sora_error *err) {
    video_clip *c = &r->clip;
    const AVFrame *f = r->frame;
    if (f->decode_error_flags || (f->flags & AV_FRAME_FLAG_CORRUPT))
        return video_fail(err, SORA_E_FORMAT, "%.300s: frame %lld is damaged", r->path, (long long)c->frames);
    if (c->frames == 0) {
        c->width = f->width;
        c->height = f->height;
    }
    if (f->width < 1 || f->height < 1 || f->width > MAX_SIDE || f->height > MAX_SIDE)
        return video_fail(err, SORA_E_FORMAT, "%.300s: sides of up to %d pixels are read", r->path, MAX_SIDE);
    const size_t size = (size_t)c->width * (size_t)c->height * 3;
    if (size * (size_t)(c->frames + 1) > r->max_bytes)
        return video_fail(err, SORA_E_LIMIT, "%.300s: is larger than %zu bytes of pixels", r->path, r->max_bytes);
    if (c->frames == r->capacity) {
        const int64_t more = r->capacity ? r->capacity * 2 : r->max_frames == 1 ? 1 : 16;
        uint8_t *rgb = realloc(c->rgb, size * (size_t)more);
        if (!rgb) return video_fail(err, SORA_E_NOMEM, "%.300s: no memory for its frames", r->path);
        c->rgb = rgb;
        r->capacity = more;
    }
    /* A clip that changes its size goes on in that of its first frame. */
    r->scale =
        sws_getCachedContext(r->scale, f->width, f->height, (enum AVPixelFormat)f->format, c->width, c->height,
                             AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    if (!r->scale) return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: pixels of an unknown kind", r->path);
    uint8_t *const planes[1] = {c->rgb + size * (size_t)c->frames};
    const int strides[1] = {c->width * 3};
    sws_scale(r->scale, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides);
    c->frames++;
    r->full = r->max_frames > 0 && c->frames == r->max_frames;
    return SORA_OK;
}

/* packet NULL: what the decoder still holds. */
static int decode(reading *r, const AVPacket *packet, sora_error *err) {
    int code = avcodec_send_packet(r->codec, packet);
    if (code < 0 && code != AVERROR_EOF) return fail_av(r, code, "damaged", err);
    while (!r->full && (code = avcodec_receive_frame(r->codec, r->frame)) >= 0) {
        const int status = take_frame(r, err);
        av_frame_unref(r->frame);
        if (status != SORA_OK) return status;
    }
    return r->full || code == AVERROR(EAGAIN) || code == AVERROR_EOF ? SORA_OK : fail_av(r, code, "damaged", err);
}

static int read_all(reading *r, sora_error *err) {
    int code = 0, status = SORA_OK;
    while (status == SORA_OK && !r->full && (code = av_read_frame(r->file, r->packet)) >= 0) {
        if (r->packet->flags & AV_PKT_FLAG_CORRUPT)
            status = video_fail(err, SORA_E_FORMAT, "%.300s: damaged or cut off", r->path);
        else if (r->packet->stream_index == r->stream)
            status = decode(r, r->packet, err);
        av_packet_unref(r->packet);
    }
    if (status == SORA_OK && !r->full && code != AVERROR_EOF) status = fail_av(r, code, "damaged", err);
    if (status == SORA_OK && !r->full) status = decode(r, NULL, err);
    if (status == SORA_OK && r->clip.frames == 0)
        status = video_fail(err, SORA_E_FORMAT, "%.300s: holds no pictures", r->path);
    /* A file that was cut off ends early without an error of its own. */
    const AVStream *stream = r->file->streams[r->stream];
    if (status == SORA_OK && !r->full && stream->nb_frames > r->clip.frames)
        status = video_fail(err, SORA_E_FORMAT, "%.300s: cut off after %lld of %lld frames", r->path,
                            (long long)r->clip.frames, (long long)stream->nb_frames);
    return status;
}

static int read_file(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, sora_error *err) {
    reading r = {.path = path, .max_frames = max_frames, .max_bytes = max_bytes};
    memset(out, 0, sizeof *out);
    av_log_set_level(AV_LOG_QUIET);
    int status = open_file(&r, err);
    if (status == SORA_OK) status = read_all(&r, err);
    sws_freeContext(r.scale);
    av_frame_free(&r.frame);
    av_packet_free(&r.packet);
    avcodec_free_context(&r.codec);
    avformat_close_input(&r.file);
    if (status == SORA_OK)
        *out = r.clip;
    else
        video_clip_free(&r.clip);
    return status;
}

static int is_png(const struct dirent *entry) {
    const size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".png") == 0;
}

/* The pictures of a folder, in the order of their names. */
static int read_folder(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, sora_error *err) {
    struct dirent **names = NULL;
    const int count = scandir(path, &names, is_png, alphasort);
    int status = count > 0 ? SORA_OK : video_fail(err, SORA_E_IO, "%s: is a folder without pictures (*.png)", path);
    for (int i = 0; i < count; i++) {
        char file[4200];
        video_clip one = {0};
        const int n = snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        free(names[i]);
        if (status != SORA_OK || (max_frames && out->frames == max_frames)) continue;
        if (n < 0 || (size_t)n >= sizeof file) {
            status = video_fail(err, SORA_E_IO, "%s: the name is too long", path);
            continue;
        }
        status = read_file(&one, file, 1, max_bytes, err);
        const size_t size = (size_t)one.width * (size_t)one.height * 3;
        if (status == SORA_OK && out->frames && (one.width != out->width || one.height != out->height))
            status = video_fail(err, SORA_E_FORMAT, "%s: is %dx%d, those before it %dx%d", file, one.width, one.height, out->width, out->height);
        if (status == SORA_OK && (size_t)(out->frames + 1) > max_bytes / size)
            status = video_fail(err, SORA_E_LIMIT, "%s: more than %zu MiB of pixels", path, max_bytes >> 20);
        uint8_t *grown = status == SORA_OK ? realloc(out->rgb, (size_t)(out->frames + 1) * size) : NULL;
        if (grown) {
            memcpy(grown + (size_t)out->frames * size, one.rgb, size);
            *out = (video_clip){one.width, one.height, out->frames + 1, 0, grown};
        } else if (status == SORA_OK) {
            status = video_fail(err, SORA_E_NOMEM, "%s: no memory for its frames", path);
        }
        video_clip_free(&one);
    }
    free(names);
    if (status != SORA_OK) video_clip_free(out);
    return status;
}

int video_read(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, sora_error *err) {
    struct stat st;
    memset(out, 0, sizeof *out);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? read_folder(out, path, max_frames, max_bytes, err)
                                                       : read_file(out, path, max_frames, max_bytes, err);
}

void video_clip_free(video_clip *clip) {
    free(clip->rgb);
    memset(clip, 0, sizeof *clip);
}
