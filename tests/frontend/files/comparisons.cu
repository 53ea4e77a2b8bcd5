// What looks like a template and is none, what looks like a subtraction and is a cast.
template <int N>
__device__ int pick(int x) { return x + N; }

template <typename T>
__global__ void guards(T *a, int n, int m, int i, int j, int3 d) {
  if (i < n && j > (m)) a[0] = (T)-1;
  if (threadIdx.x < n && blockIdx.x > (m)) a[1] = (T)(3) * 2 - (T)-i;
  if (d.x < n || d.y > (m + 1)) a[2] = pick<3>(m);
  if (d.x < n & d.y > (m)) a[3] = max(i < n, j > (m));
  int r = i < n ? j : m > (n);
  bool inside = i < n && j > (0) && i > (1);
  T (*tile)[33] = reinterpret_cast<T (*)[33]>(a);
  float (*rows)[4] = (float (*)[4])a;
  float (&row)[4] = rows[0];
  tile[0][0] = (T)r + (T)inside + (T)row[0] + (i)-1 + (n)*j;
}

__global__ void other(float *o, int T, int C) {
  o[0] = (T)*C;
  o[1] = (T)-1;
}

__global__ void inside(const float *a, float *o, int h, int w, int m) {
    int y = threadIdx.y - 1, x = threadIdx.x - 1;
    o[0] = (y >= 0 && y < h && x >= 0 && x < w) ? a[y * w + x] : 0.0f;
    if (y < h && x > -m) o[1] = 1.0f;
}
