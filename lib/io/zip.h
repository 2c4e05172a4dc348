/* Zip archives whose entries are stored as they are, as PyTorch writes them: names and places. */
#ifndef SORAI_IO_ZIP_H
#define SORAI_IO_ZIP_H

#include "lib/io/table.h"

bool sorai_zip_probe(const sorai_source *source); /* by its first bytes */

/* Fills the table (initialised, empty): name, offset and stored of every entry, sorted by name. Compressed and
 * encrypted entries are refused, as are entries that are not in the file and names that occur twice. */
int sorai_zip_list(sorai_table *entries, sorai_source *source, sora_error *err);

#endif
