#include "lib/io/png.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "lib/io/outfile.h"

#define MAX_INFLATION 1100u /* deflate packs at most 1032 to 1 */

/* What libpng's callbacks share. It stays in the caller's frame, so that longjmp changes no local variable. */
typedef struct job {
    sorai_mem *mem;
    const char *name;
    char reason[128];
    bool no_memory, io_failed;
    /* reading */
    sorai_source *source;
    uint64_t offset;
    int32_t channels;
    sora_tensor *image;
    sora_error *err;
    /* writing */
    sorai_write_fn *write;
    void *user;
    const sora_tensor *given;
} job;

static void on_error(png_structp png, png_const_charp message) {
    job *j = png_get_error_ptr(png);
    size_t n = strlen(message);
    if (n >= sizeof j->reason) n = sizeof j->reason - 1;
    memcpy(j->reason, message, n);
    j->reason[n] = 0;
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t size) {
    job *j = png_get_mem_ptr(png);
    void *p = sorai_alloc(j->mem, size);
    if (!p) j->no_memory = true;
    return p;
}

static void on_free(png_structp png, png_voidp p) {
    job *j = png_get_mem_ptr(png);
    sorai_free(j->mem, p);
}

static void on_read(png_structp png, png_bytep dst, size_t n) {
    job *j = png_get_io_ptr(png);
    if (n > sorai_source_size(j->source) - j->offset) png_error(png, "cut short");
    if (sorai_source_read(j->source, j->offset, dst, n, NULL) != SORA_OK) {
        j->io_failed = true;
        png_error(png, "reading failed");
    }
    j->offset += n;
}

static void on_write(png_structp png, png_bytep data, size_t n) {
    job *j = png_get_io_ptr(png);
    if (j->write(j->user, data, n) != 0) {
        j->io_failed = true;
        png_error(png, "writing failed");
    }
}

static void on_flush(png_structp png) { (void)png; }

static int report(const job *j, sora_error *err) {
    if (j->no_memory) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the image", j->name);
    return sorai_fail(err, j->io_failed ? SORA_E_IO : SORA_E_FORMAT, "%.300s: PNG: %s", j->name, j->reason);
}

/* Everything becomes 8 bits of red, green, blue and perhaps alpha. */
static void set_conversions(png_structp png, png_infop info, int32_t channels) {
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    if (channels == 3)
        png_set_strip_alpha(png);
    else
        png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
    png_read_update_info(png, info);
}

/* libpng takes as much memory as a chunk says it is long, before it reads: every chunk must be in the file. */
static int check_chunks(const sorai_source *source, sora_error *err) {
    const uint64_t size = sorai_source_size(source);
    unsigned char head[8];
    if (size >= sizeof head) SORA_TRY(sorai_source_read(source, 0, head, sizeof head, err));
    if (size < sizeof head || png_sig_cmp(head, 0, sizeof head) != 0)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: not a PNG", sorai_source_name(source));
    for (uint64_t at = 8; at < size;) {
        if (size - at < 12) return sorai_fail(err, SORA_E_FORMAT, "%.300s: PNG: cut short", sorai_source_name(source));
        SORA_TRY(sorai_source_read(source, at, head, sizeof head, err));
        const uint32_t length = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
        if (length > size - at - 12)
            return sorai_fail(err, SORA_E_FORMAT, "%.300s: PNG: a chunk is longer than the file",
                              sorai_source_name(source));
        if (memcmp(head + 4, "IEND", 4) == 0) break;
        at += 12 + (uint64_t)length;
    }
    return SORA_OK;
}

/* Under setjmp; returns a status when it fails without libpng. */
static int read_image(job *j, png_structp png, png_infop info) {
    png_set_user_limits(png, SORAI_PNG_MAX_SIDE, SORAI_PNG_MAX_SIDE);
    png_set_chunk_malloc_max(png, 16u << 20);
    png_set_chunk_cache_max(png, 64);
    png_set_read_fn(png, j, on_read);
    png_read_info(png, info);
    const uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    const uint64_t raw = (uint64_t)png_get_rowbytes(png, info) * height;
    if (raw / MAX_INFLATION > sorai_source_size(j->source)) png_error(png, "its size does not fit the file's");
    const int passes = png_set_interlace_handling(png);
    set_conversions(png, info, j->channels);
    const int64_t shape[3] = {height, width, j->channels};
    if (png_get_rowbytes(png, info) != (size_t)width * (size_t)j->channels) png_error(png, "unexpected row size");
    int status = sorai_tensor_new(&j->image, j->mem, SORA_DTYPE_U8, 3, shape, j->err);
    if (status != SORA_OK) return status;
    unsigned char *pixels = j->image->data;
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < height; y++) png_read_row(png, pixels + (size_t)y * width * (size_t)j->channels, NULL);
    png_read_end(png, NULL);
    return SORA_OK;
}

static int run_read(job *j, png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png))) return report(j, j->err);
    return read_image(j, png, info);
}

int sorai_png_read(sorai_mem *mem, sorai_source *source, int32_t channels, sora_tensor **out, sora_error *err) {
    *out = NULL;
    if (channels != 3 && channels != 4)
        return sorai_fail(err, SORA_E_INVALID, "%.300s: an image is read with 3 or 4 channels, not %d",
                          sorai_source_name(source), (int)channels);
    SORA_TRY(check_chunks(source, err));
    job j = {.mem = mem, .name = sorai_source_name(source), .source = source, .channels = channels, .err = err};
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning, &j, on_alloc, on_free);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int status;
    if (!info)
        status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the image", j.name);
    else
        status = run_read(&j, png, info);
    if (png) png_destroy_read_struct(&png, info ? &info : NULL, NULL);
    if (status != SORA_OK && j.image) sorai_tensor_unref(&j.image);
    *out = j.image;
    return status;
}

static void write_image(job *j, png_structp png, png_infop info) {
    const sora_tensor *t = j->given;
    const int64_t height = t->shape[0], width = t->shape[1], channels = t->shape[2];
    const int kind = channels == 1   ? PNG_COLOR_TYPE_GRAY
                     : channels == 3 ? PNG_COLOR_TYPE_RGB
                                     : PNG_COLOR_TYPE_RGB_ALPHA;
    png_set_write_fn(png, j, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, kind, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    const unsigned char *pixels = t->data;
    for (int64_t y = 0; y < height; y++) png_write_row(png, pixels + y * width * channels);
    png_write_end(png, info);
}

static int run_write(job *j, png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png))) {
        const int status = report(j, j->err);
        return status == SORA_E_FORMAT ? SORA_E_INTERNAL : status;
    }
    write_image(j, png, info);
    return SORA_OK;
}

int sorai_png_write_to(sorai_mem *mem, const char *name, sorai_write_fn *write, void *user, const sora_tensor *image,
                       sora_error *err) {
    if (image->dtype != SORA_DTYPE_U8 || image->rank != 3 || image->device || image->shape[0] < 1 ||
        image->shape[1] < 1 || image->shape[0] > SORAI_PNG_MAX_SIDE || image->shape[1] > SORAI_PNG_MAX_SIDE ||
        (image->shape[2] != 1 && image->shape[2] != 3 && image->shape[2] != 4))
        return sorai_fail(err, SORA_E_INVALID, "%.300s: an image must be u8 [height, width, 1, 3 or 4], sides up to %u",
                          name, SORAI_PNG_MAX_SIDE);
    job j = {.mem = mem, .name = name, .write = write, .user = user, .given = image, .err = err};
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning, &j, on_alloc, on_free);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int status;
    if (!info)
        status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", name);
    else
        status = run_write(&j, png, info);
    if (png) png_destroy_write_struct(&png, info ? &info : NULL);
    return status;
}

static int write_file(void *user, const void *data, size_t n) { return sorai_outfile_write(user, data, n, NULL); }

int sorai_png_write(sorai_mem *mem, const char *path, const sora_tensor *image, sora_error *err) {
    sorai_outfile *file;
    SORA_TRY(sorai_outfile_begin(&file, mem, path, err));
    int status = sorai_png_write_to(mem, path, write_file, file, image, err);
    if (status == SORA_OK) return sorai_outfile_commit(&file, err);
    sorai_outfile_abandon(&file);
    return status;
}
