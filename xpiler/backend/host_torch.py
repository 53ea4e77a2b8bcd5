"""Host code of extensions of PyTorch on tensors of the processor.

    TORCH_CHECK(x.is_cuda(), "x must be a CUDA tensor");         TORCH_CHECK(x.is_cpu(), "x must be ...");
    const at::cuda::OptionalCUDAGuard guard(device_of(x));  -->
    scale(grid, block, x.data_ptr<float>());                     scale(grid, block, x.data_ptr<float>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();

There is one device and no stream: what guards, asks for or waits on one goes.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:torch|ATen|c10|pybind11)/", re.MULTILINE)
_EDITS = (
    (r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:ATen|c10)/cuda/[^\n]*\n", ""),
    (r"^[ \t]*(?:const\s+)?(?:at|c10|torch)::cuda::(?:Optional)?CUDAGuard\s+\w+[({][^;]*;[ \t]*\n", ""),
    (r"\b(?:at|c10|torch)::cuda::get(?:Current|Default)CUDAStream\([^()]*\)(?:\.stream\(\))?", "nullptr"),
    (r"^[ \t]*C10_CUDA_KERNEL_LAUNCH_CHECK\(\);[ \t]*\n", ""),
    (r"^[ \t]*(?:AT|C10)_CUDA_CHECK\(cuda(?:Get|Peek\w+)LastError\(\)\);[ \t]*\n", ""),
    (r"\.is_cuda\(\)", ".is_cpu()"),
    (r"\b(k|DeviceType::)CUDA\b", r"\1CPU"),
    (r"\bCUDA tensor\b", "CPU tensor"),
    (r"(\bTORCH_LIBRARY_IMPL\(\s*\w+\s*,\s*)CUDA\b", r"\1CPU"),
)


def on_processor(text: str) -> str:
    """The text with tensors where the kernels now are."""
    if not _HEADER.search(text):
        return text
    for pattern, new in _EDITS:
        text = re.sub(pattern, new, text, flags=re.MULTILINE)
    return text
