/* A device without memory: it hands out addresses, counts them, and runs nothing. Networks that run on it show what they would take. */
#ifndef SORAI_PIPELINE_COUNTING_H
#define SORAI_PIPELINE_COUNTING_H

#include "lib/backend/iface.h"

typedef struct sorai_counting_device {
    sorai_device base;
    uint64_t used, peak; /* bytes handed out, with the overhead of a block of host memory */
} sorai_counting_device;

void sorai_counting_device_init(sorai_counting_device *d);

#endif
