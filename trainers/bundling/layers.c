#include "layers.h"

#include <math.h>
#include <string.h>

void net_open(net_state *net, const void *file, size_t size, const rfz_network *network, void *arena,
              size_t arena_size, float *row) {
  net->row = row;
  net->result = rfz_open(&net->reader, file, size, network, arena, arena_size);
}

int net_close(net_state *net) {
  while (net->result == RFZ_OK) net->result = rfz_next(&net->reader, &net->section);
  return net->result == RFZ_END ? RFZ_OK : net->result;
}

static int take(net_state *net, int rows, int columns) { /* the next tensor of weights */
  if (net->result != RFZ_OK) return 0;
  do net->result = rfz_next(&net->reader, &net->section);
  while (net->result == RFZ_OK && net->section.tensor && net->section.tensor->dtype != RFZ_FLOAT32);
  if (net->result == RFZ_END) net->result = RFZ_NETWORK;
  if (net->result == RFZ_OK && (net->section.rows != (uint32_t)rows || net->section.columns != (uint32_t)columns))
    net->result = RFZ_NETWORK;
  return net->result == RFZ_OK;
}

static int take_row(net_state *net, int row, float *values) {
  net->result = rfz_row(&net->reader, &net->section, (uint32_t)row, values);
  return net->result == RFZ_OK;
}

void net_linear(net_state *net, const float *in, int num_in, float *out, int num_out) {
  int r, c;
  if (!take(net, num_out, num_in)) return;
  for (r = 0; r < num_out; r++) {
    float sum = 0;
    if (!take_row(net, r, net->row)) return;
    for (c = 0; c < num_in; c++) sum += net->row[c] * in[c];
    out[r] = sum;
  }
}

/* Adds one weight times one channel. A place (y, x) of the output reads (y * step_y + top, x * step_x + left). */
static void add_channel(float weight, const float *in, net_image from, float *out, net_image to, net_window window,
                        int top, int left) {
  int y, x;
  for (y = 0; y < to.height; y++) {
    int source = y * window.step_y + top, start = 0, end = to.width;
    if (source < 0 || source >= from.height) continue;
    while (start < end && start * window.step_x + left < 0) start++;
    while (end > start && (end - 1) * window.step_x + left >= from.width) end--;
    for (x = start; x < end; x++) out[y * to.width + x] += weight * in[source * from.width + x * window.step_x + left];
  }
}

void net_conv(net_state *net, const float *in, net_image from, float *out, net_image to, net_window window) {
  int r, channel, y, x;
  if (!take(net, to.channels, from.channels * window.height * window.width)) return;
  for (r = 0; r < to.channels; r++, out += to.height * to.width) {
    const float *weight = net->row;
    if (!take_row(net, r, net->row)) return;
    memset(out, 0, (size_t)(to.height * to.width) * sizeof *out);
    for (channel = 0; channel < from.channels; channel++)
      for (y = 0; y < window.height; y++)
        for (x = 0; x < window.width; x++, weight++)
          if (*weight != 0)
            add_channel(*weight, in + channel * from.height * from.width, from, out, to, window, y - window.border_y,
                        x - window.border_x);
  }
}

void net_bias(net_state *net, float *values, int channels, int plane) {
  int c, i;
  if (!take(net, 1, channels) || !take_row(net, 0, net->row)) return;
  for (c = 0; c < channels; c++)
    for (i = 0; i < plane; i++) *values++ += net->row[c];
}

void net_norm(net_state *net, const float *in, float *out, int channels, int plane, float epsilon) {
  const float *weight = net->row, *bias = weight + channels, *mean = bias + channels, *variance = mean + channels;
  int part, c, i;
  for (part = 0; part < 4; part++)
    if (!take(net, 1, channels) || !take_row(net, 0, net->row + part * channels)) return;
  for (c = 0; c < channels; c++) {
    float scale = weight[c] / sqrtf(variance[c] + epsilon);
    for (i = 0; i < plane; i++) *out++ = (*in++ - mean[c]) * scale + bias[c];
  }
}

static void pool(const float *in, net_image from, float *out, net_image to, net_window window, int is_average) {
  int c, y, x, i, j;
  for (c = 0; c < to.channels; c++, in += from.height * from.width)
    for (y = 0; y < to.height; y++)
      for (x = 0; x < to.width; x++) {
        float found = is_average ? 0 : -INFINITY;
        for (i = y * window.step_y - window.border_y; i < y * window.step_y - window.border_y + window.height; i++)
          for (j = x * window.step_x - window.border_x; j < x * window.step_x - window.border_x + window.width; j++)
            if (i >= 0 && i < from.height && j >= 0 && j < from.width) {
              float value = in[i * from.width + j];
              found = is_average ? found + value : value > found ? value : found;
            }
        *out++ = is_average ? found / (float)(window.height * window.width) : found;
      }
}

void net_max_pool(const float *in, net_image from, float *out, net_image to, net_window window) {
  pool(in, from, out, to, window, 0);
}

void net_average_pool(const float *in, net_image from, float *out, net_image to, net_window window) {
  pool(in, from, out, to, window, 1);
}

void net_clamp(const float *in, float *out, int number, float slope, float most) {
  int i;
  for (i = 0; i < number; i++) {
    float value = in[i];
    out[i] = value < 0 ? slope * value : value > most ? most : value;
  }
}

void net_add(const float *in, const float *other, float *out, int number) {
  int i;
  for (i = 0; i < number; i++) out[i] = in[i] + other[i];
}

void net_every(const float *in, net_image from, float *out, net_image to, int step_y, int step_x) {
  int c, y, x;
  for (c = 0; c < to.channels; c++)
    for (y = 0; y < to.height; y++)
      for (x = 0; x < to.width; x++) *out++ = in[(c * from.height + y * step_y) * from.width + x * step_x];
}

void net_pad(const float *in, int number, float *out, int before, int after) {
  memset(out, 0, (size_t)before * sizeof *out);
  memcpy(out + before, in, (size_t)number * sizeof *out);
  memset(out + before + number, 0, (size_t)after * sizeof *out);
}
