/* A lock. */
#ifndef SORAI_BASE_LOCK_H
#define SORAI_BASE_LOCK_H

#include <pthread.h>

typedef struct sorai_lock {
    pthread_mutex_t mutex;
} sorai_lock;

static inline void sorai_lock_init(sorai_lock *l) { pthread_mutex_init(&l->mutex, NULL); }
static inline void sorai_lock_destroy(sorai_lock *l) { pthread_mutex_destroy(&l->mutex); }
static inline void sorai_lock_take(sorai_lock *l) { pthread_mutex_lock(&l->mutex); }
static inline void sorai_lock_give(sorai_lock *l) { pthread_mutex_unlock(&l->mutex); }

#endif
