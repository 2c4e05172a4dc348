/* Small drawing vocabulary over cairo: every colour goes through the light of the scene and the haze of its distance.
 */
#include <math.h>

#include "tools/world/internal.h"

world_rgb world_mix(world_rgb a, world_rgb b, double t) {
    world_rgb c = {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
    return c;
}

void world_ink_a(world_frame *f, double r, double g, double b, double a) {
    const world_palette *p = &f->palette;
    double h = f->hazed;
    cairo_set_source_rgba(f->cr, r * p->light.r * (1 - h) + p->haze.r * h, g * p->light.g * (1 - h) + p->haze.g * h,
                          b * p->light.b * (1 - h) + p->haze.b * h, a);
}

void world_ink(world_frame *f, double r, double g, double b) { world_ink_a(f, r, g, b, 1); }

void world_ink_c(world_frame *f, world_rgb c) { world_ink_a(f, c.r, c.g, c.b, 1); }

void world_shine(world_frame *f, double r, double g, double b, double a) {
    const world_palette *p = &f->palette;
    double h = f->hazed * .6;
    cairo_set_source_rgba(f->cr, r * (1 - h) + p->haze.r * h, g * (1 - h) + p->haze.g * h, b * (1 - h) + p->haze.b * h,
                          a);
}

void world_poly(world_frame *f, int n, const double *xy) {
    cairo_move_to(f->cr, xy[0], xy[1]);
    for (int i = 1; i < n; i++) cairo_line_to(f->cr, xy[2 * i], xy[2 * i + 1]);
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
}

void world_oval(world_frame *f, double x, double y, double rx, double ry) {
    cairo_save(f->cr);
    cairo_translate(f->cr, x, y);
    cairo_scale(f->cr, rx, ry);
    cairo_new_sub_path(f->cr);
    cairo_arc(f->cr, 0, 0, 1, 0, 2 * WORLD_PI);
    cairo_restore(f->cr);
    cairo_fill(f->cr);
}

void world_box(world_frame *f, double x, double y, double w, double h) {
    cairo_rectangle(f->cr, x, y, w, h);
    cairo_fill(f->cr);
}

/* In camera space the ground polygon is cut at a near plane (Sutherland-Hodgman with one edge), then projected. */
void world_ground_poly(world_frame *f, int n, const double *xz) {
    enum { MOST = 32 };
    const double near_plane = .25;
    double side[MOST], deep[MOST];
    if (n > MOST / 2) return;
    int m = 0;
    for (int i = 0; i < n; i++) {
        int j = (i + 1) % n;
        double ax = xz[2 * i] - f->cx, az = xz[2 * i + 1] - f->cz, bx = xz[2 * j] - f->cx, bz = xz[2 * j + 1] - f->cz;
        double as = ax * f->cos_yaw - az * f->sin_yaw, ad = ax * f->sin_yaw + az * f->cos_yaw;
        double bs = bx * f->cos_yaw - bz * f->sin_yaw, bd = bx * f->sin_yaw + bz * f->cos_yaw;
        if (ad >= near_plane) {
            side[m] = as;
            deep[m++] = ad;
        }
        if ((ad >= near_plane) != (bd >= near_plane)) {
            double k = (near_plane - ad) / (bd - ad);
            side[m] = as + (bs - as) * k;
            deep[m++] = near_plane;
        }
    }
    if (m < 3) return;
    for (int i = 0; i < m; i++) {
        double x = f->px + f->focal * side[i] / deep[i], y = f->py + f->focal * f->cy / deep[i];
        x = fmax(-8.0 * f->width, fmin(9.0 * f->width, x));
        y = fmax(-8.0 * f->height, fmin(9.0 * f->height, y));
        if (i == 0)
            cairo_move_to(f->cr, x, y);
        else
            cairo_line_to(f->cr, x, y);
    }
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
}

void world_strip(world_frame *f, double z0, double z1) {
    double wide = 60;
    double xz[8] = {f->cx - wide, z0, f->cx + wide, z0, f->cx + wide, z1, f->cx - wide, z1};
    world_ground_poly(f, 4, xz);
}
