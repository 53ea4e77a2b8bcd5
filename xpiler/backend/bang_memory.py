"""Memory of CUDA programs that CNRT has no word for, as small functions of the translated text.

    cudaMallocManaged(&x, bytes);       -->  managed_malloc((void **)&x, bytes);
    k<<<grid, block>>>(x, n);           -->  { to_device(); k<<<...>>>(on_mlu(x), ...); ...; from_device(); }
    cudaMemcpy2D(d, dp, s, sp, w, h, k) -->  copy_rows(d, dp, s, sp, w, h, k);

Managed memory is what the host sees and a copy of it on the device, which is brought up to date before a
launch and read back after it; a launch waits for its kernel therefore.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MANAGED = """\
// Managed memory: what the host sees, and its copy on the device.
struct Managed {
    char *host, *device;
    size_t bytes;
};
static std::vector<Managed> managed_memory;
static cnrtRet_t managed_malloc(void **pointer, size_t bytes) {
    Managed made = {(char *)malloc(bytes), nullptr, bytes};
    cnrtRet_t status = cnrtMalloc((void **)&made.device, bytes);
    managed_memory.push_back(made);
    *pointer = made.host;
    return status;
}
static Managed *managed_at(const void *pointer) {
    for (Managed &m : managed_memory)
        if (m.host <= (const char *)pointer && (const char *)pointer < m.host + m.bytes) return &m;
    return nullptr;
}
static cnrtRet_t managed_free(void *pointer) {
    Managed *found = managed_at(pointer);
    if (found == nullptr) return cnrtFree(pointer);
    free(found->host);
    cnrtRet_t status = cnrtFree(found->device);
    managed_memory.erase(managed_memory.begin() + (found - managed_memory.data()));
    return status;
}
static cnrtRet_t managed_copy(void *to, void *from, size_t bytes, cnrtMemTransDir_t direction) {
    const bool within = direction == cnrtMemcpyDevToDev;
    const bool to_mlu = managed_at(to) == nullptr && (within || direction == cnrtMemcpyHostToDev);
    const bool from_mlu = managed_at(from) == nullptr && (within || direction == cnrtMemcpyDevToHost);
    if (to_mlu) return cnrtMemcpy(to, from, bytes, from_mlu ? cnrtMemcpyDevToDev : cnrtMemcpyHostToDev);
    if (from_mlu) return cnrtMemcpy(to, from, bytes, cnrtMemcpyDevToHost);
    memmove(to, from, bytes);
    return cnrtSuccess;
}
static cnrtRet_t managed_set(void *to, int value, size_t bytes) {
    if (managed_at(to) == nullptr) return cnrtMemset(to, value, bytes);
    memset(to, value, bytes);
    return cnrtSuccess;
}
static void to_device() {
    for (Managed &m : managed_memory) cnrtMemcpy(m.device, m.host, m.bytes, cnrtMemcpyHostToDev);
}
static void from_device() {
    for (Managed &m : managed_memory) cnrtMemcpy(m.host, m.device, m.bytes, cnrtMemcpyDevToHost);
}
// Where on the device lies what an argument points to.
template <class T> static T on_mlu(T value) { return value; }
template <class T> static T *on_mlu(T *pointer) {
    Managed *found = managed_at(pointer);
    return found == nullptr ? pointer : (T *)(found->device + ((char *)pointer - found->host));
}"""
MALLOC_ROWS = """\
// Rows that each begin at a multiple of 512 bytes.
static cnrtRet_t malloc_rows(void **pointer, size_t *pitch, size_t width, size_t rows) {
    *pitch = (width + 511) / 512 * 512;
    return cnrtMalloc(pointer, *pitch * rows);
}"""
COPY_ROWS = """\
static cnrtRet_t copy_rows(
    void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t rows,
    cnrtMemTransDir_t direction) {
    cnrtRet_t status = cnrtSyncDevice();
    for (size_t row = 0; row < rows && status == cnrtSuccess; ++row)
        status = cnrtMemcpy((char *)to + row * to_pitch, (char *)from + row * from_pitch, width, direction);
    return status;
}"""
SET_ROWS = """\
static cnrtRet_t set_rows(void *to, size_t pitch, int value, size_t width, size_t rows) {
    cnrtRet_t status = cnrtSyncDevice();
    for (size_t row = 0; row < rows && status == cnrtSuccess; ++row)
        status = cnrtMemset((char *)to + row * pitch, value, width);
    return status;
}"""
HELPERS = {"managed_": MANAGED, "malloc_rows(": MALLOC_ROWS, "copy_rows(": COPY_ROWS, "set_rows(": SET_ROWS}
"""What a text needs where it has these words."""

CALLS = frozenset(
    "cudaMallocManaged cudaFree cudaMemset cudaMemPrefetchAsync cudaMemAdvise cudaMallocPitch cudaMemcpy2D "
    "cudaMemcpy2DAsync cudaMemset2D cudaMemset2DAsync".split()
)


def is_managed(text: str) -> bool:
    """Whether the program has memory that host and device share."""
    return re.search(r"\bcudaMallocManaged\b", text) is not None


def memory_call(name: str, arguments: Sequence[str], managed: bool) -> str | None:
    """The call that stands for one of `CALLS`, or for a copy where there is managed memory; else None."""
    match name, list(arguments):
        case "cudaMallocManaged", [pointer, size, *_]:
            return f"managed_malloc((void **)({pointer}), {size})"
        case "cudaFree", [pointer]:
            return f"managed_free({pointer})" if managed else f"cnrtFree({pointer})"
        case "cudaMemset" | "cudaMemsetAsync", [pointer, value, size, *_] if managed:
            return f"managed_set({pointer}, {value}, {size})"
        case "cudaMemset", [pointer, value, size]:
            return f"cnrtMemset({pointer}, {value}, {size})"
        case "cudaMemcpy" | "cudaMemcpyAsync", [to, source, size, kind, *_] if managed:
            return f"managed_copy({to}, (void *)({source}), {size}, {kind})"
        case "cudaMemPrefetchAsync" | "cudaMemAdvise", _:
            return "cnrtSuccess"
        case "cudaMallocPitch", [pointer, pitch, width, rows]:
            return f"malloc_rows((void **)({pointer}), {pitch}, {width}, {rows})"
        case "cudaMemcpy2D" | "cudaMemcpy2DAsync", [*places, kind] if len(places) == 6:
            return f"copy_rows({', '.join(places)}, {kind})"
        case "cudaMemcpy2DAsync", [*places, kind, _] if len(places) == 6:
            return f"copy_rows({', '.join(places)}, {kind})"
        case "cudaMemset2D" | "cudaMemset2DAsync", [to, pitch, value, width, rows, *_]:
            return f"set_rows({to}, {pitch}, {value}, {width}, {rows})"
    return None
