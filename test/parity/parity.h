/* The parity check: networks against fixtures of an independent implementation (see make_fixtures.py). */
#ifndef PARITY_H
#define PARITY_H

#include "lib/backend/context.h"
#include "lib/io/json.h"
#include "lib/io/safetensors.h"
#include "lib/ops/ops.h"

typedef struct parity {
    sora_context *context;
    sorai_device *device;
    const char *backend, *root;
    int passed, failed, verbose;
    char model[64]; /* "tiny21/vae": stands before each line */
} parity;

/* One part of one fixture model: config, weights and cases. */
typedef struct parity_part {
    json_t *config;
    sorai_safetensors *weights, *cases;
} parity_part;

int parity_open(parity *p, parity_part *part, const char *model, const char *folder, const char *weights);
void parity_close(parity_part *part);
/* The names of the cases that hold a tensor `mark`: copies into names, gives the count. */
#define PARITY_MAX_CASES 16
int parity_cases(const parity_part *part, const char *mark, char names[PARITY_MAX_CASES][64]);
/* A tensor of a case, NULL when there is none (`must`: then counts a failure). Unref it. */
sora_tensor *parity_tensor(parity *p, const parity_part *part, const char *case_name, const char *name, int must);

/* A store over the weights of the part. */
int parity_store(parity *p, sorai_store *store, const parity_part *part, int trainable);

/* Counts and prints one comparison: relative squared error of n values against a limit. Values that are not finite fail. */
void parity_compare(parity *p, const char *what, const float *got, const float *want, int64_t n, double limit);
/* The same with a tensor of the device; NULL counts as a failure with the exec's message. */
void parity_check(parity *p, sorai_exec *x, const char *what, const sora_tensor *got, const sora_tensor *want, double limit);
/* All gradients of a store against CASE/grad/NAME; parameters that torch gave none must have zero here. */
void parity_gradients(parity *p, sorai_exec *x, const char *what, const parity_part *part, const char *case_name, const sorai_store *store,
                      const char *blind, double limit); /* blind: NULL, or parameters with this in their name are left out */
void parity_fail(parity *p, const char *what, const char *why);
/* Clears the sticky error of x, counting a failure when there is one. */
int parity_finish(parity *p, sorai_exec *x, const char *what);

/* Proves that the check can fail: changes one parameter after the other by a percent and runs `error` (the relative squared error of
 * some output); each must be seen, by far more than the limit. */
typedef double parity_error_fn(parity *p, void *user);
void parity_sensitivity(parity *p, sorai_store *store, parity_error_fn *error, void *user, const char *blind, double limit);
double parity_error(parity *p, sorai_exec *x, const sora_tensor *got, const sora_tensor *want); /* NaN on failure */

sora_tensor *parity_upload(sorai_exec *x, const sora_tensor *host);

/* ---- net.c: what the checks of all networks share ------------------------------------------------------------------------ */

/* A case under way: its tensors are read once and given back with it. */
typedef struct parity_case {
    parity *p;
    const parity_part *part;
    const char *name;
    struct {
        const char *name;
        sora_tensor *tensor;
    } held[24];
    int count;
} parity_case;

const sora_tensor *parity_in(parity_case *c, const char *name, int must); /* NULL when there is none */
/* The same on the device; `planes`: [b, c, t, h, w] as [b, t, h, w, c]. */
sora_tensor *parity_give(parity_case *c, sorai_exec *x, const char *name, int planes);

void parity_case_end(parity_case *c);

#define PARITY_MAX_OUTPUTS 8
typedef struct parity_output {
    const char *name; /* of the tensor of the case that it must equal */
    sora_tensor *got;
} parity_output;

/* A kind of network. `net` and `config` are zeroed memory of the sizes given. */
typedef struct parity_net {
    const char *part, *weights; /* folder and file */
    const char *mark;           /* the tensor that says what is a case */
    size_t net_size, config_size;
    double bf16, i8;            /* limits; i8 0: is not run */
    const char *blind;          /* parameters with this in their name change nothing, whatever they are; NULL: none */
    int unused; /* 1: the file may have tensors that the network does not use */
    int (*config)(json_t *json, void *config, sora_error *err);
    int (*bind)(void *net, sorai_store *store, const void *config, sora_error *err);
    void (*release)(void *net); /* NULL: nothing to do */
    int (*run)(parity_case *c, sorai_exec *x, void *net, parity_output out[PARITY_MAX_OUTPUTS]); /* gives the count of outputs */
    /* Loss number i, each on a tape of its own; 0 past the last. NULL: no gradients are checked. */
    int (*loss)(parity_case *c, sorai_exec *x, void *net, int i, parity_output *out);
    void (*extra)(parity_case *c, void *net); /* further checks of a case; NULL: none */
} parity_net;

/* All cases of one fixture folder: outputs in f32 and bf16, a change of any parameter seen, losses and gradients. */
void parity_network(parity *p, const parity_net *kind, const char *folder);

void parity_transformers(parity *p);
void parity_autoencoders(parity *p);
void parity_texts(parity *p);
void parity_images(parity *p);
void parity_ltx(parity *p);
void parity_loops(parity *p);
void parity_samplers(parity *p);

int parity_pick(int argc, char **argv); /* pick.c: for scripts */

#define PARITY_F32 1e-9
#define PARITY_GRAD 1e-6
#define PARITY_BF16_TRANSFORMER 2e-4
#define PARITY_BF16 5e-4
#define PARITY_I8 1e-3

#endif
