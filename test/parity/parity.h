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
                      double limit);
void parity_fail(parity *p, const char *what, const char *why);
/* Clears the sticky error of x, counting a failure when there is one. */
int parity_finish(parity *p, sorai_exec *x, const char *what);

/* Proves that the check can fail: changes one parameter after the other by a percent and runs `error` (the relative squared error of
 * some output); each must be seen, by far more than the limit. */
typedef double parity_error_fn(parity *p, void *user);
void parity_sensitivity(parity *p, sorai_store *store, parity_error_fn *error, void *user, double limit);
double parity_error(parity *p, sorai_exec *x, const sora_tensor *got, const sora_tensor *want); /* NaN on failure */

sora_tensor *parity_upload(sorai_exec *x, const sora_tensor *host);

void parity_transformers(parity *p);
void parity_autoencoders(parity *p);
void parity_texts(parity *p);
void parity_samplers(parity *p);

int parity_pick(int argc, char **argv); /* pick.c: for scripts */

#define PARITY_F32 1e-9
#define PARITY_GRAD 1e-6
#define PARITY_BF16_TRANSFORMER 2e-4
#define PARITY_BF16 5e-4

#endif
