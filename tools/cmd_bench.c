/* `sora bench`: how long a generation takes, phase by phase. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/session.h"

typedef struct bench {
    double open, text, denoise, decode, all; /* seconds */
    double denoised, texted;                 /* marks within a run */
} bench;

static int on_progress(void *user, const sora_progress *p) {
    bench *b = user;
    if (p->phase == SORA_PHASE_TEXT) {
        b->text = p->seconds;
        b->texted = p->seconds;
    } else if (p->phase == SORA_PHASE_DENOISE) {
        b->denoise = p->seconds - b->texted;
        b->denoised = p->seconds;
    } else {
        b->decode = p->seconds - b->denoised;
    }
    return interrupted();
}

static void put(const char *name, const bench *best, const double *value, const char *note) {
    printf("%-10s %9.3f s  %5.1f%%  %s\n", name, *value, 100.0 * *value / best->all, note);
}

static int run_all(session *s, long long rounds, bench *best, sora_error *err) {
    const double opened = best->open;
    best->all = INFINITY;
    for (long long i = 0; i <= rounds; i++) { /* the first, with weights read and packed, is told apart */
        bench b = {.open = opened};
        const double begin = clock_seconds();
        sora_pipeline_set_progress(s->pipeline, on_progress, &b);
        interrupt_watch(s->pipeline);
        const int status = sora_pipeline_run(s->pipeline, err);
        interrupt_watch(NULL);
        if (status != SORA_OK)
            return interrupted() ? complain(EXIT_FAILED, "interrupted") : complain(EXIT_FAILED, "%s", err->message);
        b.all = clock_seconds() - begin;
        if (i == 0)
            printf("first run  %9.3f s          weights read and packed on the way; opened in %.3f s\n", b.all, opened);
        else if (b.all < best->all)
            *best = b;
    }
    return EXIT_DONE;
}

int cmd_bench(int argc, char **argv) {
    session s;
    session_opts opts = SESSION_DEFAULTS;
    sora_error err = {.struct_size = sizeof err};
    param_options params;
    option table[PARAM_MAX + 24];
    long long rounds = 3;
    int size[2] = {0, 0}, count;
    const int n = param_options_list(&params, ~0u, table);
    const option own[] = {
        {"size", OPTION_SIZE, size, "WxH", "width and height at once", 0, 0},
        {"rounds", OPTION_INT, &rounds, "N", "runs after the first; the best is printed (3)", 1, 1000},
        SESSION_MODEL_OPTION(opts),
        SESSION_FILES(opts),
        SESSION_OPTIONS(opts),
        OPTIONS_END,
    };
    memcpy(table + n, own, sizeof own);
    static const command_help help = {"sora bench [options]", "Times a generation: text encoder, denoising, frames.",
                                      "Example:\n  sora bench --size 128x128 --frames 17 --steps 20"};
    const int parsed = options_parse(table, &help, argc, argv, NULL, 0, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (!params.text[0]) params.text[0] = "a red robot dances on the beach at sunset";
    if (size[0]) {
        *param_option_int(&params, SORA_PARAM_WIDTH) = size[0];
        *param_option_int(&params, SORA_PARAM_HEIGHT) = size[1];
    }
    bench best = {0};
    const double begin = clock_seconds();
    int code = session_open(&s, &opts, 0);
    best.open = clock_seconds() - begin;
    if (code == EXIT_DONE) code = param_options_apply(&params, s.pipeline);
    if (code == EXIT_DONE) code = run_all(&s, rounds, &best, &err);
    if (code == EXIT_DONE) {
        int32_t width = 0, height = 0;
        int64_t frames = 0;
        double fps = 0;
        char note[96];
        sora_memory memory = {.struct_size = sizeof memory};
        sora_pipeline_video_info(s.pipeline, &width, &height, &frames, &fps);
        sora_context_memory(s.ctx, &memory);
        put("text", &best, &best.text, "");
        put("denoising", &best, &best.denoise, "");
        snprintf(note, sizeof note, "%.1f frames a second", (double)frames / best.decode);
        put("frames", &best, &best.decode, note);
        snprintf(note, sizeof note, "%lld frames of %d x %d, %.0f%% of real time", (long long)frames, (int)width,
                 (int)height, 100.0 * ((double)frames / fps) / best.all);
        put("all", &best, &best.all, note);
        printf("memory     %9.1f MiB at most\n%s\n", (double)memory.peak / 1048576.0, sora_build_info());
        code = flush_output();
    }
    session_close(&s);
    return code;
}
