/* Clips of a folder: films and pictures with captions beside them. A file that is longer than its bucket's clips gives several, one after
 * the other. Number of a clip: place of the file in the sorted list * 65536 + which of its clips. */
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tools/hash.h"
#include "tools/options.h"
#include "tools/train/source.h"
#include "tools/video/scale.h"
#include "tools/video/video.h"

#define MAX_CLIPS     64 /* of one file */
#define DECODED_BYTES ((size_t)1 << 30) /* of one file: of a longer one the beginning is used */
#define MAX_HELDOUT   256
#define CAPTION_BYTES 65536

typedef struct media {
    char *path, *text; /* text: its captions, one a line, or NULL */
    int bucket, clips; /* bucket -1: not used */
    int held;
    uint8_t *rgb; /* all its clips at the bucket's size, while there is room to keep them */
} media;

typedef struct place { /* of a file in a bucket's list */
    uint32_t file;
    uint64_t first; /* clips of the files before it */
} place;

typedef struct list {
    place *places;
    size_t count;
    uint64_t clips;
} list;

typedef struct folder_source {
    clip_source base;
    double fps;
    media *files;
    size_t count;
    int bucket_count;
    list *lists; /* [bucket][split] */
    size_t room; /* bytes that may still be kept */
    size_t last; /* the file whose frames are in last_rgb, or SIZE_MAX */
    uint8_t *last_rgb;
} folder_source;

static const list *list_of(const folder_source *s, const bucket *b, int split) {
    return &s->lists[b->index * 2 + (split == WORLD_HELDOUT)];
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

static int is_media(const char *name) {
    static const char *const known[] = {"mp4", "webm", "mkv", "mov", "gif", "png", "jpg", "jpeg", "webp"};
    const char *dot = strrchr(name, '.');
    if (!dot || name[0] == '.')
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(dot + 1, known[i]) == 0)
            return 1;
    return 0;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const media *)a)->path, ((const media *)b)->path);
}

static int list_files(folder_source *s, const char *folder) {
    DIR *d = opendir(folder);
    const struct dirent *e;
    size_t room = 0;
    if (!d)
        return complain(EXIT_FAILED, "%s: the folder of the data cannot be read", folder);
    while ((e = readdir(d)) != NULL) {
        if (!is_media(e->d_name))
            continue;
        if (s->count == room) {
            room = room ? room * 2 : 64;
            media *grown = realloc(s->files, room * sizeof *grown);
            if (!grown)
                break;
            s->files = grown;
        }
        const size_t size = strlen(folder) + strlen(e->d_name) + 2;
        s->files[s->count] = (media){.path = malloc(size), .bucket = -1};
        if (!s->files[s->count].path)
            break;
        snprintf(s->files[s->count++].path, size, "%s/%s", folder, e->d_name);
    }
    closedir(d);
    if (e)
        return complain(EXIT_FAILED, "no memory for the list of files");
    if (s->count)
        qsort(s->files, s->count, sizeof *s->files, by_path);
    return 0;
}

static int is_utf8(const unsigned char *p) {
    while (*p) {
        const int more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : -1;
        if (more < 0 || (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
            (*p == 0xf4 && p[1] > 0x8f))
            return 0;
        p++;
        for (int i = 0; i < more; i++, p++)
            if ((*p & 0xc0) != 0x80)
                return 0;
    }
    return 1;
}

/* Reads name.txt. NULL in m->text and a reason when there is none that can be used. */
static const char *read_captions(media *m) {
    const char *dot = strrchr(m->path, '.');
    const size_t stem = (size_t)(dot - m->path);
    char *path = malloc(stem + 5), *text = malloc(CAPTION_BYTES + 1);
    const char *why = "no memory for its caption";
    if (path && text) {
        memcpy(path, m->path, stem);
        memcpy(path + stem, ".txt", 5);
        FILE *f = fopen(path, "rb");
        const size_t size = f ? fread(text, 1, CAPTION_BYTES + 1, f) : 0;
        why = !f ? "has no caption beside it" : size > CAPTION_BYTES ? "its caption is too long" : NULL;
        if (f)
            fclose(f);
        if (!why) {
            text[size] = 0;
            why = strlen(text) != size || !is_utf8((const unsigned char *)text) ? "its caption is no UTF-8 text"
                  : strspn(text, " \t\r\n") == size                              ? "its caption is empty"
                                                                                 : NULL;
        }
        if (!why) {
            m->text = text;
            text = NULL;
        }
    }
    free(path);
    free(text);
    return why;
}

/* Frames at the recipe's rate: those whose time comes before the end. */
static int64_t frames_at(const video_clip *c, double fps) {
    const int64_t n = c->at ? (int64_t)ceil(c->seconds * fps - 1e-6) : c->frames;
    return c->frames == 1 || n < 1 ? 1 : n;
}

/* The beginning of a file, as much as may be held at once. */
static int decode(video_clip *out, const char *path, sora_error *err) {
    video_clip first;
    int status = video_read(&first, path, 1, DECODED_BYTES, err);
    if (status != SORA_OK)
        return status;
    const size_t frame = (size_t)first.width * (size_t)first.height * 3;
    video_clip_free(&first);
    return video_read(out, path, (int64_t)(DECODED_BYTES / frame), DECODED_BYTES, err);
}

/* The bucket that shows most of a file: what is cut off, what is left out of its time, and pixels that are not there all count. */
static int best_bucket(const bucket *buckets, int count, int width, int height, int64_t frames) {
    int best = -1;
    double least = 0;
    for (int i = 0; i < count; i++) {
        const bucket *b = &buckets[i];
        if (b->frames > frames || (frames == 1) != (b->frames == 1) || b->share <= 0)
            continue;
        const double sx = log((double)b->width / width), sy = log((double)b->height / height), scale = sx > sy ? sx : sy;
        const double cost = fabs(sx - sy) + 0.5 * log((double)frames / b->frames) + (scale > 0 ? scale : -0.1 * scale);
        if (best < 0 || cost < least) {
            best = i;
            least = cost;
        }
    }
    return best;
}

static size_t clip_bytes(const bucket *b) {
    return (size_t)b->width * (size_t)b->height * 3 * (size_t)b->frames;
}

/* All clips of a file at the bucket's size and the recipe's rate. NULL without memory. */
static uint8_t *prepare(const folder_source *s, const video_clip *c, const bucket *b, int clips) {
    const size_t from = (size_t)c->width * (size_t)c->height * 3, to = clip_bytes(b) / (size_t)b->frames;
    uint8_t *rgb = malloc(clip_bytes(b) * (size_t)clips);
    for (int64_t f = 0; rgb && f < (int64_t)clips * b->frames; f++) {
        int64_t at = c->at ? video_frame_at(c, (double)f / s->fps) : f;
        at = at < c->frames ? at : c->frames - 1;
        if (video_fit(c->rgb + from * (size_t)at, c->width, c->height, rgb + to * (size_t)f, b->width, b->height) != SORA_OK) {
            free(rgb);
            return NULL;
        }
    }
    return rgb;
}

static void unused(const char *path, const char *why) {
    complain(0, "%s: not used: %s", path, why);
}

static int scan_file(folder_source *s, media *m, const bucket *buckets, int captions) {
    sora_error err = {.struct_size = sizeof err};
    video_clip c = {0};
    const char *why = read_captions(m);
    if (why && captions) {
        unused(m->path, why);
        return 0;
    }
    const int status = decode(&c, m->path, &err);
    if (status != SORA_OK) {
        /* The message names the file already. */
        complain(0, "%s (not used)", err.message);
        return status == SORA_E_NOMEM ? complain(EXIT_FAILED, "no memory to read the data") : 0;
    }
    const int64_t frames = frames_at(&c, s->fps);
    int code = 0;
    m->bucket = best_bucket(buckets, s->bucket_count, c.width, c.height, frames);
    if (m->bucket < 0) {
        char text[100];
        snprintf(text, sizeof text, "no bucket is for %s%lld frame%s", frames > 1 ? "as few as " : "", (long long)frames, frames > 1 ? "s" : "");
        unused(m->path, text);
    } else {
        const bucket *b = &buckets[m->bucket];
        const int64_t clips = frames / b->frames;
        m->clips = (int)(clips < MAX_CLIPS ? clips : MAX_CLIPS);
        const size_t bytes = clip_bytes(b) * (size_t)m->clips;
        if (bytes <= s->room) {
            m->rgb = prepare(s, &c, b, m->clips);
            s->room -= bytes;
            code = m->rgb ? 0 : complain(EXIT_FAILED, "no memory for the frames of the data");
        }
    }
    video_clip_free(&c);
    return code;
}

/* Every tenth file of a bucket, spread evenly, is held out, up to MAX_HELDOUT in all. */
static int make_lists(folder_source *s) {
    size_t held = 0;
    uint64_t h = HASH_BEGIN;
    for (int b = 0; b < s->bucket_count; b++) {
        size_t seen = 0;
        for (int split = 0; split < 2; split++)
            if (!(s->lists[b * 2 + split].places = calloc(s->count + 1, sizeof(place))))
                return complain(EXIT_FAILED, "no memory for the list of files");
        for (size_t i = 0; i < s->count; i++) {
            media *m = &s->files[i];
            if (m->bucket != b)
                continue;
            m->held = ++seen % 10 == 0 && held < MAX_HELDOUT;
            held += (size_t)m->held;
            list *l = &s->lists[b * 2 + m->held];
            l->places[l->count++] = (place){(uint32_t)i, l->clips};
            l->clips += (uint64_t)m->clips;
            struct stat st;
            const uint64_t size = stat(m->path, &st) == 0 ? (uint64_t)st.st_size : 0;
            const char *name = strrchr(m->path, '/') + 1;
            h = hash_add(h, name, strlen(name));
            h = hash_add(h, &size, sizeof size);
        }
    }
    s->base.fingerprint = hash_add(h, &s->fps, sizeof s->fps) | 1;
    return 0;
}

/* ---- the source -------------------------------------------------------------------------------------------------------------- */

static uint64_t count(const clip_source *s, const bucket *b, int split) {
    return list_of((const folder_source *)s, b, split)->clips;
}

static uint64_t entry(const clip_source *s, const bucket *b, int split, uint64_t index) {
    const list *l = list_of((const folder_source *)s, b, split);
    size_t low = 0, high = l->count;
    while (high - low > 1) { /* the last file that begins at `index` or before */
        const size_t middle = (low + high) / 2;
        *(l->places[middle].first <= index ? &low : &high) = middle;
    }
    return (uint64_t)l->places[low].file << 16 | (index - l->places[low].first);
}

static uint64_t choose(const clip_source *s, const bucket *b, int split, uint64_t bits) {
    const uint64_t n = count(s, b, split);
    return n ? entry(s, b, split, bits % n) : UINT64_MAX;
}

static int frames(clip_source *source, const bucket *b, int split, uint64_t clip, uint8_t *rgb) {
    folder_source *s = (folder_source *)source;
    const size_t file = (size_t)(clip >> 16), part = (size_t)(clip & 0xffff), bytes = clip_bytes(b);
    (void)split;
    if (file >= s->count || s->files[file].bucket != b->index || part >= (size_t)s->files[file].clips)
        return SORA_E_NOTFOUND;
    const media *m = &s->files[file];
    if (!m->rgb && s->last != file) {
        video_clip c = {0};
        const int status = decode(&c, m->path, NULL);
        if (status != SORA_OK)
            return status;
        free(s->last_rgb);
        s->last = SIZE_MAX;
        const int changed = frames_at(&c, s->fps) / b->frames < m->clips;
        s->last_rgb = changed ? NULL : prepare(s, &c, b, m->clips);
        video_clip_free(&c);
        if (!s->last_rgb)
            return changed ? SORA_E_FORMAT : SORA_E_NOMEM;
        s->last = file;
    }
    memcpy(rgb, (m->rgb ? m->rgb : s->last_rgb) + part * bytes, bytes);
    return SORA_OK;
}

/* Line number `index` of those that are not blank; their number. */
static int line(const char *text, int index, const char **begin, size_t *size) {
    int n = 0;
    while (*text) {
        const size_t length = strcspn(text, "\r\n"), blank = strspn(text, " \t");
        if (blank < length && n++ == index) {
            *begin = text + blank;
            *size = length - blank;
        }
        text += length;
        text += strspn(text, "\r\n");
    }
    return n;
}

static int describe(clip_source *source, const bucket *b, int split, uint64_t clip, uint64_t seed, int shown, int shot, int swap, int *swapped,
                    char caption[DATA_CAPTION], int32_t *labels) {
    const folder_source *s = (const folder_source *)source;
    const size_t file = (size_t)(clip >> 16);
    const char *begin = "";
    size_t size = 0;
    (void)b, (void)split, (void)shown, (void)shot, (void)swap, (void)swapped, (void)labels;
    caption[0] = 0;
    if (file >= s->count)
        return SORA_E_NOTFOUND;
    if (s->files[file].text) {
        const int n = line(s->files[file].text, -1, &begin, &size);
        line(s->files[file].text, (int)(source_mix(seed, 1) % (uint64_t)n), &begin, &size);
    }
    if (size >= DATA_CAPTION) /* cut before a character, not within */
        for (size = DATA_CAPTION - 1; size && ((unsigned char)begin[size] & 0xc0) == 0x80; size--) {
        }
    memcpy(caption, begin, size);
    caption[size] = 0;
    return SORA_OK;
}

static void close_source(clip_source *source) {
    folder_source *s = (folder_source *)source;
    for (size_t i = 0; i < s->count; i++) {
        free(s->files[i].path);
        free(s->files[i].text);
        free(s->files[i].rgb);
    }
    for (int i = 0; s->lists && i < s->bucket_count * 2; i++)
        free(s->lists[i].places);
    free(s->lists);
    free(s->files);
    free(s->last_rgb);
    free(s);
}

int source_folder_open(clip_source **out, json_t *data, double fps, bucket *buckets, int bucket_count, int captions) {
    const char *path = json_string_value(json_object_get(data, "path"));
    json_t *keep = json_object_get(data, "keep");
    if (!path)
        return complain(EXIT_USAGE, "recipe: data.path must name the folder of clips");
    if (keep && (!json_is_number(keep) || !(json_number_value(keep) >= 0 && json_number_value(keep) <= 1e6)))
        return complain(EXIT_USAGE, "recipe: data.keep is a number of MiB");
    folder_source *s = calloc(1, sizeof *s);
    if (!s || !(s->lists = calloc((size_t)bucket_count * 2, sizeof *s->lists))) {
        free(s);
        return complain(EXIT_FAILED, "no memory for the data");
    }
    s->base = (clip_source){0, 0, 1, count, choose, entry, frames, describe, NULL, close_source};
    s->fps = fps;
    s->bucket_count = bucket_count;
    s->last = SIZE_MAX;
    s->room = (size_t)(keep ? json_number_value(keep) : 512.0) << 20;
    int code = list_files(s, path);
    for (size_t i = 0; i < s->count && code == 0; i++)
        code = scan_file(s, &s->files[i], buckets, captions);
    if (code == 0)
        code = make_lists(s);
    size_t used = 0;
    for (int b = 0; b < bucket_count && code == 0; b++) {
        used += (size_t)s->lists[b * 2].clips;
        if (!s->lists[b * 2].clips)
            buckets[b].share = 0;
    }
    if (code == 0 && !used)
        code = complain(EXIT_FAILED, "%s: no clip or picture there can be used", path);
    if (code != 0)
        close_source(&s->base);
    else
        *out = &s->base;
    return code;
}
