/* The list of tensors that a file holds: what the readers of all formats fill and lookups search. Immutable once
 * finished; then any thread. */
#ifndef SORAI_IO_TABLE_H
#define SORAI_IO_TABLE_H

#include "lib/io/source.h"

#define SORAI_CODEC_NONE 0
#define SORAI_CODEC_ZSTD 1
#define SORAI_CODEC_ZSTD_SPLIT                                                                                         \
    2 /* byte planes one after the other (all first bytes, all second bytes ...), then zstd */

typedef struct sorai_tensor_info {
    const char *name; /* UTF-8 */
    char type[16];    /* as the file says it: "F32", "bf16", "F8_E4M3" ... */
    int32_t dtype; /* SORA_DTYPE_* of the tensor that a lookup gives; 0: a type that libsora can't hold, listed only */
    int32_t encoding; /* SORAI_PLAIN, or how its numbers are stored (lib/io/encoding.h) */
    int32_t rank;
    int64_t shape[SORA_MAX_RANK];
    uint64_t size;           /* bytes as a tensor */
    uint64_t offset, stored; /* where in the file, how many bytes there */
    uint64_t checksum;       /* of the stored bytes; formats that have one */
    int32_t codec;           /* SORAI_CODEC_* */
    int32_t file;            /* which shard */
    int64_t row;             /* of a part's tensor that is some rows of a larger one: which is the first (lib/io/part.h); readers have other uses */
    int64_t scales, added;   /* as a package tells them: numbers in the scale beside a tensor that stays as it is stored, rank of its addition
                                (lib/tensor/tensor.h) */
} sorai_tensor_info;

typedef struct sorai_table {
    sorai_mem *mem;
    sorai_tensor_info *items; /* sorted by name once finished */
    size_t count, capacity;
} sorai_table;

void sorai_table_init(sorai_table *t, sorai_mem *mem);
void sorai_table_release(sorai_table *t);
/* Adds a copy of info; its name is copied too. */
int sorai_table_add(sorai_table *t, const sorai_tensor_info *info, const char *file, sora_error *err);
/* Sorts; refuses a name that is there twice (SORA_E_FORMAT). */
int sorai_table_finish(sorai_table *t, const char *file, sora_error *err);
const sorai_tensor_info *sorai_table_find(const sorai_table *t, const char *name); /* NULL: none */

/* Names that may stand in a file: 1..512 bytes of UTF-8 without control characters. */
bool sorai_name_ok(const char *name, size_t length);

#endif
