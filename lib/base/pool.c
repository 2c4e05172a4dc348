#define _GNU_SOURCE /* sched_getaffinity */
#include "lib/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"

#define MAX_WIDTH 256u
#define SPIN 2000 /* looks at the counter before a worker sleeps: products come in quick succession */

typedef struct pool_job {
    void (*fn)(void *arg, int64_t item, uint32_t worker);
    void *arg;
    int64_t count;
    atomic_int_least64_t next;
} pool_job;

typedef struct pool_worker {
    struct sorai_pool *pool;
    uint32_t index;
    pthread_t thread;
} pool_worker;

struct sorai_pool {
    sorai_mem *mem;
    uint32_t width;
    sora_executor executor; /* parallel_for NULL: own threads */
    pthread_mutex_t entry;  /* one run at a time */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_uint generation; /* raised for each job */
    atomic_uint running;    /* workers that have not finished it */
    uint32_t sleeping;
    int stop;
    pool_job job;
    pool_worker *workers; /* width - 1 of them; the caller is worker 0 */
    uint32_t started;
};

static void drain(pool_job *job, uint32_t worker) {
    for (;;) {
        const int64_t item = atomic_fetch_add(&job->next, 1);
        if (item >= job->count)
            return;
        job->fn(job->arg, item, worker);
    }
}

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void *worker_main(void *arg) {
    pool_worker *self = arg;
    sorai_pool *pool = self->pool;
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < SPIN && atomic_load(&pool->generation) == seen; i++)
            relax();
        if (atomic_load(&pool->generation) == seen) {
            pthread_mutex_lock(&pool->lock);
            pool->sleeping++;
            while (atomic_load(&pool->generation) == seen)
                pthread_cond_wait(&pool->wake, &pool->lock);
            pool->sleeping--;
            pthread_mutex_unlock(&pool->lock);
        }
        seen = atomic_load(&pool->generation);
        if (pool->stop)
            return NULL;
        drain(&pool->job, self->index);
        if (atomic_fetch_sub(&pool->running, 1) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static void announce(sorai_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->generation, 1);
    if (pool->sleeping)
        pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static int usable_cores(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

int sorai_pool_create(sorai_pool **out, sorai_mem *mem, int threads, const sora_executor *executor, sora_error *err) {
    *out = NULL;
    if (threads < 0 || (executor && (!executor->parallel_for || !executor->width)))
        return sorai_fail(err, SORA_E_INVALID, "threads must be 0 or more, and an executor needs parallel_for and a width");
    sorai_pool *pool = sorai_calloc(mem, 1, sizeof *pool);
    if (!pool)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the thread pool");
    pool->mem = mem;
    pthread_mutex_init(&pool->entry, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    if (executor) {
        pool->executor = *executor;
        pool->width = executor->width < MAX_WIDTH ? executor->width : MAX_WIDTH;
        *out = pool;
        return SORA_OK;
    }
    const int wanted = threads ? threads : usable_cores();
    pool->width = (uint32_t)wanted < MAX_WIDTH ? (uint32_t)wanted : MAX_WIDTH;
    int status = SORA_OK;
    if (pool->width > 1) {
        pool->workers = sorai_calloc(mem, pool->width - 1, sizeof *pool->workers);
        if (!pool->workers) {
            status = sorai_fail(err, SORA_E_NOMEM, "no memory for the thread pool");
            goto fail;
        }
        for (uint32_t i = 0; i + 1 < pool->width; i++) {
            pool->workers[i].pool = pool;
            pool->workers[i].index = i + 1;
            if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) != 0) {
                status = sorai_fail(err, SORA_E_NOMEM, "could not start thread %u of %u", i + 2, pool->width);
                goto fail;
            }
            pool->started++;
        }
    }
    *out = pool;
    return SORA_OK;
fail:
    sorai_pool_destroy(&pool);
    return status;
}

void sorai_pool_destroy(sorai_pool **handle) {
    sorai_pool *pool = *handle;
    if (!pool)
        return;
    if (pool->started) {
        pthread_mutex_lock(&pool->lock);
        pool->stop = 1;
        pthread_mutex_unlock(&pool->lock);
        announce(pool);
        for (uint32_t i = 0; i < pool->started; i++)
            pthread_join(pool->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->entry);
    sorai_free(pool->mem, pool->workers);
    sorai_free(pool->mem, pool);
    *handle = NULL;
}

uint32_t sorai_pool_width(const sorai_pool *pool) {
    return pool->width;
}

static void executor_entry(void *arg, uint32_t worker) {
    drain(arg, worker);
}

void sorai_pool_run(sorai_pool *pool, void (*fn)(void *arg, int64_t item, uint32_t worker), void *arg, int64_t count) {
    if (count <= 0)
        return;
    pthread_mutex_lock(&pool->entry);
    pool->job.fn = fn;
    pool->job.arg = arg;
    pool->job.count = count;
    atomic_store(&pool->job.next, 0);
    if (count == 1 || pool->width == 1) {
        drain(&pool->job, 0);
    } else if (pool->executor.parallel_for) {
        const uint32_t n = (int64_t)pool->width < count ? pool->width : (uint32_t)count;
        pool->executor.parallel_for(pool->executor.user, executor_entry, &pool->job, n);
    } else {
        atomic_store(&pool->running, pool->width - 1);
        announce(pool);
        drain(&pool->job, 0);
        for (int i = 0; i < SPIN && atomic_load(&pool->running); i++)
            relax();
        if (atomic_load(&pool->running)) {
            pthread_mutex_lock(&pool->lock);
            while (atomic_load(&pool->running))
                pthread_cond_wait(&pool->done, &pool->lock);
            pthread_mutex_unlock(&pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->entry);
}
