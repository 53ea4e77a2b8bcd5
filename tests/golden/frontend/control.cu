// Early returns, switch with fallthrough, loops that do not count, chained assignment and ++ in expressions.
__device__ int find(const int *a, int n, int value) {
    for (int i = 0; i < n; i++)
        if (a[i] == value) return i;
    return -1;
}
__device__ float clamp(float x, float low, float high) {
    if (x < low) return low;
    if (x > high) return high;
    return x;
}
__global__ void control(const int *a, float *out, int n) {
    int i = threadIdx.x, j, k;
    float r = clamp(find(a, n, i), 0, 7);
    switch (i & 3) {
        case 0: r = 1; break;
        case 1: r += 2;
        case 2:
            if (i > 5) break;
            r += 3;
            break;
        default: r = -r;
    }
    for (int p = n - 1; p >= 0; p -= 2) r += a[p];
    for (j = 1; j < n; j <<= 1) {
        if (a[j] < 0) continue;
        r *= 2;
    }
    j = k = i++;
    out[j++] = r;
    if (k > 2 && (j += 2) < n) out[j] = k ? r : j;
}
