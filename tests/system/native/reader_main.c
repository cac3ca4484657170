/* Reads .rfz files with the reader in C, for tests:

     reader_main show NETWORK FILE              one line for each tensor: shape, kind, checksums of what was decoded
     reader_main dump NETWORK FILE              the integers and the floats of all tensors, as bytes
     reader_main mutate SEED NUMBER [NETWORK FILE]...    damages files, reads them, and prints what came of it

   A description of a network has its fingerprint in hexadecimal, the number of its tensors, and for each its dtype (a
   number of rfz.h), its number of axes, and its shape. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rfz.h"

typedef struct {
  rfz_network network;
  uint8_t fingerprint[4];
  rfz_tensor *tensors;
  uint8_t *file;
  size_t size;
  size_t largest; /* the values of the largest tensor */
} subject;

static void fail(const char *what, const char *path) {
  fprintf(stderr, "%s: %s\n", path, what);
  exit(2);
}

static void *memory(size_t number, size_t size) {
  void *found = calloc(number ? number : 1, size);
  if (!found) fail("no memory", "reader_main");
  return found;
}

static void load(subject *s, const char *network, const char *path) {
  FILE *file = fopen(network, "r");
  unsigned byte, dtype, axes, side, number, i, k;
  long size;
  memset(s, 0, sizeof *s);
  if (!file) fail("cannot be read", network);
  for (i = 0; i < 4; i++) {
    if (fscanf(file, "%2x", &byte) != 1) fail("no fingerprint", network);
    s->fingerprint[i] = (uint8_t)byte;
  }
  if (fscanf(file, "%u", &number) != 1) fail("no number of tensors", network);
  s->tensors = memory(number, sizeof *s->tensors);
  for (i = 0; i < number; i++) {
    size_t values = 1;
    uint32_t *shape;
    if (fscanf(file, "%u %u", &dtype, &axes) != 2) fail("no dtype", network);
    shape = memory(axes, sizeof *shape);
    for (k = 0; k < axes; k++) {
      if (fscanf(file, "%u", &side) != 1) fail("no shape", network);
      shape[k] = side;
      values *= side;
    }
    s->tensors[i].dtype = (uint8_t)dtype;
    s->tensors[i].num_axes = (uint8_t)axes;
    s->tensors[i].shape = shape;
    if (values > s->largest) s->largest = values;
  }
  fclose(file);
  s->network.tensors = s->tensors;
  s->network.num_tensors = number;
  s->network.fingerprint = s->fingerprint;
  if (!(file = fopen(path, "rb")) || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) fail("cannot be read", path);
  rewind(file);
  s->size = (size_t)size;
  s->file = memory(s->size, 1);
  if (fread(s->file, 1, s->size, file) != s->size) fail("cannot be read", path);
  fclose(file);
}

static void unload(subject *s) {
  uint32_t i;
  for (i = 0; i < s->network.num_tensors; i++) free((void *)(uintptr_t)s->tensors[i].shape);
  free(s->tensors);
  free(s->file);
}

static uint32_t hash(uint32_t start, const void *values, size_t size) { /* FNV-1a */
  const uint8_t *bytes = values;
  while (size--) start = (start ^ *bytes++) * 16777619;
  return start;
}

/* What is decoded of one section: integers and floats, and what became of them as int8. */
typedef struct {
  int32_t *integers;
  float *floats;
  int8_t *small;
  int floats_result, small_result;
  float scale;
} decoded;

static void expand(const rfz_reader *reader, const rfz_section *section, decoded *d) {
  size_t number = (size_t)section->rows * section->columns, i = 0;
  uint32_t row, column;
  d->integers = memory(number, sizeof *d->integers);
  d->floats = memory(number, sizeof *d->floats);
  d->small = memory(number, 1);
  for (row = 0; row < section->rows; row++)
    for (column = 0; column < section->columns; column++) d->integers[i++] = rfz_integer(section, row, column);
  d->scale = 0;
  d->floats_result = rfz_floats(reader, section, d->floats);
  d->small_result = rfz_int8(reader, section, d->small, &d->scale);
  if (d->small_result == RFZ_OK)
    for (i = 0; i < number; i++)
      if (d->small[i] != d->integers[i]) fail("int8 and int32 differ", "reader_main");
}

static void drop(decoded *d) {
  free(d->integers);
  free(d->floats);
  free(d->small);
}

static void put(const void *values, size_t size) {
  if (fwrite(values, 1, size, stdout) != size) exit(2);
}

static int read_whole(const subject *s, int is_dump) {
  size_t arena_size = (size_t)1 << 26;
  void *arena = malloc(arena_size);
  rfz_reader reader;
  rfz_section section;
  int result;
  if (!arena) fail("no memory", "reader_main");
  result = rfz_open(&reader, s->file, s->size, &s->network, arena, arena_size);
  while (result == RFZ_OK && (result = rfz_next(&reader, &section)) == RFZ_OK) {
    size_t number = (size_t)section.rows * section.columns;
    decoded d;
    expand(&reader, &section, &d);
    if (is_dump) {
      int32_t numbers[7];
      numbers[0] = section.tensor != NULL;
      numbers[1] = section.kind;
      numbers[2] = (int32_t)section.rows;
      numbers[3] = (int32_t)section.columns;
      numbers[4] = section.exponent;
      numbers[5] = d.floats_result;
      numbers[6] = d.small_result;
      put(numbers, sizeof numbers);
      put(&d.scale, sizeof d.scale);
      put(d.integers, number * sizeof *d.integers);
      put(d.floats, number * sizeof *d.floats);
    } else {
      printf("%s %lu: %lu x %lu, kind %d, integers %08lx, floats %08lx (%d)\n", section.tensor ? "tensor" : "factor",
             (unsigned long)section.index, (unsigned long)section.rows, (unsigned long)section.columns, section.kind,
             (unsigned long)hash(2166136261, d.integers, number * sizeof *d.integers),
             (unsigned long)hash(2166136261, d.floats, number * sizeof *d.floats), d.floats_result);
    }
    drop(&d);
  }
  if (!is_dump) printf("arena: %lu bytes; end: %d\n", (unsigned long)reader.arena_used, result);
  free(arena);
  return result == RFZ_END ? 0 : 1;
}

static uint64_t random_state;

static uint32_t draw(uint32_t number) { /* xorshift64*; one of 0 to number - 1 */
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 32) % number;
}

static size_t mutate(const subject *s, const subject *other, uint8_t *out, size_t room) {
  static const uint8_t usual[] = {0, 1, 2, 7, 15, 0x7F, 0x80, 0xFF};
  size_t size = s->size;
  int number = 1 + (int)draw(3), bit, i;
  uint32_t crc = UINT32_MAX;
  memcpy(out, s->file, size);
  while (number--) {
    size_t body = size > 4 ? size - 4 : 1, near = draw(2) && body > 60 ? 60 : body, at = draw((uint32_t)near);
    size_t length = 1 + draw(8);
    switch (draw(6)) {
      case 0: out[at] ^= (uint8_t)(1 << draw(8)); break;
      case 1: out[at] = usual[draw(8)]; break;
      case 2: /* truncated */
        if (draw(4) == 0) size = 4 + draw((uint32_t)body);
        break;
      case 3: /* a few bytes are gone */
        if (at + length < body) {
          memmove(out + at, out + at + length, size - at - length);
          size -= length;
        }
        break;
      case 4: /* a few bytes more */
        if (size + length <= room) {
          memmove(out + at + length, out + at, size - at);
          for (i = 0; i < (int)length; i++) out[at + (size_t)i] = draw(2) ? 0xFF : (uint8_t)draw(256);
          size += length;
        }
        break;
      default: /* spliced with another file */
        length = 1 + draw((uint32_t)other->size);
        if (length > other->size - 1) length = other->size - 1;
        if (at + length <= size) memcpy(out + at, other->file + draw((uint32_t)(other->size - length)), length);
    }
  }
  if (size > 4 && draw(16)) { /* most have the checksum that they should have */
    size_t k;
    for (k = 0; k < size - 4; k++)
      for (crc ^= out[k], bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    crc = ~crc;
    for (i = 0; i < 4; i++) out[size - 4 + (size_t)i] = (uint8_t)(crc >> (8 * i));
  }
  return size;
}

static int read_mutants(uint32_t seed, long number, const subject *subjects, uint32_t num_subjects) {
  long outcomes[12], whole = 0, i;
  uint32_t sum = 2166136261;
  memset(outcomes, 0, sizeof outcomes);
  random_state = seed + UINT64_C(88172645463325252);
  for (i = 0; i < number; i++) {
    const subject *s = subjects + draw(num_subjects), *other = subjects + draw(num_subjects);
    uint8_t *room = memory(s->size + 64, 1), *file;
    size_t size = mutate(s, other, room, s->size + 64), arena_size = 160000 + 16 * s->largest;
    void *arena;
    rfz_reader reader;
    rfz_section section;
    rfz_network network = (draw(16) ? s : other)->network;
    int result;
    if (draw(2)) network.fingerprint = NULL;
    if (draw(8) == 0) arena_size = draw((uint32_t)arena_size);
    file = memory(size, 1); /* exactly as long, so that the sanitizer sees a read beyond its end */
    memcpy(file, room, size);
    arena = malloc(arena_size ? arena_size : 1);
    if (!arena) fail("no memory", "reader_main");
    result = rfz_open(&reader, file, size, &network, arena, arena_size);
    while (result == RFZ_OK && (result = rfz_next(&reader, &section)) == RFZ_OK) {
      decoded d;
      expand(&reader, &section, &d);
      sum = hash(sum, d.integers, (size_t)section.rows * section.columns * sizeof *d.integers);
      drop(&d);
    }
    if (result == RFZ_END) whole++;
    else if (result < 0 && result > -12) outcomes[-result]++;
    else fail("an unknown result", "reader_main");
    free(arena);
    free(file);
    free(room);
  }
  printf("read %ld", whole);
  for (i = 1; i < 12; i++) printf(" %ld", outcomes[i]);
  printf(" integers %08lx\n", (unsigned long)sum);
  return 0;
}

int main(int argc, char **argv) {
  subject *subjects;
  int i, number, result;
  if (argc == 4 && (!strcmp(argv[1], "show") || !strcmp(argv[1], "dump"))) {
    subject one;
    load(&one, argv[2], argv[3]);
    result = read_whole(&one, !strcmp(argv[1], "dump"));
    unload(&one);
    return result;
  }
  if (argc < 6 || strcmp(argv[1], "mutate") || argc % 2) fail("wanted show, dump or mutate, and its files", argv[0]);
  number = (argc - 4) / 2;
  subjects = memory((size_t)number, sizeof *subjects);
  for (i = 0; i < number; i++) load(subjects + i, argv[4 + 2 * i], argv[5 + 2 * i]);
  result = read_mutants((uint32_t)strtoul(argv[2], NULL, 10), strtol(argv[3], NULL, 10), subjects, (uint32_t)number);
  for (i = 0; i < number; i++) unload(subjects + i);
  free(subjects);
  return result;
}
