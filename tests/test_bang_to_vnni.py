"""BANG C programs to C++ with AVX-512, verified: whole files with host code, and kernels alone."""

from __future__ import annotations

from xpiler.backend.cuda_from_cnrt import to_cuda_host
from xpiler.frontend import parse
from xpiler.translate import translate_text

ADD = """
#define TILE 256
__nram__ float a_nram[TILE];
__nram__ float b_nram[TILE];
__mlu_entry__ void add_kernel(const float *a, const float *b, float *c, int n) {
    int share = n / taskDim, rest = n % taskDim;
    int begin = taskId * share + (taskId < rest ? taskId : rest);
    int end = begin + share + (taskId < rest ? 1 : 0);
    for (int i = begin; i < end; i += TILE) {
        int count = end - i < TILE ? end - i : TILE;
        __memcpy(a_nram, a + i, count * sizeof(float), GDRAM2NRAM);
        __memcpy(b_nram, b + i, count * sizeof(float), GDRAM2NRAM);
        __bang_add(a_nram, a_nram, b_nram, count);
        __memcpy(c + i, a_nram, count * sizeof(float), NRAM2GDRAM);
    }
}
"""
HOST = """
extern "C" int add(const float *a, const float *b, float *c, int n) {
    float *d_a, *d_b, *d_c;
    size_t bytes = n * sizeof(float);
    cnrtQueue_t queue;
    CNRT_CHECK(cnrtQueueCreate(&queue));
    CNRT_CHECK(cnrtMalloc((void **)&d_a, bytes));
    CNRT_CHECK(cnrtMalloc((void **)&d_b, bytes));
    CNRT_CHECK(cnrtMalloc((void **)&d_c, bytes));
    CNRT_CHECK(cnrtMemcpy(d_a, (void *)a, bytes, cnrtMemcpyHostToDev));
    CNRT_CHECK(cnrtMemcpy(d_b, (void *)b, bytes, cnrtMemcpyHostToDev));
    cnrtDim3_t dim = {4, 2, 1};
    add_kernel<<<dim, cnrtFuncTypeUnion1, queue>>>(d_a, d_b, d_c, n);
    CNRT_CHECK(cnrtQueueSync(queue));
    CNRT_CHECK(cnrtMemcpy(c, d_c, bytes, cnrtMemcpyDevToHost));
    cnrtFree(d_a);
    cnrtFree(d_b);
    cnrtFree(d_c);
    cnrtQueueDestroy(queue);
    return 0;
}
"""


def test_a_program_with_host_code() -> None:
    text = "#include <bang.h>\n#include <cnrt.h>\n#include <stdio.h>\n#include <stdlib.h>\n" + ADD + HOST
    result = translate_text(text, "add.mlu", "vnni")
    assert result.status == "verified", result
    assert result.text is not None
    assert "cnrt" not in result.text.replace("CNRT_CHECK", "")
    assert "__nram__" not in result.text
    assert "_mm512_add_ps" in result.text


def test_a_kernel_alone_becomes_a_function() -> None:
    result = translate_text(ADD, "add.mlu", "vnni")
    assert result.status == "verified", result
    assert result.text is not None
    assert 'extern "C" void add_kernel(const float *a, const float *b, float *c, int n) {' in result.text


def test_an_array_reaches_as_far_as_floats_index_it() -> None:
    text = """
    __mlu_entry__ void sample(const float *table, const float *place, float *out, int n, int width) {
        for (int i = taskId; i < n; i += taskDim) {
            int x = (int)floorf(place[i] * width);
            out[i] = x >= 0 && x < width ? table[x] : 0.0f;
        }
    }
    """
    result = translate_text(text, "sample.mlu", "vnni")
    assert result.status == "verified", result


COUNTER = """
__mlu_const__ int steps[2] = {1, 2};
__nram__ int old_nram[32];
__mlu_global__ void count(int *counter, float *y, int n) {
    if (__is_mpu()) return;
    for (int i = taskId; i < n; i += taskDim) y[i] = 1.0f;
    __bang_atomic_add(old_nram, counter, steps[1]);
}
int main() {
    int *counter, value = 0;
    float *y;
    cnrtMalloc((void **)&counter, sizeof(int));
    cnrtMalloc((void **)&y, 64 * sizeof(float));
    cnrtMemcpy(counter, &value, sizeof(int), cnrtMemcpyHostToDev);
    cnrtDim3_t dim = {4, 1, 1};
    count<<<dim, cnrtFuncTypeUnion1, nullptr>>>(counter, y, 64);
    cnrtQueueSync(nullptr);
    cnrtMemcpy(&value, counter, sizeof(int), cnrtMemcpyDevToHost);
    printf("%d\\n", value);
}
"""


def test_an_old_value_that_nobody_looks_at_and_constant_memory() -> None:
    text = "#include <bang.h>\n#include <stdio.h>\n" + COUNTER
    result = translate_text(text, "count.mlu", "vnni")
    assert result.status == "verified", result
    assert result.text is not None and "__mlu_const__" not in result.text


def test_a_variable_that_is_called_like_a_type_of_cuda_has_another_name() -> None:
    host = """
    void run(const float *a, const float *b, float *c, int n, cnrtQueue_t queue) {
        cnrtDim3_t dim3 = {4, 1, 1};
        add_kernel<<<dim3, cnrtFuncTypeUnion1, queue>>>(a, b, c, n);
    }"""
    text = to_cuda_host(parse("#include <cnrt.h>\n" + ADD + host, "add.mlu", platform="bang"))
    assert "dim3 dims = {4, 1, 1};" in text
    assert "<<<dim3(dims.x * dims.y * dims.z), 1, 0, queue>>>(a, b, c, n);" in text
