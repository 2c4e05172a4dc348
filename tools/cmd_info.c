/* `sora info`, `sora tokenize`, `sora convert`. */
#define _POSIX_C_SOURCE 200809L
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/session.h"

static void put_count(const char *label, double n) {
    if (n >= 1e9)
        printf("%s%.2f G", label, n / 1e9);
    else if (n >= 1e6)
        printf("%s%.2f M", label, n / 1e6);
    else if (n >= 1e3)
        printf("%s%.1f k", label, n / 1e3);
    else
        printf("%s%.0f", label, n);
}

static void put_types(json_t *types) {
    const char *type;
    json_t *count;
    const char *between = " ";
    json_object_foreach(types, type, count) {
        printf("%s%s", between, type);
        put_count(" ", json_number_value(count));
        between = ", ";
    }
}

static void put_shape(json_t *shape) {
    size_t i;
    json_t *n;
    printf("[");
    json_array_foreach(shape, i, n) printf("%s%lld", i ? ", " : "", (long long)json_integer_value(n));
    printf("]");
}

static void put_tensors(json_t *tensors) {
    const char *name;
    json_t *t;
    json_object_foreach(tensors, name, t) {
        printf("    %s  %s ", name, json_string_value(json_object_get(t, "type")));
        put_shape(json_object_get(t, "shape"));
        printf("\n");
    }
}

static const char *text_of(json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void put_text(json_t *root, int all) {
    const char *name;
    json_t *part;
    printf("format        %s\n", text_of(root, "format"));
    if (*text_of(root, "family"))
        printf("architecture  %s%s%s\n", text_of(root, "family"), *text_of(root, "name") ? ", " : "",
               text_of(root, "name"));
    if (json_object_get(root, "rank"))
        printf("rank          %lld\n", (long long)json_integer_value(json_object_get(root, "rank")));
    put_count("parameters    ", json_number_value(json_object_get(root, "parameters")));
    printf("\n");
    json_t *d = json_object_get(root, "defaults");
    if (d)
        printf("defaults      %lld x %lld, %lld frames at %g a second, %lld steps, guidance %g, shift %g, %s\n",
               (long long)json_integer_value(json_object_get(d, "width")),
               (long long)json_integer_value(json_object_get(d, "height")),
               (long long)json_integer_value(json_object_get(d, "frames")),
               json_number_value(json_object_get(d, "fps")), (long long)json_integer_value(json_object_get(d, "steps")),
               json_number_value(json_object_get(d, "guidance")), json_number_value(json_object_get(d, "shift")),
               text_of(d, "sampler"));
    if (*text_of(root, "conditions")) printf("conditions    %s\n", text_of(root, "conditions"));
    json_object_foreach(json_object_get(root, "parts"), name, part) {
        if (!json_object_get(part, "parameters") && !*text_of(part, "architecture")) continue;
        printf("%-13s %s", name, text_of(part, "architecture"));
        if (json_object_get(part, "parameters")) {
            put_count(" ", json_number_value(json_object_get(part, "parameters")));
            printf(" parameters, %zu tensors,", json_object_size(json_object_get(part, "tensors")));
            put_types(json_object_get(part, "types"));
        }
        printf("\n");
        if (all) put_tensors(json_object_get(part, "tensors"));
    }
    if (json_object_get(root, "tokenizer"))
        printf("tokenizer     %s\n", text_of(json_object_get(root, "tokenizer"), "file"));
    json_t *missing = json_object_get(root, "missing"), *what;
    if (json_array_size(missing)) {
        size_t i;
        printf("missing      ");
        json_array_foreach(missing, i, what) printf("%s %s", i ? "," : "", json_string_value(what));
        printf("\n");
    }
    if (json_object_get(root, "tensors")) {
        printf("tensors       %zu,", json_object_size(json_object_get(root, "tensors")));
        put_types(json_object_get(root, "types"));
        printf("\n");
        put_tensors(json_object_get(root, "tensors"));
    }
}

/* Whether it is a folder or a .sora file by its first bytes or its name: if it can't be opened, that is all to say. */
static int is_package(const char *path) {
    static const char magic[5] = {'\x89', 'S', 'O', 'R', 'A'};
    char head[sizeof magic] = {0};
    struct stat st;
    const size_t n = strlen(path);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (n > 5 && strcmp(path + n - 5, ".sora") == 0)) return 1;
    FILE *f = fopen(path, "rb");
    const int sora = !f || (fread(head, 1, sizeof head, f) == sizeof head && memcmp(head, magic, sizeof head) == 0);
    if (f) fclose(f);
    return sora;
}

/* The JSON text of a model, or of a file of tensors that are no network; NULL after a message. The caller frees it. */
static char *describe(const session_opts *opts) {
    session s;
    sora_error err = {.struct_size = sizeof err};
    sora_model_opts model;
    char *out = NULL;
    const char *text = NULL;
    sora_tensor *list = NULL;
    if (session_open_context(&s, opts) != EXIT_DONE) return NULL;
    sora_model_opts_init(&model);
    if (session_files(opts, &model, &s) != EXIT_DONE) {
        session_close(&s);
        return NULL;
    }
    if (sora_model_open(&s.model, s.ctx, opts->model, &model, &err) == SORA_OK)
        text = sora_model_json(s.model, &err);
    else if (opts->model && !session_has_files(opts) && !model.lora_count && !is_package(opts->model) &&
             sora_tensors_describe(&list, s.ctx, opts->model, &err) == SORA_OK)
        text = sora_tensor_data(list);
    if (text) {
        out = malloc(strlen(text) + 1);
        if (out)
            memcpy(out, text, strlen(text) + 1);
        else
            complain(EXIT_FAILED, "no memory");
    } else {
        complain(EXIT_FAILED, "%s", err.message);
    }
    sora_tensor_unref(&list);
    session_close(&s);
    return out;
}

int cmd_info(int argc, char **argv) {
    session_opts opts = SESSION_DEFAULTS;
    int as_json = 0, all = 0, count;
    const char *words[1];
    const option table[] = {
        {"json", OPTION_FLAG, &as_json, NULL, "everything as JSON", 0, 0},
        {"tensors", OPTION_FLAG, &all, NULL, "list every tensor", 0, 0},
        SESSION_FILES(opts),
        OPTIONS_END,
    };
    static const command_help help = {
        "sora info MODEL|FILE [options]",
        "Says what is in a .sora file, a model folder or a file of weights (safetensors, GGUF, .pth): format, "
        "architecture,\nparameters, types, what is missing for a run. All of the file is checked on the way; a damaged "
        "one "
        "is refused.",
        "Examples:\n  sora info models/nano.sora\n  sora info --json latents.safetensors"};
    const int parsed = options_parse(table, &help, argc, argv, words, 1, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (count != 1 && !session_has_files(&opts))
        return complain(EXIT_USAGE, "info needs a model or a file; see sora info --help");
    opts.threads = 1;
    opts.model = count ? words[0] : NULL;
    char *text = describe(&opts);
    if (!text) return EXIT_FAILED;
    json_t *root = as_json ? NULL : json_loads(text, 0, NULL);
    if (as_json)
        printf("%s\n", text);
    else
        put_text(root, all);
    json_decref(root);
    free(text);
    return flush_output();
}

int cmd_tokenize(int argc, char **argv) {
    session s;
    session_opts opts = SESSION_DEFAULTS;
    sora_error err = {.struct_size = sizeof err};
    const char *words[2];
    int count;
    size_t n = 0;
    const option table[] = {
        SESSION_FILES(opts),
        OPTIONS_END,
    };
    static const command_help help = {
        "sora tokenize MODEL TEXT",
        "Prints the ids of a text after clean-up and truncation, end token included, without padding.",
        "Example:\n  sora tokenize models/nano.sora \"a cat in the rain\""};
    const int parsed = options_parse(table, &help, argc, argv, words, 2, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (count != (session_has_files(&opts) ? 1 : 2) && (count != 2))
        return complain(EXIT_USAGE, "tokenize needs a model and a text; see sora tokenize --help");
    const char *text = words[count - 1];
    opts.model = count == 2 ? words[0] : NULL;
    opts.threads = 1;
    int code = session_open(&s, &opts, 0);
    if (code == EXIT_DONE && sora_model_tokenize(s.model, text, (size_t)-1, NULL, 0, &n, &err) != SORA_OK)
        code = complain(EXIT_FAILED, "%s", err.message);
    int32_t *ids = code == EXIT_DONE ? malloc((n + 1) * sizeof *ids) : NULL;
    if (code == EXIT_DONE && (!ids || sora_model_tokenize(s.model, text, (size_t)-1, ids, n, &n, &err) != SORA_OK))
        code = complain(EXIT_FAILED, "%s", ids ? err.message : "no memory");
    for (size_t i = 0; code == EXIT_DONE && i < n; i++) printf("%s%d", i ? " " : "", (int)ids[i]);
    if (code == EXIT_DONE) {
        printf("\n");
        code = flush_output();
    }
    free(ids);
    session_close(&s);
    return code;
}

int cmd_convert(int argc, char **argv) {
    session s;
    session_opts opts = SESSION_DEFAULTS;
    sora_error err = {.struct_size = sizeof err};
    long long weights = 0;
    const char *words[2];
    int count;
    static const int32_t types[] = {0, SORA_DTYPE_F32, SORA_DTYPE_BF16, SORA_DTYPE_I8};
    const option table[] = {
        {"weights", OPTION_CHOICE, &weights, "keep|f32|bf16|i8",
         "types of the weights; i8: matrices with a scale per row", 0, 0},
        SESSION_FILES(opts),
        OPTIONS_END,
    };
    static const command_help help = {
        "sora convert [FROM] TO [options]",
        "Converts a model folder, a .sora file or single files of weights to a .sora file or "
        "a folder. TO is a file when its\nname ends in .sora, else a folder that must not be "
        "there yet. It appears whole or not at all.",
        "Examples:\n  sora convert Wan2.1-T2V-1.3B-Diffusers wan.sora --weights bf16\n  "
        "sora convert models/nano.sora nano-folder"};
    const int parsed = options_parse(table, &help, argc, argv, words, 2, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (count != 2 && (count != 1 || !session_has_files(&opts)))
        return complain(EXIT_USAGE, "convert needs a model and a place; see sora convert --help");
    sora_model_opts model;
    opts.model = count == 2 ? words[0] : NULL;
    int code = session_open_context(&s, &opts);
    sora_model_opts_init(&model);
    if (code == EXIT_DONE) code = session_files(&opts, &model, &s);
    if (code == EXIT_DONE && (sora_model_open(&s.model, s.ctx, opts.model, &model, &err) != SORA_OK ||
                              sora_model_save(s.model, words[count - 1], types[weights], &err) != SORA_OK))
        code = complain(EXIT_FAILED, "%s", err.message);
    session_close(&s);
    return code;
}
