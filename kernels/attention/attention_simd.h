/* The vector form of the three attention kernels, included once per row with
 *
 *   NAME(x)     x with the row's suffix                    PAIR    1: an element is two bf16, else a float
 *   LANE_VECS   vectors in a panel                         TILE    rows of a register tile
 *   IN_PLACE    1: rows need no conversion
 *   v_elements(p, n)   VW elements from PAIR ? 2 VW : VW floats, of which n are there and the others zero
 *   v_dot(acc, a, b)   acc + a b per lane                  v_join(p0, p1)   one row of elements of two (PAIR) or one row of floats
 *   v_power(t)         2^t
 *   TILED       1: tile_scores and tile_accumulate do the products instead of register tiles
 *
 * A unit owns up to two blocks of rows, its lanes: queries forward and for dq, keys for dk and dv. They lie transposed in panels of
 * LANES columns (an element per depth step and lane), and so do scores, probabilities and results: a maximum or a sum over the other
 * side is an operation between registers, and no row of the other side is ever transposed: its elements are broadcast. The other side comes in
 * blocks of BLOCK rows, converted once per unit and used by all panels:
 *
 *   scores      [row][lane]    = sum over depth of rows[row][depth] panel[depth][lane]
 *   accumulate  [column][lane] += sum over rows of rows[row][column] probabilities[row][lane]
 *
 * With pairs, the first wants pairs of neighbouring columns and the second pairs of neighbouring rows: two copies. With tiles the second
 * is transposed as well. */
#include <math.h>
#include <string.h>

#include "kernels/attention/attention.h"

#define LANES (LANE_VECS * VW)
#define STEP (PAIR ? 2 : 1) /* floats of an element */
#define LOG2E 1.44269504088896341f
#define NOTHING (-1e30f)    /* below every score, and finite: differences stay numbers */
#define INLINE static inline __attribute__((always_inline))

/* The most that a unit takes: four panels of lanes, four copies of the other side, four blocks of scores. */
_Static_assert(16 * (SORAK_ATTENTION_BLOCK / 8 * SORAK_ATTENTION_MAX_D + BLOCK / 2 * SORAK_ATTENTION_MAX_D + BLOCK * LANES) <=
                   SORAK_SCRATCH, "scratch");

/* A block of rows of the other side as elements. */
typedef struct NAME(rows) {
    float *own_wide, *own_deep; /* scratch for the two, or NULL */
    const float *wide;          /* [row][wide_stride]: elements along the depth */
    const float *deep;          /* [row / STEP][deep_stride]: elements along the rows; TILED: [column][deep_stride] */
    int64_t wide_stride, deep_stride;
} NAME(rows);

typedef struct NAME(plan) {
    int64_t d, depth;      /* floats and elements of a row */
    int64_t stride, width; /* of wide and deep, whole vectors */
    int64_t block;         /* rows of the other side at a time */
    char *next;            /* free scratch */
} NAME(plan);

static NAME(plan) NAME(make_plan)(int64_t d, void *scratch) {
    NAME(plan) p;
    p.d = d;
    p.depth = (d + STEP - 1) / STEP;
    p.stride = (p.depth + VW - 1) / VW * VW;
    p.width = (d + VW - 1) / VW * VW;
    p.block = d > 256 ? BLOCK / 2 : BLOCK;
    p.next = scratch;
    return p;
}

static float *NAME(take)(NAME(plan) *p, int64_t floats) {
    float *const at = (float *)(void *)p->next;
    p->next += (size_t)(floats + 15) / 16 * 64;
    return at;
}

static NAME(rows) NAME(take_rows)(NAME(plan) *p, int wide, int deep) {
    NAME(rows) r = {NULL, NULL, NULL, NULL, 0, 0};
    if (wide || !PAIR)
        r.own_wide = IN_PLACE ? NULL : NAME(take)(p, p->block * p->stride);
    if (deep && PAIR)
        r.own_deep = NAME(take)(p, p->block / STEP * p->width);
    return r;
}

/* --- packing ------------------------------------------------------------------------------------------------------------------ */

static void NAME(pack_rows)(const NAME(plan) *p, NAME(rows) *to, const float *from, int64_t from_stride, int64_t count) {
    if (IN_PLACE) {
        to->wide = to->deep = from;
        to->wide_stride = to->deep_stride = from_stride;
        return;
    }
    for (int64_t r = 0; to->own_wide && r < count; r++)
        for (int64_t k = 0; k < p->stride; k += VW)
            vstore(to->own_wide + r * p->stride + k, v_elements(from + r * from_stride + k * STEP, p->d - k * STEP));
    for (int64_t r = 0; to->own_deep && r < count; r += 2 * (TILED ? VW : 1))
        for (int64_t c = 0; c < p->width; c += VW) {
            vf e[VW];
            for (int64_t i = 0; i < (TILED ? VW : 1); i++) {
                const float *const even = from + (r + 2 * i) * from_stride + c;
                const vf low = r + 2 * i < count ? vload_n(even, p->d - c) : vset(0.0f);
                const vf high = r + 2 * i + 1 < count ? vload_n(even + from_stride, p->d - c) : vset(0.0f);
                e[i] = v_join(low, high);
            }
            if (!TILED) {
                vstore(to->own_deep + r / 2 * p->width + c, e[0]);
                continue;
            }
            vtranspose(e);
            for (int64_t i = 0; i < VW; i++)
                vstore(to->own_deep + (c + i) * (p->block / STEP) + r / 2, e[i]);
        }
    to->wide = to->own_wide;
    to->wide_stride = p->stride;
    to->deep = PAIR ? to->own_deep : to->own_wide;
    to->deep_stride = TILED ? p->block / STEP : PAIR ? p->width : p->stride;
}

/* Rows become lanes: to[panel][depth][LANES]. */
static void NAME(pack_panels)(const NAME(plan) *p, float *to, const float *from, int64_t from_stride, int64_t count) {
    for (int64_t lane = 0; lane < count; lane += VW) {
        float *const column = to + lane / LANES * p->stride * LANES + lane % LANES;
        for (int64_t k = 0; k < p->stride; k += VW) {
            vf r[VW];
            for (int64_t i = 0; i < VW; i++)
                r[i] = lane + i < count ? v_elements(from + (lane + i) * from_stride + k * STEP, p->d - k * STEP) : vset(0.0f);
            vtranspose(r);
            for (int64_t i = 0; i < VW; i++)
                vstore(column + (k + i) * LANES, r[i]);
        }
    }
}

/* Back to rows: to[lane][c] = from[panel][c][lane] * factor[lane]. `from` has `width` rows per panel. */
static void NAME(unpack_panels)(const NAME(plan) *p, void *to, int bf16, int64_t to_stride, const float *from, const float *factor,
                                int64_t count) {
    for (int64_t lane = 0; lane < count; lane += VW) {
        const float *const column = from + lane / LANES * p->width * LANES + lane % LANES;
        const vf f = vload(factor + lane);
        for (int64_t c = 0; c < p->width; c += VW) {
            vf r[VW];
            for (int64_t i = 0; i < VW; i++)
                r[i] = vload(column + (c + i) * LANES) * f;
            vtranspose(r);
            for (int64_t i = 0; i < VW && lane + i < count; i++)
                if (bf16)
                    vstore_bf16_n((uint16_t *)to + (lane + i) * to_stride + c, r[i], p->d - c);
                else
                    vstore_n((float *)to + (lane + i) * to_stride + c, r[i], p->d - c);
        }
    }
}

/* --- products ----------------------------------------------------------------------------------------------------------------- */

#if !TILED

/* One register tile: c[m][lanes] = sum over k of a[m * rs + k * ks] b[k][lanes], or with `add` c * factor + the sum. */
INLINE void NAME(tile)(const int rows, const int vecs, const int add, const float *a, int64_t rs, int64_t ks, int64_t depth,
                       const float *b, float *c, const vf *factor) {
    vf acc[TILE][LANE_VECS];
#pragma GCC unroll 16
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 16
        for (int z = 0; z < vecs; z++) {
            acc[m][z] = vset(0.0f);
            if (add)
                acc[m][z] = vload(c + m * LANES + z * VW) * factor[z];
        }
    for (int64_t k = 0; k < depth; k++) {
        vf e[LANE_VECS];
#pragma GCC unroll 16
        for (int z = 0; z < vecs; z++)
            e[z] = vload(b + k * LANES + z * VW);
#pragma GCC unroll 16
        for (int m = 0; m < rows; m++) {
            const vf x = vset(a[m * rs + k * ks]);
#pragma GCC unroll 16
            for (int z = 0; z < vecs; z++)
                acc[m][z] = v_dot(acc[m][z], x, e[z]);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 16
        for (int z = 0; z < vecs; z++)
            vstore(c + m * LANES + z * VW, acc[m][z]);
}

INLINE void NAME(tiles)(const int vecs, const int add, const float *a, int64_t rs, int64_t ks, int64_t rows, int64_t depth,
                        const float *b, float *c, const float *factor) {
    vf f[LANE_VECS];
    for (int z = 0; z < vecs; z++)
        f[z] = add ? vload(factor + z * VW) : vset(0.0f);
    int64_t m = 0;
    for (; m + TILE <= rows; m += TILE)
        NAME(tile)(TILE, vecs, add, a + m * rs, rs, ks, depth, b, c + m * LANES, f);
    if (TILE > 4 && m + 4 <= rows) {
        NAME(tile)(4, vecs, add, a + m * rs, rs, ks, depth, b, c + m * LANES, f);
        m += 4;
    }
    if (m + 2 <= rows) {
        NAME(tile)(2, vecs, add, a + m * rs, rs, ks, depth, b, c + m * LANES, f);
        m += 2;
    }
    if (m < rows)
        NAME(tile)(1, vecs, add, a + m * rs, rs, ks, depth, b, c + m * LANES, f);
}

#endif

#define BY_VECS(vecs, call)                                                                                            \
    switch (vecs) {                                                                                                    \
    case 1: call(1); break;                                                                                            \
    case 2: call(2); break;                                                                                            \
    case 3: call(LANE_VECS > 2 ? 3 : LANE_VECS); break;                                                                \
    default: call(LANE_VECS); break;                                                                                   \
    }

/* c[row][lanes] = rows of `wide` times a panel. */
static void NAME(scores)(const NAME(plan) *p, int vecs, const NAME(rows) *from, int64_t rows, const float *panel, float *c) {
#if TILED
    tile_scores(vecs, from->wide, from->wide_stride, rows, p->stride, panel, c);
#else
#define CALL(n) NAME(tiles)(n, 0, from->wide, from->wide_stride, 1, rows, p->depth, panel, c, NULL)
    BY_VECS(vecs, CALL)
#undef CALL
#endif
}

/* c[column][lanes] = c * factor + `deep`, transposed, times probabilities. */
static void NAME(accumulate)(const NAME(plan) *p, int vecs, const NAME(rows) *from, int64_t rows, float *elements, float *c,
                             const float *factor) {
    const int64_t depth = (rows + STEP - 1) / STEP;
#if TILED
    tile_accumulate(vecs, from->deep, from->deep_stride, p->width, depth, elements, c, factor);
#else
#define CALL(n) NAME(tiles)(n, 1, from->deep, 1, from->deep_stride, p->d, depth, elements, c, factor)
    BY_VECS(vecs, CALL)
#undef CALL
#endif
}

/* --- softmax ------------------------------------------------------------------------------------------------------------------- */

/* s = s * scale + the bias of `rows` keys from bias, all in powers of two. Lanes are queries, so the bias is transposed. */
static void NAME(add_bias)(float *s, float scale, const float *bias, int64_t lk, int64_t rows, int64_t lanes) {
    for (int64_t lane = 0; lane < lanes; lane += VW)
        for (int64_t row = 0; row < rows; row += VW) {
            vf r[VW];
            for (int64_t i = 0; i < VW; i++)
                r[i] = lane + i < lanes ? vmax(vload_n(bias + (lane + i) * lk + row, rows - row), vset(NOTHING)) : vset(0.0f);
            vtranspose(r);
            for (int64_t i = 0; i < VW && row + i < rows; i++) {
                float *const at = s + (row + i) * LANES + lane;
                vstore(at, vfma(vload(at), vset(scale), r[i] * vset(LOG2E)));
            }
        }
}

/* The state of the running softmax of a unit's lanes, in powers of two. */
typedef struct NAME(running) {
    float max[SORAK_ATTENTION_BLOCK], sum[SORAK_ATTENTION_BLOCK], factor[SORAK_ATTENTION_BLOCK];
} NAME(running);

/* Scores of a block become elements of probabilities (which may be the same memory); max and sum move on; factor is what the results so
 * far are worth under the new maximum. */
INLINE void NAME(softmax)(const int vecs, const float *s, float scale, int64_t rows, float *elements, float *max, float *sum,
                          float *factor) {
    vf top[LANE_VECS], total[LANE_VECS];
    const vf by = vset(scale);
#pragma GCC unroll 16
    for (int z = 0; z < vecs; z++)
        top[z] = vload(max + z * VW);
    for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int z = 0; z < vecs; z++)
            top[z] = vmax(vload(s + r * LANES + z * VW) * by, top[z]);
#pragma GCC unroll 16
    for (int z = 0; z < vecs; z++) {
        vstore(factor + z * VW, vexp2(vload(max + z * VW) - top[z]));
        vstore(max + z * VW, top[z]);
        total[z] = vset(0.0f);
    }
    int64_t r = 0;
    for (; r + STEP <= rows; r += STEP)
#pragma GCC unroll 16
        for (int z = 0; z < vecs; z++) {
            const float *const at = s + r * LANES + z * VW;
            const vf p = v_power(vfms(vload(at), by, top[z]));
            const vf q = PAIR ? v_power(vfms(vload(at + (STEP - 1) * LANES), by, top[z])) : vset(0.0f);
            total[z] = total[z] + p + q;
            vstore(elements + r / STEP * LANES + z * VW, v_join(p, q));
        }
    for (int z = 0; PAIR && r < rows && z < vecs; z++) {
        const vf p = v_power(vfms(vload(s + r * LANES + z * VW), by, top[z]));
        total[z] = total[z] + p;
        vstore(elements + r / STEP * LANES + z * VW, v_join(p, vset(0.0f)));
    }
    for (int z = 0; z < vecs; z++)
        vstore(sum + z * VW, vfma(vload(sum + z * VW), vload(factor + z * VW), total[z]));
}

static int NAME(takes)(const sorak_attention_args *a) {
    return a->d >= 1 && a->d <= SORAK_ATTENTION_MAX_D && a->lk >= 1;
}

static int64_t NAME(panels)(int64_t count) {
    return (count + LANES - 1) / LANES;
}

static int NAME(vecs)(int64_t lanes) {
    return lanes >= LANES ? LANE_VECS : (int)((lanes + VW - 1) / VW);
}

/* --- forward ------------------------------------------------------------------------------------------------------------------- */

static void NAME(forward_unit)(const sorak_attention_args *a, const sorak_attention_part *u, NAME(plan) p) {
    const int64_t lanes = u->end - u->begin, panels = NAME(panels)(lanes), keys = sorak_attention_keys(a, u->b);
    const float *const k = a->k + u->b * a->k_stride[0] + u->h * a->k_stride[2];
    const float *const v = a->v + u->b * a->v_stride[0] + u->h * a->v_stride[2];
    float *const q = NAME(take)(&p, panels * LANES * p.stride), *const out = NAME(take)(&p, panels * LANES * p.width);
    NAME(rows) krows = NAME(take_rows)(&p, 1, 0), vrows = NAME(take_rows)(&p, 0, 1);
    float *const s = NAME(take)(&p, p.block * LANES), *const e = PAIR ? NAME(take)(&p, p.block * LANES / STEP) : s;
    NAME(running) run;
    for (int64_t i = 0; i < panels * LANES; i++) {
        run.max[i] = NOTHING;
        run.sum[i] = 0;
    }
    memset(out, 0, (size_t)(panels * LANES * p.width) * sizeof *out);
    NAME(pack_panels)(&p, q, a->q + u->b * a->q_stride[0] + u->begin * a->q_stride[1] + u->h * a->q_stride[2], a->q_stride[1], lanes);
    for (int64_t j = 0; j < keys; j += p.block) {
        const int64_t rows = keys - j < p.block ? keys - j : p.block;
        NAME(pack_rows)(&p, &krows, k + j * a->k_stride[1], a->k_stride[1], rows);
        NAME(pack_rows)(&p, &vrows, v + j * a->v_stride[1], a->v_stride[1], rows);
        for (int64_t i = 0; i < lanes; i += LANES) {
            const int vecs = NAME(vecs)(lanes - i);
            float scale = a->scale * LOG2E;
            NAME(scores)(&p, vecs, &krows, rows, q + i * p.stride, s);
            if (a->bias) {
                NAME(add_bias)(s, scale, a->bias + (u->h * a->lq + u->begin + i) * a->lk + j, a->lk, rows,
                               lanes - i < LANES ? lanes - i : LANES);
                scale = 1.0f;
            }
#define CALL(n) NAME(softmax)(n, s, scale, rows, e, run.max + i, run.sum + i, run.factor + i)
            BY_VECS(vecs, CALL)
#undef CALL
            NAME(accumulate)(&p, vecs, &vrows, rows, e, out + i * p.width, run.factor + i);
        }
    }
    for (int64_t i = 0; i < panels * LANES; i++) {
        run.factor[i] = run.sum[i] > 0.0f ? 1.0f / run.sum[i] : run.sum[i] == 0.0f ? 0.0f : run.sum[i];
        if (a->lse && i < lanes)
            a->lse[(u->b * a->heads + u->h) * a->lq + u->begin + i] =
                (float)((double)run.max[i] * 0.6931471805599453) + logf(run.sum[i]);
    }
    const int64_t first = ((u->b * a->lq + u->begin) * a->heads + u->h) * a->d;
    NAME(unpack_panels)(&p, (char *)a->out + first * (a->out_bf16 ? 2 : 4), a->out_bf16, a->heads * a->d, out, run.factor, lanes);
}

static int NAME(forward)(const void *args, const sorak_env *env) {
    const sorak_attention_args *a = args;
    if (!NAME(takes)(a))
        return -1;
    for (int64_t i = env->begin; i < env->end; i++) {
        const sorak_attention_part u = sorak_attention_unit(i, a->heads, a->lq, a->d);
        NAME(forward_unit)(a, &u, NAME(make_plan)(a->d, env->scratch));
    }
    return 0;
}

/* --- backward, queries --------------------------------------------------------------------------------------------------------- */

static float NAME(row_dot)(const float *a, const float *b, int64_t n) {
    vf sum = vset(0.0f);
    for (int64_t i = 0; i < n; i += VW)
        sum = vfma(vload_n(a + i, n - i), vload_n(b + i, n - i), sum);
    return vsum(sum);
}

/* Scores s and gradients of probabilities dp become elements of probabilities (when p is not NULL) and of score gradients ds. lse and delta are
 * per lane, or with `by_row` per row. With `keep` the score gradients also stay in s as floats. */
INLINE void NAME(gradients)(const int vecs, const int by_row, const int keep, float *s, const float *dp, float scale, int64_t rows,
                            const float *lse, const float *delta, float *p, float *ds) {
    const vf by = vset(scale);
    for (int64_t r = 0; r < rows; r += STEP)
#pragma GCC unroll 16
        for (int z = 0; z < vecs; z++) {
            vf pe[2] = {vset(0.0f), vset(0.0f)}, de[2] = {vset(0.0f), vset(0.0f)};
#pragma GCC unroll 16
            for (int i = 0; i < STEP; i++) {
                const int64_t at = (r + i) * LANES + z * VW;
                if (r + i < rows) {
                    const vf l = by_row ? vset(lse[r + i]) : vload(lse + z * VW);
                    const vf o = by_row ? vset(delta[r + i]) : vload(delta + z * VW);
                    pe[i] = v_power(vfms(vload(s + at), by, l));
                    de[i] = pe[i] * (vload(dp + at) - o);
                    if (keep)
                        vstore(s + at, de[i]);
                }
            }
            if (p)
                vstore(p + r / STEP * LANES + z * VW, v_join(pe[0], pe[1]));
            vstore(ds + r / STEP * LANES + z * VW, v_join(de[0], de[1]));
        }
}

/* to[lane][row] += s[row][lane] */
static void NAME(add_transposed)(float *to, int64_t to_stride, const float *s, int64_t rows, int64_t lanes) {
    for (int64_t lane = 0; lane < lanes; lane += VW)
        for (int64_t row = 0; row < rows; row += VW) {
            vf r[VW];
            for (int64_t i = 0; i < VW; i++)
                r[i] = row + i < rows ? vload(s + (row + i) * LANES + lane) : vset(0.0f);
            vtranspose(r);
            for (int64_t i = 0; i < VW && lane + i < lanes; i++) {
                float *const at = to + (lane + i) * to_stride + row;
                vstore_n(at, vload_n(at, rows - row) + r[i], rows - row);
            }
        }
}

static void NAME(dq_unit)(const sorak_attention_bwd_args *g, const sorak_attention_part *u, NAME(plan) p) {
    const sorak_attention_args *a = &g->fwd;
    const int64_t lanes = u->end - u->begin, panels = NAME(panels)(lanes), keys = sorak_attention_keys(a, u->b);
    const int64_t first = ((u->b * a->lq + u->begin) * a->heads + u->h) * a->d, line = a->heads * a->d;
    const float *const k = a->k + u->b * a->k_stride[0] + u->h * a->k_stride[2];
    const float *const v = a->v + u->b * a->v_stride[0] + u->h * a->v_stride[2];
    float *const q = NAME(take)(&p, panels * LANES * p.stride), *const dout = NAME(take)(&p, panels * LANES * p.stride);
    float *const dq = NAME(take)(&p, panels * LANES * p.width);
    NAME(rows) krows = NAME(take_rows)(&p, 1, 1), vrows = NAME(take_rows)(&p, 1, 0);
    float *const s = NAME(take)(&p, p.block * LANES), *const dp = NAME(take)(&p, p.block * LANES);
    float *const ds = PAIR ? NAME(take)(&p, p.block * LANES / STEP) : dp; /* a bias needs s */
    float lse[SORAK_ATTENTION_BLOCK], delta[SORAK_ATTENTION_BLOCK], ones[SORAK_ATTENTION_BLOCK], factor[SORAK_ATTENTION_BLOCK];
    for (int64_t i = 0; i < panels * LANES; i++) {
        const int64_t row = (u->b * a->heads + u->h) * a->lq + u->begin + i;
        lse[i] = delta[i] = 0;
        ones[i] = 1.0f;
        factor[i] = a->scale;
        if (i < lanes) {
            lse[i] = a->lse[row] * LOG2E;
            g->delta[row] = delta[i] = NAME(row_dot)(g->dout + first + i * line, (const float *)a->out + first + i * line, a->d);
        }
    }
    memset(dq, 0, (size_t)(panels * LANES * p.width) * sizeof *dq);
    NAME(pack_panels)(&p, q, a->q + u->b * a->q_stride[0] + u->begin * a->q_stride[1] + u->h * a->q_stride[2], a->q_stride[1], lanes);
    NAME(pack_panels)(&p, dout, g->dout + first, line, lanes);
    for (int64_t j = 0; j < keys; j += p.block) {
        const int64_t rows = keys - j < p.block ? keys - j : p.block;
        NAME(pack_rows)(&p, &krows, k + j * a->k_stride[1], a->k_stride[1], rows);
        NAME(pack_rows)(&p, &vrows, v + j * a->v_stride[1], a->v_stride[1], rows);
        for (int64_t i = 0; i < lanes; i += LANES) {
            const int vecs = NAME(vecs)(lanes - i);
            const int64_t here = lanes - i < LANES ? lanes - i : LANES, at = (u->h * a->lq + u->begin + i) * a->lk + j;
            float scale = a->scale * LOG2E;
            NAME(scores)(&p, vecs, &krows, rows, q + i * p.stride, s);
            NAME(scores)(&p, vecs, &vrows, rows, dout + i * p.stride, dp);
            if (a->bias) {
                NAME(add_bias)(s, scale, a->bias + at, a->lk, rows, here);
                scale = 1.0f;
            }
            if (g->dbias) {
                NAME(gradients)(LANE_VECS, 0, 1, s, dp, scale, rows, lse + i, delta + i, NULL, ds);
                NAME(add_transposed)(g->dbias + at, a->lk, s, rows, here);
            } else {
#define CALL(n) NAME(gradients)(n, 0, 0, s, dp, scale, rows, lse + i, delta + i, NULL, ds)
                BY_VECS(vecs, CALL)
#undef CALL
            }
            NAME(accumulate)(&p, vecs, &krows, rows, ds, dq + i * p.width, ones + i);
        }
    }
    NAME(unpack_panels)(&p, g->dq + first, 0, line, dq, factor, lanes);
}

static int NAME(backward_dq)(const void *args, const sorak_env *env) {
    const sorak_attention_bwd_args *g = args;
    const sorak_attention_args *a = &g->fwd;
    if (!NAME(takes)(a))
        return -1;
    for (int64_t i = env->begin; i < env->end; i++) {
        sorak_attention_part u = sorak_attention_unit(i, a->heads, a->lq, a->d);
        if (g->dbias)
            memset(g->dbias + (u.h * a->lq + u.begin) * a->lk, 0, (size_t)((u.end - u.begin) * a->lk) * sizeof *g->dbias);
        for (const int64_t last = g->dbias ? a->batch - 1 : u.b; u.b <= last; u.b++)
            NAME(dq_unit)(g, &u, NAME(make_plan)(a->d, env->scratch));
    }
    return 0;
}

/* --- backward, keys and values ------------------------------------------------------------------------------------------------- */

/* The bias of `rows` queries is a row per query here. */
static void NAME(add_bias_rows)(float *s, float scale, const float *bias, int64_t lk, int64_t rows, int64_t lanes) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t lane = 0; lane < lanes; lane += VW) {
            const vf b = vmax(vload_n(bias + r * lk + lane, lanes - lane), vset(NOTHING));
            float *const at = s + r * LANES + lane;
            vstore(at, vfma(vload(at), vset(scale), b * vset(LOG2E)));
        }
}

static void NAME(dkv_unit)(const sorak_attention_bwd_args *g, const sorak_attention_part *u, NAME(plan) p) {
    const sorak_attention_args *a = &g->fwd;
    const int64_t keys = sorak_attention_keys(a, u->b), line = a->heads * a->d, all = u->end - u->begin;
    const int64_t lanes = keys < u->begin ? 0 : keys < u->end ? keys - u->begin : all, panels = NAME(panels)(lanes);
    const int64_t first = ((u->b * a->lk + u->begin) * a->heads + u->h) * a->d;
    const float *const q = a->q + u->b * a->q_stride[0] + u->h * a->q_stride[2];
    const float *const dout = g->dout + (u->b * a->lq * a->heads + u->h) * a->d;
    float *const k = NAME(take)(&p, panels * LANES * p.stride), *const v = NAME(take)(&p, panels * LANES * p.stride);
    float *const dk = NAME(take)(&p, panels * LANES * p.width), *const dv = NAME(take)(&p, panels * LANES * p.width);
    NAME(rows) qrows = NAME(take_rows)(&p, 1, 1), drows = NAME(take_rows)(&p, 1, 1);
    float *const s = NAME(take)(&p, p.block * LANES), *const dp = NAME(take)(&p, p.block * LANES);
    float *const pe = PAIR ? NAME(take)(&p, p.block * LANES / STEP) : s, *const ds = PAIR ? NAME(take)(&p, p.block * LANES / STEP) : dp;
    float lse[BLOCK], ones[SORAK_ATTENTION_BLOCK], factor[SORAK_ATTENTION_BLOCK];
    for (int64_t i = 0; i < panels * LANES; i++) {
        ones[i] = 1.0f;
        factor[i] = a->scale;
    }
    memset(dk, 0, (size_t)(panels * LANES * p.width) * sizeof *dk);
    memset(dv, 0, (size_t)(panels * LANES * p.width) * sizeof *dv);
    NAME(pack_panels)(&p, k, a->k + u->b * a->k_stride[0] + u->begin * a->k_stride[1] + u->h * a->k_stride[2], a->k_stride[1], lanes);
    NAME(pack_panels)(&p, v, a->v + u->b * a->v_stride[0] + u->begin * a->v_stride[1] + u->h * a->v_stride[2], a->v_stride[1], lanes);
    for (int64_t j = 0; lanes && j < a->lq; j += p.block) {
        const int64_t rows = a->lq - j < p.block ? a->lq - j : p.block, at = (u->b * a->heads + u->h) * a->lq + j;
        for (int64_t r = 0; r < rows; r++)
            lse[r] = a->lse[at + r] * LOG2E;
        NAME(pack_rows)(&p, &qrows, q + j * a->q_stride[1], a->q_stride[1], rows);
        NAME(pack_rows)(&p, &drows, dout + j * line, line, rows);
        for (int64_t i = 0; i < lanes; i += LANES) {
            const int vecs = NAME(vecs)(lanes - i);
            float scale = a->scale * LOG2E;
            NAME(scores)(&p, vecs, &qrows, rows, k + i * p.stride, s);
            NAME(scores)(&p, vecs, &drows, rows, v + i * p.stride, dp);
            if (a->bias) {
                NAME(add_bias_rows)(s, scale, a->bias + (u->h * a->lq + j) * a->lk + u->begin + i, a->lk, rows,
                                    lanes - i < LANES ? lanes - i : LANES);
                scale = 1.0f;
            }
#define CALL(n) NAME(gradients)(n, 1, 0, s, dp, scale, rows, lse, g->delta + at, pe, ds)
            BY_VECS(vecs, CALL)
#undef CALL
            NAME(accumulate)(&p, vecs, &drows, rows, pe, dv + i * p.width, ones + i);
            NAME(accumulate)(&p, vecs, &qrows, rows, ds, dk + i * p.width, ones + i);
        }
    }
    NAME(unpack_panels)(&p, g->dk + first, 0, line, dk, factor, lanes);
    NAME(unpack_panels)(&p, g->dv + first, 0, line, dv, ones, lanes);
    for (int64_t i = lanes; i < all; i++) {
        memset(g->dk + first + i * line, 0, (size_t)a->d * sizeof *g->dk);
        memset(g->dv + first + i * line, 0, (size_t)a->d * sizeof *g->dv);
    }
}

static int NAME(backward_dkv)(const void *args, const sorak_env *env) {
    const sorak_attention_bwd_args *g = args;
    const sorak_attention_args *a = &g->fwd;
    if (!NAME(takes)(a))
        return -1;
    for (int64_t i = env->begin; i < env->end; i++) {
        const sorak_attention_part u = sorak_attention_unit(i, a->heads, a->lk, a->d);
        NAME(dkv_unit)(g, &u, NAME(make_plan)(a->d, env->scratch));
    }
    return 0;
}
