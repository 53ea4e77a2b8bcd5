// Softmax over the rows of a matrix in plain loops.
#include <cfloat>
#include <cmath>

extern "C" void softmax(const float *x, float *y, int rows, int cols) {
  for (int r = 0; r < rows; r++) {
    const float *in = x + r * cols;
    float *out = y + r * cols;
    float peak = -FLT_MAX;
    for (int c = 0; c < cols; c++) {
      if (in[c] > peak) peak = in[c];
    }
    float sum = 0.0f;
    for (int c = 0; c < cols; c++) {
      out[c] = std::exp(in[c] - peak);
      sum += out[c];
    }
    for (int c = 0; c < cols; c++) out[c] /= sum;
  }
}
