#include "tools/world/figure_kit.h"

#include <math.h>
#include <stddef.h>

enum { FK_ITEM_ELLIPSE, FK_ITEM_CHAIN, FK_ITEM_CURVE, FK_ITEM_POLYGON, FK_ITEM_STROKE };

fk_vec fk_add(fk_vec a, fk_vec b) { return (fk_vec){a.x + b.x, a.y + b.y, a.z + b.z}; }

fk_vec fk_sub(fk_vec a, fk_vec b) { return (fk_vec){a.x - b.x, a.y - b.y, a.z - b.z}; }

fk_vec fk_mul(fk_vec a, double k) { return (fk_vec){a.x * k, a.y * k, a.z * k}; }

fk_vec fk_mix(fk_vec a, fk_vec b, double t) { return fk_add(fk_mul(a, 1 - t), fk_mul(b, t)); }

static double dot(fk_vec a, fk_vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

double fk_len(fk_vec a) { return sqrt(dot(a, a)); }

double fk_clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

double fk_smooth(double lo, double hi, double x) {
    double t = fk_clamp((x - lo) / (hi - lo), 0, 1);
    return t * t * (3 - 2 * t);
}

fk_tone fk_rgb(double r, double g, double b) { return (fk_tone){r, g, b}; }

fk_tone fk_hex(uint32_t rgb) {
    return (fk_tone){(double)(rgb >> 16 & 255u) / 255.0, (double)(rgb >> 8 & 255u) / 255.0,
                     (double)(rgb & 255u) / 255.0};
}

fk_tone fk_blend(fk_tone a, fk_tone b, double t) {
    return (fk_tone){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

double fk_luma(fk_tone a) { return 0.3 * a.r + 0.59 * a.g + 0.11 * a.b; }

/* Shadows lean to a cool violet, so that they look like shade and not like dirt. */
fk_tone fk_darker(fk_tone a, double k) {
    fk_tone shadow = {a.r * 0.55 + 0.02, a.g * 0.5 + 0.015, a.b * 0.62 + 0.05};
    return fk_blend(a, shadow, k);
}

static fk_tone line_tone(fk_tone a) {
    if (fk_luma(a) < 0.16) /* black things get a pale rim, or their parts would run together */
        return fk_rgb(0.29, 0.29, 0.36);
    return (fk_tone){a.r * 0.34 + 0.03, a.g * 0.28 + 0.02, a.b * 0.36 + 0.06};
}

double fk_random(uint64_t seed, unsigned n) {
    uint64_t x = seed + (uint64_t)(n + 1u) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return (double)(x >> 11) / 9007199254740992.0;
}

fk_frame fk_root(double facing, double tilt) {
    double c = cos(facing), s = sin(facing), ct = cos(tilt), st = sin(tilt);
    fk_frame f = {{0, 0, 0}, {c, s * st, -s * ct}, {0, ct, st}, {s, -c * st, c * ct}};
    return f;
}

fk_vec fk_dir(const fk_frame *f, double s, double y, double d) {
    return fk_add(fk_add(fk_mul(f->s, s), fk_mul(f->y, y)), fk_mul(f->d, d));
}

fk_vec fk_at(const fk_frame *f, double s, double y, double d) { return fk_add(f->o, fk_dir(f, s, y, d)); }

fk_frame fk_move(fk_frame f, double s, double y, double d) {
    f.o = fk_at(&f, s, y, d);
    return f;
}

fk_frame fk_pitch(fk_frame f, double angle) {
    double c = cos(angle), s = sin(angle);
    fk_vec y = fk_add(fk_mul(f.y, c), fk_mul(f.d, s)), d = fk_sub(fk_mul(f.d, c), fk_mul(f.y, s));
    f.y = y, f.d = d;
    return f;
}

fk_frame fk_yaw(fk_frame f, double angle) {
    double c = cos(angle), s = sin(angle);
    fk_vec d = fk_add(fk_mul(f.d, c), fk_mul(f.s, s)), t = fk_sub(fk_mul(f.s, c), fk_mul(f.d, s));
    f.d = d, f.s = t;
    return f;
}

fk_frame fk_roll(fk_frame f, double angle) {
    double c = cos(angle), s = sin(angle);
    fk_vec y = fk_add(fk_mul(f.y, c), fk_mul(f.s, s)), t = fk_sub(fk_mul(f.s, c), fk_mul(f.y, s));
    f.y = y, f.s = t;
    return f;
}

fk_frame fk_scale(fk_frame f, double s, double y, double d) {
    f.s = fk_mul(f.s, s), f.y = fk_mul(f.y, y), f.d = fk_mul(f.d, d);
    return f;
}

fk_vec fk_bend(fk_vec a, fk_vec *b, double l1, double l2, fk_vec pole) {
    fk_vec ab = fk_sub(*b, a);
    double len = fk_len(ab), reach = (l1 + l2) * 0.999;
    if (len < 1e-6) return fk_add(a, fk_mul(pole, l1));
    fk_vec dir = fk_mul(ab, 1 / len);
    if (len > reach) {
        len = reach;
        *b = fk_add(a, fk_mul(dir, len));
    }
    double along = fk_clamp((len * len + l1 * l1 - l2 * l2) / (2 * len), -l1, l1);
    double out = sqrt(fmax(l1 * l1 - along * along, 0));
    fk_vec side = fk_sub(pole, fk_mul(dir, dot(pole, dir)));
    double n = fk_len(side);
    if (n > 1e-6) side = fk_mul(side, 1 / n);
    return fk_add(a, fk_add(fk_mul(dir, along), fk_mul(side, out)));
}

void fk_begin(fk_kit *k, double pixels) {
    k->pixels = pixels;
    k->line = fk_clamp(0.62 / fmax(pixels, 1), 0.0105, 0.014);
    k->items = k->points = 0;
}

/* Room for one item with n points, or NULL when the kit is full. */
static fk_item *add_item(fk_kit *k, int kind, int n, fk_tone tone, int flags, double z) {
    if (k->items >= FK_MAX_ITEMS || k->points + n > FK_MAX_POINTS) return NULL;
    fk_item *item = &k->item[k->items++];
    *item = (fk_item){.z = z, .kind = kind, .flags = flags, .first = k->points, .count = n, .tone = tone};
    k->points += n;
    return item;
}

static void put(fk_kit *k, const fk_item *item, int i, double x, double y, double r) {
    k->point[item->first + i] = (fk_point){x, y, r};
}

fk_ball fk_ellipsoid(fk_kit *k, const fk_frame *f, double s, double y, double d, double rs, double ry, double rd,
                     fk_tone tone, int flags, double bias) {
    fk_ball b = {fk_at(f, s, y, d), fk_mul(f->s, rs), fk_mul(f->y, ry), fk_mul(f->d, rd), 0, 0, 0, 0};
    b.z = b.c.z + bias;
    b.vs = b.s.z / dot(b.s, b.s), b.vy = b.y.z / dot(b.y, b.y), b.vd = b.d.z / dot(b.d, b.d);
    double n = sqrt(b.vs * b.vs + b.vy * b.vy + b.vd * b.vd);
    b.vs /= n, b.vy /= n, b.vd /= n;
    /* Its outline is the image of the unit sphere: the ellipse of the covariance of the three axes. */
    double xx = b.s.x * b.s.x + b.y.x * b.y.x + b.d.x * b.d.x, yy = b.s.y * b.s.y + b.y.y * b.y.y + b.d.y * b.d.y;
    double xy = b.s.x * b.s.y + b.y.x * b.y.y + b.d.x * b.d.y;
    double mean = (xx + yy) / 2, diff = sqrt((xx - yy) * (xx - yy) / 4 + xy * xy);
    fk_item *item = add_item(k, FK_ITEM_ELLIPSE, 1, tone, flags, b.z);
    if (item) {
        put(k, item, 0, b.c.x, b.c.y, 0);
        item->a = sqrt(mean + diff), item->b = sqrt(fmax(mean - diff, 1e-9));
        item->rot = 0.5 * atan2(2 * xy, xx - yy);
    }
    return b;
}

fk_ball fk_sphere(fk_kit *k, fk_vec c, double r, fk_tone tone, int flags, double bias) {
    fk_frame f = {c, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    return fk_ellipsoid(k, &f, 0, 0, 0, r, r, r, tone, flags, bias);
}

void fk_limb(fk_kit *k, const fk_vec *p, const double *r, int n, fk_tone tone, int flags, double bias) {
    double z = 0;
    for (int i = 0; i < n; i++) z += p[i].z / n;
    fk_item *item = add_item(k, FK_ITEM_CHAIN, n, tone, flags, z + bias);
    for (int i = 0; item && i < n; i++) put(k, item, i, p[i].x, p[i].y, r[i]);
}

void fk_spine(fk_kit *k, const fk_vec *p, const double *r, int n, fk_tone tone, int flags, double bias) {
    fk_item *item = add_item(k, FK_ITEM_CURVE, 2 * n + 2, tone, flags, p[n / 2].z + bias);
    if (!item) return;
    double tx = 0, ty = 0;
    for (int i = 0; i < n; i++) {
        const fk_vec *a = &p[i > 0 ? i - 1 : 0], *b = &p[i < n - 1 ? i + 1 : n - 1];
        double dx = b->x - a->x, dy = b->y - a->y, len = sqrt(dx * dx + dy * dy);
        if (len > 1e-6) /* a spine seen end on keeps the last direction */
            tx = dx / len, ty = dy / len;
        put(k, item, 1 + i, p[i].x - ty * r[i], p[i].y + tx * r[i], 0);
        put(k, item, 2 * n + 1 - i, p[i].x + ty * r[i], p[i].y - tx * r[i], 0);
        if (i == 0) put(k, item, 0, p[i].x - tx * r[i], p[i].y - ty * r[i], 0);
        if (i == n - 1) put(k, item, n + 1, p[i].x + tx * r[i], p[i].y + ty * r[i], 0);
    }
}

void fk_lathe(fk_kit *k, const fk_frame *f, const fk_ring *ring, int n, int skirt, fk_tone tone, int flags,
              double bias) {
    fk_item *item = add_item(k, FK_ITEM_CURVE, 2 * n + (skirt ? 3 : 2), tone, flags, f->o.z + bias);
    if (!item) return;
    /* Half-widths along the screen direction across the axis. */
    double ax = f->y.x, ay = f->y.y, an = sqrt(ax * ax + ay * ay);
    double nx = an > 1e-6 ? ay / an : 1, ny = an > 1e-6 ? -ax / an : 0;
    double us = f->s.x * nx + f->s.y * ny, ud = f->d.x * nx + f->d.y * ny;
    double ws = f->s.x * -ny + f->s.y * nx, wd = f->d.x * -ny + f->d.y * nx;
    for (int i = 0; i < n; i++) {
        fk_vec c = fk_at(f, 0, ring[i].y, ring[i].d);
        double w = sqrt(us * us * ring[i].rs * ring[i].rs + ud * ud * ring[i].rd * ring[i].rd);
        put(k, item, i, c.x - nx * w, c.y - ny * w, 0);
        put(k, item, 2 * n - i, c.x + nx * w, c.y + ny * w, 0);
    }
    const fk_ring *top = &ring[n - 1], *low = &ring[0];
    fk_vec t = fk_at(f, 0, top->y, top->d), b = fk_at(f, 0, low->y, low->d);
    double ht = sqrt(ws * ws * top->rs * top->rs + wd * wd * top->rd * top->rd);
    double hb = sqrt(ws * ws * low->rs * low->rs + wd * wd * low->rd * low->rd);
    ht = fmax(ht, 0.006), hb = fmax(hb, 0.012);
    put(k, item, n, t.x - ny * ht, t.y + nx * ht, 0);
    if (skirt) {
        double w = sqrt(us * us * low->rs * low->rs + ud * ud * low->rd * low->rd) * 0.55;
        put(k, item, 2 * n + 1, b.x + ny * hb + nx * w, b.y - nx * hb + ny * w, 0);
        put(k, item, 2 * n + 2, b.x + ny * hb - nx * w, b.y - nx * hb - ny * w, 0);
    } else {
        put(k, item, 2 * n + 1, b.x + ny * hb, b.y - nx * hb, 0);
    }
}

static fk_item *add_shape(fk_kit *k, int kind, const fk_vec *p, int n, fk_tone tone, int flags, double z) {
    fk_item *item = add_item(k, kind, n, tone, flags, z);
    for (int i = 0; item && i < n; i++) put(k, item, i, p[i].x, p[i].y, 0);
    return item;
}

void fk_polygon(fk_kit *k, const fk_vec *p, int n, double corner, fk_tone tone, int flags, double z) {
    fk_item *item = add_shape(k, FK_ITEM_POLYGON, p, n, tone, flags, z);
    if (item) item->width = corner;
}

void fk_curve(fk_kit *k, const fk_vec *p, int n, fk_tone tone, int flags, double z) {
    (void)add_shape(k, FK_ITEM_CURVE, p, n, tone, flags, z);
}

void fk_stroke(fk_kit *k, const fk_vec *p, int n, double width, fk_tone tone, int flags, double z) {
    fk_item *item = add_shape(k, FK_ITEM_STROKE, p, n, tone, flags, z);
    if (item) item->width = width;
}

static double turn(fk_vec a, fk_vec b, fk_vec c) { return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x); }

void fk_hull(fk_kit *k, const fk_vec *p, int n, double corner, fk_tone tone, int flags, double z) {
    fk_vec q[64], h[130];
    if (n > 64) n = 64;
    for (int i = 0; i < n; i++) { /* sorted by x, then y */
        int j = i;
        for (; j > 0 && (q[j - 1].x > p[i].x || (q[j - 1].x == p[i].x && q[j - 1].y > p[i].y)); j--) q[j] = q[j - 1];
        q[j] = p[i];
    }
    int m = 0;
    for (int i = 0; i < n; i++) {
        while (m >= 2 && turn(h[m - 2], h[m - 1], q[i]) <= 1e-9) m--;
        h[m++] = q[i];
    }
    for (int i = n - 2, low = m + 1; i >= 0; i--) {
        while (m >= low && turn(h[m - 2], h[m - 1], q[i]) <= 1e-9) m--;
        h[m++] = q[i];
    }
    if (m > 3) fk_polygon(k, h, m - 1, corner, tone, flags, z);
}

double fk_box(fk_kit *k, const fk_frame *f, double hs, double hy, double hd, double corner, fk_tone tone, double bias) {
    double z = f->o.z + bias;
    fk_vec all[8];
    for (int i = 0; i < 8; i++) all[i] = fk_at(f, i & 1 ? hs : -hs, i & 2 ? hy : -hy, i & 4 ? hd : -hd);
    fk_hull(k, all, 8, corner, tone, FK_LINE, z);
    for (int axis = 0; axis < 3; axis++) {
        const fk_vec *n = axis == 0 ? &f->s : axis == 1 ? &f->y : &f->d;
        double sign = n->z >= 0 ? 1 : -1;
        if (n->z * sign < 0.03) continue;
        static const int corners[4][2] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
        fk_vec q[4];
        for (int i = 0; i < 4; i++) {
            double u = corners[i][0], v = corners[i][1];
            q[i] = axis == 0   ? fk_at(f, sign * hs, u * hy, v * hd)
                   : axis == 1 ? fk_at(f, u * hs, sign * hy, v * hd)
                               : fk_at(f, u * hs, v * hy, sign * hd);
        }
        double light = sign * (-0.45 * n->x + 0.6 * n->y + 0.65 * n->z) / fk_len(*n);
        fk_tone t = light > 0.75 ? fk_blend(tone, fk_rgb(1, 1, 1), 0.15)
                                 : fk_darker(tone, fk_clamp(0.85 - light * 1.3, 0, 0.8));
        fk_polygon(k, q, 4, corner, t, FK_FLAT, z);
    }
    return z;
}

/* ---- painting ---- */

/* An arc as chords where few pixels are meant: far fewer edges than the library's own flattening gives. Adds to the
 * path; turn 2 pi closes it. The ellipse has semi-axes a, b turned by rot. */
static void arc_path(cairo_t *cr, const fk_kit *k, double x, double y, double a, double b, double rot, double from,
                     double turn) {
    int n = (int)(turn * sqrt(fmax(fmax(a, b) * k->pixels, 0.5))) + 3;
    double ux = cos(from), uy = sin(from), c = cos(turn / n), s = sin(turn / n), rc = cos(rot), rs = sin(rot);
    int whole = turn > 6.28;
    if (whole) cairo_new_sub_path(cr);
    for (int i = 0; i < n + !whole; i++) {
        double px = a * ux, py = b * uy, t = ux * c - uy * s;
        cairo_line_to(cr, x + px * rc - py * rs, y + px * rs + py * rc);
        uy = ux * s + uy * c, ux = t;
    }
    if (whole) cairo_close_path(cr);
}

static void ellipse_path(cairo_t *cr, const fk_kit *k, const fk_item *item, const fk_point *p, double grow) {
    arc_path(cr, k, p->x, p->y, item->a + grow, item->b + grow, item->rot, 0, 2 * FK_PI);
}

/* Capsules from point to point; the caps of the inner joints lie inside their neighbours. */
static void chain_path(cairo_t *cr, const fk_kit *k, const fk_point *p, int n, double grow) {
    double ox = 0, oy = 0;
    int drawn = 0;
    for (int i = 0; i + 1 < n; i++) {
        double r = p[i].r + grow, q = p[i + 1].r + grow, dx = p[i + 1].x - p[i].x, dy = p[i + 1].y - p[i].y;
        double len = hypot(dx, dy);
        if (len < 1e-6 || len <= fabs(r - q)) {
            const fk_point *big = r > q ? &p[i] : &p[i + 1];
            arc_path(cr, k, big->x, big->y, fmax(r, q), fmax(r, q), 0, 0, 2 * FK_PI);
            drawn = 0;
            continue;
        }
        dx /= len, dy /= len;
        double a = atan2(dy, dx), phi = acos((r - q) / len), straight = drawn ? dx * ox + dy * oy : -1;
        cairo_new_sub_path(cr);
        if (straight > (k->pixels < 100 ? 0.95 : 0.995)) { /* no cap where the limb goes straight on */
            cairo_line_to(cr, p[i].x - dy * r, p[i].y + dx * r);
            cairo_line_to(cr, p[i].x + dy * r, p[i].y - dx * r);
        } else {
            arc_path(cr, k, p[i].x, p[i].y, r, r, 0, a + phi, 2 * (FK_PI - phi));
        }
        arc_path(cr, k, p[i + 1].x, p[i + 1].y, q, q, 0, a - phi, 2 * phi);
        cairo_close_path(cr);
        ox = dx, oy = dy, drawn = 1;
    }
}

static void curve_path(cairo_t *cr, const fk_point *p, int n, int closed) {
    cairo_move_to(cr, p[0].x, p[0].y);
    for (int i = 0; i < (closed ? n : n - 1); i++) {
        const fk_point *a = &p[closed ? (i + n - 1) % n : (i > 0 ? i - 1 : 0)], *b = &p[i], *c = &p[(i + 1) % n];
        const fk_point *d = &p[closed ? (i + 2) % n : (i + 2 < n ? i + 2 : n - 1)];
        cairo_curve_to(cr, b->x + (c->x - a->x) / 6, b->y + (c->y - a->y) / 6, c->x - (d->x - b->x) / 6,
                       c->y - (d->y - b->y) / 6, c->x, c->y);
    }
    if (closed) cairo_close_path(cr);
}

static void polygon_path(cairo_t *cr, const fk_point *p, int n, double corner) {
    if (corner <= 0) {
        for (int i = 0; i < n; i++) cairo_line_to(cr, p[i].x, p[i].y);
        cairo_close_path(cr);
        return;
    }
    for (int i = 0; i < n; i++) {
        const fk_point *a = &p[(i + n - 1) % n], *b = &p[i], *c = &p[(i + 1) % n];
        double la = hypot(a->x - b->x, a->y - b->y), lc = hypot(c->x - b->x, c->y - b->y);
        double ta = la > 1e-9 ? fmin(corner / la, 0.5) : 0, tc = lc > 1e-9 ? fmin(corner / lc, 0.5) : 0;
        double ax = b->x + (a->x - b->x) * ta, ay = b->y + (a->y - b->y) * ta;
        double cx = b->x + (c->x - b->x) * tc, cy = b->y + (c->y - b->y) * tc;
        cairo_line_to(cr, ax, ay);
        cairo_curve_to(cr, ax + (b->x - ax) * 0.55, ay + (b->y - ay) * 0.55, cx + (b->x - cx) * 0.55,
                       cy + (b->y - cy) * 0.55, cx, cy);
    }
    cairo_close_path(cr);
}

/* The outline of a closed shape at small sizes: its points moved outward and filled, far cheaper than a stroke. */
static void grown_path(cairo_t *cr, const fk_point *p, int n, double grow, int smooth) {
    fk_point q[64];
    double area = 0;
    for (int i = 0; i < n; i++) area += p[i].x * p[(i + 1) % n].y - p[(i + 1) % n].x * p[i].y;
    if (area < 0) grow = -grow;
    for (int i = 0; i < n; i++) {
        const fk_point *a = &p[(i + n - 1) % n], *b = &p[i], *c = &p[(i + 1) % n];
        double ux = b->x - a->x, uy = b->y - a->y, vx = c->x - b->x, vy = c->y - b->y;
        double lu = hypot(ux, uy), lv = hypot(vx, vy);
        if (lu > 1e-9) ux /= lu, uy /= lu;
        if (lv > 1e-9) vx /= lv, vy /= lv;
        double nx = uy + vy, ny = -(ux + vx), len2 = nx * nx + ny * ny;
        double k = len2 > 0.4 ? 2 * grow / len2 : grow;
        q[i] = (fk_point){b->x + nx * k, b->y + ny * k, 0};
    }
    if (smooth)
        curve_path(cr, q, n, 1);
    else
        polygon_path(cr, q, n, 0);
}

static void set_tone(cairo_t *cr, fk_tone t) { cairo_set_source_rgb(cr, t.r, t.g, t.b); }

static void add_stop(cairo_pattern_t *pat, double at, fk_tone t) {
    cairo_pattern_add_color_stop_rgb(pat, at, t.r, t.g, t.b);
}

/* Two tones with a short soft border, in one fill: cheaper than clipping a shadow shape, and smooth at every size. */
static void set_shaded(cairo_t *cr, const fk_kit *k, const fk_item *item, double strength) {
    const fk_point *p = &k->point[item->first];
    fk_tone shade = fk_darker(item->tone, 0.75 * strength),
            light = fk_blend(item->tone, fk_rgb(1, 1, 0.97), 0.22 * strength);
    cairo_pattern_t *pat;
    if (item->kind == FK_ITEM_ELLIPSE) {
        double r = sqrt(item->a * item->b) * 0.5 + item->a * 0.5;
        pat = cairo_pattern_create_radial(p->x - 0.30 * item->b, p->y + 0.36 * item->b, 0, p->x - 0.24 * item->b,
                                          p->y + 0.28 * item->b, r * 1.36);
        if (item->flags & FK_GLOSS) add_stop(pat, 0.0, fk_blend(item->tone, fk_rgb(1, 1, 1), 0.55 * strength));
        add_stop(pat, item->flags & FK_GLOSS ? 0.16 : 0, light);
        add_stop(pat, 0.42, item->tone);
        add_stop(pat, 0.76, item->tone);
        add_stop(pat, 0.82, shade);
    } else {
        double x0 = p->x, x1 = p->x, y0 = p->y, y1 = p->y, grow = 0;
        for (int i = 0; i < item->count; i++) {
            x0 = fmin(x0, p[i].x), x1 = fmax(x1, p[i].x), y0 = fmin(y0, p[i].y), y1 = fmax(y1, p[i].y);
            grow = fmax(grow, p[i].r);
        }
        x0 -= grow, x1 += grow, y0 -= grow, y1 += grow;
        double ux = 0.9, uy = -0.44;
        if (item->kind == FK_ITEM_CHAIN) { /* across the limb */
            double dx = p[item->count - 1].x - p->x, dy = p[item->count - 1].y - p->y, len = hypot(dx, dy);
            if (len > 2 * grow) ux = -dy / len, uy = dx / len;
            if (ux * 0.8 - uy * 0.6 < 0) ux = -ux, uy = -uy;
        }
        double cx = (x0 + x1) / 2, cy = (y0 + y1) / 2, h = 0;
        for (int i = 0; i < item->count; i++) h = fmax(h, fabs((p[i].x - cx) * ux + (p[i].y - cy) * uy) + p[i].r);
        pat = cairo_pattern_create_linear(cx - ux * h, cy - uy * h, cx + ux * h, cy + uy * h);
        add_stop(pat, 0, light);
        add_stop(pat, 0.3, item->tone);
        add_stop(pat, 0.66, item->tone);
        add_stop(pat, 0.74, shade);
    }
    cairo_set_source(cr, pat);
    cairo_pattern_destroy(pat);
}

static double item_extent(const fk_kit *k, const fk_item *item) {
    const fk_point *p = &k->point[item->first];
    if (item->kind == FK_ITEM_ELLIPSE) return 2 * item->b;
    if (item->kind == FK_ITEM_CHAIN) return 2.6 * p->r;
    double x0 = p->x, x1 = p->x, y0 = p->y, y1 = p->y;
    for (int i = 1; i < item->count; i++)
        x0 = fmin(x0, p[i].x), x1 = fmax(x1, p[i].x), y0 = fmin(y0, p[i].y), y1 = fmax(y1, p[i].y);
    return fmin(x1 - x0, y1 - y0);
}

static void paint_item(const fk_kit *k, const fk_item *item, cairo_t *cr) {
    const fk_point *p = &k->point[item->first];
    int line = item->flags & FK_LINE;
    cairo_new_path(cr);
    if (item->kind == FK_ITEM_STROKE) {
        curve_path(cr, p, item->count, 0);
        if (line) {
            set_tone(cr, line_tone(item->tone));
            cairo_set_line_width(cr, item->width + 2 * k->line);
            cairo_stroke_preserve(cr);
        }
        set_tone(cr, item->tone);
        cairo_set_line_width(cr, item->width);
        cairo_stroke(cr);
        return;
    }
    int closed = item->kind == FK_ITEM_CURVE || item->kind == FK_ITEM_POLYGON;
    int grown = line && closed && k->pixels < 200 && item->count <= 64;
    double extent = item_extent(k, item) * k->pixels;
    int smooth = item->kind == FK_ITEM_CURVE && (extent > 7 || item->count < 10);
    if (extent < 0.5 && !line) return;
    if (line) {
        set_tone(cr, line_tone(item->tone));
        if (grown) {
            grown_path(cr, p, item->count, k->line, smooth);
            cairo_fill(cr);
        } else if (item->kind == FK_ITEM_ELLIPSE) {
            ellipse_path(cr, k, item, p, k->line);
            cairo_fill(cr);
        } else if (item->kind == FK_ITEM_CHAIN) {
            chain_path(cr, k, p, item->count, k->line);
            cairo_fill(cr);
        }
    }
    if (item->kind == FK_ITEM_ELLIPSE)
        ellipse_path(cr, k, item, p, 0);
    else if (item->kind == FK_ITEM_CHAIN)
        chain_path(cr, k, p, item->count, 0);
    else if (smooth)
        curve_path(cr, p, item->count, 1);
    else
        polygon_path(cr, p, item->count, item->width * k->pixels > 0.7 ? item->width : 0);
    if (line && closed && !grown) {
        set_tone(cr, line_tone(item->tone));
        cairo_set_line_width(cr, 2 * k->line);
        cairo_stroke_preserve(cr);
    }
    if (item->flags & FK_SHADE && extent > 4.5) /* comes in softly, or moving shapes would flicker */
        set_shaded(cr, k, item, fk_smooth(4.5, 9, extent));
    else
        set_tone(cr, item->tone);
    cairo_fill(cr);
}

void fk_paint(fk_kit *k, cairo_t *cr) {
    short order[FK_MAX_ITEMS];
    for (int i = 0; i < k->items; i++) { /* stable: patches share the depth of what they lie on and stay after it */
        int j = i;
        for (; j > 0 && k->item[order[j - 1]].z > k->item[i].z; j--) order[j] = order[j - 1];
        order[j] = (short)i;
    }
    cairo_save(cr);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_fill_rule(cr, CAIRO_FILL_RULE_WINDING);
    for (int i = 0; i < k->items; i++) paint_item(k, &k->item[order[i]], cr);
    cairo_restore(cr);
}
