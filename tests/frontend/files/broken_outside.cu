// Errors of the host code do not touch the kernels.
__global__ void fine(float *a) { a[threadIdx.x] = 1.f; }

int host() {
  int x = = 3;
  fine<<<1, 32>>>(nullptr);
}

__global__ void also_fine(float *a) { a[threadIdx.x] = 2.f; }
__global__ void spoiled(float *a) { a[0] = * ; }
__global__ void fine_again(float *a) { a[threadIdx.x] = 3.f; }
