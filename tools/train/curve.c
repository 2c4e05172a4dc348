#include "tools/train/curve.h"

#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH 900.0
#define HEIGHT 480.0
#define LEFT 70.0
#define BOTTOM 50.0
#define POINTS 600

typedef struct series {
    double x[POINTS], y[POINTS]; /* means of the rows that fall in a point */
    int count;
} series;

static int read_series(const char *path, series *s) {
    char line[512];
    long rows = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        rows++;
    const long per = rows / POINTS + 1;
    rewind(f);
    double sx = 0, sy = 0;
    long n = 0;
    s->count = 0;
    while (fgets(line, sizeof line, f)) {
        double samples, loss;
        if (sscanf(line, "%*[^,],%lf,%lf", &samples, &loss) != 2)
            continue;
        sx += samples;
        sy += loss;
        if (++n == per && s->count < POINTS) {
            s->x[s->count] = sx / (double)n;
            s->y[s->count++] = sy / (double)n;
            sx = sy = 0;
            n = 0;
        }
    }
    fclose(f);
    return s->count > 1 ? 0 : -1;
}

static void label(cairo_t *cr, double x, double y, double align, const char *text) {
    cairo_text_extents_t e;
    cairo_text_extents(cr, text, &e);
    cairo_move_to(cr, x - e.width * align, y);
    cairo_show_text(cr, text);
}

int curve_draw(const char *log_path, const char *png_path) {
    series *s = malloc(sizeof *s);
    if (!s || read_series(log_path, s) != 0) {
        free(s);
        return -1;
    }
    double low = s->y[0], high = s->y[0];
    for (int i = 1; i < s->count; i++) {
        low = fmin(low, s->y[i]);
        high = fmax(high, s->y[i]);
    }
    low = log(fmax(low, 1e-9) * 0.95);
    high = log(fmax(high, 1e-8) * 1.05);
    const double first = log(fmax(s->x[0], 1)), last = log(fmax(s->x[s->count - 1], 2));
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)WIDTH, (int)HEIGHT);
    cairo_t *cr = cairo_create(surface);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    cairo_set_font_size(cr, 13);
    const double w = WIDTH - LEFT - 20, h = HEIGHT - BOTTOM - 20;
    for (int i = 0; i <= 5; i++) {
        char text[32];
        const double y = 20 + h - h * i / 5;
        cairo_set_source_rgb(cr, 0.87, 0.87, 0.87);
        cairo_move_to(cr, LEFT, y);
        cairo_line_to(cr, LEFT + w, y);
        cairo_set_line_width(cr, 1);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.3, 0.3, 0.3);
        snprintf(text, sizeof text, "%.3g", exp(low + (high - low) * i / 5));
        label(cr, LEFT - 8, y + 4, 1, text);
        snprintf(text, sizeof text, "%.3g", exp(first + (last - first) * i / 5));
        label(cr, LEFT + w * i / 5, HEIGHT - BOTTOM + 22, 0.5, text);
    }
    label(cr, LEFT + w / 2, HEIGHT - 8, 0.5, "samples");
    cairo_set_source_rgb(cr, 0.1, 0.35, 0.75);
    cairo_set_line_width(cr, 1.8);
    for (int i = 0; i < s->count; i++)
        cairo_line_to(cr, LEFT + w * (log(fmax(s->x[i], 1)) - first) / fmax(last - first, 1e-9),
                      20 + h - h * (log(fmax(s->y[i], 1e-9)) - low) / fmax(high - low, 1e-9));
    cairo_stroke(cr);
    const int code = cairo_surface_write_to_png(surface, png_path) == CAIRO_STATUS_SUCCESS ? 0 : -1;
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    free(s);
    return code;
}
