/* The thread pool, or the host's executor in its place. */
#ifndef SORAI_BASE_POOL_H
#define SORAI_BASE_POOL_H

#include "lib/base/alloc.h"

typedef struct sorai_pool sorai_pool;

/* threads: how many run at once, the caller included; 0 = one per core that this process may use. executor: NULL = own
 * threads, else the host's (copied). */
int sorai_pool_create(sorai_pool **out, sorai_mem *mem, int threads, const sora_executor *executor, sora_error *err);
void sorai_pool_destroy(sorai_pool **pool);
uint32_t sorai_pool_width(const sorai_pool *pool);

/* Calls fn(arg, item, worker) for each item in 0..count-1; worker < width names the one who runs it (for scratch memory), and no
 * two calls with the same worker run at once. Items are handed out in ascending order. Returns when all are done. Calls from two
 * threads are taken one after the other. Not to be nested. */
void sorai_pool_run(sorai_pool *pool, void (*fn)(void *arg, int64_t item, uint32_t worker), void *arg, int64_t count);

#endif
