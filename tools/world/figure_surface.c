#include "tools/world/figure_kit.h"

#include <math.h>

/* Patches on the surface of an ellipsoid: seen parts as they are, the rest put on its outline. */

static fk_vec place(const fk_ball *b, double u, double v, double w) {
    return fk_add(b->c, fk_add(fk_mul(b->s, u), fk_add(fk_mul(b->y, v), fk_mul(b->d, w))));
}

static double front_of(const fk_ball *b, fk_vec n) { return n.x * b->vs + n.y * b->vy + n.z * b->vd; }

/* Unit vector (s, y, d) onto the outline. */
static fk_vec rim_of(const fk_ball *b, fk_vec n) {
    double front = front_of(b, n);
    n = fk_sub(n, (fk_vec){front * b->vs, front * b->vy, front * b->vd});
    double len = fk_len(n);
    return len > 1e-9 ? fk_mul(n, 1 / len) : n;
}

/* The point at offset (a, e) radians from the centre (az, el), along the surface. */
static fk_vec surface(double az, double el, double a, double e) {
    double ca = cos(az), sa = sin(az), ce = cos(el), se = sin(el);
    double rho = sqrt(a * a + e * e), c = cos(rho), q = rho > 1e-9 ? sin(rho) / rho : 1;
    return (fk_vec){sa * ce * c + q * (a * ca - e * sa * se), se * c + q * e * ce,
                    ca * ce * c - q * (a * sa + e * ca * se)};
}

fk_vec fk_on_ball(const fk_ball *b, double az, double el, double out) {
    fk_vec n = surface(az, el, 0, 0);
    return place(b, n.x * out, n.y * out, n.z * out);
}

double fk_facing_of(const fk_ball *b, double az, double el) { return front_of(b, surface(az, el, 0, 0)); }

/* Does the patch contain the point that is farthest from the viewer? Then its outline runs round the back. */
static int holds_far_pole(const fk_ball *b, double az, double el, const double (*q)[2], int n) {
    fk_vec c = surface(az, el, 0, 0), v = {-b->vs, -b->vy, -b->vd};
    double cosr = fk_clamp(c.x * v.x + c.y * v.y + c.z * v.z, -1, 1), rho = acos(cosr);
    fk_vec ta = {cos(az), 0, -sin(az)}, te = {-sin(az) * sin(el), cos(el), -cos(az) * sin(el)};
    double a = v.x * ta.x + v.y * ta.y + v.z * ta.z, e = v.x * te.x + v.y * te.y + v.z * te.z, len = hypot(a, e);
    if (len > 1e-9) a *= rho / len, e *= rho / len;
    int in = 0;
    for (int i = 0, j = n - 1; i < n; j = i++)
        if ((q[i][1] > e) != (q[j][1] > e) && a < (q[j][0] - q[i][0]) * (e - q[i][1]) / (q[j][1] - q[i][1]) + q[i][0])
            in = !in;
    return in;
}

enum { PATCH = 32 };

/* The outline of a patch in view space; returns its number of points, 0 when nothing is seen. */
static int patch_outline(const fk_ball *b, double az, double el, const double (*q)[2], int n, fk_vec *out) {
    fk_vec u[PATCH];
    int seen = 0, hidden_before_seen = -1;
    for (int i = 0; i < n; i++) {
        u[i] = surface(az, el, q[i][0], q[i][1]);
        seen += front_of(b, u[i]) >= 0;
    }
    if (seen == 0) return 0;
    if (seen == n || !holds_far_pole(b, az, el, q, n)) {
        for (int i = 0; i < n; i++) {
            fk_vec p = front_of(b, u[i]) >= 0 ? u[i] : rim_of(b, u[i]);
            out[i] = place(b, p.x, p.y, p.z);
        }
        return n;
    }
    /* Only a sliver is seen: its own edge, closed along the rim the short way. */
    for (int i = 0; i < n; i++)
        if (front_of(b, u[i]) >= 0 && front_of(b, u[(i + n - 1) % n]) < 0) hidden_before_seen = i;
    int m = 0;
    for (int i = 0; i < seen; i++) {
        fk_vec p = u[(hidden_before_seen + i) % n];
        out[m++] = place(b, p.x, p.y, p.z);
    }
    fk_vec from = rim_of(b, u[(hidden_before_seen + seen) % n]), to = rim_of(b, u[(hidden_before_seen + n - 1) % n]);
    for (int i = 0; i < 3 && m < PATCH; i++) {
        fk_vec p = rim_of(b, fk_mix(from, to, i / 2.0));
        out[m++] = place(b, p.x, p.y, p.z);
    }
    return m;
}

void fk_patch(fk_kit *k, const fk_ball *b, double az, double el, double ra, double re, double rot, fk_tone tone,
              int flags) {
    enum { N = 14 };
    double q[N][2], c = cos(rot), s = sin(rot);
    for (int i = 0; i < N; i++) {
        double t = 2 * FK_PI * i / N, a = ra * cos(t), e = re * sin(t);
        q[i][0] = a * c - e * s, q[i][1] = a * s + e * c;
    }
    fk_patch_shape(k, b, az, el, (const double(*)[2])q, N, 1, tone, flags);
}

void fk_patch_shape(fk_kit *k, const fk_ball *b, double az, double el, const double (*q)[2], int n, int smooth,
                    fk_tone tone, int flags) {
    fk_vec p[PATCH];
    int m = patch_outline(b, az, el, q, n > PATCH ? PATCH : n, p);
    if (m > 2 && smooth)
        fk_curve(k, p, m, tone, flags, b->z);
    else if (m > 2)
        fk_polygon(k, p, m, 0, tone, flags, b->z);
}

void fk_patch_line(fk_kit *k, const fk_ball *b, double az, double el, const double (*q)[2], int n, double width,
                   fk_tone tone) {
    fk_vec p[PATCH];
    int m = 0;
    for (int i = 0; i < n && i < PATCH; i++) {
        fk_vec u = surface(az, el, q[i][0], q[i][1]);
        if (front_of(b, u) >= 0) /* only what is seen */
            p[m++] = place(b, u.x, u.y, u.z);
    }
    if (m > 1) fk_stroke(k, p, m, width, tone, FK_FLAT, b->z);
}

void fk_band(fk_kit *k, const fk_ball *b, double from, double to, fk_tone tone) {
    enum { N = 12 };
    fk_vec p[2 * N];
    for (int edge = 0; edge < 2; edge++) { /* the seen arc of each edge, out along one and back along the other */
        double rho = edge ? to : from, w = cos(rho), r = sin(rho), side = hypot(b->vs, b->vy) * r;
        double at = atan2(b->vy, b->vs), half = FK_PI;
        if (w * b->vd <= -side) return;
        if (w * b->vd < side) half = acos(-w * b->vd / side);
        for (int i = 0; i < N; i++) {
            double t = at + half * (2.0 * i / (N - 1) - 1) * (edge ? -1 : 1);
            p[edge * N + i] = place(b, r * cos(t), r * sin(t), w);
        }
    }
    fk_curve(k, p, 2 * N, tone, FK_FLAT, b->z);
}
