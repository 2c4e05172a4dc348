/* `sora tokenizer`: a small unigram tokenizer from the captions of the world, or from a file of texts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/session.h"
#include "tools/world/world.h"

#define CAPTION 1024

typedef struct text_list {
    char **items;
    size_t count, capacity;
} text_list;

static int add(text_list *l, const char *text, size_t n) {
    if (l->count == l->capacity) {
        const size_t more = l->capacity ? l->capacity * 2 : 1024;
        char **items = realloc(l->items, more * sizeof *items);
        if (!items) return -1;
        l->items = items;
        l->capacity = more;
    }
    char *copy = malloc(n + 1);
    if (!copy) return -1;
    memcpy(copy, text, n);
    copy[n] = 0;
    l->items[l->count++] = copy;
    return 0;
}

/* Short and long captions of clips and of images; seeds as far from those of training as from those of evaluation do no
 * harm here. */
static int add_world(text_list *l, long long captions) {
    world_limits limits;
    world_limits_default(&limits);
    for (long long i = 0; i < captions; i++) {
        world_scene scene;
        char text[CAPTION];
        limits.image = i % 4 == 3;
        if (world_scene_make(&scene, 0x70000000u + (uint64_t)i, &limits) != 0) continue;
        world_caption(&scene, (uint64_t)i, (i & 1 ? WORLD_LONG : WORLD_SHORT) | (limits.image ? WORLD_IMAGE : 0), text,
                      sizeof text);
        if (add(l, text, strlen(text)) != 0) return complain(EXIT_FAILED, "no memory for captions");
    }
    return EXIT_DONE;
}

static int add_file(text_list *l, const char *path) {
    FILE *f = fopen(path, "rb");
    char *line = malloc(1 << 16);
    int code = f && line ? EXIT_DONE : complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    while (code == EXIT_DONE && fgets(line, 1 << 16, f)) {
        const size_t n = strcspn(line, "\r\n");
        if (n && add(l, line, n) != 0) code = complain(EXIT_FAILED, "no memory for texts");
    }
    if (code == EXIT_DONE && ferror(f)) code = complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    if (f) fclose(f);
    free(line);
    return code;
}

int cmd_tokenizer(int argc, char **argv) {
    session s = {0};
    session_opts opts = SESSION_DEFAULTS;
    sora_error err = {.struct_size = sizeof err};
    long long pieces = 4000, captions = 100000;
    const char *out = NULL, *texts = NULL;
    int count;
    const option table[] = {
        {"out|o", OPTION_TEXT, &out, "FILE", "the tokenizer, a spiece.model", 0, 0},
        {"pieces", OPTION_INT, &pieces, "N", "size of the vocabulary (4000)", 400, 1000000},
        {"captions", OPTION_INT, &captions, "N", "captions of the world to learn from (100000)", 1, 10000000},
        {"texts", OPTION_TEXT, &texts, "FILE", "learn from the lines of a file instead", 0, 0},
        OPTIONS_END,
    };
    static const command_help help = {
        "sora tokenizer --out FILE [options]",
        "Makes a unigram tokenizer with byte fallback from the captions of the drawn world, or from texts of yours.",
        "Example:\n  sora tokenizer --pieces 4000 --out build/spiece.model"};
    const int parsed = options_parse(table, &help, argc, argv, NULL, 0, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (!out) return complain(EXIT_USAGE, "tokenizer needs --out FILE; see sora tokenizer --help");
    text_list l = {0};
    int code = check_output(out);
    if (code == EXIT_DONE) code = texts ? add_file(&l, texts) : add_world(&l, captions);
    if (code == EXIT_DONE) code = session_open_context(&s, &opts);
    if (code == EXIT_DONE &&
        sora_tokenizer_train(s.ctx, out, (const char *const *)l.items, l.count, (uint32_t)pieces, &err) != SORA_OK)
        code = complain(EXIT_FAILED, "%s", err.message);
    session_close(&s);
    for (size_t i = 0; i < l.count; i++) free(l.items[i]);
    free(l.items);
    return code;
}
