// Irregular kernels on graphs in CSR form: pull and push, with and without atomics.

// expect: clean | --grid 4 --block 64
__global__ void pull_max(const int* nindex, const int* nlist, const int* data, int* result, const int numv) {
  int v = threadIdx.x + blockIdx.x * blockDim.x;
  if (v < numv) {
    int beg = nindex[v];
    int end = nindex[v + 1];
    int m = 0;
    for (int j = beg; j < end; j++) {
      int u = nlist[j];
      if (data[u] > m) m = data[u];
    }
    result[v] = m;
  }
}

// expect: XP-BOUNDS | --grid 4 --block 64
__global__ void pull_max_le(const int* nindex, const int* nlist, const int* data, int* result, const int numv) {
  int v = threadIdx.x + blockIdx.x * blockDim.x;
  if (v <= numv) {
    int beg = nindex[v];
    int end = nindex[v + 1];
    int m = 0;
    for (int j = beg; j < end; j++) {
      int u = nlist[j];
      if (data[u] > m) m = data[u];
    }
    result[v] = m;
  }
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void push_count(const int* nindex, const int* nlist, int* degree, const int numv) {
  int v = threadIdx.x + blockIdx.x * blockDim.x;
  if (v < numv) {
    for (int j = nindex[v]; j < nindex[v + 1]; j++) degree[nlist[j]]++;
  }
}

// expect: clean | --grid 4 --block 64
__global__ void push_count_atomic(const int* nindex, const int* nlist, int* degree, const int numv) {
  int v = threadIdx.x + blockIdx.x * blockDim.x;
  if (v < numv) {
    for (int j = nindex[v]; j < nindex[v + 1]; j++) atomicAdd(&degree[nlist[j]], 1);
  }
}

// expect: XP-RACE | --grid 2 --block 128
__global__ void push_relax(const int* nindex, const int* nlist, const int* w, int* dist, const int numv) {
  for (int v = blockIdx.x * blockDim.x + threadIdx.x; v < numv; v += gridDim.x * blockDim.x) {
    int d = dist[v];
    for (int j = nindex[v]; j < nindex[v + 1]; j++) {
      int u = nlist[j];
      if (d + w[j] < dist[u]) dist[u] = d + w[j];
    }
  }
}

// expect: clean | --grid 2 --block 128
__global__ void push_relax_to(const int* nindex, const int* nlist, const int* w, const int* dist, int* next, const int numv) {
  for (int v = blockIdx.x * blockDim.x + threadIdx.x; v < numv; v += gridDim.x * blockDim.x) {
    int d = dist[v];
    for (int j = nindex[v]; j < nindex[v + 1]; j++) {
      int u = nlist[j];
      atomicMin(&next[u], d + w[j]);
    }
  }
}

// expect: XP-RACE | --grid 2 --block 128
__global__ void push_relax_mixed(const int* nindex, const int* nlist, const int* w, int* dist, const int numv) {
  for (int v = blockIdx.x * blockDim.x + threadIdx.x; v < numv; v += gridDim.x * blockDim.x) {
    int d = dist[v];
    for (int j = nindex[v]; j < nindex[v + 1]; j++) atomicMin(&dist[nlist[j]], d + w[j]);
  }
}

// expect: clean | --grid 2 --block 64
__global__ void warp_per_vertex(const int* nindex, const int* nlist, const float* x, float* y, const int numv) {
  int lane = threadIdx.x % 32;
  int v = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (v < numv) {
    float sum = 0;
    for (int j = nindex[v] + lane; j < nindex[v + 1]; j += 32) sum += x[nlist[j]];
    for (int o = 16; o > 0; o >>= 1) sum += __shfl_down_sync(~0, sum, o);
    if (lane == 0) y[v] = sum;
  }
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void warp_per_vertex_no_leader(const int* nindex, const int* nlist, const float* x, float* y, const int numv) {
  int lane = threadIdx.x % 32;
  int v = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (v < numv) {
    float sum = 0;
    for (int j = nindex[v] + lane; j < nindex[v + 1]; j += 32) sum += x[nlist[j]];
    y[v] += sum;
  }
}

// expect: XP-DIVERGENCE | --grid 8 --block 64
__global__ void block_per_vertex_barrier(const int* nindex, const int* nlist, const float* x, float* y, const int numv) {
  __shared__ float part[64];
  int v = blockIdx.x;
  if (v >= numv) return;
  for (int j = nindex[v] + threadIdx.x; j < nindex[v + 1]; j += blockDim.x) {
    part[threadIdx.x] = x[nlist[j]];
    __syncthreads();
    if (threadIdx.x == 0) y[v] += part[0];
  }
}

// expect: clean | --grid 8 --block 64
__global__ void block_per_vertex(const int* nindex, const int* nlist, const float* x, float* y, const int numv) {
  __shared__ float part[64];
  int v = blockIdx.x;
  if (v >= numv) return;
  float s = 0;
  for (int j = nindex[v] + threadIdx.x; j < nindex[v + 1]; j += blockDim.x) s += x[nlist[j]];
  part[threadIdx.x] = s;
  __syncthreads();
  for (int o = 32; o > 0; o /= 2) {
    if (threadIdx.x < o) part[threadIdx.x] += part[threadIdx.x + o];
    __syncthreads();
  }
  if (threadIdx.x == 0) y[v] = part[0];
}

// expect: clean | --grid 4 --block 32
__global__ void bfs_same_value(const int* nindex, const int* nlist, int* level, int* again, int numv, int now) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v >= numv) return;
  bool is_new = false;
  for (int j = nindex[v]; j < nindex[v + 1]; j++) is_new |= nlist[j] == now;
  if (is_new) {
    level[v] = now + 1;
    *again = 1;
  }
}

// expect: XP-RACE | --grid 4 --block 32
__global__ void worklist(const int* nindex, const int* nlist, int* queue, int* size, int numv) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv && nindex[v + 1] - nindex[v] > 2) {
    int at = *size;
    *size = at + 1;
    queue[at] = v;
  }
}

// expect: clean | --grid 4 --block 32
__global__ void worklist_atomic(const int* nindex, const int* nlist, int* queue, int* size, int numv) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv && nindex[v + 1] - nindex[v] > 2) {
    int at = atomicAdd(size, 1);
    queue[at] = v;
  }
}

// expect: XP-RACE | --grid 4 --block 32
__global__ void worklist_two_queues(const int* nindex, int* queue, int* even, int* odd, int numv) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv) {
    int at = v % 2 ? atomicAdd(odd, 1) : atomicAdd(even, 1);
    queue[at] = nindex[v];
  }
}

// expect: clean | --grid 4 --block 64
__global__ void color(const int* nindex, const int* nlist, const int* old_color, int* new_color, int numv) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv) {
    unsigned used = 0;
    for (int j = nindex[v]; j < nindex[v + 1]; j++) used |= 1u << (old_color[nlist[j]] & 31);
    int c = 0;
    while (c < 31 && (used >> c & 1)) c++;
    new_color[v] = c;
  }
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void color_in_place(const int* nindex, const int* nlist, int* color, int numv) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv) {
    unsigned used = 0;
    for (int j = nindex[v]; j < nindex[v + 1]; j++) used |= 1u << (color[nlist[j]] & 31);
    int c = 0;
    while (c < 31 && (used >> c & 1)) c++;
    color[v] = c;
  }
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void hook(const int* src, const int* dst, int* parent, int nume) {
  int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e < nume) {
    int a = parent[src[e]], b = parent[dst[e]];
    if (a < b) parent[b] = a;
  }
}

// expect: clean | --grid 4 --block 64
__global__ void edges_max(const int* src, const int* dst, const int* val, int* best, int nume) {
  for (int e = blockIdx.x * blockDim.x + threadIdx.x; e < nume; e += blockDim.x * gridDim.x)
    atomicMax(best + dst[e], val[src[e]]);
}

// expect: XP-BOUNDS | --grid 4 --block 64
__global__ void edges_max_le(const int* src, const int* dst, const int* val, int* best, int nume) {
  for (int e = blockIdx.x * blockDim.x + threadIdx.x; e <= nume; e += blockDim.x * gridDim.x)
    atomicMax(best + dst[e], val[src[e]]);
}

// expect: clean | --grid 4 --block 64
template <typename data_t>
__global__ void populate(const int* nindex, const int* nlist, const data_t* data1, data_t* data2, int numv) {
  const int first = threadIdx.x + blockIdx.x * (int)blockDim.x;
  const int step = gridDim.x * blockDim.x;
  for (int i = first; i < numv; i += step) {
    const int beg = nindex[i], end = nindex[i + 1];
    for (int j = end - 1; j >= beg; j--) {
      const int nei = nlist[j];
      if (i < nei) {
        atomicMax(data2 + i, data1[nei]);
      }
    }
  }
}

// expect: XP-RACE | --grid 4 --block 64
template <typename data_t>
__global__ void populate_shared_count(const int* nindex, const int* nlist, const data_t* data1, data_t* data2, int numv) {
  const int first = threadIdx.x + blockIdx.x * (int)blockDim.x;
  const int step = gridDim.x * blockDim.x;
  for (int i = first; i < numv; i += step) {
    const int beg = nindex[i], end = nindex[i + 1];
    for (int j = beg; j < end; j++) {
      const int nei = nlist[j];
      if (data1[nei] > 3) data2[0] += 1;
    }
  }
}

// expect: clean | --grid 4 --block 64
__global__ void block_total(const int* nindex, int* total, int numv) {
  __shared__ int s_carry[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int i = threadIdx.x + blockIdx.x * blockDim.x;
  int val = i < numv ? nindex[i + 1] - nindex[i] : 0;
  val = __reduce_max_sync(~0, val);
  if (lane == 0) s_carry[warp] = val;
  __syncthreads();
  if (warp == 0) {
    val = lane < 2 ? s_carry[lane] : 0;
    val = __reduce_max_sync(~0, val);
    if (lane == 0) atomicMax(total, val);
  }
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void block_total_no_sync(const int* nindex, int* total, int numv) {
  __shared__ int s_carry[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int i = threadIdx.x + blockIdx.x * blockDim.x;
  int val = i < numv ? nindex[i + 1] - nindex[i] : 0;
  val = __reduce_max_sync(~0, val);
  if (lane == 0) s_carry[warp] = val;
  if (warp == 0) {
    val = lane < 2 ? s_carry[lane] : 0;
    val = __reduce_max_sync(~0, val);
    if (lane == 0) atomicMax(total, val);
  }
}
