/* Clips and images from files, decoded by libavcodec, and folders of pictures. */
#define _GNU_SOURCE /* scandir */
#include <dirent.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/video/convert.h"
#include "tools/video/internal.h"

typedef struct reading {
    const char *path;
    AVFormatContext *file;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    video_converter converter;
    const int32_t *matrix; /* how the file wants its pictures turned, or NULL */
    int stream, full;      /* full: as many frames as asked for are there */
    int64_t end;           /* of what was shown so far, in the stream's time; AV_NOPTS_VALUE: not known */
    double first;          /* seconds at which the first frame is shown */
    video_frame_fn each;   /* takes the frames one by one, so that only one is held; NULL: all are held */
    void *user;
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

/* How the pictures of a stream are to be turned: nine numbers, or NULL. */
static const int32_t *display_matrix(const AVStream *stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
    const AVPacketSideData *d =
        av_packet_side_data_get(stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return d && d->size >= 36 ? (const int32_t *)(const void *)d->data : NULL;
#else
    size_t size = 0;
    const uint8_t *d = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return d && size >= 36 ? (const int32_t *)(const void *)d : NULL;
#endif
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
    r->matrix = display_matrix(stream);
    const AVRational rate = stream->avg_frame_rate.num ? stream->avg_frame_rate : stream->r_frame_rate;
    r->clip.fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0.0;
    return SORA_OK;
}

/* Room for one frame more; where they are taken one by one, only of its time. */
static int grow(reading *r, size_t size, sora_error *err) {
    video_clip *c = &r->clip;
    if (size * (size_t)(r->each ? 1 : c->frames + 1) > r->max_bytes)
        return video_fail(err, SORA_E_LIMIT, "%.300s: is larger than %zu bytes of pixels", r->path, r->max_bytes);
    if (c->frames < r->capacity) return SORA_OK;
    const int64_t more = r->capacity ? r->capacity * 2 : r->max_frames == 1 ? 1 : 16;
    uint8_t *rgb = realloc(c->rgb, size * (size_t)(r->each ? 1 : more));
    c->rgb = rgb ? rgb : c->rgb;
    double *at = rgb ? realloc(c->at, (size_t)more * sizeof *at) : NULL;
    c->at = at ? at : c->at;
    if (!at) return video_fail(err, SORA_E_NOMEM, "%.300s: no memory for its frames", r->path);
    r->capacity = more;
    return SORA_OK;
}

static int take_frame(reading *r, sora_error *err) {
    video_clip *c = &r->clip;
    const AVFrame *f = r->frame;
    if (f->decode_error_flags || (f->flags & AV_FRAME_FLAG_CORRUPT))
        return video_fail(err, SORA_E_FORMAT, "%.300s: frame %lld is damaged", r->path, (long long)c->frames);
    int status = c->frames ? SORA_OK : video_convert_begin(&r->converter, f, r->matrix, r->path, err);
    if (status != SORA_OK) return status;
    c->width = r->converter.width;
    c->height = r->converter.height;
    const size_t size = (size_t)c->width * (size_t)c->height * 3;
    status = grow(r, size, err);
    uint8_t *const rgb = c->rgb + (r->each ? 0 : size * (size_t)c->frames);
    if (status == SORA_OK) status = video_convert(&r->converter, f, r->matrix, r->path, rgb, err);
    if (status != SORA_OK) return status;
    /* Times that are not there, or go back, follow the rate. */
    const double step = c->fps > 0 ? 1 / c->fps : 0, now = (double)f->best_effort_timestamp * av_q2d(r->file->streams[r->stream]->time_base);
    const double before = c->frames ? c->at[c->frames - 1] : 0;
    if (c->frames == 0) r->first = now;
    c->at[c->frames] = c->frames == 0                                                             ? 0
                       : f->best_effort_timestamp == AV_NOPTS_VALUE || now - r->first <= before ? before + step
                                                                                                  : now - r->first;
    if (r->each && r->each(r->user, rgb, c->width, c->height, c->at[c->frames]) != 0)
        return video_fail(err, SORA_E_CANCELLED, "%.300s: not read to its end", r->path);
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

/* How long the clip is shown: to the end of its last packet, else one step after its last frame. */
static void measure_time(reading *r) {
    video_clip *c = &r->clip;
    const double last = c->at[c->frames - 1], mean = c->frames > 1 ? last / (double)(c->frames - 1) : 0;
    const double end = r->end == AV_NOPTS_VALUE || r->full ? 0 : (double)r->end * av_q2d(r->file->streams[r->stream]->time_base) - r->first;
    c->seconds = end > last ? end : last + (mean > 0 ? mean : c->fps > 0 ? 1 / c->fps : 0);
    if (c->seconds <= 0) return;
    /* The rate that files state may be a guess from their first frames. */
    c->fps = c->frames > 1 || c->fps <= 0 ? (double)c->frames / c->seconds : c->fps;
}

/* A file that was cut off ends early without an error of its own. That it lacks frames alone says nothing: AVI counts those that stand still and are
 * not there. They are missing at the end when about as much time is. */
static int lacks_end(const reading *r, const AVStream *stream) {
    if (r->end == AV_NOPTS_VALUE || stream->duration <= 0) return 1;
    const int64_t start = stream->start_time == AV_NOPTS_VALUE ? 0 : stream->start_time;
    const double frame = (double)stream->duration / (double)stream->nb_frames;
    return (double)(stream->duration - (r->end - start)) / frame >= 0.5 * (double)(stream->nb_frames - r->clip.frames);
}

static int read_all(reading *r, sora_error *err) {
    int code = 0, status = SORA_OK;
    r->end = AV_NOPTS_VALUE;
    while (status == SORA_OK && !r->full && (code = av_read_frame(r->file, r->packet)) >= 0) {
        const AVPacket *p = r->packet;
        const int64_t shown = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
        if (p->stream_index == r->stream && shown != AV_NOPTS_VALUE && p->duration > 0 && (r->end == AV_NOPTS_VALUE || shown + p->duration > r->end))
            r->end = shown + p->duration;
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
    const AVStream *stream = r->file->streams[r->stream];
    if (status == SORA_OK && !r->full && stream->nb_frames > r->clip.frames && lacks_end(r, stream))
        status = video_fail(err, SORA_E_FORMAT, "%.300s: cut off after %lld of %lld frames", r->path,
                            (long long)r->clip.frames, (long long)stream->nb_frames);
    if (status == SORA_OK) measure_time(r);
    return status;
}

static int read_file(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, video_frame_fn each, void *user, sora_error *err) {
    reading r = {.path = path, .max_frames = max_frames, .max_bytes = max_bytes, .each = each, .user = user};
    memset(out, 0, sizeof *out);
    av_log_set_level(AV_LOG_QUIET);
    int status = open_file(&r, err);
    if (status == SORA_OK) status = read_all(&r, err);
    video_convert_end(&r.converter);
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

/* The pictures of a folder, in the order of their names; each as by read_file. */
static int read_folder(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, video_frame_fn each, void *user, sora_error *err) {
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
        status = read_file(&one, file, 1, max_bytes, NULL, NULL, err);
        const size_t size = (size_t)one.width * (size_t)one.height * 3;
        if (status == SORA_OK && out->frames && (one.width != out->width || one.height != out->height))
            status = video_fail(err, SORA_E_FORMAT, "%s: is %dx%d, those before it %dx%d", file, one.width, one.height, out->width, out->height);
        out->width = one.width;
        out->height = one.height;
        if (status == SORA_OK && each) {
            out->frames++;
            if (each(user, one.rgb, one.width, one.height, -1) != 0) status = video_fail(err, SORA_E_CANCELLED, "%.300s: not read to its end", path);
            video_clip_free(&one);
            continue;
        }
        if (status == SORA_OK && (size_t)(out->frames + 1) > max_bytes / size)
            status = video_fail(err, SORA_E_LIMIT, "%s: more than %zu MiB of pixels", path, max_bytes >> 20);
        uint8_t *grown = status == SORA_OK ? realloc(out->rgb, (size_t)(out->frames + 1) * size) : NULL;
        if (grown) {
            memcpy(grown + (size_t)out->frames * size, one.rgb, size);
            out->rgb = grown;
            out->frames++;
        } else if (status == SORA_OK) {
            status = video_fail(err, SORA_E_NOMEM, "%s: no memory for its frames", path);
        }
        video_clip_free(&one);
    }
    free(names);
    if (status != SORA_OK) video_clip_free(out);
    return status;
}

static int read_any(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, video_frame_fn each, void *user, sora_error *err) {
    struct stat st;
    memset(out, 0, sizeof *out);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? read_folder(out, path, max_frames, max_bytes, each, user, err)
                                                       : read_file(out, path, max_frames, max_bytes, each, user, err);
}

int video_read(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, sora_error *err) {
    return read_any(out, path, max_frames, max_bytes, NULL, NULL, err);
}

int video_each(const char *path, video_frame_fn each, void *user, double *seconds, sora_error *err) {
    video_clip c;
    const int status = read_any(&c, path, 0, SIZE_MAX / 2, each, user, err);
    *seconds = status == SORA_OK && c.at && c.frames > 1 ? c.seconds : 0;
    video_clip_free(&c);
    return status;
}

int64_t video_frame_at(const video_clip *c, double seconds) {
    int64_t low = 0, high = c->frames - 1;
    while (c->at && low < high) {
        const int64_t middle = (low + high + 1) / 2;
        if (c->at[middle] <= seconds + 1e-6)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void video_clip_free(video_clip *clip) {
    free(clip->rgb);
    free(clip->at);
    memset(clip, 0, sizeof *clip);
}
