#include "tools/sheet.h"

#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 6, LINE = 14 };

typedef struct row {
    cairo_surface_t *picture; /* its frames side by side */
    char *caption;
    int one;
} row;

/* Lines of a caption: an image has less room beside. */
static int lines_of(const row *r) { return r->one ? 3 : 2; }

struct sheet {
    int columns;
    row *rows;
    size_t count;
};

sheet *sheet_new(int columns) {
    sheet *s = calloc(1, sizeof *s);
    if (s) s->columns = columns < 1 ? 1 : columns;
    return s;
}

static void put_frame(cairo_surface_t *to, int x0, const uint8_t *rgb, int width, int height) {
    unsigned char *data = cairo_image_surface_get_data(to);
    const int stride = cairo_image_surface_get_stride(to);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *p = rgb + ((ptrdiff_t)y * width + x) * 3;
            const uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
            memcpy(data + (ptrdiff_t)y * stride + (ptrdiff_t)(x0 + x) * 4, &v, 4);
        }
}

int sheet_add(sheet *s, const uint8_t *frames, int64_t count, int width, int height, const char *caption) {
    const int shown = count < s->columns ? (int)count : s->columns;
    row *rows = realloc(s->rows, (s->count + 1) * sizeof *rows);
    if (!rows || shown < 1) return -1;
    s->rows = rows;
    row *r = &rows[s->count];
    r->one = count == 1;
    r->caption = malloc(strlen(caption) + 1);
    r->picture = cairo_image_surface_create(CAIRO_FORMAT_RGB24, shown * (width + MARGIN) - MARGIN, height);
    if (!r->caption || cairo_surface_status(r->picture) != CAIRO_STATUS_SUCCESS) {
        free(r->caption);
        cairo_surface_destroy(r->picture);
        return -1;
    }
    memcpy(r->caption, caption, strlen(caption) + 1);
    unsigned char *data = cairo_image_surface_get_data(r->picture);
    memset(data, 0xf5, (size_t)cairo_image_surface_get_stride(r->picture) * (size_t)height);
    for (int c = 0; c < shown; c++) {
        const int64_t i = shown > 1 ? (c * (count - 1) + (shown - 1) / 2) / (shown - 1) : 0;
        put_frame(r->picture, c * (width + MARGIN), frames + i * width * height * 3, width, height);
    }
    cairo_surface_mark_dirty(r->picture);
    s->count++;
    return 0;
}

/* The caption in so many lines; what does not fit is cut with dots. */
static void show_text(cairo_t *cr, const char *text, int lines, double x, double y, double room) {
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, 10.5);
    for (int line = 0; line < lines && *text; line++) {
        char part[1024];
        size_t best = 0;
        const size_t n = strlen(text);
        for (size_t i = 1; i <= n && i + 4 < sizeof part; i++) {
            if (text[i] != ' ' && text[i] != 0) continue;
            cairo_text_extents_t extents;
            memcpy(part, text, i);
            part[i] = 0;
            cairo_text_extents(cr, part, &extents);
            if (best && extents.width > room) break;
            best = i;
        }
        memcpy(part, text, best);
        snprintf(part + best, sizeof part - best, "%s", line == lines - 1 && text[best] ? " .." : "");
        cairo_move_to(cr, x, y + LINE * (line + 0.85));
        cairo_show_text(cr, part);
        text += best;
        text += *text == ' ';
        if (!best) break;
    }
}

/* Where row i stands; rows of single pictures share a line, as many as columns. */
static void place(const sheet *s, size_t i, int *x, int *y, int *wide, int *tall) {
    int line_x = MARGIN, line_y = MARGIN, line_height = 0, in_line = 0;
    *wide = *tall = 0;
    for (size_t k = 0; k < s->count; k++) {
        const int w = cairo_image_surface_get_width(s->rows[k].picture),
                  h = cairo_image_surface_get_height(s->rows[k].picture);
        if (in_line && (!s->rows[k].one || !s->rows[k - 1].one || in_line == s->columns)) {
            line_x = MARGIN;
            line_y += line_height + lines_of(&s->rows[k - 1]) * LINE + MARGIN;
            line_height = in_line = 0;
        }
        if (k == i) {
            *x = line_x;
            *y = line_y;
        }
        line_x += w + MARGIN;
        line_height = h > line_height ? h : line_height;
        in_line++;
        *wide = line_x > *wide ? line_x : *wide;
        *tall = line_y + line_height + lines_of(&s->rows[k]) * LINE + MARGIN;
    }
}

int sheet_write(const sheet *s, sora_context *ctx, const char *path, sora_error *err) {
    int x = 0, y = 0, wide, tall, status = SORA_E_NOMEM;
    place(s, 0, &x, &y, &wide, &tall);
    wide = wide < 1 ? 1 : wide;
    tall = tall < 1 ? 1 : tall;
    cairo_surface_t *picture = cairo_image_surface_create(CAIRO_FORMAT_RGB24, wide, tall);
    uint8_t *rgb = malloc((size_t)wide * (size_t)tall * 3);
    cairo_t *cr = cairo_create(picture);
    cairo_set_source_rgb(cr, 0.97, 0.97, 0.95);
    cairo_paint(cr);
    for (size_t i = 0; i < s->count; i++) {
        int w, h;
        place(s, i, &x, &y, &w, &h);
        cairo_set_source_surface(cr, s->rows[i].picture, x, y);
        cairo_paint(cr);
        cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
        show_text(cr, s->rows[i].caption, lines_of(&s->rows[i]), x,
                  y + cairo_image_surface_get_height(s->rows[i].picture),
                  cairo_image_surface_get_width(s->rows[i].picture));
    }
    cairo_destroy(cr);
    cairo_surface_flush(picture);
    if (rgb && cairo_surface_status(picture) == CAIRO_STATUS_SUCCESS) {
        const unsigned char *data = cairo_image_surface_get_data(picture);
        const int stride = cairo_image_surface_get_stride(picture);
        for (ptrdiff_t i = 0; i < (ptrdiff_t)wide * tall; i++) {
            uint32_t v;
            memcpy(&v, data + i / wide * stride + i % wide * 4, 4);
            rgb[i * 3] = (uint8_t)(v >> 16);
            rgb[i * 3 + 1] = (uint8_t)(v >> 8);
            rgb[i * 3 + 2] = (uint8_t)v;
        }
        status = sora_image_write(ctx, path, rgb, wide, tall, err);
    } else if (err) {
        err->code = status;
        snprintf(err->message, sizeof err->message, "no memory for a sheet of %d x %d pixels", wide, tall);
    }
    cairo_surface_destroy(picture);
    free(rgb);
    return status;
}

void sheet_free(sheet *s) {
    for (size_t i = 0; s && i < s->count; i++) {
        cairo_surface_destroy(s->rows[i].picture);
        free(s->rows[i].caption);
    }
    if (s) free(s->rows);
    free(s);
}
