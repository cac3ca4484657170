/* Reads .rfz files, version 2, as docs/rfz.md describes them. C99; needs nothing but the memory that it is given.

   A file has no shapes: they come from the network that it was written for, which the caller describes. Tensors are
   read one after the other, in the file's order, each into the same memory, so the largest one must fit, not all.

     rfz_reader reader;
     rfz_section section;
     int result = rfz_open(&reader, file, file_size, &network, arena, sizeof arena);
     while (result == RFZ_OK && (result = rfz_next(&reader, &section)) == RFZ_OK)
       if (section.tensor && section.tensor->dtype == RFZ_FLOAT32) result = rfz_floats(&reader, &section, weights[section.index]);
     ok = result == RFZ_END;    the file was read whole, and it is undamaged */
#ifndef RFZ_H
#define RFZ_H

#include <stddef.h>
#include <stdint.h>

enum {
  RFZ_OK = 0,
  RFZ_END = 1,        /* there is no further tensor, and the file's end is where it should be */
  RFZ_FOREIGN = -1,   /* no .rfz file */
  RFZ_VERSION = -2,   /* of another version of the format: `ratefront recode` writes it anew */
  RFZ_NEWER = -3,     /* a kind or a flag that this reader does not know */
  RFZ_DAMAGED = -4,   /* damaged, truncated, or made to harm */
  RFZ_NETWORK = -5,   /* written for another network, or its description is none that this reader can use */
  RFZ_ARENA = -6,     /* the arena is too small */
  RFZ_TOO_LARGE = -7, /* a tensor of 2^31 values or more */
  RFZ_METHOD = -8,    /* the method makes these values by arithmetic that is not here */
  RFZ_NO_FLOATS = -9, /* the tensor's dtype is no float: its bytes are in `raw` */
  RFZ_RANGE = -10     /* the integers do not fit in int8, or there are none, or their step is not one number */
};

enum { RFZ_FLOAT32, RFZ_FLOAT64, RFZ_FLOAT16, RFZ_BFLOAT16, RFZ_BOOL, RFZ_BYTES1, RFZ_BYTES2, RFZ_BYTES4, RFZ_BYTES8 };
/* dtypes; RFZ_BYTES are integers of so many bytes, signed or not */

enum { RFZ_RAW, RFZ_HALF, RFZ_INTEGERS, RFZ_CONSTANT, RFZ_ADAPTIVE, RFZ_MADE, RFZ_SCALED, RFZ_GRID, RFZ_BUILT };
/* kinds */

typedef struct {
  const char *name; /* not used */
  uint8_t dtype;
  uint8_t num_axes;
  const uint32_t *shape;
} rfz_tensor;

typedef struct {
  const rfz_tensor *tensors; /* in the order of the file */
  uint32_t num_tensors;
  const uint8_t *fingerprint; /* its four bytes; NULL: not compared */
} rfz_network;

typedef struct {
  const rfz_tensor *tensor; /* NULL: a factor, of which there may be some after all tensors */
  uint32_t index;           /* among the tensors, or among the factors */
  uint8_t kind;
  uint32_t rows, columns; /* the first axis, and the product of all others; one row where there are no two axes */
  /* The integers: NULL for other kinds. What is outside of the stored rows and columns is zero. The integer in row r
     and column c is integers[r * row_stride + c * column_stride]; valid until the next call of rfz_next. */
  const int32_t *integers;
  uint32_t stored_rows, stored_columns, row_stride, column_stride;
  uint32_t table; /* the number of their step */
  int exponent;   /* of the power of two that multiplies the step */
  /* The bytes of other kinds, in the file: all values, or the constant one, or NULL where all are zero.
     Of kind RFZ_BUILT, whose values the network has anyway: four bytes of their SHA-256. */
  const uint8_t *raw;
  uint8_t raw_dtype;
} rfz_section;

typedef struct { /* of the reader alone, but for what is named here */
  const uint8_t *method, *architecture;
  uint32_t method_size, architecture_size, num_factors;
  size_t arena_used; /* the most that was taken so far */
  const uint8_t *file;
  size_t size, position, arena_size, taken, kept;
  uint8_t *arena;
  const rfz_network *network;
  uint32_t num_vectors, num_entries, num_tables, next;
  int result;
  struct rfz_vector *vectors;
  struct rfz_entry *entries;
  struct rfz_table *tables;
  struct rfz_lookup *lookup;
  struct rfz_model *model;
  struct rfz_grid_model *grids;
  uint64_t lower, range, point;
  const uint8_t *words;
  uint32_t num_words, words_taken;
  int is_used, is_broken;
} rfz_reader;

/* Reads all that comes before the stream. File, network and arena must stay as they are while the reader is used. */
int rfz_open(rfz_reader *reader, const void *file, size_t size, const rfz_network *network, void *arena,
             size_t arena_size);

/* Reads the next tensor, or factor, into the arena. */
int rfz_next(rfz_reader *reader, rfz_section *section);

/* The integer in a row and a column, also where it is not stored. */
int32_t rfz_integer(const rfz_section *section, uint32_t row, uint32_t column);

/* The step of a row: the integers there, times the step, times two to the exponent, are the values. */
int rfz_step(const rfz_reader *reader, const rfz_section *section, uint32_t row, float *step);

/* All values (rows * columns) as float32: for tensors of float32, float16 and bfloat16 those that Python decodes. */
int rfz_floats(const rfz_reader *reader, const rfz_section *section, float *values);

/* The values of one row (columns) as float32: a tensor larger than the memory is taken row by row. */
int rfz_row(const rfz_reader *reader, const rfz_section *section, uint32_t row, float *values);

/* All integers (rows * columns) as int8, and the one number that multiplies them. */
int rfz_int8(const rfz_reader *reader, const rfz_section *section, int8_t *values, float *scale);

#endif
