#define _POSIX_C_SOURCE 200809L
#include "tools/session.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SORA_MODEL_DIR
#define SORA_MODEL_DIR "/usr/local/share/sora/models"
#endif

static int is_there(const char *path) { return access(path, R_OK) == 0; }

/* SORA_MODEL, the source tree that the program was built in, a moved installation, the place of installation. */
static int find_model(char *out, size_t size) {
    const char *named = getenv("SORA_MODEL");
    static const char *const beside[] = {"/../models/nano.sora", "/../share/sora/models/nano.sora"};
    if (named && *named) {
        snprintf(out, size, "%s", named);
        return 1;
    }
    char self[3072];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        char *slash = strrchr(self, '/');
        for (size_t i = 0; slash && i < sizeof beside / sizeof *beside; i++) {
            snprintf(out, size, "%.*s%s", (int)(slash - self), self, beside[i]);
            if (is_there(out)) return 1;
        }
    }
    snprintf(out, size, "%s/nano.sora", SORA_MODEL_DIR);
    return is_there(out);
}

/* A file, or a name: libsora-NAME.so beside the program or where it is installed with it. */
static int load_backend(session *s, const char *backend) {
    sora_error err = {.struct_size = sizeof err};
    sora_backend_desc d = {.struct_size = sizeof d};
    static const char *const beside[] = {"", "/../lib/sora"};
    char self[2048], path[3072];
    const ssize_t n = strchr(backend, '/') ? 0 : readlink("/proc/self/exe", self, sizeof self - 1);
    int found = 0;
    if (n > 0) {
        self[n] = 0;
        const char *slash = strrchr(self, '/');
        for (size_t i = 0; slash && !found && i < sizeof beside / sizeof *beside; i++) {
            snprintf(path, sizeof path, "%.*s%s/libsora-%.200s.so", (int)(slash - self), self, beside[i], backend);
            found = is_there(path);
        }
    }
    if (!found && !strchr(backend, '/'))
        return complain(EXIT_FAILED, "there is no backend named %.200s here; give its file (with a slash)", backend);
    if (sora_backend_load(s->ctx, found ? path : backend, &err) != SORA_OK ||
        sora_backend_info(s->ctx, sora_backend_count(s->ctx) - 1, &d) != SORA_OK)
        return complain(EXIT_FAILED, "%s", err.message);
    s->device = d.name;
    return EXIT_DONE;
}

int session_open_context(session *s, const session_opts *opts) {
    sora_error err = {.struct_size = sizeof err};
    sora_context_opts context;
    memset(s, 0, sizeof *s);
    sora_context_opts_init(&context);
    context.threads = (int32_t)opts->threads;
    context.mem_limit = (uint64_t)opts->memory << 20;
    if (sora_context_create(&s->ctx, &context, &err) != SORA_OK) return complain(EXIT_FAILED, "%s", err.message);
    return opts->backend ? load_backend(s, opts->backend) : EXIT_DONE;
}

int session_has_files(const session_opts *o) { return o->dit || o->dit2 || o->vae || o->text || o->clip || o->tokenizer; }

/* FILE or FILE:STRENGTH. What follows the last colon counts when it is a number. */
static int read_lora(session *s, int i, const char *text) {
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    size_t n = strlen(text);
    s->strengths[i] = 1.0;
    if (colon && colon[1]) {
        const double x = strtod(colon + 1, &end);
        if (!*end && isfinite(x)) {
            s->strengths[i] = x;
            n = (size_t)(colon - text);
        }
    }
    if (n == 0 || n >= sizeof s->lora_paths[i])
        return complain(EXIT_USAGE, "option --lora: %.200s is no FILE[:STRENGTH]", text);
    memcpy(s->lora_paths[i], text, n);
    s->lora_paths[i][n] = 0;
    s->loras[i] = s->lora_paths[i];
    return EXIT_DONE;
}

int session_files(const session_opts *opts, sora_model_opts *model, session *s) {
    model->device = s->device;
    model->transformer = opts->dit;
    model->transformer_2 = opts->dit2;
    model->vae = opts->vae;
    model->text_encoder = opts->text;
    model->image_encoder = opts->clip;
    model->tokenizer = opts->tokenizer;
    int count = 0;
    for (int target = SORA_LORA_ALL; target <= SORA_LORA_LOW; target++)
        for (int i = 0; i < opts->loras[target].count; i++) {
            if (count == OPTION_LIST_MAX) return complain(EXIT_USAGE, "option --lora: more than %d", OPTION_LIST_MAX);
            const int code = read_lora(s, count, opts->loras[target].items[i]);
            if (code != EXIT_DONE) return code;
            s->targets[count++] = target;
        }
    model->loras = s->loras;
    model->lora_strengths = s->strengths;
    model->lora_targets = s->targets;
    model->lora_count = (uint32_t)count;
    return EXIT_DONE;
}

int session_open(session *s, const session_opts *opts, int32_t dtype) {
    sora_error err = {.struct_size = sizeof err};
    sora_model_opts model;
    int code = session_open_context(s, opts);
    if (code != EXIT_DONE) return code;
    if (opts->model && strlen(opts->model) >= sizeof s->path)
        return complain(EXIT_FAILED, "%.200s: the name is too long", opts->model);
    if (opts->model)
        snprintf(s->path, sizeof s->path, "%s", opts->model);
    else if (!session_has_files(opts) && !find_model(s->path, sizeof s->path))
        return complain(EXIT_FAILED, "%s: there is no such model; name one with --model or in SORA_MODEL", s->path);
    sora_model_opts_init(&model);
    code = session_files(opts, &model, s);
    if (code != EXIT_DONE) return code;
    model.dtype = opts->dtype == 0 ? SORA_DTYPE_F32 : opts->dtype == 1 ? SORA_DTYPE_BF16 : opts->dtype == 2 ? SORA_DTYPE_I8 : dtype;
    int status = sora_model_open(&s->model, s->ctx, s->path[0] ? s->path : NULL, &model, &err);
    if (status == SORA_OK) status = sora_pipeline_create(&s->pipeline, s->model, &err);
    return status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s", err.message);
}

void session_close(session *s) {
    sora_pipeline_destroy(&s->pipeline);
    sora_model_unref(&s->model);
    sora_context_unref(&s->ctx);
}

int param_options_list(param_options *p, uint32_t mask, option *table) {
    sora_param_desc d = {.struct_size = sizeof d};
    memset(p, 0, sizeof *p);
    for (uint32_t k = 0; sora_param_at(k, &d) == SORA_OK && p->count < PARAM_MAX; k++) {
        const int n = p->count;
        if (d.id >= 32 || !(mask >> d.id & 1u)) continue;
        p->desc[n] = d;
        p->i[n] = (long long)d.initial;
        p->f[n] = d.initial;
        snprintf(p->name[n], sizeof p->name[n], "%s%s", d.name, d.id == SORA_PARAM_PROMPT ? "|p" : "");
        table[n] = (option){p->name[n], OPTION_TEXT, &p->text[n], "TEXT", d.help, d.lowest, d.highest};
        if (d.kind == SORA_KIND_F64) {
            table[n].kind = OPTION_NUMBER;
            table[n].to = &p->f[n];
            table[n].value = "X";
        } else if (d.kind != SORA_KIND_TEXT) {
            table[n].kind = d.kind == SORA_KIND_ENUM ? OPTION_CHOICE : OPTION_INT;
            table[n].to = &p->i[n];
            table[n].value = d.kind == SORA_KIND_ENUM ? d.values : "N";
        }
        p->count++;
    }
    return p->count;
}

long long *param_option_int(param_options *p, sora_param id) {
    for (int n = 0; n < p->count; n++)
        if (p->desc[n].id == id) return &p->i[n];
    return NULL;
}

int param_options_apply(const param_options *p, sora_pipeline *pipeline) {
    for (int n = 0; n < p->count; n++) {
        const sora_param_desc *d = &p->desc[n];
        int status;
        if (d->kind == SORA_KIND_TEXT)
            status = sora_pipeline_set_text(pipeline, d->id, p->text[n] ? p->text[n] : "", (size_t)-1);
        else if (d->kind == SORA_KIND_F64)
            status = sora_pipeline_set_f64(pipeline, d->id, p->f[n]);
        else
            status = sora_pipeline_set_i64(pipeline, d->id, p->i[n]);
        if (status != SORA_OK) return complain(EXIT_USAGE, "option --%s: out of range", d->name);
    }
    return EXIT_DONE;
}

int check_output(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return complain(EXIT_FAILED, "%s: is not a regular file", path);
    return EXIT_DONE;
}

int flush_output(void) {
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_DONE : complain(EXIT_FAILED, "stdout: could not be written");
}
