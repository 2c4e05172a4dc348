/* What most commands begin with: a context, a model and a pipeline, from the common options. */
#ifndef SORA_TOOLS_SESSION_H
#define SORA_TOOLS_SESSION_H

#include <sora/sora.h>

#include "tools/options.h"

typedef struct session_opts {
    const char *model;        /* NULL: the model that comes with the program */
    const char *backend;      /* NULL: the processor; the name or the file of a plugin */
    long long memory;         /* MiB; 0: no limit */
    long long threads, dtype; /* dtype: of the choice "f32|bf16|i8"; -1: the command's own */
    /* single files in place of a model or of its parts */
    const char *dit, *dit2, *vae, *text, *clip, *tokenizer;
    option_list loras[3]; /* FILE or FILE:STRENGTH; by SORA_LORA_* */
} session_opts;

#define SESSION_DEFAULTS                                                                                               \
    { .dtype = -1 }
/* Rows for options_parse. */
#define SESSION_FILES(o)                                                                                               \
    {"dit", OPTION_TEXT, &(o).dit, "FILE", "single files in place of MODEL: the transformer", 0, 0},                   \
        {"dit2", OPTION_TEXT, &(o).dit2, "FILE", "the transformer for low noise, of models with two", 0, 0},           \
        {"vae", OPTION_TEXT, &(o).vae, "FILE", "the autoencoder", 0, 0},                                               \
        {"text", OPTION_TEXT, &(o).text, "FILE", "the text encoder", 0, 0},                                            \
        {"clip", OPTION_TEXT, &(o).clip, "FILE", "the image encoder of image-to-video models", 0, 0},                  \
        {"tokenizer", OPTION_TEXT, &(o).tokenizer, "FILE", "the tokenizer: tokenizer.json or spiece.model", 0, 0},     \
        {"lora", OPTION_LIST, &(o).loras[0], "FILE[:X]", "a LoRA, with a strength (1); may be repeated", 0, 0},        \
        {"lora-high", OPTION_LIST, &(o).loras[1], "FILE[:X]", "one for the expert for high noise only", 0, 0}, {       \
        "lora-low", OPTION_LIST, &(o).loras[2], "FILE[:X]", "one for the expert for low noise only", 0, 0              \
    }
#define SESSION_MODEL_OPTION(o)                                                                                        \
    {                                                                                                                  \
        "model", OPTION_TEXT, &(o).model, "MODEL", "a .sora file or a model folder (the model that comes with sora)",  \
            0, 0                                                                                                       \
    }
#define SESSION_OPTIONS(o)                                                                                             \
    {"threads", OPTION_INT, &(o).threads, "N", "threads that work (one per core)", 0, 1024},                           \
        {"memory", OPTION_INT, &(o).memory, "MIB", "most memory to take; slower ways are chosen to keep it", 0, 1 << 24}, \
        {"backend", OPTION_TEXT, &(o).backend, "NAME", "computes with a plugin: blas, reference, or a file", 0, 0}, {  \
        "dtype", OPTION_CHOICE, &(o).dtype, "f32|bf16|i8", "type of the matrix products; f32 is the exact path, i8 the fastest", 0, 0     \
    }

typedef struct session {
    sora_context *ctx;
    sora_model *model;
    sora_pipeline *pipeline;
    const char *device; /* of the plugin; NULL: the processor */
    char path[4096];    /* of the model; "" when there are only single files */
    char lora_paths[OPTION_LIST_MAX][1024];
    const char *loras[OPTION_LIST_MAX];
    double strengths[OPTION_LIST_MAX];
    int32_t targets[OPTION_LIST_MAX];
} session;

int session_has_files(const session_opts *opts); /* any single file is named */
/* Fills what names files; s keeps the texts. A line and EXIT_USAGE when a strength is no number. */
int session_files(const session_opts *opts, sora_model_opts *model, session *s);
/* dtype: SORA_DTYPE_* when the option was not given; 0: the library's choice. Prints a line and returns an exit code on
 * failure, else 0. session_close in any case. */
int session_open(session *s, const session_opts *opts, int32_t dtype);
/* Only the context, with the plugin if one is asked for; model and pipeline stay NULL. */
int session_open_context(session *s, const session_opts *opts);
void session_close(session *s);

/* Parameters of the pipeline as options: `mask` has bit (1 << id) for each that the command takes. */
#define PARAM_MAX 32
typedef struct param_options {
    sora_param_desc desc[PARAM_MAX];
    char name[PARAM_MAX][64];
    long long i[PARAM_MAX];
    double f[PARAM_MAX];
    const char *text[PARAM_MAX];
    int count;
} param_options;

/* Fills rows of `table` and returns how many. */
int param_options_list(param_options *p, uint32_t mask, option *table);
long long *param_option_int(param_options *p, sora_param id); /* its value; NULL when it is not listed */
/* Sets everything in the pipeline; a line and EXIT_USAGE when it does not fit. */
int param_options_apply(const param_options *p, sora_pipeline *pipeline);

/* Refuses to write a tensor, text or picture over anything but a regular file: EXIT_DONE, or a line and EXIT_FAILED. */
int check_output(const char *path);
/* EXIT_DONE when all of stdout went out, else a line and EXIT_FAILED. */
int flush_output(void);

#endif
