/* A pipeline over the tests' tiny model (test/tiny): for the suites that look at the library through its public API. */
#ifndef TEST_UNIT_RIG_H
#define TEST_UNIT_RIG_H

#include <sora/sora.h>

typedef struct rig {
    sora_context *ctx;
    sora_model *model;
    sora_pipeline *p;
    sora_error err;
} rig;

/* The folder of the tiny model, made once per process; remove_model takes it away. */
const char *rig_model(void);
void remove_model(void);
/* Prompt "a cat", two steps. threads 0: one per core; mem_limit 0: none. */
void open_rig(rig *r, int threads, uint64_t mem_limit);
void close_rig(rig *r);
/* All frames of the last run (malloc). */
uint8_t *frames_of(rig *r, size_t *size);

#endif
