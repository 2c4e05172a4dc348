/* How soon a cancel is seen: with the operation under way, in every phase and for every kind of model. Counted in operations, not in time. */
#include <check.h>
#include <string.h>

#include "lib/pipeline/pipeline.h"
#include "test/unit/rig.h"

/* A device that cancels when it is asked for operation `at`, and counts those that follow. */
static struct {
    int (*run)(sorai_device *dev, int op, int dtype, const void *args, int64_t units);
    sora_pipeline *p;
    long at, done, behind; /* behind: -1 before the cancel */
    enum sorai_run_state state; /* in which it came */
} probe;

static int counting_run(sorai_device *dev, int op, int dtype, const void *args, int64_t units) {
    if (probe.behind >= 0)
        probe.behind++;
    if (++probe.done == probe.at) {
        probe.behind = 0;
        probe.state = probe.p->state;
        sora_pipeline_cancel(probe.p);
    }
    return probe.run(dev, op, dtype, args, units);
}

/* What one run does that is cancelled at operation `at` (0: not at all). */
static int run_to(rig *r, long at) {
    probe.p = r->p;
    probe.at = at;
    probe.done = 0;
    probe.behind = -1;
    return sora_pipeline_run(r->p, &r->err);
}

static void watch(rig *r) {
    probe.run = r->model->device->run;
    r->model->device->run = counting_run;
}

static const char *const kinds[] = {"", "t2v", "i2v", "flf", "i2v_a14b", "vace", "vace_a14b", "ti2v", "a14b"};
#define KINDS (int)(sizeof kinds / sizeof *kinds)

START_TEST(no_operation_follows) {
    static const char *const names[] = {"", "text", "conditions", "denoising", "decoding"};
    rig r;
    long worst[5] = {0}, seen[5] = {0};
    if (_i)
        open_kind(&r, kinds[_i]);
    else
        open_rig(&r, 1, 0);
    const int64_t w = _i ? KIND_WIDTH : 32, h = _i ? KIND_HEIGHT : 32;
    sora_tensor *clip = rig_tensor(&r, SORA_DTYPE_U8, 4, (const int64_t[]){5, h, w, 3}, 3);
    ck_assert_int_eq(rig_condition(&r, clip, NULL, 0, 1.0), SORA_OK);
    watch(&r);
    ck_assert_msg(run_to(&r, 0) == SORA_OK, "%s", r.err.message);
    const long all = probe.done, stride = all / 150 + 1;
    for (long at = 1; at <= all; at += stride) {
        const int status = run_to(&r, at);
        if (status == SORA_OK) { /* at its very end, then the next one is stopped */
            ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_CANCELLED);
            continue;
        }
        ck_assert_int_eq(status, SORA_E_CANCELLED);
        ck_assert_ptr_null(r.p->held);
        seen[probe.state]++;
        if (probe.behind > worst[probe.state]) worst[probe.state] = probe.behind;
    }
    r.model->device->run = probe.run;
    /* Texts are given to the kinds, and encoded by the other. */
    for (int s = SORAI_RUN_TEXT; s <= SORAI_RUN_DECODE; s++)
        ck_assert_msg(worst[s] == 0 && (seen[s] || (_i && s == SORAI_RUN_TEXT)), "%s, %s: %ld operations after a cancel, in %ld tries", kinds[_i],
                      names[s], worst[s], seen[s]);
    sora_tensor_unref(&clip);
    close_rig(&r);
}
END_TEST

Suite *suite_cancel(void);
Suite *suite_cancel(void) {
    Suite *s = suite_create("cancel");
    TCase *c = tcase_create("cancel");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_loop_test(c, no_operation_follows, 0, KINDS);
    suite_add_tcase(s, c);
    return s;
}
