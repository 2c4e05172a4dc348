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
/* Steps, guidance and SORA_PARAM_STEP_CACHE. */
void rig_steps(rig *r, double cache, int steps, double guidance);
/* A model of the parity fixtures, "i2v", "vace", ...: 32x48, nine frames, two steps, texts as tensors. */
enum { KIND_WIDTH = 32, KIND_HEIGHT = 48, KIND_FRAMES = 9 };
void open_kind(rig *r, const char *name);
void open_kind_limited(rig *r, const char *name, uint64_t mem_limit);
void close_rig(rig *r);
/* A host tensor of u8 or f32, every value from its place and `start`. */
sora_tensor *rig_tensor(rig *r, int32_t dtype, int32_t rank, const int64_t *shape, int start);
int rig_condition(rig *r, sora_tensor *frames, sora_tensor *mask, int64_t at, double strength);
/* Runs, and looks that what it took is what was estimated: never more, less by at most `share` of it and `small` bytes. */
void run_as_estimated(rig *r, double share, double small, const char *what);
/* All frames of the last run (malloc). */
uint8_t *frames_of(rig *r, size_t *size);

#endif
