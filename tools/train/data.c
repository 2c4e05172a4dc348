#include "tools/train/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hash.h"
#include "tools/options.h"

static double number(const json_t *object, const char *name, double initial) {
    json_t *v = json_object_get(object, name);
    return json_is_number(v) ? json_number_value(v) : initial;
}

/* {"height": [lo, hi], "allow": {"place": ["beach", ...]}, "max_subjects": 1, "style": 0.3, ...} over the defaults. */
int data_limits(world_limits *l, json_t *world) {
    const char *key, *name;
    json_t *value, *list, *item;
    json_object_foreach(world, key, value) {
        if (strcmp(key, "height") == 0 && json_array_size(value) == 2) {
            l->height_min = json_number_value(json_array_get(value, 0));
            l->height_max = json_number_value(json_array_get(value, 1));
        } else if (strcmp(key, "allow") == 0) {
            json_object_foreach(value, name, list) {
                int attr = 0;
                size_t i;
                while (attr < WORLD_ATTRS && strcmp(world_attr_name(attr), name) != 0)
                    attr++;
                if (attr == WORLD_ATTRS)
                    return complain(EXIT_USAGE, "recipe: data.world.allow: %s is no attribute", name);
                uint32_t mask = 0;
                json_array_foreach(list, i, item) {
                    const int v = json_is_string(item) ? world_value_find(attr, json_string_value(item)) : -1;
                    if (v < 0)
                        return complain(EXIT_USAGE, "recipe: data.world.allow.%s: entry %zu is no value", name, i);
                    mask |= 1u << v;
                }
                l->allow[attr] = mask;
            }
        } else if (json_is_number(value)) {
            const double v = json_number_value(value);
            if (strcmp(key, "offset") == 0)
                l->offset_max = v;
            else if (strcmp(key, "max_subjects") == 0)
                l->max_subjects = (int)v;
            else if (strcmp(key, "second") == 0)
                l->second_prob = v;
            else if (strcmp(key, "cut") == 0)
                l->cut_prob = v;
            else if (strcmp(key, "game") == 0)
                l->game_prob = v;
            else if (strcmp(key, "emotion") == 0)
                l->emotion_prob = v;
            else if (strcmp(key, "style") == 0)
                l->style_prob = v;
            else if (strcmp(key, "move") == 0)
                l->move_prob = v;
            else if (strcmp(key, "vary") == 0)
                l->vary = v;
            else
                return complain(EXIT_USAGE, "recipe: data.world: unknown field %s", key);
        } else {
            return complain(EXIT_USAGE, "recipe: data.world: unknown field %s", key);
        }
    }
    return 0;
}

/* Goes on with a "world" object, whichever way it is written down; NULL for none. */
static uint64_t hash_world(uint64_t hash, const json_t *world) {
    char *text = json_dumps(world, JSON_COMPACT | JSON_SORT_KEYS);
    hash = hash_add(hash, text ? text : "", text ? strlen(text) + 1 : 1);
    free(text);
    return hash;
}

static int read_bucket(data *d, json_t *item, const world_limits *limits, uint64_t drawn) {
    bucket *b = &d->buckets[d->bucket_count];
    json_t *size = json_object_get(item, "size");
    memset(b, 0, sizeof *b);
    b->index = d->bucket_count;
    b->width = (int)json_integer_value(json_array_get(size, 0));
    b->height = (int)json_integer_value(json_array_get(size, 1));
    b->frames = (int)number(item, "frames", 1);
    b->batch = (int)number(item, "batch", 8);
    b->share = number(item, "share", 1);
    b->own = (uint64_t)fmin(1e9, fmax(0, number(item, "clips", 0)));
    b->shots = json_is_true(json_object_get(item, "shots"));
    b->from = number(item, "from", 0);
    b->to = number(item, "to", 1);
    b->limits = *limits;
    b->drawn = hash_world(hash_add(drawn, &b->shots, sizeof b->shots), json_object_get(item, "world"));
    if (b->width < 16 || b->height < 16 || b->width > 4096 || b->height > 4096 || b->frames < 1 || b->frames > 1025 || b->batch < 1 ||
        b->batch > 4096 || b->share < 0)
        return complain(EXIT_USAGE, "recipe: data.buckets[%d] is out of range", d->bucket_count);
    d->bucket_count++;
    b->limits.image = b->frames == 1; /* scenes that one frame can show */
    return data_limits(&b->limits, json_object_get(item, "world"));
}

static int open_source(data *d, json_t *section) {
    json_t *value = json_object_get(section, "source");
    const char *name = value ? json_string_value(value) : "world";
    if (name && strcmp(name, "world") == 0)
        return source_world_open(&d->source, section, d->seed, d->fps);
    if (!name || strcmp(name, "folder") != 0)
        return complain(EXIT_USAGE, "recipe: data.source is world or folder");
    if (d->kind == 'p')
        return complain(EXIT_USAGE, "recipe: data.source: a probe needs the world, whose clips have labels");
    return source_folder_open(&d->source, section, d->fps, d->buckets, d->bucket_count, d->kind == 't');
}

/* How many clips a cache gets: as many as there are, or as the recipe says. */
static uint64_t wanted(const data *d, json_t *section, const bucket *b, int split) {
    if (!d->source->endless)
        return d->source->count(d->source, b, split);
    const double all = b->own ? (double)b->own : number(section, "clips", 0);
    const double n = split == WORLD_TRAIN ? all : number(section, "heldout", 256);
    return n >= 1 && n <= 1e12 ? (uint64_t)n : 0;
}

/* The bucket of the size that the exported model will recommend; the first, where there is none. So losses of two recipes can be compared. */
static int find_main(const data *d, const json_t *model) {
    for (int b = 0; b < d->bucket_count; b++)
        if (d->buckets[b].width == (int)number(model, "width", 0) && d->buckets[b].height == (int)number(model, "height", 0) &&
            d->buckets[b].frames == (int)number(model, "frames", 0))
            return b;
    return 0;
}

static int open_caches(data *d, json_t *section) {
    const char *path = json_string_value(json_object_get(section, "cache")), *model = json_string_value(json_object_get(section, "model"));
    if (!path || !model || (d->source->endless && (!wanted(d, section, d->buckets, WORLD_TRAIN) || !wanted(d, section, d->buckets, WORLD_HELDOUT))))
        return complain(EXIT_USAGE, "recipe: a transformer's data needs cache (a folder), model (with an autoencoder) and clips");
    char file[1024];
    for (int b = 1; d->source->endless && b < d->bucket_count; b++)
        for (int c = 0; c < b; c++)
            if (d->buckets[c].width == d->buckets[b].width && d->buckets[c].height == d->buckets[b].height &&
                d->buckets[c].frames == d->buckets[b].frames && d->buckets[c].drawn != d->buckets[b].drawn)
                return complain(EXIT_USAGE, "recipe: data.buckets[%d] and [%d] are of one size, so of one cache, and must draw the same scenes", c, b);
    for (int b = 0; b < d->bucket_count; b++) {
        bucket *k = &d->buckets[b];
        const bucket *of = k;
        /* The world's images are the first frames of a clip bucket of the same size, if there is one and no number of their own. */
        for (int c = 0; d->source->endless && !k->own && c < d->bucket_count; c++)
            if (d->buckets[c].width == k->width && d->buckets[c].height == k->height && d->buckets[c].frames > of->frames && k->frames == 1)
                of = &d->buckets[c];
        k->limits = of->limits;
        k->drawn = of->drawn;
        k->cached_frames = of->frames;
        k->clips = wanted(d, section, of, WORLD_TRAIN);
        if (!k->clips)
            continue;
        snprintf(file, sizeof file, "%s/%dx%dx%d.latents", path, of->width, of->height, of->frames);
        const int code = cache_open(&k->cache, d->ctx, file, model, d->source, of, k->clips, WORLD_TRAIN);
        if (code != 0)
            return code;
    }
    bucket *m = &d->buckets[d->main_bucket];
    m->held_clips = wanted(d, section, m, WORLD_HELDOUT);
    if (!m->held_clips)
        return 0;
    snprintf(file, sizeof file, "%s/%dx%dx%d-heldout.latents", path, m->width, m->height, m->frames);
    return cache_open(&m->held, d->ctx, file, model, d->source, m, m->held_clips, WORLD_HELDOUT);
}

int data_open(data *d, sora_context *ctx, json_t *recipe) {
    json_t *section = json_object_get(recipe, "data"), *buckets = json_object_get(section, "buckets"), *item;
    size_t i;
    memset(d, 0, sizeof *d);
    d->ctx = ctx;
    const char *kind = json_string_value(json_object_get(recipe, "train"));
    d->kind = kind ? kind[0] : 0;
    d->seed = (uint64_t)number(recipe, "seed", 1);
    d->steps = (uint64_t)number(recipe, "steps", 1000);
    d->fps = number(section, "fps", 8);
    if (!json_is_array(buckets) || !json_array_size(buckets) || json_array_size(buckets) > DATA_MAX_BUCKETS)
        return complain(EXIT_USAGE, "recipe: data.buckets must be a list of 1..%d sizes", DATA_MAX_BUCKETS);
    world_limits limits;
    world_limits_default(&limits);
    const uint64_t drawn = hash_world(hash_add(HASH_BEGIN, &d->fps, sizeof d->fps), json_object_get(section, "world"));
    int code = data_limits(&limits, json_object_get(section, "world"));
    json_array_foreach(buckets, i, item) {
        if (code == 0)
            code = read_bucket(d, item, &limits, drawn);
    }
    for (int b = 0; b < d->bucket_count; b++)
        d->capacity = d->buckets[b].batch > d->capacity ? d->buckets[b].batch : d->capacity;
    if (code != 0)
        return code;
    d->captions = malloc((size_t)d->capacity * DATA_CAPTION);
    d->caption_list = calloc((size_t)d->capacity, sizeof *d->caption_list);
    d->later = malloc((size_t)d->capacity * DATA_CAPTION);
    d->later_list = calloc((size_t)d->capacity, sizeof *d->later_list);
    d->labels = calloc((size_t)d->capacity * WORLD_ATTRS, sizeof *d->labels);
    if (!d->captions || !d->caption_list || !d->later || !d->later_list || !d->labels)
        return complain(EXIT_FAILED, "no memory for batches");
    code = open_source(d, section);
    for (int b = 0; code == 0 && b < d->bucket_count; b++)
        if (d->buckets[b].shots && (d->kind != 't' || !d->source->endless || d->buckets[b].frames < 2))
            code = complain(EXIT_USAGE, "recipe: data.buckets[%d].shots: for a transformer's clips of the world", b);
    d->main_bucket = find_main(d, json_object_get(recipe, "model"));
    return code == 0 && d->kind == 't' ? open_caches(d, section) : code;
}

void data_close(data *d) {
    for (int b = 0; b < d->bucket_count; b++) {
        cache_close(d->buckets[b].cache);
        cache_close(d->buckets[b].held);
    }
    if (d->source)
        d->source->close(d->source);
    d->source = NULL;
    sora_tensor_unref(&d->video);
    free(d->captions);
    free(d->caption_list);
    free(d->later);
    free(d->later_list);
    free(d->labels);
    free(d->weights);
}

static int new_video(data *d, int32_t dtype, const int64_t shape[5]) {
    sora_tensor_desc desc = {sizeof desc, dtype, 5, 0, {0}};
    memcpy(desc.shape, shape, 5 * sizeof *shape);
    sora_tensor_unref(&d->video);
    return sora_tensor_create(&d->video, d->ctx, &desc, NULL);
}

static int weight_places(data *d, int64_t count) {
    if (count <= d->weight_room)
        return SORA_OK;
    free(d->weights);
    d->weights = malloc((size_t)count * sizeof *d->weights);
    d->weight_room = d->weights ? count : 0;
    return d->weights ? SORA_OK : SORA_E_NOMEM;
}

int data_fill(data *d, const bucket *b, uint64_t seed, int split, int swap, sora_batch *batch, int *swapped) {
    const int latents = d->kind == 't';
    int64_t cached[4] = {0}, frames = b->frames;
    const latent_cache *cache = split == WORLD_HELDOUT ? b->held : b->cache;
    const uint64_t clips = split == WORLD_HELDOUT ? b->held_clips : b->clips;
    int none = 0;
    if (latents ? !cache : !d->source->endless && !d->source->count(d->source, b, split))
        return SORA_E_NOTFOUND;
    if (latents) {
        cache_shape(cache, cached);
        frames = b->frames == 1 ? 1 : cached[1];
    }
    const int64_t shape[5] = {b->batch, latents ? cached[0] : frames, latents ? frames : b->height, latents ? cached[2] : b->width,
                              latents ? cached[3] : 3};
    const int status = new_video(d, latents ? SORA_DTYPE_F32 : SORA_DTYPE_U8, shape);
    if (status != SORA_OK)
        return status;
    const int weighed = latents && d->source->weigh, shots = latents && b->shots && frames > 2;
    const int64_t places = shape[2] * shape[3] * shape[4];
    if (weighed && weight_places(d, b->batch * places) != SORA_OK)
        return SORA_E_NOMEM;
    for (int i = 0; i < b->batch; i++) {
        const uint64_t pick = source_mix(seed, (uint64_t)i), index = latents ? pick % clips : 0;
        const uint64_t clip = latents ? cache_clip(cache, index) : d->source->choose(d->source, b, split, pick);
        const int64_t size = shape[1] * shape[2] * shape[3] * shape[4];
        int code = SORA_OK;
        if (latents)
            cache_read(cache, index, frames, (float *)sora_tensor_data(d->video) + i * size);
        else
            code = d->source->frames(d->source, b, split, clip, (uint8_t *)sora_tensor_data(d->video) + i * size);
        d->caption_list[i] = d->captions + (size_t)i * DATA_CAPTION;
        if (code == SORA_OK)
            code = d->source->describe(d->source, b, split, clip, source_mix(pick, 7), (int)frames, shots ? 1 : 0, swap, swapped ? swapped : &none,
                                       d->captions + (size_t)i * DATA_CAPTION, d->labels + i * WORLD_ATTRS);
        d->later_list[i] = d->later + (size_t)i * DATA_CAPTION;
        if (code == SORA_OK && shots)
            code = d->source->describe(d->source, b, split, clip, source_mix(pick, 7), (int)frames, 2, swap, &none,
                                       d->later + (size_t)i * DATA_CAPTION, NULL);
        if (code == SORA_OK && weighed)
            code = d->source->weigh(d->source, b, split, clip, shape + 1, d->weights + i * places);
        if (code != SORA_OK)
            return code;
    }
    batch->weights = weighed ? d->weights : NULL;
    batch->count = (uint32_t)b->batch;
    batch->video = d->video;
    batch->captions = d->caption_list;
    if (shots) { /* the second begins with the first frame behind the middle */
        batch->later = d->later_list;
        batch->later_from = (uint32_t)(((b->cached_frames + 1) / 2 - 1) / ((b->cached_frames - 1) / ((int)frames - 1)) + 1);
    }
    batch->labels = d->labels;
    return SORA_OK;
}

int data_batch(void *user, uint64_t step, uint32_t part, sora_batch *batch) {
    data *d = user;
    const uint64_t seed = source_mix(source_mix(d->seed, step), part);
    const double done = step >= DATA_MEASURE_STEP ? 1.0 : (double)step / (double)d->steps;
    double sum = 0.0;
    for (int b = 0; b < d->bucket_count; b++)
        if (done >= d->buckets[b].from && done <= d->buckets[b].to)
            sum += d->buckets[b].share;
    double u = source_unit(source_mix(seed, 99)) * sum;
    const bucket *chosen = &d->buckets[0];
    for (int b = d->bucket_count - 1; b >= 0; b--) /* when no bucket of this time has clips */
        chosen = d->buckets[b].share > 0 ? &d->buckets[b] : chosen;
    for (int b = 0; b < d->bucket_count; b++)
        if (done >= d->buckets[b].from && done <= d->buckets[b].to && d->buckets[b].share > 0) {
            chosen = &d->buckets[b];
            if ((u -= d->buckets[b].share) < 0)
                break;
        }
    return data_fill(d, chosen, source_mix(seed, 3), WORLD_TRAIN, -1, batch, NULL);
}
