/* Runs the network on the test vector, and says whether its outputs are those of PyTorch. */
#include <stdio.h>

#include "net.h"
#include "test_vector.h"

int main(void) {
  static float output[NET_OUTPUTS];
  double largest = 0, difference = 0;
  int i, is_right, result = net_run(test_input, output);
  if (result != 0) {
    printf("FAILED: the reader's answer is %d (rfz.h says what that is)\n", result);
    return 1;
  }
  for (i = 0; i < NET_OUTPUTS; i++) {
    double wanted = test_output[i], apart = output[i] - wanted;
    if (apart < 0) apart = -apart;
    if (wanted < 0) wanted = -wanted;
    if (wanted > largest) largest = wanted;
    if (!(apart <= difference)) difference = apart; /* also where it is no number */
  }
  is_right = difference <= 1e-4 * largest;
  printf("%s: %d outputs, the largest %.3g, are within %.2g of PyTorch's\n", is_right ? "ok" : "FAILED", NET_OUTPUTS,
         largest, difference);
  return !is_right;
}
