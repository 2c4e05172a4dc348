/* The numbered parameters: one table drives checks, the program's options and every binding. */
#ifndef SORAI_PIPELINE_PARAMS_H
#define SORAI_PIPELINE_PARAMS_H

#include "lib/base/alloc.h"
#include "lib/base/error.h"
#include "sora/pipeline.h"

#define SORAI_PARAMS 32 /* numbers are below this */
#define SORAI_SLOTS 32

typedef struct sorai_params {
    sorai_mem *mem;
    int64_t i[SORAI_PARAMS];
    double f[SORAI_PARAMS];
    char *text[SORAI_PARAMS]; /* NULL: "" */
    size_t length[SORAI_PARAMS];
} sorai_params;

void sorai_params_init(sorai_params *p, sorai_mem *mem);
void sorai_params_release(sorai_params *p);
int sorai_params_set_i64(sorai_params *p, sora_param id, int64_t value);
int sorai_params_set_f64(sorai_params *p, sora_param id, double value);
int sorai_params_set_text(sorai_params *p, sora_param id, const char *text, size_t length);

/* Descriptions; NULL when there is none. */
const sora_param_desc *sorai_param_find(sora_param id);
const sora_param_desc *sorai_param_list(uint32_t index);

#endif
