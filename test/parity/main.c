/* build/test/parity [--backend cpu|reference|blas] [--plugin FILE] [--fixtures DIR] [--only dit|vae|text|image|ltx|loop|sampler] [--threads N] [-v]
 * build/test/parity join|compare ...: see pick.c
 * Without --backend: cpu, and the others whose plugins lie beside the build. Status 0 when all comparisons passed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/backend/host_device.h"
#include "parity.h"

void parity_fail(parity *p, const char *what, const char *why) {
    p->failed++;
    printf("FAIL %s %s %s: %s\n", p->backend, p->model, what, why);
}

int parity_finish(parity *p, sorai_exec *x, const char *what) {
    sora_error err = {0};
    const int status = sorai_exec_finish(x, &err);
    if (status != SORA_OK)
        parity_fail(p, what, err.message);
    return status;
}

static void report(parity *p, const char *what, double error, double limit) {
    const int ok = error <= limit; /* not for NaN */
    if (ok)
        p->passed++;
    else
        p->failed++;
    if (!ok || p->verbose)
        printf("%s %s %s %s: nmse %.3g (limit %.0e)\n", ok ? "ok  " : "FAIL", p->backend, p->model, what, error, limit);
}

static double nmse(const float *got, const float *want, int64_t n) {
    double diff = 0.0, norm = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)want[i];
        diff += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    return norm > 0.0 ? diff / norm : diff;
}

void parity_compare(parity *p, const char *what, const float *got, const float *want, int64_t n, double limit) {
    report(p, what, nmse(got, want, n), limit);
}

void parity_check(parity *p, sorai_exec *x, const char *what, const sora_tensor *got, const sora_tensor *want, double limit) {
    if (parity_finish(p, x, what) != SORA_OK)
        return;
    if (!got || !want || sorai_tensor_count(got) != sorai_tensor_count(want)) {
        parity_fail(p, what, got && want ? "another number of elements" : "no result");
        return;
    }
    const int64_t n = sorai_tensor_count(got);
    float *values = malloc((size_t)n * sizeof *values + 1);
    if (!values || sorai_download(x, got, values) != SORA_OK)
        parity_fail(p, what, "could not download");
    else
        parity_compare(p, what, values, want->data, n, limit);
    free(values);
}

double parity_error(parity *p, sorai_exec *x, const sora_tensor *got, const sora_tensor *want) {
    double error = NAN;
    const int64_t n = want ? sorai_tensor_count(want) : 0;
    float *values = malloc((size_t)n * sizeof *values + 1);
    if (got && want && sorai_tensor_count(got) == n && values && sorai_download(x, got, values) == SORA_OK)
        error = nmse(values, want->data, n);
    free(values);
    parity_finish(p, x, "run");
    return error;
}

void parity_sensitivity(parity *p, sorai_store *store, parity_error_fn *error, void *user, const char *blind, double limit) {
    double least = INFINITY;
    char line[400];
    const char *least_name = "";
    int missed = 0;
    for (size_t i = 0; i < store->count; i++) {
        sorai_param *param = store->params[i];
        if (blind && strstr(param->name, blind))
            continue;
        const size_t bytes = sorai_tensor_bytes(param->value), n = bytes / sizeof(float);
        float *old = malloc(bytes + 1), *changed = malloc(bytes + 1);
        if (!old || !changed || p->device->download(p->device, old, param->value->data, bytes) != SORA_OK) {
            parity_fail(p, param->name, "could not change it");
        } else {
            for (size_t k = 0; k < n; k++)
                changed[k] = old[k] * 1.01f + 0.01f * (float)(k % 3);
            p->device->upload(p->device, param->value->data, changed, bytes);
            param->version++;
            const double e = error(p, user);
            if (!(e > 10.0 * limit)) {
                parity_fail(p, param->name, "changing it is not seen");
                missed++;
            }
            if (e < least) {
                least = e;
                least_name = param->name;
            }
            p->device->upload(p->device, param->value->data, old, bytes);
            param->version++;
        }
        free(old);
        free(changed);
    }
    const double again = error(p, user);
    snprintf(line, sizeof line, "a change of any of %zu parameters is seen (least %s, %.1e), and undone", store->count, least_name, least);
    if (missed == 0)
        report(p, line, again, limit);
}

void parity_gradients(parity *p, sorai_exec *x, const char *what, const parity_part *part, const char *case_name, const sorai_store *store,
                      const char *blind, double limit) {
    char name[320], line[400];
    double worst = 0.0;
    int count = 0, zero = 0, bad = 0;
    const char *worst_name = "";
    if (parity_finish(p, x, what) != SORA_OK)
        return;
    for (size_t i = 0; i < store->count; i++) {
        const sorai_param *param = store->params[i];
        if (blind && strstr(param->name, blind))
            continue;
        const int64_t n = sorai_tensor_count(param->value);
        snprintf(name, sizeof name, "grad/%s", param->name);
        sora_tensor *want = parity_tensor(p, part, case_name, name, 0);
        float *got = calloc((size_t)n + 1, sizeof *got);
        if (!got || !param->grad || sorai_download(x, param->grad, got) != SORA_OK) {
            parity_fail(p, param->name, "no gradient");
            bad++;
        } else if (want) {
            const double error = nmse(got, want->data, n);
            count++;
            if (!(error <= worst)) {
                worst = error;
                worst_name = param->name;
            }
            if (!(error <= limit) || p->verbose > 1) {
                bad += !(error <= limit);
                snprintf(line, sizeof line, "%s of %s", what, param->name);
                report(p, line, error, limit);
            }
        } else {
            int64_t k = 0;
            while (k < n && got[k] == 0.0f)
                k++;
            if (k < n) {
                parity_fail(p, param->name, "has a gradient that the reference does not have");
                bad++;
            }
            zero++;
        }
        free(got);
        sorai_tensor_unref(&want);
    }
    if (!bad) {
        snprintf(line, sizeof line, "%s of %d parameters (%d without), worst %s", what, count, zero, worst_name);
        report(p, line, count > 0 ? worst : NAN, limit);
    }
}

sora_tensor *parity_upload(sorai_exec *x, const sora_tensor *host) {
    return host ? sorai_upload(x, host->dtype, host->rank, host->shape, host->data) : NULL;
}

/* ---- fixture files ----------------------------------------------------------------------------------------------------- */

int parity_open(parity *p, parity_part *part, const char *model, const char *folder, const char *weights) {
    char path[1024];
    sora_error err = {0};
    sorai_source *source = NULL;
    memset(part, 0, sizeof *part);
    snprintf(p->model, sizeof p->model, "%s/%s", model, folder);
    snprintf(path, sizeof path, "%s/%s/%s/config.json", p->root, model, folder);
    int status = sorai_source_open(&source, &p->context->mem, path, &err);
    if (status == SORA_OK)
        status = sorai_json_load(&part->config, source, "config", &err);
    sorai_source_unref(&source);
    snprintf(path, sizeof path, "%s/%s/%s/%s", p->root, model, folder, weights);
    if (status == SORA_OK)
        status = sorai_safetensors_open_path(&part->weights, &p->context->mem, path, &err);
    snprintf(path, sizeof path, "%s/%s/%s.cases.safetensors", p->root, model, folder);
    if (status == SORA_OK)
        status = sorai_safetensors_open_path(&part->cases, &p->context->mem, path, &err);
    if (status != SORA_OK) {
        parity_fail(p, "open", err.message);
        parity_close(part);
    }
    return status;
}

void parity_close(parity_part *part) {
    json_decref(part->config);
    sorai_safetensors_close(&part->weights);
    sorai_safetensors_close(&part->cases);
    part->config = NULL;
}

int parity_cases(const parity_part *part, const char *mark, char names[PARITY_MAX_CASES][64]) {
    const sorai_table *table = sorai_safetensors_table(part->cases);
    int count = 0;
    for (size_t i = 0; i < table->count && count < PARITY_MAX_CASES; i++) {
        const char *slash = strchr(table->items[i].name, '/');
        if (slash && strcmp(slash + 1, mark) == 0 && slash - table->items[i].name < 64) {
            memcpy(names[count], table->items[i].name, (size_t)(slash - table->items[i].name));
            names[count++][slash - table->items[i].name] = 0;
        }
    }
    return count;
}

sora_tensor *parity_tensor(parity *p, const parity_part *part, const char *case_name, const char *name, int must) {
    char full[400];
    sora_error err = {0};
    sora_tensor *out = NULL;
    snprintf(full, sizeof full, "%s/%s", case_name, name);
    const int status = sorai_safetensors_lookup(part->cases, full, &out, &err);
    if (status != SORA_OK && (must || status != SORA_E_NOTFOUND))
        parity_fail(p, full, err.message);
    return out;
}

/* A copy of the file's values: parameters will be changed. */
static int lookup(void *user, const char *name, sora_tensor **out, sora_error *err) {
    sora_tensor *mapped;
    int status = sorai_safetensors_lookup(user, name, &mapped, err);
    *out = NULL;
    if (status != SORA_OK) return status == SORA_E_NOTFOUND ? SORA_OK : status;
    status = sorai_tensor_new(out, mapped->mem, mapped->dtype, mapped->rank, mapped->shape, err);
    if (status == SORA_OK) memcpy((*out)->data, mapped->data, sorai_tensor_bytes(mapped));
    sorai_tensor_unref(&mapped);
    return status;
}

int parity_store(parity *p, sorai_store *store, const parity_part *part, int trainable) {
    const int status = sorai_store_init(store, &p->context->mem, p->device);
    store->lookup = lookup;
    store->lookup_user = part->weights;
    store->trainable = trainable;
    return status;
}

/* ------------------------------------------------------------------------------------------------------------------------- */

/* As opened on a processor that has none of the features. */
static void forget_vector_rows(sorai_device *device) {
    sorai_host_device *const dev = (sorai_host_device *)device;
    dev->flags = 0;
    for (int op = 0; op < SK_OP_COUNT; op++)
        for (int dtype = 0; dtype < SK_DT_COUNT; dtype++)
            dev->known[op][dtype] = sorak_pick(op, dtype, SK_DEV_cpu, 0, NULL);
}

static int run(const char *backend, int vectors, const char *plugin, const char *root, const char *only, int threads, int verbose, parity *sum) {
    parity p = {.backend = backend, .root = root, .verbose = verbose};
    sorai_context_config config = {.threads = threads};
    sora_error err = {0};
    int status = sorai_context_create(&p.context, &config, &err);
    if (status == SORA_OK && strcmp(backend, "cpu") != 0)
        status = sorai_context_load_backend(p.context, plugin, &err);
    if (status == SORA_OK && !(p.device = sorai_context_device(p.context, backend)))
        status = sorai_fail(&err, SORA_E_NOTFOUND, "no backend of this name");
    if (status == SORA_OK && !vectors)
        forget_vector_rows(p.device);
    if (status != SORA_OK) {
        parity_fail(&p, "open", err.message);
    } else {
        if (!only || strcmp(only, "vae") == 0)
            parity_autoencoders(&p);
        if (!only || strcmp(only, "dit") == 0)
            parity_transformers(&p);
        if (!only || strcmp(only, "text") == 0)
            parity_texts(&p);
        if (!only || strcmp(only, "image") == 0)
            parity_images(&p);
        if (!only || strcmp(only, "ltx") == 0)
            parity_ltx(&p);
        if (!only || strcmp(only, "loop") == 0)
            parity_loops(&p);
        if (!only || strcmp(only, "sampler") == 0)
            parity_samplers(&p);
    }
    sorai_context_unref(&p.context);
    printf("%s%s: %d passed, %d failed\n", backend, vectors ? "" : ", no vector rows", p.passed, p.failed);
    sum->passed += p.passed;
    sum->failed += p.failed;
    return p.failed == 0;
}

int main(int argc, char **argv) {
    const char *backend = NULL, *root = "test/parity/fixtures", *only = NULL, *plugin = NULL;
    int threads = 2, verbose = 0;
    if (argc > 1 && (strcmp(argv[1], "join") == 0 || strcmp(argv[1], "compare") == 0))
        return parity_pick(argc, argv);
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "-v") == 0)
            verbose++;
        else if (next && strcmp(argv[i], "--backend") == 0)
            backend = argv[++i];
        else if (next && strcmp(argv[i], "--plugin") == 0)
            plugin = argv[++i];
        else if (next && strcmp(argv[i], "--fixtures") == 0)
            root = argv[++i];
        else if (next && strcmp(argv[i], "--only") == 0)
            only = argv[++i];
        else if (next && strcmp(argv[i], "--threads") == 0)
            threads = atoi(argv[++i]);
        else {
            fprintf(stderr, "parity: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    static const char *const backends[] = {"cpu", "reference", "blas", "blas"}; /* the last one without vector rows */
    const char *slash = strrchr(argv[0], '/');
    parity sum = {0};
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        char beside[1024]; /* the program is BUILD/test/parity, plugins are BUILD/libsora-NAME.so */
        if (backend && strcmp(backend, backends[i]) != 0)
            continue;
        snprintf(beside, sizeof beside, "%.*s/../libsora-%s.so", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".", backends[i]);
        FILE *there = i > 0 && !plugin ? fopen(beside, "rb") : NULL;
        if (i > 0 && !backend && !there)
            printf("SKIP %s: %s is not built\n", backends[i], beside);
        else
            run(backends[i], i < 3, plugin ? plugin : beside, root, only, threads, verbose, &sum);
        if (there)
            fclose(there);
    }
    printf("%d passed, %d failed\n", sum.passed, sum.failed);
    return sum.failed == 0 && sum.passed > 0 ? 0 : 1;
}
