/* Reads .rfz files: see rfz.h. Each part has the name of its chapter in docs/rfz.md, which it follows. */
#include "rfz.h"

#include <string.h>

typedef struct rfz_vector {
  size_t position;
  uint32_t length;
} rfz_vector;

typedef struct rfz_entry { /* a tensor or a factor */
  size_t stored;           /* where its raw values are */
  uint32_t rows, columns, table;
  int16_t exponent;
  uint8_t kind, argument;
} rfz_entry;

typedef struct {
  int32_t value;
  uint32_t left, count; /* the count: how often it is still to come */
} rfz_symbol;

typedef struct rfz_table {
  uint64_t total;
  rfz_symbol *symbols;
  uint32_t num_symbols;
  uint8_t has_counts, is_read;
} rfz_table;

typedef struct rfz_lookup {
  int16_t stretch[3968];
  uint16_t squash[5633];
} rfz_lookup;

enum { FLAG_INPUTS = 16, SIGN_INPUTS = 7, MAGNITUDE_INPUTS = 10 };

typedef struct rfz_model { /* a set has its weights and then its boost */
  uint32_t form[6], density[4], beyond[31], flag[3][550], sign[3][37], magnitude[2][7][119];
  int32_t flag_sets[4][9][FLAG_INPUTS + 1], flag_ninths[9][FLAG_INPUTS + 1], sign_sets[4][SIGN_INPUTS + 1];
  int32_t magnitude_sets[2][15][MAGNITUDE_INPUTS + 1], magnitude_ninths[9][MAGNITUDE_INPUTS + 1];
  uint32_t last_rows, last_stored;
} rfz_model;

enum { GRID_FLAG_INPUTS = 9, GRID_SIGN_INPUTS = 5, GRID_MAGNITUDE_INPUTS = 8, GRID_NEIGHBOURS = 12 };

typedef struct rfz_grid_model {
  uint32_t beyond[31], flag[850], sign[253], magnitude[7][224];
  int32_t flag_sets[53][GRID_FLAG_INPUTS + 1], sign_sets[1][GRID_SIGN_INPUTS + 1];
  int32_t magnitude_sets[19][GRID_MAGNITUDE_INPUTS + 1];
} rfz_grid_model;

#define HALF_P (UINT32_C(1) << 21)
#define ONE_P (UINT32_C(1) << 22)
#define LEAST_P 64

/* Memory and bytes */

static void *take_memory(rfz_reader *reader, size_t number, size_t size) {
  size_t left = reader->arena_size - reader->taken, skipped = reader->taken % 8 ? 8 - reader->taken % 8 : 0;
  void *found;
  if (skipped > left || number > (left - skipped) / size) return NULL;
  found = reader->arena + reader->taken + skipped;
  reader->taken += skipped + number * size;
  if (reader->taken > reader->arena_used) reader->arena_used = reader->taken;
  return memset(found, 0, number * size);
}

static uint32_t little(const uint8_t *bytes, int number) {
  uint32_t value = 0;
  while (number--) value = value << 8 | bytes[number];
  return value;
}

static int take_bytes(rfz_reader *reader, uint64_t number, size_t *start) {
  if (number > reader->size - reader->position) return RFZ_DAMAGED;
  *start = reader->position;
  reader->position += (size_t)number;
  return RFZ_OK;
}

static int take_varint(rfz_reader *reader, uint64_t *value) {
  int shift;
  *value = 0;
  for (shift = 0; shift < 63; shift += 7) {
    uint8_t byte;
    if (reader->position == reader->size) return RFZ_DAMAGED;
    byte = reader->file[reader->position++];
    *value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return RFZ_OK;
  }
  return RFZ_DAMAGED;
}

static int64_t unzigzag(uint64_t value) { return value & 1 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1); }

static int take_text(rfz_reader *reader, uint32_t at_most, const uint8_t **text, uint32_t *size) {
  uint64_t length;
  size_t start;
  if (take_varint(reader, &length) || length > at_most || take_bytes(reader, length, &start)) return RFZ_DAMAGED;
  *text = reader->file + start;
  *size = (uint32_t)length;
  return RFZ_OK;
}

static uint32_t checksum(const uint8_t *bytes, size_t size) {
  uint32_t crc = UINT32_MAX;
  while (size--) {
    int bit;
    crc ^= *bytes++;
    for (bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
  }
  return ~crc;
}

static int64_t down(int64_t value, int shift) { return value < 0 ? ~(~value >> shift) : value >> shift; }

static int64_t clip(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

static uint32_t magnitude_of(int32_t value) { return value < 0 ? 0 - (uint32_t)value : (uint32_t)value; }

static int sign_of(int32_t value) { return (value > 0) - (value < 0); }

/* The stream */

static void start_stream(rfz_reader *reader, const uint8_t *words, uint32_t num_words) {
  reader->words = words;
  reader->num_words = num_words;
  reader->lower = 0;
  reader->range = UINT64_MAX;
  reader->point = (uint64_t)(num_words > 0 ? little(words, 4) : 0) << 32 | (num_words > 1 ? little(words + 4, 4) : 0);
  reader->words_taken = 2;
}

static uint32_t quantile(rfz_reader *reader) {
  uint64_t found = (reader->point - reader->lower) / (reader->range >> 24);
  reader->is_used = 1;
  if (found >> 24 || reader->words_taken > reader->num_words + UINT64_C(1)) reader->is_broken = 1;
  return reader->is_broken ? 0 : (uint32_t)found;
}

static void take_part(rfz_reader *reader, uint32_t left, uint32_t width) {
  uint64_t scale = reader->range >> 24;
  reader->lower += scale * left;
  reader->range = scale * width;
  if (reader->range >> 32) return;
  reader->lower <<= 32;
  reader->range <<= 32;
  reader->point <<= 32;
  if (reader->words_taken < reader->num_words) reader->point |= little(reader->words + 4 * (size_t)reader->words_taken, 4);
  if (reader->words_taken++ > reader->num_words) reader->is_broken = 1;
}

static int take_bit(rfz_reader *reader, uint32_t x) { /* a broken stream has zeros */
  uint32_t width = (uint32_t)(((131071 - 2 * (uint64_t)x) * 16777214 >> 17) + 1);
  int bit = quantile(reader) >= width;
  if (reader->is_broken) return 0;
  take_part(reader, bit ? width : 0, bit ? (UINT32_C(1) << 24) - width : width);
  return bit;
}

static uint32_t take_even(rfz_reader *reader, int number) {
  uint32_t value = 0;
  while (number--) value = value << 1 | (uint32_t)take_bit(reader, 32768);
  return value;
}

static int end_stream(const rfz_reader *reader) {
  uint32_t wanted = 0;
  if (reader->is_used) {
    uint64_t last = reader->lower + UINT32_MAX, end = reader->lower + reader->range;
    wanted = reader->words_taken - 2 + (last >> 32 == end >> 32 ? 2 : 1);
  }
  return reader->num_words == wanted ? RFZ_END : RFZ_DAMAGED;
}

/* Where a symbol begins: floor(before * s), where s is the IEEE double (2^24 - k) / total, and each step is rounded to
   53 bits, to even; in whole numbers. */
static uint32_t begins(uint32_t before, uint32_t total, uint32_t num_symbols) {
  uint64_t numerator = (UINT32_C(1) << 24) - num_symbols, s = numerator / total, rest = numerator % total, low, high;
  int exponent = 0, shift = 0;
  for (; s >> 52 == 0; exponent++) {
    rest <<= 1;
    s = s << 1 | (rest >= total);
    if (rest >= total) rest -= total;
  }
  if (2 * rest > total || (2 * rest == total && (s & 1))) s++;
  low = before * (s & UINT32_MAX);
  high = before * (s >> 32) + (low >> 32);
  low = (high << 32) | (low & UINT32_MAX);
  high >>= 32;
  while (high >> shift || (shift < 12 && low >> 53 >> shift)) shift++;
  if (shift) { /* 53 bits stay */
    uint64_t kept = (high << (64 - shift)) | low >> shift, lost = low & ((UINT64_C(1) << shift) - 1);
    uint64_t half = UINT64_C(1) << (shift - 1);
    low = kept + (lost > half || (lost == half && (kept & 1)));
  }
  return exponent - shift > 63 ? 0 : (uint32_t)(low >> (exponent - shift));
}

static int take_table(rfz_reader *reader, rfz_table *table) {
  uint64_t left = table->total, value, frequency;
  int64_t symbol;
  uint32_t i, before = 0;
  table->is_read = 1;
  if (!left) return RFZ_OK;
  if (left > UINT32_MAX) return RFZ_TOO_LARGE;
  if (take_varint(reader, &value)) return RFZ_DAMAGED;
  if (!(table->symbols = take_memory(reader, 0, sizeof *table->symbols))) return RFZ_ARENA; /* one after the other */
  for (symbol = unzigzag(value); left; symbol++) {
    rfz_symbol *found;
    if (take_varint(reader, &frequency)) return RFZ_DAMAGED;
    if (!frequency) {
      if (take_varint(reader, &value) || !value || value >> 33 || !table->num_symbols) return RFZ_DAMAGED;
      symbol += (int64_t)value;
      if (take_varint(reader, &frequency)) return RFZ_DAMAGED;
    }
    if (!frequency || frequency > left || symbol < INT32_MIN || symbol > INT32_MAX || table->num_symbols == 65536)
      return RFZ_DAMAGED;
    if (sizeof *found > reader->arena_size - reader->taken) return RFZ_ARENA;
    found = table->symbols + table->num_symbols++;
    reader->taken += sizeof *found;
    found->value = (int32_t)symbol;
    found->count = (uint32_t)frequency;
    left -= frequency;
  }
  for (i = 0; i < table->num_symbols; i++) {
    table->symbols[i].left = begins(before, (uint32_t)table->total, table->num_symbols) + i;
    before += table->symbols[i].count;
  }
  if (reader->taken > reader->arena_used) reader->arena_used = reader->taken;
  return RFZ_OK;
}

static int read_symbols(rfz_reader *reader, rfz_table *table, int32_t *values, uint32_t number) {
  uint32_t i;
  for (i = 0; i < number; i++) {
    uint32_t low = 0, high = table->num_symbols;
    if (high > 1) {
      uint32_t found = quantile(reader), end;
      while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (table->symbols[middle].left <= found) low = middle;
        else high = middle;
      }
      if (reader->is_broken) return RFZ_DAMAGED;
      end = high < table->num_symbols ? table->symbols[high].left : UINT32_C(1) << 24;
      take_part(reader, table->symbols[low].left, end - table->symbols[low].left);
    }
    if (!table->symbols[low].count--) return RFZ_DAMAGED;
    values[i] = table->symbols[low].value;
  }
  return RFZ_OK;
}

/* Numbers */

static uint8_t logarithm_of(uint32_t i) { /* A[i] */
  uint64_t y = (uint64_t)(i + 4096) << 18, bits = 0;
  int k;
  for (k = 0; k < 20; k++) {
    y = y * y >> 30;
    bits = bits << 1 | y >> 31;
    if (y >> 31) y >>= 1;
  }
  return (uint8_t)((11629080 * bits + (UINT64_C(1) << 35)) >> 36);
}

static int logarithm(const uint8_t *A, uint32_t x) { /* L(x) */
  int e = 0;
  while (x >> e > 1) e++;
  return A[(e > 12 ? x >> (e - 12) : x << (12 - e)) - 4096] + (int)((11629080 * (uint32_t)e + 32768) >> 16);
}

static int make_lookup(rfz_reader *reader) {
  uint32_t i, q = 0;
  uint8_t *A;
  reader->lookup = take_memory(reader, 1, sizeof *reader->lookup);
  A = take_memory(reader, 4096, 1);
  if (!A || !reader->lookup) return RFZ_ARENA;
  reader->taken -= 4096; /* no longer needed */
  for (i = 0; i < 4096; i++) A[i] = logarithm_of(i);
  for (i = 0; i < 3968; i++) {
    uint32_t middle = i < 2048 ? 64 * i + 32 : 2048 * (i - 1984) + 1024;
    reader->lookup->stretch[i] = (int16_t)clip(logarithm(A, middle) - logarithm(A, ONE_P - middle), -2816, 2816);
  }
  for (i = 0; i < 5633; i++) {
    while (q < 65535 && logarithm(A, 2 * q + 1) - logarithm(A, 131071 - 2 * q) < (int)i - 2816) q++;
    reader->lookup->squash[i] = (uint16_t)q;
  }
  return RFZ_OK;
}

static int stretch(const rfz_reader *reader, uint32_t p) {
  if (p < UINT32_C(1) << 17) return reader->lookup->stretch[p >> 6];
  if (p < ONE_P - (UINT32_C(1) << 17)) return reader->lookup->stretch[1984 + (p >> 11)];
  return -reader->lookup->stretch[(ONE_P - 1 - p) >> 6];
}

static uint32_t squash(const rfz_reader *reader, int logit) { return reader->lookup->squash[logit + 2816]; }

static int clip_logit(int64_t logit) { return (int)clip(logit, -2816, 2816); }

static uint32_t new_state(uint32_t p, uint32_t n) { return p << 10 | n; }

static uint32_t p_of(uint32_t state) { return state >> 10; }

static uint32_t clip_p(int64_t p) { return (uint32_t)clip(p, LEAST_P, ONE_P - LEAST_P); }

static void meet(uint32_t *state, uint32_t p, uint32_t n) {
  if (!*state) *state = new_state(p, n);
}

static void learn(uint32_t *state, int bit, uint32_t limit) {
  uint32_t n = *state & 1023;
  int64_t p = p_of(*state);
  p += down(((bit ? (int64_t)ONE_P : 0) - p) * (131072 / (2 * n + 3)), 16);
  *state = new_state(clip_p(p), n < limit ? n + 1 : n);
}

static int take_state_bit(rfz_reader *reader, uint32_t *state, uint32_t limit) {
  int bit = take_bit(reader, p_of(*state) >> 6);
  learn(state, bit, limit);
  return bit;
}

static uint32_t ratio(uint64_t part, uint64_t total) {
  int s = 0;
  while (total >> s >> 16) s++;
  part >>= s;
  if (part > UINT32_MAX) part = UINT32_MAX;
  return clip_p((int64_t)(part * ((UINT64_C(1) << 32) / (total >> s)) >> 26));
}

static int32_t wrap(int64_t value) {
  uint32_t low = (uint32_t)(uint64_t)value;
  return low > INT32_MAX ? -(int32_t)(UINT32_MAX - low) - 1 : (int32_t)low;
}

/* A bit under two or three sets of weights, or one, which learn it. */
static int take_mixed_bit(rfz_reader *reader, const int *inputs, int num_inputs, int32_t *const *sets, int num_sets,
                          int rate) {
  int logits[3], sum = 0, i, j, bit;
  for (j = 0; j < num_sets; j++) {
    int64_t total = 0;
    for (i = 0; i < num_inputs; i++) total += (int64_t)sets[j][i] * inputs[i];
    sum += logits[j] = clip_logit(down(total, 16));
  }
  if (num_sets == 2) sum = (int)down(sum, 1);
  if (num_sets == 3) sum = (int)down((int64_t)sum * 21845, 16);
  bit = take_bit(reader, squash(reader, sum));
  for (j = 0; j < num_sets; j++) {
    int64_t error = (bit ? 65536 : 0) - (int64_t)squash(reader, logits[j]);
    int64_t pace = rate + (sets[j][num_inputs] >> 16);
    for (i = 0; i < num_inputs; i++)
      sets[j][i] = wrap(sets[j][i] + down(inputs[i] * error * pace + (1 << 23), 24));
    sets[j][num_inputs] -= sets[j][num_inputs] >> 12;
  }
  return bit;
}

static void fill_sets(int32_t *sets, int num_sets, int num_inputs, const int32_t *weights, int boost) {
  for (; num_sets--; sets += num_inputs + 1) {
    memcpy(sets, weights, (size_t)num_inputs * sizeof *sets);
    sets[num_inputs] = boost * 65536;
  }
}

static void fill_states(uint32_t *states, int number, uint32_t n) {
  while (number--) *states++ = new_state(HALF_P, n);
}

static int level(uint64_t number) {
  static const uint8_t from[] = {1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40};
  int found = 0;
  while (found < 11 && number >= from[found]) found++;
  return found;
}

static int at_most(uint64_t number, int most) { return number > (uint64_t)most ? most : (int)number; }

/* The bits beyond a magnitude of 15, and the sign: a value that is not zero. */
static int32_t whole_value(rfz_reader *reader, uint32_t *beyond, uint32_t magnitude, int is_negative) {
  if (magnitude > 15) {
    int digits = 0;
    uint64_t rest;
    while (digits < 31 && take_state_bit(reader, beyond + digits, 1020)) digits++;
    rest = (UINT64_C(1) << digits | take_even(reader, digits)) + 15;
    if (rest > (uint64_t)INT32_MAX + (is_negative ? 1 : 0)) reader->is_broken = 1;
    magnitude = (uint32_t)rest;
  }
  return is_negative ? wrap(-(int64_t)magnitude) : wrap(magnitude);
}

static int class_of(int k) { return k <= 4 ? k - 1 : k <= 6 ? 4 : k <= 9 ? 5 : 6; }

/* The model */

static int start_model(rfz_reader *reader) {
  static const int32_t flag[] = {-11534, 12648, 8847, 2687, 197, 6750, 3539, 721,
                                 11993,  11207, 12190, -5243, -29164, 3473, 11993, -15073};
  static const int32_t sign[] = {48824, 55181, 24904, 7143, -60359, -16187, -14418};
  static const int32_t magnitude[] = {-17236, 12321, -852, 9765, 10486, 9568, 2818, 10617, 2687, 6291};
  static const uint32_t density[] = {1439271, 703393, 714178, 2917045};
  rfz_model *model = reader->model = take_memory(reader, 1, sizeof *model);
  int i;
  if (!model) return RFZ_ARENA;
  for (i = 0; i < 4; i++) model->density[i] = new_state(density[i], 2);
  fill_states(model->form, 6, 2);
  fill_states(model->beyond, 31, 2);
  fill_states(model->sign[0], 3 * 37, 4);
  fill_sets(model->flag_sets[0][0], 4 * 9, FLAG_INPUTS, flag, 277);
  fill_sets(model->flag_ninths[0], 9, FLAG_INPUTS, flag, 277);
  fill_sets(model->sign_sets[0], 4, SIGN_INPUTS, sign, 2396);
  fill_sets(model->magnitude_sets[0][0], 2 * 15, MAGNITUDE_INPUTS, magnitude, 85);
  fill_sets(model->magnitude_ninths[0], 9, MAGNITUDE_INPUTS, magnitude, 85);
  return RFZ_OK;
}

typedef struct { /* a matrix as it is coded */
  int kind, family, has_lines;
  uint32_t rows, columns, size, width;
  int32_t *values;
  uint32_t *count, *sign; /* for each column: non-zeros so far, and a state */
  uint64_t *sum;          /* and the sum of their magnitudes */
  uint32_t *channel_count;
  uint64_t *channel_sum;
  uint32_t count_row, count_all, row_sign, nearby, row_density;
  uint64_t sum_row, sum_all;
} matrix;

typedef struct {
  int32_t left, left2, up, up2, upleft, upright, earlier, earlier2, over, over2, overleft, overright;
  uint32_t near, place, ninth;
  uint64_t inrow, others;
} around;

static int32_t before(const int32_t *row, uint32_t x, uint32_t back) { return x >= back ? row[x - back] : 0; }

static void look_around(const matrix *m, uint32_t r, uint32_t x, around *a) {
  const int32_t *row = m->values + (size_t)r * m->columns;
  memset(a, 0, sizeof *a);
  a->left = before(row, x, 1);
  a->left2 = before(row, x, 2);
  if (m->has_lines) {
    a->up = before(row, x, m->width);
    if (x >= m->width) a->up2 = before(row, x - m->width, m->width);
    a->upleft = x >= m->width ? before(row, x - m->width, 1) : 0;
    a->upright = before(row, x, m->width - 1);
  }
  if (m->kind == 0) {
    uint32_t place = x % m->size, in_line = m->has_lines ? place % m->width : 0;
    a->earlier = before(row, x, m->size);
    if (x >= m->size) a->earlier2 = before(row, x - m->size, m->size);
    if (m->has_lines) {
      if (in_line == 0) a->left = a->upleft = 0;
      if (in_line < 2) a->left2 = 0;
      if (in_line == m->width - 1) a->upright = 0;
      if (place < m->width) a->up = a->upleft = a->upright = 0;
      if (place / m->width < 2) a->up2 = 0;
    }
  }
  if (r) {
    const int32_t *above = row - m->columns;
    a->over = above[x];
    a->overleft = before(above, x, 1);
    a->overright = x + 1 < m->columns ? above[x + 1] : 0;
    if (r > 1) a->over2 = *(above - m->columns + x);
  }
  a->near = (uint32_t)(!!a->left + !!a->up + !!a->upleft + !!a->upright + !!a->earlier + !!a->over);
  a->inrow = 2 * ((uint64_t)magnitude_of(a->left) + magnitude_of(a->up)) + magnitude_of(a->upleft) +
             magnitude_of(a->upright) + magnitude_of(a->left2) + magnitude_of(a->up2);
  a->others = 2 * ((uint64_t)magnitude_of(a->over) + magnitude_of(a->earlier)) + magnitude_of(a->over2) +
              magnitude_of(a->earlier2) + magnitude_of(a->overleft) + magnitude_of(a->overright);
  a->place = m->kind == 0   ? x % m->size
             : m->kind == 1 ? x % m->width
                            : (uint32_t)(8 * (uint64_t)x / m->columns);
  a->ninth = m->kind == 0   ? (uint32_t)(9 * (uint64_t)a->place / m->size)
             : m->kind == 1 ? 9 * a->place / m->width
                            : a->place;
}

static uint64_t count_at(const matrix *m, uint64_t x, int64_t offset) {
  x += (uint64_t)offset;
  return x < m->columns ? m->count[x] : 0;
}

static int bucket(int logit) { return (int)clip((logit + 1920) / 320, 0, 11); }

static int take_flag(rfz_reader *reader, matrix *m, uint32_t r, uint32_t x, const around *a) {
  rfz_model *model = reader->model;
  uint32_t *density = model->density + m->kind, *family = model->flag[m->family], *states[8], prior;
  uint32_t D = p_of(*density) >> 6;
  uint64_t total = r, sum, lines = m->has_lines ? 8 : 0;
  int inputs[FLAG_INPUTS], rowl, widel, channell = 0, columnl, bothl, dense, i, bit;
  int64_t w = m->width;
  int32_t *sets[3];
  sum = 2 * count_at(m, x, -1) + 2 * count_at(m, x, 1) + count_at(m, x, -2) + count_at(m, x, 2);
  if (m->has_lines)
    sum += 2 * count_at(m, x, -w) + 2 * count_at(m, x, w) + count_at(m, x, -w - 1) + count_at(m, x, 1 - w) +
           count_at(m, x, w - 1) + count_at(m, x, w + 1);
  rowl = stretch(reader, ratio(((uint64_t)m->count_row << 20) + 42 * (uint64_t)(m->row_density >> 6),
                               16 * (uint64_t)x + 42));
  widel = stretch(reader, ratio(((4 * (uint64_t)m->count[x] + sum) << 20) + 476 * D, 16 * total * (10 + lines) + 476));
  if (m->kind == 0) {
    channell = stretch(reader, ratio(((uint64_t)m->channel_count[x / m->size] << 16) + 2 * D, m->size * total + 2));
    sum += count_at(m, x, -(int64_t)m->size) + count_at(m, x, m->size);
  }
  prior = ratio((sum << 16) + 10 * D, total * (6 + lines + (m->kind == 0 ? 2 : 0)) + 10);
  columnl = stretch(reader, ratio(((uint64_t)m->count[x] << 20) + 5722 * (uint64_t)(prior >> 6), 16 * total + 5722));
  bothl = clip_logit(rowl + widel - stretch(reader, p_of(*density)));
  dense = bucket(bothl);
  states[0] = density;
  states[1] = family + !!a->left + 2 * !!a->left2 + 4 * !!a->up + 8 * !!a->upleft + 16 * !!a->upright + 32 * !!a->up2;
  states[2] = family + 64 + 12 * bucket(rowl) + bucket(columnl);
  states[3] = family + 208 + 8 * at_most((uint64_t)level(a->inrow), 7) + at_most((uint64_t)level(a->others), 7);
  states[4] = family + 272 + !!a->over + 2 * !!a->over2 + 4 * !!a->overleft + 8 * !!a->overright + 16 * !!a->earlier +
              32 * !!a->earlier2;
  states[5] = family + 336 + (a->place & 63);
  states[6] = family + 400 + 8 * dense + 2 * at_most(a->near, 3) + (a->left || a->up);
  states[7] = family + 496 + 6 * a->ninth + dense / 2;
  prior = clip_p(64 * (int64_t)squash(reader, bothl));
  for (i = 0; i < 8; i++) {
    meet(states[i], prior, 1);
    inputs[i] = stretch(reader, p_of(*states[i]));
  }
  inputs[8] = columnl;
  inputs[9] = widel;
  inputs[10] = stretch(reader, p_of(m->nearby));
  inputs[11] = bothl;
  inputs[12] = 256;
  inputs[13] = 256 * at_most(a->near, 3);
  inputs[14] = channell;
  inputs[15] = rowl;
  sets[0] = model->flag_sets[m->kind][at_most(a->near, 2)];
  sets[1] = model->flag_sets[m->kind][3 + dense / 2];
  sets[2] = model->flag_ninths[a->ninth];
  bit = take_mixed_bit(reader, inputs, FLAG_INPUTS, sets, m->kind == 0 ? 3 : 2, 38);
  for (i = 0; i < 8; i++) learn(states[i], bit, i ? 410 : 951);
  learn(&m->nearby, bit, 15);
  return bit;
}

static int take_sign(rfz_reader *reader, matrix *m, uint32_t x, const around *a) {
  uint32_t *family = reader->model->sign[m->family], *states[SIGN_INPUTS];
  int32_t *set = reader->model->sign_sets[m->kind];
  int inputs[SIGN_INPUTS], i, bit;
  states[0] = family + (3 * sign_of(a->left) + sign_of(a->up) + 4);
  states[1] = family + 9 + 3 * sign_of(a->upleft) + sign_of(a->upright) + 4;
  states[2] = family + 18 + 3 * sign_of(a->over) + sign_of(a->earlier) + 4;
  states[3] = family + 27 + 3 * sign_of(a->overleft) + sign_of(a->left2) + 4;
  states[4] = family + 36;
  states[5] = &m->row_sign;
  states[6] = m->sign + x;
  for (i = 0; i < SIGN_INPUTS; i++) inputs[i] = stretch(reader, p_of(*states[i]));
  bit = take_mixed_bit(reader, inputs, SIGN_INPUTS, &set, 1, 973);
  for (i = 0; i < SIGN_INPUTS; i++) learn(states[i], bit, 282);
  return bit;
}

static uint64_t mean(uint64_t sum, uint64_t number) {
  uint64_t found = (8 * sum + 12) / (number + 1);
  return found > 1023 ? 1023 : found;
}

static int step_of(uint64_t e) { return e / 2 < 3 ? 0 : level(e / 2 - 3); }

static uint32_t take_magnitude(rfz_reader *reader, matrix *m, uint32_t x, const around *a) {
  rfz_model *model = reader->model;
  int family = m->kind != 0, wide, place[10], inputs[MAGNITUDE_INPUTS], i, k;
  uint64_t row = mean(m->sum_row, m->count_row), column = mean(m->sum[x], m->count[x]);
  if (m->kind == 0) {
    wide = step_of(mean(m->channel_sum[x / m->size], m->channel_count[x / m->size]));
  } else {
    uint64_t sum = m->sum[x], number = m->count[x] + count_at(m, x, -1) + count_at(m, x, 1);
    if (x) sum += m->sum[x - 1];
    if (x + 1 < m->columns) sum += m->sum[x + 1];
    wide = step_of(mean(sum, number));
  }
  place[0] = 0;
  place[1] = 1 + at_most((uint64_t)level((uint64_t)magnitude_of(a->left) + magnitude_of(a->up)), 7);
  place[2] = 9 + at_most((uint64_t)level((uint64_t)magnitude_of(a->over) + magnitude_of(a->earlier)), 7);
  place[3] = 17 + step_of(row);
  place[4] = 29 + step_of(column);
  place[5] = 41 + level((a->inrow + a->others) / 2);
  place[6] = 53 + step_of(row * column * ((uint64_t)m->count_all + 1) / (8 * m->sum_all + 12));
  place[7] = 65 + wide;
  place[8] = 77 + at_most(a->near, 5);
  place[9] = 83 + 6 * (step_of(row) / 2) + wide / 2;
  for (k = 1; k <= 15; k++) {
    uint32_t(*states)[119] = model->magnitude[family] + class_of(k);
    int32_t *sets[3];
    int bit;
    meet(&states[0][0], k > 1 ? p_of(model->magnitude[family][class_of(k - 1)][0]) : 1398101, 1);
    for (i = 0; i < 10; i++) {
      meet(&states[0][place[i]], p_of(states[0][0]), 1);
      inputs[i] = stretch(reader, p_of(states[0][place[i]]));
    }
    sets[0] = model->magnitude_sets[family][at_most((uint64_t)k, 3) - 1];
    sets[1] = model->magnitude_sets[family][3 + step_of(row)];
    sets[2] = model->magnitude_ninths[a->ninth];
    bit = take_mixed_bit(reader, inputs, MAGNITUDE_INPUTS, sets, m->kind == 0 ? 3 : 2, 450);
    for (i = 0; i < 10; i++) learn(&states[0][place[i]], bit, 1020);
    if (!bit) break;
  }
  return (uint32_t)k;
}

static int read_matrix(rfz_reader *reader, matrix *m) {
  uint32_t r, x, above = 0, above2 = 0, num_channels = (m->columns - 1) / m->size + 1;
  m->sum = take_memory(reader, m->columns, sizeof *m->sum);
  m->count = take_memory(reader, m->columns, sizeof *m->count);
  m->sign = take_memory(reader, m->columns, sizeof *m->sign);
  m->channel_sum = take_memory(reader, num_channels, sizeof *m->channel_sum);
  m->channel_count = take_memory(reader, num_channels, sizeof *m->channel_count);
  if (!m->sum || !m->count || !m->sign || !m->channel_sum || !m->channel_count) return RFZ_ARENA;
  for (x = 0; x < m->columns; x++) m->sign[x] = new_state(HALF_P, 2);
  for (r = 0; r < m->rows; r++) {
    uint64_t p = p_of(reader->model->density[m->kind]), width = m->columns;
    if (r == 0) m->row_density = (uint32_t)p;
    else if (r == 1) m->row_density = clip_p((int64_t)((((uint64_t)above << 23) + 11 * p) / (2 * width + 11)));
    else m->row_density = clip_p((int64_t)((((2 * (uint64_t)above + above2) << 22) + 11 * p) / (3 * width + 11)));
    m->nearby = new_state(m->row_density, 2);
    m->row_sign = new_state(HALF_P, 2);
    m->count_row = 0;
    m->sum_row = 0;
    for (x = 0; x < m->columns; x++) {
      around a;
      uint32_t magnitude;
      int is_negative;
      look_around(m, r, x, &a);
      if (take_flag(reader, m, r, x, &a)) {
        int32_t *value = m->values + (size_t)r * m->columns + x;
        is_negative = take_sign(reader, m, x, &a);
        *value = whole_value(reader, reader->model->beyond, take_magnitude(reader, m, x, &a), is_negative);
        magnitude = magnitude_of(*value);
        m->count[x]++;
        m->sum[x] += magnitude;
        m->channel_count[x / m->size]++;
        m->channel_sum[x / m->size] += magnitude;
        m->count_row++;
        m->sum_row += magnitude;
        m->count_all++;
        m->sum_all += magnitude;
      }
      if (reader->is_broken) return RFZ_DAMAGED;
    }
    above2 = above;
    above = m->count_row;
  }
  return RFZ_OK;
}

/* Forms */

static int take_number(rfz_reader *reader, uint32_t all, uint32_t *number) {
  int bits = 0;
  while (bits < 32 && (all - 1) >> bits) bits++;
  *number = take_even(reader, bits);
  if (*number >= all) return RFZ_DAMAGED;
  ++*number;
  return RFZ_OK;
}

static int is_so(rfz_reader *reader, int whether) { return take_state_bit(reader, reader->model->form + whether, 410); }

static int read_adaptive(rfz_reader *reader, const rfz_tensor *tensor, rfz_section *s) {
  rfz_model *model = reader->model;
  uint32_t last_rows = model->last_rows, last_stored = model->last_stored, i, num_axes = tensor ? tensor->num_axes : 2;
  matrix m;
  int is_transposed = 0, result;
  memset(&m, 0, sizeof m);
  if (num_axes > 1) {
    model->last_rows = s->rows;
    model->last_stored = 0;
  }
  if (!s->rows || !s->columns || !is_so(reader, 0)) return RFZ_OK;
  s->stored_rows = s->rows;
  s->stored_columns = s->columns;
  if (num_axes > 1 && !is_so(reader, 1) && take_number(reader, s->rows, &s->stored_rows)) return RFZ_DAMAGED;
  if (!is_so(reader, 2)) {
    uint64_t likely = last_rows && s->columns % last_rows == 0 ? (uint64_t)(s->columns / last_rows) * last_stored : 0;
    if (likely > 0 && likely < s->columns && is_so(reader, 3)) s->stored_columns = (uint32_t)likely;
    else if (take_number(reader, s->columns, &s->stored_columns)) return RFZ_DAMAGED;
  }
  m.size = 1;
  for (i = 2; i < num_axes; i++) m.size *= tensor->shape[i];
  m.kind = m.size > 1 ? 0 : num_axes > 1 ? 2 : 3;
  if (m.kind == 0 && num_axes > 3 && tensor->shape[num_axes - 1] > 2) m.width = tensor->shape[num_axes - 1];
  if (m.kind == 2) is_transposed = is_so(reader, 4);
  m.rows = is_transposed ? s->stored_columns : s->stored_rows;
  m.columns = is_transposed ? s->stored_rows : s->stored_columns;
  if (m.kind == 2 && is_so(reader, 5)) {
    m.width = take_even(reader, 6) + 1;
    m.kind = 1;
    if (m.width < 3 || m.width > m.columns) return RFZ_DAMAGED;
  }
  if (reader->is_broken) return RFZ_DAMAGED;
  m.family = m.kind > 2 ? 2 : m.kind;
  m.has_lines = m.width > 0;
  if (num_axes > 1) model->last_stored = s->stored_rows;
  m.values = take_memory(reader, (size_t)m.rows * m.columns, sizeof *m.values); /* below 2^31: fits in size_t */
  if (!m.values) return RFZ_ARENA;
  result = read_matrix(reader, &m);
  s->integers = m.values;
  s->row_stride = is_transposed ? 1 : m.columns;
  s->column_stride = is_transposed ? m.columns : 1;
  return result;
}

/* Grids */

static int start_grids(rfz_reader *reader) {
  static const int32_t flag[] = {3277, 6554, 3277, 14418, 9830, 13107, 13107, 6554, 26214};
  static const int32_t sign[] = {13107, 7864, 26214, 19661, 6554};
  static const int32_t magnitude[] = {-26214, 13107, 19661, 3277, 13107, 3277, 13107, 3277};
  rfz_grid_model *model = reader->grids = take_memory(reader, 1, sizeof *model);
  if (!model) return RFZ_ARENA;
  fill_states(model->beyond, 31, 2);
  fill_states(model->sign, 253, 4);
  fill_sets(model->flag_sets[0], 53, GRID_FLAG_INPUTS, flag, 277);
  fill_sets(model->sign_sets[0], 1, GRID_SIGN_INPUTS, sign, 2396);
  fill_sets(model->magnitude_sets[0], 19, GRID_MAGNITUDE_INPUTS, magnitude, 85);
  return RFZ_OK;
}

typedef struct {
  int32_t left, left2, left3, up, upleft, upleft2, upright, upright2, upright3, over, overleft, overright;
  uint64_t first, second, far;
  int fast, slow, size;
  int64_t expected;
} on_grid;

static int grid_bucket(uint64_t e) {
  uint64_t r = e >> 3;
  int f = 0;
  while (r >= 8) {
    r >>= 1;
    f += 4;
  }
  return at_most((uint64_t)f + r, 31);
}

static int take_grid_flag(rfz_reader *reader, const on_grid *a) {
  rfz_grid_model *model = reader->grids;
  uint32_t *states[8];
  int32_t *sets[3];
  int inputs[GRID_FLAG_INPUTS], g = (int64_t)a->left + a->up + a->upright < 0 ? -1 : 1, i, bit;
  states[0] = model->flag;
  states[1] = model->flag + 1 + a->fast;
  states[2] = model->flag + 33 + a->slow;
  states[3] = model->flag + 65 + 45 * (g * (int)clip(a->left, -2, 2) + 2) + 9 * (g * (int)clip(a->up, -2, 2) + 2) +
              3 * g * sign_of(a->upright) + g * sign_of(a->upleft) + 4;
  states[4] = model->flag + 290 + 8 * at_most((uint64_t)level(a->far), 7) + at_most((uint64_t)level(a->first), 7);
  states[5] = model->flag + 354 + !!a->left + 2 * !!a->up + 4 * !!a->upleft + 8 * !!a->upright + 16 * !!a->left2 +
              32 * !!a->over + 64 * !!a->upright2 + 128 * !!a->overright;
  states[6] = model->flag + 610 + a->size;
  states[7] = model->flag + 642 + 8 * (a->size / 2) + a->slow / 4;
  meet(states[0], HALF_P, 1);
  meet(states[1], p_of(*states[0]), 1);
  meet(states[2], p_of(*states[0]), 1);
  for (i = 0; i < 8; i++) {
    meet(states[i], (p_of(*states[1]) + p_of(*states[2])) >> 1, 1);
    inputs[i] = stretch(reader, p_of(*states[i]));
  }
  inputs[8] = 256;
  sets[0] = model->flag_sets[!!a->left + !!a->up + !!a->upleft + !!a->upright];
  sets[1] = model->flag_sets[5 + a->slow];
  sets[2] = model->flag_sets[37 + a->size / 2];
  bit = take_mixed_bit(reader, inputs, GRID_FLAG_INPUTS, sets, 3, 38);
  for (i = 0; i < 8; i++) learn(states[i], bit, 1020);
  return bit;
}

static int take_grid_sign(rfz_reader *reader, const on_grid *a) {
  rfz_grid_model *model = reader->grids;
  int side = a->expected > 0 ? a->size : 32 + a->size, inputs[GRID_SIGN_INPUTS], i, bit;
  int32_t *set = model->sign_sets[0];
  uint32_t *states[GRID_SIGN_INPUTS];
  states[0] = model->sign + (3 * sign_of(a->upleft) + sign_of(a->upright) + 4);
  states[1] = model->sign + 9 + 3 * sign_of(a->left2) + sign_of(a->over) + 4;
  states[2] = model->sign + 18 + 9 * sign_of(a->left) + 3 * sign_of(a->up) + sign_of(a->upright) + 13;
  states[3] = model->sign + 45 + side;
  states[4] = model->sign + 109 + side / 4 + 16 * (3 * at_most(a->first, 2) + at_most(a->second, 2));
  for (i = 0; i < GRID_SIGN_INPUTS; i++) inputs[i] = stretch(reader, p_of(*states[i]));
  bit = take_mixed_bit(reader, inputs, GRID_SIGN_INPUTS, &set, 1, 200);
  for (i = 0; i < GRID_SIGN_INPUTS; i++) learn(states[i], bit, 282);
  return bit;
}

static uint32_t take_grid_magnitude(rfz_reader *reader, const on_grid *a, int is_negative) {
  rfz_grid_model *model = reader->grids;
  int inputs[GRID_MAGNITUDE_INPUTS], i, k;
  int64_t e = is_negative ? -a->expected : a->expected;
  for (k = 1; k <= 15; k++) {
    uint32_t *states = model->magnitude[class_of(k)], limit = (uint32_t)k;
    int larger = 3 * ((magnitude_of(a->left) > limit) + (magnitude_of(a->up) > limit) +
                      (magnitude_of(a->upleft) > limit) + (magnitude_of(a->upright) > limit)) +
                 (magnitude_of(a->left2) > limit) + (magnitude_of(a->over) > limit);
    int ahead = (int)clip(down(e - 256 * k + 1024, 6), 0, 31), place[7], bit;
    int32_t *sets[2];
    place[0] = 0;
    place[1] = 1 + level(a->first);
    place[2] = 13 + larger;
    place[3] = 28 + a->slow;
    place[4] = 60 + ahead;
    place[5] = 92 + level(a->second);
    place[6] = 104 + 15 * (ahead / 4) + larger;
    meet(states, k > 1 ? p_of(model->magnitude[class_of(k - 1)][0]) : 1398101, 1);
    for (i = 0; i < 7; i++) {
      meet(states + place[i], p_of(states[0]), 1);
      inputs[i] = stretch(reader, p_of(states[place[i]]));
    }
    inputs[7] = 256;
    sets[0] = model->magnitude_sets[at_most((uint64_t)k, 3) - 1];
    sets[1] = model->magnitude_sets[3 + a->fast / 2];
    bit = take_mixed_bit(reader, inputs, GRID_MAGNITUDE_INPUTS, sets, 2, 600);
    for (i = 0; i < 7; i++) learn(states + place[i], bit, 1020);
    if (!bit) break;
  }
  return (uint32_t)k;
}

static int32_t grid_at(const int32_t *line, uint32_t width, int64_t x) {
  return line && x >= 0 && x < (int64_t)width ? line[x] : 0;
}

static int read_channel(rfz_reader *reader, int32_t *values, uint32_t lines, uint32_t width, int32_t *fast,
                        int32_t *slow, int32_t *weights) {
  uint32_t y, x;
  for (y = 0; y < lines; y++) {
    int32_t *line = values + (size_t)y * width;
    const int32_t *above = y ? line - width : NULL, *above2 = y > 1 ? line - 2 * (size_t)width : NULL;
    for (x = 0; x < width; x++) {
      on_grid a;
      int32_t t[GRID_NEIGHBOURS], f, s, v = 0;
      int64_t sum = 0, squares = 0, mean_of;
      int i;
#define AT(row, offset) grid_at(row, width, (int64_t)x + (offset))
      t[0] = a.left = AT(line, -1);
      t[1] = a.up = AT(above, 0);
      t[2] = a.upleft = AT(above, -1);
      t[3] = a.upright = AT(above, 1);
      t[4] = a.left2 = AT(line, -2);
      t[5] = a.over = AT(above2, 0);
      t[6] = a.upright2 = AT(above, 2);
      t[7] = a.overright = AT(above2, 1);
      t[8] = a.upleft2 = AT(above, -2);
      t[9] = a.overleft = AT(above2, -1);
      t[10] = a.left3 = AT(line, -3);
      t[11] = a.upright3 = AT(above, 3);
      a.first = (uint64_t)magnitude_of(a.left) + magnitude_of(a.up);
      a.second = (uint64_t)magnitude_of(a.upleft) + magnitude_of(a.upright);
      a.far = (uint64_t)magnitude_of(a.left2) + magnitude_of(a.over) + magnitude_of(a.upright2) +
              magnitude_of(a.overright) + magnitude_of(a.overleft) + magnitude_of(a.upleft2);
      f = (3 * (AT(fast, -1) + AT(fast, 0)) + 2 * AT(fast, 1)) >> 3;
      s = (3 * (AT(slow, -1) + AT(slow, 0)) + AT(slow, 1) + AT(slow, 2)) >> 3;
#undef AT
      a.fast = grid_bucket((uint64_t)f);
      a.slow = grid_bucket((uint64_t)s);
      for (i = 0; i < GRID_NEIGHBOURS; i++) {
        t[i] = (int32_t)clip(t[i], -255, 255);
        sum += (int64_t)weights[i] * t[i];
        squares += t[i] * t[i];
      }
      a.expected = clip(down(sum, 8), -32768, 32768);
      a.size = grid_bucket((uint64_t)(a.expected < 0 ? -a.expected : a.expected));
      if (take_grid_flag(reader, &a)) {
        int is_negative = take_grid_sign(reader, &a);
        v = whole_value(reader, reader->grids->beyond, take_grid_magnitude(reader, &a, is_negative), is_negative);
      }
      if (reader->is_broken) return RFZ_DAMAGED;
      line[x] = v;
      mean_of = 256 * (int64_t)at_most(magnitude_of(v), 63);
      fast[x] = (int32_t)(f + down(5 * (mean_of - f), 4));
      slow[x] = (int32_t)(s + down(mean_of - s, 3));
      if (squares) {
        int64_t error = 256 * (256 * clip(v, -255, 255) - a.expected), divisor = squares + 1;
        int64_t pace = error < 0 ? -((-error + divisor - 1) / divisor) : error / divisor;
        for (i = 0; i < GRID_NEIGHBOURS; i++)
          weights[i] = (int32_t)clip(weights[i] + down(t[i] * pace, 4), -524288, 524288);
      }
    }
  }
  return RFZ_OK;
}

static int read_grid(rfz_reader *reader, const rfz_tensor *tensor, rfz_section *s) {
  int32_t weights[GRID_NEIGHBOURS] = {20000, 20000, -5000, 5000}, *values, *fast, *slow;
  uint32_t lines = tensor->shape[tensor->num_axes - 2], width = tensor->shape[tensor->num_axes - 1];
  size_t plane = (size_t)lines * width, number = (size_t)s->rows * s->columns, start;
  if (!number || !take_even(reader, 1)) return reader->is_broken ? RFZ_DAMAGED : RFZ_OK;
  values = take_memory(reader, number, sizeof *values);
  fast = take_memory(reader, width, sizeof *fast);
  slow = take_memory(reader, width, sizeof *slow);
  if (!values || !fast || !slow) return RFZ_ARENA;
  for (start = 0; start < number; start += plane) {
    memset(fast, 0, width * sizeof *fast);
    memset(slow, 0, width * sizeof *slow);
    if (read_channel(reader, values + start, lines, width, fast, slow, weights)) return RFZ_DAMAGED;
  }
  s->integers = values;
  s->stored_rows = s->rows;
  s->stored_columns = s->row_stride = s->columns;
  s->column_stride = 1;
  return RFZ_OK;
}

/* Byte for byte */

static const uint8_t dtype_sizes[] = {4, 8, 2, 2, 1, 1, 2, 4, 8};

static int is_float(uint8_t dtype) { return dtype <= RFZ_BFLOAT16; }

static int are_values(const uint8_t *bytes, uint64_t number, uint8_t dtype) { /* finite floats, or truth values */
  static const uint16_t exponents[] = {0x7F80, 0x7FF0, 0x7C00, 0x7F80};
  for (; number--; bytes += dtype_sizes[dtype]) {
    if (dtype == RFZ_BOOL ? *bytes > 1
                          : is_float(dtype) && (~little(bytes + dtype_sizes[dtype] - 2, 2) & exponents[dtype]) == 0)
      return 0;
  }
  return 1;
}

static int is_modelled(const rfz_entry *entry) {
  return entry->kind == RFZ_ADAPTIVE || (entry->kind == RFZ_SCALED && entry->argument);
}

static int is_counted(const rfz_entry *entry) {
  return entry->kind == RFZ_INTEGERS || (entry->kind == RFZ_SCALED && !entry->argument);
}

static int take_code(rfz_reader *reader, rfz_entry *entry) {
  uint64_t code, argument;
  if (take_varint(reader, &code)) return RFZ_DAMAGED;
  entry->kind = (uint8_t)(code % 16);
  argument = code / 16;
  if (entry->kind > RFZ_BUILT) return RFZ_NEWER;
  if (entry->kind == RFZ_SCALED) {
    entry->argument = (uint8_t)(argument & 1);
    argument >>= 1;
  }
  if (is_modelled(entry) || is_counted(entry) || entry->kind == RFZ_GRID) {
    if (argument >= reader->num_entries) return RFZ_DAMAGED;
    entry->table = (uint32_t)argument;
    if (entry->table >= reader->num_tables) reader->num_tables = entry->table + 1;
  } else {
    if (argument > (entry->kind == RFZ_CONSTANT ? 3 : 0)) return RFZ_DAMAGED;
    entry->argument = (uint8_t)argument;
  }
  return RFZ_OK;
}

static int measure(const rfz_tensor *tensor, rfz_entry *entry) { /* rows and columns, whose product is below 2^31 */
  uint64_t columns = 1, sides = 1;
  uint32_t i;
  int is_empty = 0;
  if (tensor->dtype > RFZ_BYTES8) return RFZ_NETWORK;
  for (i = 0; i < tensor->num_axes; i++) {
    if (!tensor->shape[i]) is_empty = 1;
    else sides *= tensor->shape[i];
    if (sides >> 31) return RFZ_TOO_LARGE;
  }
  for (i = tensor->num_axes > 1; i < tensor->num_axes; i++) columns *= tensor->shape[i];
  entry->rows = tensor->num_axes > 1 ? tensor->shape[0] : 1;
  entry->columns = is_empty && tensor->num_axes > 1 && entry->rows ? 0 : (uint32_t)columns;
  return RFZ_OK;
}

static int take_factors(rfz_reader *reader, uint64_t values_of_tensors) {
  uint64_t number, rows, columns, values = 0, i;
  rfz_entry *entry;
  if (take_varint(reader, &number) || !number || number > reader->size - reader->position) return RFZ_DAMAGED;
  if (number > UINT32_MAX - reader->num_entries) return RFZ_TOO_LARGE;
  if (!take_memory(reader, (size_t)number, sizeof *entry)) return RFZ_ARENA; /* just behind those of the tensors */
  entry = reader->entries + reader->num_entries;
  reader->num_factors = (uint32_t)number;
  reader->num_entries += (uint32_t)number;
  for (i = 0; i < number; i++, entry++) {
    int result;
    memset(entry, 0, sizeof *entry);
    if (take_varint(reader, &rows) || take_varint(reader, &columns)) return RFZ_DAMAGED;
    if (!rows || !columns || rows >> 31 || columns >> 31 || rows * columns > 2 * values_of_tensors) return RFZ_DAMAGED;
    if (rows * columns >> 31) return RFZ_TOO_LARGE;
    entry->rows = (uint32_t)rows;
    entry->columns = (uint32_t)columns;
    values += rows * columns;
    if ((result = take_code(reader, entry)) != RFZ_OK) return result;
    if (!is_modelled(entry) && !is_counted(entry)) return RFZ_DAMAGED;
  }
  return values > 2 * values_of_tensors ? RFZ_DAMAGED : RFZ_OK;
}

static int take_stored(rfz_reader *reader, rfz_entry *entry, const rfz_tensor *tensor) {
  uint64_t number = (uint64_t)entry->rows * entry->columns, value;
  if (entry->kind == RFZ_SCALED) {
    int64_t exponent;
    if (take_varint(reader, &value)) return RFZ_DAMAGED;
    exponent = unzigzag(value);
    if (!exponent || exponent < -1100 || exponent > 1100) return RFZ_DAMAGED;
    entry->exponent = (int16_t)exponent;
  }
  if (is_counted(entry) && !reader->tables[entry->table].is_read) return take_table(reader, reader->tables + entry->table);
  if (entry->kind == RFZ_GRID && tensor->num_axes < 2) return RFZ_DAMAGED;
  if (entry->kind == RFZ_BUILT)
    return is_float(tensor->dtype) ? RFZ_DAMAGED : take_bytes(reader, 4, &entry->stored);
  if (entry->kind == RFZ_RAW || entry->kind == RFZ_HALF || entry->kind == RFZ_CONSTANT) {
    int is_half = entry->kind == RFZ_HALF || (entry->kind == RFZ_CONSTANT && entry->argument > 1);
    uint8_t dtype = is_half ? RFZ_FLOAT16 : tensor->dtype;
    if (is_half && !is_float(tensor->dtype)) return RFZ_DAMAGED;
    if (entry->kind == RFZ_CONSTANT) number = entry->argument & 1;
    if (take_bytes(reader, number * dtype_sizes[dtype], &entry->stored)) return RFZ_DAMAGED;
    if (!are_values(reader->file + entry->stored, number, dtype)) return RFZ_DAMAGED;
  }
  return RFZ_OK;
}

static int take_header(rfz_reader *reader) {
  const uint8_t *text;
  uint64_t flags, number, length, i;
  uint32_t size;
  size_t start;
  if (reader->size < 4 || memcmp(reader->file, "RFZ", 3)) return RFZ_FOREIGN;
  if (reader->file[3] != 2) return RFZ_VERSION;
  if (reader->size < 9) return RFZ_DAMAGED;
  reader->size -= 4;
  if (checksum(reader->file, reader->size) != little(reader->file + reader->size, 4)) return RFZ_DAMAGED;
  reader->position = 4;
  if (take_varint(reader, &flags)) return RFZ_DAMAGED;
  if (flags > 1) return RFZ_NEWER;
  if (take_text(reader, 4096, &reader->method, &reader->method_size) || take_bytes(reader, 1, &start) ||
      take_text(reader, 4096, &reader->architecture, &reader->architecture_size) ||
      take_text(reader, flags ? UINT32_C(1) << 20 : 4096, &text, &size) || take_bytes(reader, 4, &start))
    return RFZ_DAMAGED;
  if (reader->network->fingerprint && memcmp(reader->file + start, reader->network->fingerprint, 4)) return RFZ_NETWORK;
  if (take_varint(reader, &number) || number > reader->size - reader->position) return RFZ_DAMAGED;
  if (number > UINT32_MAX) return RFZ_TOO_LARGE;
  reader->num_vectors = (uint32_t)number;
  reader->vectors = take_memory(reader, (size_t)number, sizeof *reader->vectors);
  if (!reader->vectors) return RFZ_ARENA;
  for (i = 0; i < number; i++) {
    if (take_varint(reader, &length) || length > UINT32_MAX / 2) return RFZ_DAMAGED;
    if (take_bytes(reader, 2 * length, &reader->vectors[i].position)) return RFZ_DAMAGED;
    reader->vectors[i].length = (uint32_t)length;
    if (!are_values(reader->file + reader->vectors[i].position, length, RFZ_FLOAT16)) return RFZ_DAMAGED;
  }
  return RFZ_OK;
}

static int take_sections(rfz_reader *reader) {
  const rfz_network *network = reader->network;
  uint64_t values = 0;
  int is_any_made = 0, has_model = 0, has_grids = 0, result;
  uint32_t i;
  reader->num_entries = network->num_tensors;
  reader->entries = take_memory(reader, network->num_tensors, sizeof *reader->entries);
  if (!reader->entries) return RFZ_ARENA;
  for (i = 0; i < network->num_tensors; i++) {
    rfz_entry *entry = reader->entries + i;
    if ((result = measure(network->tensors + i, entry)) != RFZ_OK) return result;
    values += (uint64_t)entry->rows * entry->columns;
    if ((result = take_code(reader, entry)) != RFZ_OK) return result;
    is_any_made |= entry->kind == RFZ_MADE;
  }
  if (is_any_made && (result = take_factors(reader, values)) != RFZ_OK) return result;
  reader->tables = take_memory(reader, reader->num_tables, sizeof *reader->tables);
  if (!reader->tables) return RFZ_ARENA;
  for (i = 0; i < reader->num_entries; i++) {
    const rfz_entry *entry = reader->entries + i;
    has_model |= is_modelled(entry);
    has_grids |= entry->kind == RFZ_GRID;
    if (is_modelled(entry) || is_counted(entry) || entry->kind == RFZ_GRID) {
      rfz_table *table = reader->tables + entry->table;
      table->has_counts = 1;
      if (is_counted(entry)) table->total += (uint64_t)entry->rows * entry->columns;
    }
  }
  for (i = 0; i < reader->num_tables; i++)
    if (!reader->tables[i].has_counts) return RFZ_DAMAGED; /* a number is missing */
  if ((has_model || has_grids) && (result = make_lookup(reader)) != RFZ_OK) return result;
  if (has_model && (result = start_model(reader)) != RFZ_OK) return result;
  if (has_grids && (result = start_grids(reader)) != RFZ_OK) return result;
  for (i = 0; i < reader->num_entries; i++) {
    const rfz_tensor *tensor = i < network->num_tensors ? network->tensors + i : NULL;
    if ((result = take_stored(reader, reader->entries + i, tensor)) != RFZ_OK) return result;
  }
  if ((reader->size - reader->position) % 4 || (reader->size - reader->position) / 4 > UINT32_MAX - 4)
    return RFZ_DAMAGED;
  start_stream(reader, reader->file + reader->position, (uint32_t)((reader->size - reader->position) / 4));
  return RFZ_OK;
}

int rfz_open(rfz_reader *reader, const void *file, size_t size, const rfz_network *network, void *arena,
             size_t arena_size) {
  size_t skipped = (8 - (uintptr_t)arena % 8) % 8;
  memset(reader, 0, sizeof *reader);
  reader->file = file;
  reader->size = size;
  reader->network = network;
  if (skipped > arena_size) return reader->result = RFZ_ARENA;
  reader->arena = (uint8_t *)arena + skipped;
  reader->arena_size = arena_size - skipped;
  reader->result = take_header(reader);
  if (reader->result == RFZ_OK) reader->result = take_sections(reader);
  reader->kept = reader->taken;
  return reader->result;
}

int rfz_next(rfz_reader *reader, rfz_section *section) {
  const rfz_entry *entry;
  const rfz_tensor *tensor;
  int is_factor;
  memset(section, 0, sizeof *section);
  if (reader->result != RFZ_OK) return reader->result;
  if (reader->next == reader->num_entries) return reader->result = end_stream(reader);
  is_factor = reader->next >= reader->network->num_tensors;
  entry = reader->entries + reader->next;
  tensor = is_factor ? NULL : reader->network->tensors + reader->next;
  section->tensor = tensor;
  section->index = is_factor ? reader->next - reader->network->num_tensors : reader->next;
  section->kind = entry->kind;
  section->rows = entry->rows;
  section->columns = entry->columns;
  section->table = entry->table;
  section->exponent = entry->exponent;
  reader->next++;
  reader->taken = reader->kept;
  if (is_counted(entry)) {
    size_t number = (size_t)entry->rows * entry->columns;
    int32_t *values = take_memory(reader, number, sizeof *values);
    if (!values) return reader->result = RFZ_ARENA;
    section->integers = values;
    section->stored_rows = entry->rows;
    section->stored_columns = section->row_stride = entry->columns;
    section->column_stride = 1;
    reader->result = read_symbols(reader, reader->tables + entry->table, values, (uint32_t)number);
  } else if (is_modelled(entry)) {
    reader->result = read_adaptive(reader, tensor, section);
  } else if (entry->kind == RFZ_GRID) {
    reader->result = read_grid(reader, tensor, section);
  } else if (entry->kind == RFZ_BUILT) {
    section->raw_dtype = RFZ_BYTES4;
    section->raw = reader->file + entry->stored;
  } else if (entry->kind != RFZ_MADE) {
    int is_half = entry->kind == RFZ_HALF || (entry->kind == RFZ_CONSTANT && entry->argument > 1);
    section->raw_dtype = is_half ? RFZ_FLOAT16 : tensor->dtype;
    if (entry->kind != RFZ_CONSTANT || entry->argument & 1) section->raw = reader->file + entry->stored;
  }
  if (reader->is_broken) reader->result = RFZ_DAMAGED;
  return reader->result;
}

/* From integers to weights */

static int has_integers(const rfz_section *s) {
  return s->kind == RFZ_INTEGERS || s->kind == RFZ_ADAPTIVE || s->kind == RFZ_SCALED || s->kind == RFZ_GRID;
}

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float from_half(uint32_t half) {
  uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
  float value = exponent ? from_bits((exponent + 112) << 23 | fraction << 13) : (float)fraction / 16777216;
  return half & 0x8000 ? -value : value;
}

static float narrow(float value, uint8_t dtype, int *is_beyond) { /* to the nearest of its dtype, half-way to even */
  uint32_t bits, magnitude, unit = dtype == RFZ_BFLOAT16 ? 65536 : 8192;
  if (dtype != RFZ_FLOAT16 && dtype != RFZ_BFLOAT16) return value;
  memcpy(&bits, &value, sizeof bits);
  magnitude = bits & INT32_MAX;
  if (dtype == RFZ_FLOAT16 && magnitude < UINT32_C(113) << 23) { /* below 2^-14 halves lie 2^-24 apart */
    float scaled = from_bits(magnitude) * 16777216;
    uint32_t whole = (uint32_t)scaled;
    float rest = scaled - (float)whole;
    if (rest > 0.5F || (rest == 0.5F && (whole & 1))) whole++;
    value = (float)whole / 16777216;
  } else {
    magnitude = (magnitude + unit / 2 - 1 + (magnitude / unit & 1)) / unit * unit;
    if (magnitude >= (dtype == RFZ_FLOAT16 ? UINT32_C(143) << 23 : UINT32_C(0x7F800000))) *is_beyond = 1;
    value = from_bits(magnitude);
  }
  return bits >> 31 ? -value : value;
}

static float from_double(double value, int *is_beyond) {
  double magnitude = value < 0 ? -value : value, most = from_bits(0x7F7FFFFF);
  if (magnitude < most) return (float)value;
  if (magnitude >= most * (1 + 1 / 33554432.0)) *is_beyond = 1;
  return from_bits(value < 0 ? 0xFF7FFFFF : 0x7F7FFFFF);
}

static double times_power(double value, int exponent) {
  for (; exponent > 900; exponent -= 900) value *= 8.452712498170644e+270; /* 2^900 */
  for (; exponent < -900; exponent += 900) value *= 1 / 8.452712498170644e+270;
  for (; exponent > 0; exponent--) value *= 2;
  if (exponent) { /* one product, which is rounded once */
    double power = 1;
    for (; exponent < 0; exponent++) power /= 2;
    value *= power;
  }
  return value;
}

int32_t rfz_integer(const rfz_section *s, uint32_t row, uint32_t column) {
  if (!s->integers || row >= s->stored_rows || column >= s->stored_columns) return 0;
  return s->integers[(size_t)row * s->row_stride + (size_t)column * s->column_stride];
}

int rfz_step(const rfz_reader *reader, const rfz_section *s, uint32_t row, float *step) {
  uint32_t scalar = reader->num_vectors ? reader->vectors[0].length : 0;
  const rfz_vector *vector = reader->vectors;
  size_t index = s->table;
  if (!has_integers(s)) return RFZ_RANGE;
  if (s->table >= scalar) { /* a vector of its own */
    if (s->table - scalar >= (reader->num_vectors ? reader->num_vectors - 1 : 0)) return RFZ_DAMAGED;
    if (reader->method_size != 3 || memcmp(reader->method, "ptq", 3)) return RFZ_METHOD;
    vector += 1 + (s->table - scalar);
    index = row;
    if (!s->tensor || !s->tensor->num_axes || s->tensor->shape[0] != vector->length) return RFZ_DAMAGED;
  }
  *step = from_half(little(reader->file + vector->position + 2 * index, 2));
  return RFZ_OK;
}

static float raw_value(const rfz_section *s, size_t index, int *is_beyond) {
  const uint8_t *bytes = s->raw;
  uint64_t bits;
  double value;
  if (!bytes) return 0;
  if (s->kind != RFZ_CONSTANT) bytes += index * dtype_sizes[s->raw_dtype];
  if (s->raw_dtype == RFZ_FLOAT16) return narrow(from_half(little(bytes, 2)), s->tensor->dtype, is_beyond);
  if (s->raw_dtype == RFZ_BFLOAT16) return from_bits(little(bytes, 2) << 16);
  if (s->raw_dtype == RFZ_FLOAT32) return from_bits(little(bytes, 4));
  bits = (uint64_t)little(bytes + 4, 4) << 32 | little(bytes, 4);
  memcpy(&value, &bits, sizeof value);
  return from_double(value, is_beyond);
}

int rfz_row(const rfz_reader *reader, const rfz_section *s, uint32_t row, float *values) {
  uint32_t column;
  int is_beyond = 0, result;
  /* a tensor of one axis is one row here, and one for each value where the steps are of rows */
  int is_vector = s->tensor && s->tensor->num_axes == 1;
  float step = 0;
  if (s->kind == RFZ_MADE) return RFZ_METHOD;
  if (s->tensor && !is_float(s->tensor->dtype)) return RFZ_NO_FLOATS;
  for (column = 0; column < s->columns; column++) {
    if (!has_integers(s)) {
      values[column] = raw_value(s, (size_t)row * s->columns + column, &is_beyond);
      continue;
    }
    if ((!column || is_vector) && (result = rfz_step(reader, s, is_vector ? column : row, &step)) != RFZ_OK)
      return result;
    if (s->exponent)
      values[column] = from_double(times_power((double)rfz_integer(s, row, column) * step, s->exponent), &is_beyond);
    else
      values[column] = (float)rfz_integer(s, row, column) * step;
    if (s->tensor) values[column] = narrow(values[column], s->tensor->dtype, &is_beyond);
  }
  return is_beyond ? RFZ_DAMAGED : RFZ_OK;
}

int rfz_floats(const rfz_reader *reader, const rfz_section *s, float *values) {
  uint32_t row;
  int result;
  if (s->kind == RFZ_MADE) return RFZ_METHOD;
  if (s->tensor && !is_float(s->tensor->dtype)) return RFZ_NO_FLOATS;
  for (row = 0; row < s->rows; row++)
    if ((result = rfz_row(reader, s, row, values + (size_t)row * s->columns)) != RFZ_OK) return result;
  return RFZ_OK;
}

int rfz_int8(const rfz_reader *reader, const rfz_section *s, int8_t *values, float *scale) {
  uint32_t row, column;
  int is_beyond = 0, result;
  if (!has_integers(s)) return RFZ_RANGE;
  if (s->table >= (reader->num_vectors ? reader->vectors[0].length : 0)) return RFZ_RANGE;
  if ((result = rfz_step(reader, s, 0, scale)) != RFZ_OK) return result;
  *scale = from_double(times_power(*scale, s->exponent), &is_beyond);
  if (is_beyond) return RFZ_RANGE;
  for (row = 0; row < s->rows; row++)
    for (column = 0; column < s->columns; column++) {
      int32_t value = rfz_integer(s, row, column);
      if (value < INT8_MIN || value > INT8_MAX) return RFZ_RANGE;
      *values++ = (int8_t)value;
    }
  return RFZ_OK;
}
