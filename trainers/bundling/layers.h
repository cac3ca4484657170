/* The layers of a network whose weights are read from a .rfz file while it runs, in the file's order, row by row.
   In memory are one tensor as the reader has it, one row of weights, and the values that layers pass on. */
#ifndef LAYERS_H
#define LAYERS_H

#include "rfz.h"

typedef struct {
  rfz_reader reader;
  rfz_section section;
  float *row; /* as long as the longest row of weights, and four times as long as the longest norm */
  int result; /* RFZ_OK, or the first error: the layers after it do nothing */
} net_state;

typedef struct { int channels, height, width; } net_image;
typedef struct { int height, width, step_y, step_x, border_y, border_x; } net_window;

void net_open(net_state *net, const void *file, size_t size, const rfz_network *network, void *arena,
              size_t arena_size, float *row);
int net_close(net_state *net); /* RFZ_OK: the file was read whole */

/* These read weights. Only the norm may write where it reads. */
void net_linear(net_state *net, const float *in, int num_in, float *out, int num_out);
void net_conv(net_state *net, const float *in, net_image from, float *out, net_image to, net_window window);
void net_bias(net_state *net, float *values, int channels, int plane);
void net_norm(net_state *net, const float *in, float *out, int channels, int plane, float epsilon);

/* These do not. Clamp and add may write where they read. Clamp multiplies what is below 0 by a slope: 0 for ReLU. */
void net_max_pool(const float *in, net_image from, float *out, net_image to, net_window window);
void net_average_pool(const float *in, net_image from, float *out, net_image to, net_window window);
void net_clamp(const float *in, float *out, int number, float slope, float most);
void net_add(const float *in, const float *other, float *out, int number);
void net_every(const float *in, net_image from, float *out, net_image to, int step_y, int step_x);
void net_pad(const float *in, int number, float *out, int before, int after); /* zeros before and after */

#endif
