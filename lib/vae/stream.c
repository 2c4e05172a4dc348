#include <string.h>

#include "lib/vae/vae.h"

void sorai_vae_stream_begin(sorai_vae_stream *s, sorai_mem *mem) {
    s->mem = mem;
    for (int i = 0; i < SORAI_VAE_MAX_SLOTS; i++)
        s->slot[i].valid = 0;
    memset(s->started, 0, sizeof s->started);
    s->pieces = 0;
}

void sorai_vae_stream_release(sorai_vae_stream *s) {
    for (int i = 0; i < SORAI_VAE_MAX_SLOTS; i++) {
        sorai_tensor_unref(&s->slot[i].frames);
        s->slot[i].valid = 0;
    }
}
