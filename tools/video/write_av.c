/* mp4, webm, gif and y4m through libavcodec and libavformat. */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <stdlib.h>

#include "tools/video/internal.h"

typedef struct av_state {
    AVFormatContext *file;
    AVCodecContext *codec;
    AVStream *stream;
    AVFrame *frame;
    AVPacket *packet;
    struct SwsContext *scale;
    int header; /* written: a trailer is due */
} av_state;

static int fail_av(const video_target *t, int code, const char *what, sora_error *err) {
    char why[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, why, sizeof why);
    return video_fail(err, SORA_E_IO, "%.300s: %s: %s", t->shown, what, why);
}

static const AVCodec *first_encoder(const char *const *names) {
    const AVCodec *codec = NULL;
    for (; *names && !codec; names++) codec = avcodec_find_encoder_by_name(*names);
    return codec;
}

static const char *muxer_of(enum video_format format) {
    return format == VIDEO_MP4 ? "mp4" : format == VIDEO_WEBM ? "webm" : format == VIDEO_GIF ? "gif" : "yuv4mpegpipe";
}

static const AVCodec *encoder_of(enum video_format format) {
    static const char *const mp4[] = {"libx264", "mpeg4", NULL}, *const webm[] = {"libvpx-vp9", "libvpx", NULL},
                             *const gif[] = {"gif", NULL}, *const y4m[] = {"wrapped_avframe", NULL};
    return first_encoder(format == VIDEO_MP4 ? mp4 : format == VIDEO_WEBM ? webm : format == VIDEO_GIF ? gif : y4m);
}

/* High quality: files of short clips are small anyway. */
static void set_quality(AVCodecContext *c, const AVCodec *codec) {
    if (codec->id == AV_CODEC_ID_H264) {
        av_opt_set(c->priv_data, "crf", "16", 0);
        av_opt_set(c->priv_data, "preset", "medium", 0);
    } else if (codec->id == AV_CODEC_ID_VP9 || codec->id == AV_CODEC_ID_VP8) {
        av_opt_set(c->priv_data, "crf", codec->id == AV_CODEC_ID_VP9 ? "22" : "8", 0);
        av_opt_set(c->priv_data, "cpu-used", "3", 0);
        c->bit_rate = codec->id == AV_CODEC_ID_VP9 ? 0 : 8000000;
    } else if (codec->id == AV_CODEC_ID_MPEG4) {
        c->flags |= AV_CODEC_FLAG_QSCALE;
        c->global_quality = 3 * FF_QP2LAMBDA;
    } else if (codec->id == AV_CODEC_ID_GIF) {
        av_opt_set(c->priv_data, "gifflags", "-offsetting-transdiff", 0); /* palettes change from frame to frame */
    }
}

static int open_codec(video_target *t, av_state *s, const AVCodec *codec) {
    AVCodecContext *c = s->codec;
    c->width = t->width;
    c->height = t->height;
    c->framerate = av_d2q(t->fps, 100000);
    c->time_base = av_inv_q(c->framerate);
    if (codec->id == AV_CODEC_ID_GIF) {
        c->pix_fmt = AV_PIX_FMT_PAL8;
        c->time_base = (AVRational){1, 100};
    } else {
        /* H.264 halves colour in even sizes only. */
        c->pix_fmt =
            codec->id == AV_CODEC_ID_H264 && (t->width % 2 || t->height % 2) ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
        c->colorspace = AVCOL_SPC_SMPTE170M; /* what swscale makes of RGB */
        c->color_range = AVCOL_RANGE_MPEG;
        c->color_primaries = AVCOL_PRI_BT709;
        c->color_trc = AVCOL_TRC_IEC61966_2_1;
    }
    c->thread_count = 2;
    c->flags |= AV_CODEC_FLAG_BITEXACT;
    if (s->file->oformat->flags & AVFMT_GLOBALHEADER) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    set_quality(c, codec);
    return avcodec_open2(c, codec, NULL);
}

int video_av_begin(video_target *t, enum video_format format, sora_error *err) {
    char url[4200];
    av_state *s = calloc(1, sizeof *s);
    t->state = s;
    av_log_set_level(AV_LOG_QUIET);
    const AVCodec *codec = encoder_of(format);
    if (!s) return video_fail(err, SORA_E_NOMEM, "no memory for a video");
    if (!codec) return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: libavcodec has no encoder for it here", t->shown);
    snprintf(url, sizeof url, "file:%s", t->path);
    int code = avformat_alloc_output_context2(&s->file, NULL, muxer_of(format), url);
    if (code < 0) return fail_av(t, code, "no such format", err);
    s->file->flags |= AVFMT_FLAG_BITEXACT;
    s->codec = avcodec_alloc_context3(codec);
    s->stream = avformat_new_stream(s->file, NULL);
    s->frame = av_frame_alloc();
    s->packet = av_packet_alloc();
    if (!s->codec || !s->stream || !s->frame || !s->packet)
        return video_fail(err, SORA_E_NOMEM, "no memory for a video");
    if ((code = open_codec(t, s, codec)) < 0) return fail_av(t, code, "the encoder does not start", err);
    s->stream->time_base = s->codec->time_base;
    s->stream->avg_frame_rate = s->codec->framerate;
    if ((code = avcodec_parameters_from_context(s->stream->codecpar, s->codec)) < 0)
        return fail_av(t, code, "the encoder does not start", err);
    s->frame->format = s->codec->pix_fmt;
    s->frame->width = t->width;
    s->frame->height = t->height;
    s->frame->colorspace = s->codec->colorspace;
    s->frame->color_range = s->codec->color_range;
    if ((code = av_frame_get_buffer(s->frame, 0)) < 0) return fail_av(t, code, "no memory for a frame", err);
    if (s->codec->pix_fmt != AV_PIX_FMT_PAL8) {
        s->scale = sws_getContext(t->width, t->height, AV_PIX_FMT_RGB24, t->width, t->height, s->codec->pix_fmt,
                                  SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
        if (!s->scale) return video_fail(err, SORA_E_NOMEM, "no memory for a video");
    }
    if ((code = avio_open(&s->file->pb, url, AVIO_FLAG_WRITE)) < 0) return fail_av(t, code, "cannot be written", err);
    AVDictionary *options = NULL;
    if (format == VIDEO_MP4) av_dict_set(&options, "movflags", "+faststart", 0);
    code = avformat_write_header(s->file, &options);
    av_dict_free(&options);
    if (code < 0) return fail_av(t, code, "cannot be written", err);
    s->header = 1;
    return SORA_OK;
}

/* frame NULL: what the encoder still holds. */
static int encode(video_target *t, av_state *s, AVFrame *frame, sora_error *err) {
    int code = avcodec_send_frame(s->codec, frame);
    if (code < 0) return fail_av(t, code, "the encoder failed", err);
    while ((code = avcodec_receive_packet(s->codec, s->packet)) >= 0) {
        if (s->codec->codec_id != AV_CODEC_ID_GIF && s->packet->duration == 0) s->packet->duration = 1;
        av_packet_rescale_ts(s->packet, s->codec->time_base, s->stream->time_base);
        s->packet->stream_index = 0;
        code = av_interleaved_write_frame(s->file, s->packet);
        av_packet_unref(s->packet);
        if (code < 0) return fail_av(t, code, "cannot be written", err);
    }
    return code == AVERROR(EAGAIN) || code == AVERROR_EOF ? SORA_OK : fail_av(t, code, "the encoder failed", err);
}

int video_av_add(video_target *t, const uint8_t *rgb, sora_error *err) {
    av_state *s = t->state;
    int code = av_frame_make_writable(s->frame);
    if (code < 0) return fail_av(t, code, "no memory for a frame", err);
    if (s->scale) {
        const uint8_t *const planes[1] = {rgb};
        const int strides[1] = {t->width * 3};
        sws_scale(s->scale, planes, strides, 0, t->height, s->frame->data, s->frame->linesize);
        s->frame->pts = t->frames;
    } else {
        video_quantize(rgb, t->width, t->height, (uint32_t *)(void *)s->frame->data[1], s->frame->data[0],
                       s->frame->linesize[0]);
        s->frame->pts = (int64_t)((double)t->frames * 100.0 / t->fps + 0.5);
    }
    return encode(t, s, s->frame, err);
}

int video_av_end(video_target *t, int keep, sora_error *err) {
    av_state *s = t->state;
    int status = SORA_OK, code;
    if (!s) return SORA_OK;
    if (keep && s->header) status = encode(t, s, NULL, err);
    if (s->header && (code = av_write_trailer(s->file)) < 0 && keep && status == SORA_OK)
        status = fail_av(t, code, "cannot be written", err);
    if (s->file && s->file->pb && (code = avio_closep(&s->file->pb)) < 0 && keep && status == SORA_OK)
        status = fail_av(t, code, "cannot be written", err);
    sws_freeContext(s->scale);
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
    avcodec_free_context(&s->codec);
    avformat_free_context(s->file);
    free(s);
    t->state = NULL;
    return status;
}
