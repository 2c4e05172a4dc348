/* Low-rank additions (LoRA) to a transformer's weights, from files in the namings of diffusers and PEFT, of Kohya's
 * trainers and of ComfyUI. They are added as weights are read, W + strength * alpha / rank * up * down; where W stays as
 * it is stored, factors come with it instead (down, and up times that number), which products apply: W x + up (down x). */
#ifndef SORAI_MODEL_LORA_H
#define SORAI_MODEL_LORA_H

#include "lib/io/package.h"

#define SORAI_LORA_BOTH 0
#define SORAI_LORA_HIGH 1 /* only "transformer", which of two experts is the one for high noise */
#define SORAI_LORA_LOW  2 /* only "transformer_2" */

typedef struct sorai_loras sorai_loras;

int sorai_loras_create(sorai_loras **out, sorai_mem *mem, sora_error *err);
void sorai_loras_free(sorai_loras **loras);

/* Reads a file's list and finds the weight that each of its tensors belongs to in the package's transformer; one that
 * belongs nowhere is an error that names it, never passed over. A
 * failure adds nothing. */
int sorai_loras_add(sorai_loras *loras, sorai_package *pkg, const char *path, double strength, int32_t target,
                    sora_error *err);

/* The same of an open file (referenced). */
int sorai_loras_add_weights(sorai_loras *loras, sorai_package *pkg, sorai_weights *weights, double strength,
                            int32_t target, sora_error *err);

/* From now on the package's lookups add them; it owns loras, also on failure. */
void sorai_loras_install(sorai_loras *loras, sorai_package *pkg);

#endif
