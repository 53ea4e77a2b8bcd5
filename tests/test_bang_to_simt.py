"""BANG C programs to CUDA and HIP, verified: the tasks' tiles are gone, the threads of a grid do the work."""

from __future__ import annotations

import pytest

from tests.test_bang_to_vnni import ADD, HOST
from xpiler.translate import translate_text

HEADERS = "#include <bang.h>\n#include <cnrt.h>\n#include <stdio.h>\n#include <stdlib.h>\n"


@pytest.mark.parametrize("to", ["cuda", "hip"])
def test_a_program_with_host_code(to: str) -> None:
    result = translate_text(HEADERS + ADD + HOST, "add.mlu", to)
    assert result.status == "verified", result
    assert result.text is not None
    assert "cnrt" not in result.text and "__nram__" not in result.text
    assert (
        "    if (i >= n) return;\n" in result.text and "begin" not in result.text
    )  # the tasks' shares are one range


def test_a_kernel_alone_becomes_a_function_that_launches() -> None:
    result = translate_text(ADD, "add.mlu", "cuda")
    assert result.status == "verified", result
    assert result.text is not None
    assert (
        'extern "C" void add_kernel(const float *a, const float *b, float *c, int n) {\n'
        "    const dim3 grid_1 = blocks((n + 255) / 256);\n"
        "    if (grid_1.x) add_kernel_kernel<<<grid_1, 256>>>(a, b, c, n);\n"
        "    cudaDeviceSynchronize();\n"
        "}" in result.text
    )


SCALE = """
#include <bang.h>
#include <cnrt.h>
#define TILE 1024
__nram__ float a[TILE];
__mlu_entry__ void scale(float *y, const float *x, float s, int n) {
  for (int base = taskId * TILE; base < n; base += taskDim * TILE) {
    int count = n - base < TILE ? n - base : TILE;
    __memcpy(a, x + base, count * sizeof(float), GDRAM2NRAM);
    __bang_mul_scalar(a, a, s, count);
    __memcpy(y + base, a, count * sizeof(float), NRAM2GDRAM);
  }
}
extern "C" int scale_host(const float *x, float *y, float s, int n) {
  cnrtQueue_t q;
  cnrtCreateQueue(&q);
  cnrtDim3_t dim = {4, 1, 1};
  float *dx, *dy;
  cnrtMalloc((void **)&dx, n * sizeof(float));
  cnrtMalloc((void **)&dy, n * sizeof(float));
  cnrtMemcpy(dx, (void *)x, n * sizeof(float), CNRT_MEM_TRANS_DIR_HOST2DEV);
  LAUNCH
  cnrtSyncQueue(q);
  cnrtMemcpy(y, dy, n * sizeof(float), CNRT_MEM_TRANS_DIR_DEV2HOST);
  cnrtFree(dx);
  cnrtFree(dy);
  return status != CNRT_RET_SUCCESS;
}
"""
BY_BUFFER = """cnrtKernelParamsBuffer_t params;
  cnrtGetKernelParamsBuffer(&params);
  cnrtKernelParamsBufferAddParam(params, &dy, sizeof(float *));
  cnrtKernelParamsBufferAddParam(params, &dx, sizeof(float *));
  cnrtKernelParamsBufferAddParam(params, &s, sizeof(float));
  cnrtKernelParamsBufferAddParam(params, &n, sizeof(int));
  cnrtRet_t status = cnrtInvokeKernel_V2((void *)&scale, dim, params, CNRT_FUNC_TYPE_UNION1, q);
  cnrtDestroyKernelParamsBuffer(params);"""
BY_TABLE = """void *args[] = {(void *)&dy, (void *)&dx, (void *)&s, &n};
  cnrtRet_t status = cnrtInvokeKernel((void *)scale, dim, cnrtFuncTypeUnion1, args, 0, q);"""


@pytest.mark.parametrize("launch", [BY_BUFFER, BY_TABLE])
def test_a_launch_by_a_call_of_the_runtime(launch: str) -> None:
    result = translate_text(SCALE.replace("LAUNCH", launch), "scale.mlu", "cuda")
    assert result.status == "verified", result
    assert result.text is not None and "cnrt" not in result.text
    assert "cudaError_t status = (launch_scale(dy, dx, s, n, q), cudaSuccess);" in result.text


def test_the_tasks_of_a_launch_by_a_call_in_main_are_those_that_run() -> None:
    text = """
    #include <mlu.h>
    #include <cnrt.h>
    __mlu_entry__ void twice(float *x, int n) {
      __nram__ float a[1024];
      int per = n / 4;
      __memcpy(a, x + taskId * per, per * sizeof(float), GDRAM2NRAM);
      __bang_add(a, a, a, per);
      __memcpy(x + taskId * per, a, per * sizeof(float), NRAM2GDRAM);
    }
    int main() {
      const int n = 1000;
      float h[n], *d;
      for (int i = 0; i < n; ++i) h[i] = i;
      cnrtMalloc((void **)&d, n * sizeof(float));
      cnrtMemcpy(d, h, n * sizeof(float), CNRT_MEM_TRANS_DIR_HOST2DEV);
      cnrtDim3_t dim = {4, 1, 1};
      void *args[] = {&d, (void *)&n};
      cnrtInvokeKernel((void *)&twice, dim, CNRT_FUNC_TYPE_BLOCK, args, 0, nullptr);
      cnrtSyncQueue(nullptr);
      cnrtMemcpy(h, d, n * sizeof(float), CNRT_MEM_TRANS_DIR_DEV2HOST);
      return h[999] != 1998;
    }
    """
    result = translate_text(text, "twice.mlu", "cuda")
    assert result.status == "verified", result


BY_TYPE = """
#include <bang.h>
namespace ops {
template <typename T>
__mlu_entry__ void twice(T *y, const T *x, int n, int position) {
  __nram__ T a[1024];
  for (int base = taskId * 1024; base < n; base += taskDim * 1024) {
    int count = n - base < 1024 ? n - base : 1024;
    __memcpy(a, x + base, count * sizeof(T), GDRAM2NRAM);
    __bang_add(a, a, a, count);
    __memcpy(y + base, a, count * sizeof(T), NRAM2GDRAM);
  }
}
}  // namespace ops
template <typename T>
static void run(T *y, const T *x, int n) {
  T *dx, *dy;
  cnrtMalloc((void **)&dx, n * sizeof(T));
  cnrtMalloc((void **)&dy, n * sizeof(T));
  cnrtMemcpy(dx, (void *)x, n * sizeof(T), cnrtMemcpyHostToDev);
  cnrtDim3_t dim = {4, 1, 1};
  cnrtQueue_t q;
  cnrtQueueCreate(&q);
  ops::twice<T><<<dim, cnrtFuncTypeUnion1, q>>>(dy, dx, n, 0);
  cnrtQueueSync(q);
  cnrtMemcpy(y, dy, n * sizeof(T), cnrtMemcpyDevToHost);
}
extern "C" void twice_f32(float *y, const float *x, int n) { run<float>(y, x, n); }
extern "C" void twice_f16(half *y, const half *x, int n) { run<half>(y, x, n); }
"""


def test_one_launch_of_several_instances_picks_the_instance() -> None:
    result = translate_text(BY_TYPE, "twice.mlu", "cuda")
    assert result.status == "verified", result
    assert result.text is not None
    assert "if constexpr (std::is_same_v<T, half>)" in result.text
    assert "ops::twice<T>(" in result.text


DECLARED = """
#define DECLARE(Op, T) __mlu_global__ void tiled##Op##T(const T *x, T *y, int n);
#define DEFINE(Op, T)                                                                  \\
    __mlu_global__ void tiled##Op##T(const T *x, T *y, int n) {                        \\
        for (int i = taskId * 64; i < n; i += taskDim * 64) {                          \\
            int count = n - i < 64 ? n - i : 64;                                       \\
            __memcpy(tile, x + i, count * sizeof(T), GDRAM2NRAM);                      \\
            __bang_##Op(tile, tile, tile, count);                                      \\
            __asm__ volatile("sync;");                                                 \\
            __memcpy(y + i, tile, count * sizeof(T), NRAM2GDRAM);                      \\
        }                                                                              \\
    }
__nram__ float tile[64];
DECLARE(add, float)
DECLARE(mul, float);
DEFINE(add, float)
DEFINE(mul, float)
extern "C" void sums_and_products(const float *x, float *s, float *p, int n, cnrtQueue_t queue) {
    cnrtDim3_t dim = {4, 1, 1};
    tiledaddfloat<<<dim, cnrtFuncTypeUnion1, queue>>>(x, s, n);
    tiledmulfloat<<<dim, cnrtFuncTypeUnion1, queue>>>(x, p, n);
}
"""


@pytest.mark.parametrize("to", ["hip", "vnni"])
def test_macros_that_declare_and_define_kernels_are_gone(to: str) -> None:
    result = translate_text(HEADERS + DECLARED, "ops.mlu", to)
    assert result.status == "verified", result
    assert result.text is not None
    assert "DECLARE" not in result.text and "DEFINE" not in result.text
