"""Runs CUDA, HIP and BANG C text on the host: the textual preparation and the compiler flags.

`prepare` turns the few constructs that are no C++ (launches, `__shared__`, `__nram__`, vendor vector
attributes) into calls of the emulator's headers, on the same lines; everything else compiles as it stands
against `simt/cuda.hpp`, `simt/hip.hpp` or `bang/bang.hpp`. `precompiled_header` builds those headers once
and returns the flags to use them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform as machine
import shutil
import subprocess
from functools import cache
from pathlib import Path

from xpiler.emulators import rewrite
from xpiler.emulators.rewrite_bang import prepare_bang

__all__ = ["EmulatorError", "flags", "precompiled_header", "prepare", "tensors_on_processor"]

_EMULATORS = Path(__file__).parent
_SHARED_RUNTIME = ("memory.cpp", "events.cpp", "lines.cpp", "symbols.cpp")
_RUNTIME = {
    "bang": (
        "runtime.cpp",
        "computing.cpp",
        "checks.cpp",
        "races.cpp",
        "copies.cpp",
        "vector.cpp",
        "shapes.cpp",
        "matrix.cpp",
    ),
    "cuda": ("runtime.cpp", "alignment.cpp", "endless.cpp"),
    "hip": ("runtime.cpp", "alignment.cpp", "endless.cpp"),
}
_BANG_ARCHITECTURES = ("270", "290", "372", "592")

# Headers that programs include. Most are empty: the precompiled header already has their content; the others
# name the emulator's header that they bring in.
_SAMPLES = ("helper_cuda.h", "helper_functions.h", "helper_string.h", "helper_timer.h", "helper_image.h")
_TORCH = (
    *(
        "torch/extension.h",
        "torch/torch.h",
        "torch/types.h",
        "torch/all.h",
        "torch/library.h",
        "torch/script.h",
    ),
    *("torch/python.h", "torch/serialize/tensor.h", "ATen/ATen.h", "ATen/Dispatch.h", "ATen/core/Tensor.h"),
    *(
        "ATen/Tensor.h",
        "ATen/TensorUtils.h",
        "ATen/AccumulateType.h",
        "ATen/DeviceGuard.h",
        "c10/util/Exception.h",
    ),
    *("c10/core/ScalarType.h", "c10/util/Half.h", "c10/util/BFloat16.h", "c10/macros/Macros.h"),
    *("pybind11/pybind11.h", "pybind11/stl.h"),
)
_TORCH_CUDA = (
    *("ATen/cuda/CUDAContext.h", "ATen/cuda/Exceptions.h", "c10/cuda/CUDAException.h"),
    *("c10/cuda/CUDAGuard.h", "c10/cuda/CUDAStream.h", "c10/cuda/CUDAFunctions.h"),
)
_TORCH_HIP = (
    *("ATen/hip/HIPContext.h", "ATen/hip/Exceptions.h", "c10/hip/HIPException.h"),
    *(f"ATen/hip/impl/HIP{name}MasqueradingAsCUDA.h" for name in ("GuardImpl", "Stream")),
)
_HEADERS: dict[str, dict[str, str]] = {
    "cuda": {
        **dict.fromkeys(
            (
                "cuda.h",
                "cuda_runtime.h",
                "cuda_runtime_api.h",
                "cuda_fp16.h",
                "cuda_fp16.hpp",
                "cuda_bf16.h",
                "cuda_bf16.hpp",
                "cuda_profiler_api.h",
                "cuda_device_runtime_api.h",
                "device_launch_parameters.h",
                "device_functions.h",
                "device_atomic_functions.h",
                "driver_types.h",
                "vector_types.h",
                "vector_functions.h",
                "host_defines.h",
                "builtin_types.h",
                "sm_20_atomic_functions.h",
                "sm_60_atomic_functions.h",
                "math_constants.h",
                "math_functions.h",
                "mma.h",
                "crt/mma.h",
                "cooperative_groups.h",
                "cooperative_groups/reduce.h",
                "cooperative_groups/scan.h",
                "cooperative_groups/memcpy_async.h",
                "curand_kernel.h",
                "nvtx3/nvToolsExt.h",
                "nvToolsExt.h",
            ),
            "",
        ),
        **dict.fromkeys(_SAMPLES, "samples.hpp"),
        **dict.fromkeys(("cuda_pipeline.h", "cuda_pipeline_primitives.h"), "pipeline.hpp"),
        **dict.fromkeys((*_TORCH, *_TORCH_CUDA), "torch.hpp"),
        "cuComplex.h": "complex.hpp",
    },
    "hip": {
        **dict.fromkeys((*_TORCH, *_TORCH_HIP), "torch.hpp"),
        **dict.fromkeys(
            (
                "hip/hip_runtime.h",
                "hip/hip_runtime_api.h",
                "hip/hip_fp16.h",
                "rocwmma/rocwmma.hpp",
                "hip/hip_bfloat16.h",
                "hip/hip_bf16.h",
                "hip/hip_cooperative_groups.h",
                "hip/hip_math_constants.h",
                "hip/hip_vector_types.h",
                "hip/hip_ext.h",
                "hip/math_functions.h",
                "hip/device_functions.h",
            ),
            "",
        ),
    },
}


_HEADERS["bang"] = dict.fromkeys(
    (
        "bang.h",
        "mlu.h",
        "bang_device_functions.h",
        "bang_device_types.h",
        "bang_fusor.h",
        "cnrt.h",
        "cndrv.h",
        "cn_api.h",
    ),
    "",
)


class EmulatorError(RuntimeError):
    """The emulator's own headers could not be compiled: the compiler is unusable, not the program."""


_NO_BUILTINS = tuple(
    f"-fno-builtin-{name}{suffix}"
    for name in ("rint", "nearbyint", "lrint", "llrint")
    for suffix in ("", "f")
)


@cache
def _machine_flags() -> tuple[str, ...]:
    """Instruction sets of this machine that make half precision and fused multiply-add fast."""
    if machine.machine() not in ("x86_64", "AMD64"):
        return ()
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ()
    have = set(text.split("flags", 1)[-1].split("\n", 1)[0].split())
    wanted = {"avx2": "-mavx2", "fma": "-mfma", "f16c": "-mf16c", "popcnt": "-mpopcnt", "bmi2": "-mbmi2"}
    return tuple(flag for name, flag in wanted.items() if name in have)


def prepare(text: str, file: str, platform: str) -> str:
    """`text` as C++ for the emulator, on the same lines. Text that is no program passes through."""
    return prepare_bang(text) if platform == "bang" else rewrite.prepare(text, file, platform)


def _platform_flags(platform: str, arch: str = "") -> list[str]:
    """BANG C is compiled for one architecture: `arch`, or else `XPILER_BANG_ARCH`, or else `mtp_372`."""
    if platform != "bang":
        return []
    wanted = (arch or os.environ.get("XPILER_BANG_ARCH", "") or "372").removeprefix("mtp_")
    if wanted not in _BANG_ARCHITECTURES:
        known = ", ".join(f"mtp_{a}" for a in _BANG_ARCHITECTURES)
        raise EmulatorError(f"the emulator does not know the architecture {wanted}, but {known}")
    return [f"-DXPEMU_ARCH={wanted}"]


def flags(platform: str, compiler: str, arch: str = "", optimisation: str = "-O1") -> list[str]:
    """Compiler flags for a prepared program, without the precompiled header.

    Contraction is off: what a kernel fuses is decided where it is compared, not by the host compiler.
    Functions that round to the nearest integer are called, so that the runner can have them do so where all
    other operations are rounded up or down.
    """
    if platform not in _HEADERS:
        raise ValueError(f"no emulator for platform {platform!r}")
    common = [
        "-std=c++17",
        optimisation,
        "-fPIC",
        "-w",
        "-ffp-contract=off",
        "-fno-strict-aliasing",
        "-fwrapv",
        "-ftrivial-auto-var-init=pattern",  # what nobody set is the same in every build, and no zero
        "-pthread",
        *_NO_BUILTINS,
    ]
    common += _machine_flags()
    common += _platform_flags(platform, arch)
    is_clang = "clang" in Path(compiler).name
    if platform != "bang":  # its instructions check alignment themselves; here `alignment.cpp` is told
        common += ["-fsanitize=alignment", *(["-fno-sanitize-link-runtime"] if is_clang else [])]
    else:  # `races.cpp` is told of every scalar access, and `lines.cpp` finds its line
        common += ["-fsanitize=thread", "-gdwarf-4"]
        common += ["-fno-sanitize-link-runtime", "-gline-tables-only"] if is_clang else ["-g1"]
    if is_clang:
        common += ["-fbracket-depth=1024"]
    return common


def _sources(platform: str) -> list[Path]:
    """The emulator's files: the platform's own and those that all platforms share."""
    own = "bang" if platform == "bang" else "simt"
    return sorted([*(_EMULATORS / own).iterdir(), *(_EMULATORS / "common").iterdir()])


def _fingerprint(platform: str, compiler: str, arch: str, optimisation: str) -> str:
    digest = hashlib.sha256(" ".join(_RUNTIME[platform]).encode())
    for path in _sources(platform):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    found = shutil.which(compiler)
    if found:
        status = Path(found).resolve().stat()
        digest.update(f"{found} {status.st_size} {status.st_mtime_ns}".encode())
    digest.update(" ".join(flags(platform, compiler, arch, optimisation)).encode())
    digest.update(repr(_HEADERS[platform]).encode())
    return digest.hexdigest()[:16]


def precompiled_header(
    platform: str,
    compiler: str,
    cache_dir: str | os.PathLike[str],
    arch: str = "",
    optimisation: str = "-O1",
) -> list[str]:
    """Builds (once) the precompiled header and the runtime object in `cache_dir`; returns the flags.

    The flags hold the runtime's object file, so that one command `compiler *flags program.cpp -o program`
    compiles and links. With `-c` pass only those that do not end in `.o`. Raises `EmulatorError` with the
    compiler's words.
    """
    fingerprint = _fingerprint(platform, compiler, arch, optimisation)
    home = Path(cache_dir) / f"{platform}-{Path(compiler).name}-{fingerprint}"
    if not (home / "ready").exists():
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second process waits and finds the first one's result
            if not (home / "ready").exists():
                _build(platform, compiler, home, arch, optimisation)
    return _use(platform, compiler, home, arch, optimisation)


def tensors_on_processor(folder: Path) -> None:
    """Puts what stands in for PyTorch's headers there, for programs that use no device."""
    content = (_EMULATORS / "simt" / "torch.hpp").read_text()
    (folder / "tensors.hpp").parent.mkdir(parents=True, exist_ok=True)
    (folder / "tensors.hpp").write_text(content)
    for name in _TORCH:
        stub = folder / name
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("#pragma once\n#include <tensors.hpp>\n")


def headers(platform: str) -> frozenset[str]:
    """What a program may include because the emulator stands for it."""
    return frozenset(_HEADERS[platform])


def _use(platform: str, compiler: str, home: Path, arch: str, optimisation: str) -> list[str]:
    header = f"{platform}.hpp"
    if "clang" in Path(compiler).name:
        include = ["-include-pch", str(home / f"{header}.pch")]
    else:
        include = ["-include", str(home / header), f"-L{home / 'no-sanitizer'}", f"-B{home / 'no-sanitizer'}"]
    return [
        *flags(platform, compiler, arch, optimisation),
        *include,
        f"-I{home / 'include'}",
        str(home / "runtime.o"),
    ]


def _build(platform: str, compiler: str, home: Path, arch: str, optimisation: str) -> None:
    runtime_files = (*_RUNTIME[platform], *_SHARED_RUNTIME)
    for path in _sources(platform):
        shutil.copy(path, home / path.name)
    (home / "runtime_all.cpp").write_text("".join(f'#include "{name}"\n' for name in runtime_files))
    for name, content in _HEADERS[platform].items():
        stub = home / "include" / name
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text(f'#pragma once\n#include "{home / content}"\n' if content else "#pragma once\n")
    # g++ links its own sanitizer runtimes beside ours unless it finds these first.
    (home / "no-sanitizer").mkdir(exist_ok=True)
    for library in ("libubsan.a", "libtsan.a"):
        (home / "no-sanitizer" / library).write_text("!<arch>\n")
    header = f"{platform}.hpp"
    suffix = "pch" if "clang" in Path(compiler).name else "gch"
    runtime = [compiler, "-std=c++17", "-fPIC", "-w", "-c", "runtime_all.cpp"]
    if platform == "bang":  # its runtime does the arithmetic, too
        runtime += ["-O2", "-ffp-contract=off", *_machine_flags(), *_platform_flags(platform, arch)]
    else:
        runtime += ["-O2", f"-DXPEMU_WARP={64 if platform == 'hip' else 32}"]
    options = [*flags(platform, compiler, arch, optimisation), "-x", "c++-header", str(home / header)]
    commands = (
        [*runtime, "-o", "runtime.o"],
        [compiler, *options, "-o", str(home / f"{header}.{suffix}")],
        [compiler, "-x", "c", "-c", "/dev/null", "-o", "no-sanitizer/libtsan_preinit.o"],
    )
    try:
        running = [
            subprocess.Popen(c, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for c in commands
        ]
        said = [each.communicate(timeout=300)[0] for each in running]
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmulatorError(f"{compiler} did not compile the emulator's headers: {error}") from error
    for each, message in zip(running, said, strict=True):
        if each.returncode:
            raise EmulatorError(
                f"{compiler} did not compile the emulator's headers:\n{message.strip()[:4000]}"
            )
    (home / "ready").touch()
