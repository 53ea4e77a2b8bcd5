"""NVIDIA's runtime compiler from its wheel: checks the device code of a CUDA text without a toolkit."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from xpiler.gate import sandbox
from xpiler.gate.device_text import Chunk, chunks, device_side, instantiations, without
from xpiler.gate.sandbox import Limits
from xpiler.gate.shim import include_folders

_CHILD = Path(__file__).with_name("nvrtc_child.py")
_ROUNDS = 6  # how often declarations that only hosts can compile are taken out
_LIMITS = Limits(cpu=30, wall=40, memory=16384, processes=32, file=64, output=1 << 22)
_ERROR = re.compile(
    r"^(?P<file>[^\n(]+)\((?P<line>\d+)\): (?:catastrophic )?error:? ?(?P<text>.*)$", re.MULTILINE
)

# The wheel has no C++ library. These are headers that host code includes and device code needs little of.
_INTEGERS = """
typedef signed char int8_t; typedef short int16_t; typedef int int32_t; typedef long long int64_t;
typedef unsigned char uint8_t; typedef unsigned short uint16_t; typedef unsigned int uint32_t;
typedef unsigned long long uint64_t; typedef long intptr_t; typedef unsigned long uintptr_t;
#define INT8_MIN (-128)
#define INT8_MAX 127
#define UINT8_MAX 255
#define INT16_MIN (-32768)
#define INT16_MAX 32767
#define UINT16_MAX 65535
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define UINT32_MAX 4294967295u
#define INT64_MAX 9223372036854775807ll
#define UINT64_MAX 18446744073709551615ull
namespace std { using ::int8_t; using ::int16_t; using ::int32_t; using ::int64_t;
using ::uint8_t; using ::uint16_t; using ::uint32_t; using ::uint64_t; using ::size_t; }
"""
_LIMITS_H = """
#define CHAR_BIT 8
#define SCHAR_MIN (-128)
#define SCHAR_MAX 127
#define UCHAR_MAX 255
#define SHRT_MIN (-32768)
#define SHRT_MAX 32767
#define USHRT_MAX 65535
#define INT_MIN (-2147483647 - 1)
#define INT_MAX 2147483647
#define UINT_MAX 4294967295u
#define LLONG_MAX 9223372036854775807ll
#define LLONG_MIN (-9223372036854775807ll - 1)
#define ULLONG_MAX 18446744073709551615ull
"""
_FLOAT_H = """
#define FLT_MAX 3.402823466e+38f
#define FLT_MIN 1.175494351e-38f
#define FLT_EPSILON 1.192092896e-07f
#define DBL_MAX 1.7976931348623158e+308
#define DBL_MIN 2.2250738585072014e-308
#define DBL_EPSILON 2.2204460492503131e-16
"""
_MATH = """
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif
#define HUGE_VALF INFINITY
#define M_PI 3.14159265358979323846
#define M_PI_2 1.57079632679489661923
#define M_SQRT2 1.41421356237309504880
#define M_SQRT1_2 0.70710678118654752440
#define M_2_SQRTPI 1.12837916709551257390
#define M_E 2.7182818284590452354
#define M_LN2 0.69314718055994530942
#define M_LOG2E 1.4426950408889634074
"""
_EMPTY_HEADERS = (
    "cuda.h cuda_runtime.h cuda_runtime_api.h device_launch_parameters.h driver_types.h "
    "device_functions.h helper_cuda.h helper_functions.h helper_string.h helper_timer.h cublas_v2.h "
    "cudnn.h curand.h nvToolsExt.h stdio.h stdlib.h string.h time.h unistd.h getopt.h errno.h ctype.h "
    "signal.h sys/time.h omp.h cstdio cstdlib cstring ctime cerrno cctype iostream fstream sstream "
    "iomanip ostream string vector array map set unordered_map unordered_set list deque queue stack "
    "algorithm numeric random chrono thread mutex memory functional utility tuple iterator stdexcept "
    "exception initializer_list cassert assert.h "
).split()
_STUBS = dict.fromkeys(_EMPTY_HEADERS, "") | {
    "cassert": "#ifndef assert\n#define assert(condition) ((void)0)\n#endif\n",
    "assert.h": "#ifndef assert\n#define assert(condition) ((void)0)\n#endif\n",
    "cstdint": _INTEGERS,
    "stdint.h": _INTEGERS,
    "inttypes.h": _INTEGERS,
    "cstddef": "",
    "stddef.h": "",
    "stdbool.h": "",
    "climits": _LIMITS_H,
    "limits.h": _LIMITS_H,
    "cfloat": _FLOAT_H,
    "float.h": _FLOAT_H,
    "cmath": _MATH,
    "math.h": _MATH,
}

_FUNDAMENTAL = frozenset(
    "void bool char short int long float double unsigned signed const static inline".split()
)


@dataclass(frozen=True)
class Nvrtc:
    """The wheel's libraries and the folders of NVIDIA's headers that wheels or a toolkit provide."""

    library: Path
    builtins: Path | None
    includes: tuple[Path, ...]
    version: str

    @property
    def has_headers(self) -> bool:
        """Whether `cuda_fp16.h` and its kind can be included."""
        return any((folder / "cuda_fp16.h").is_file() for folder in self.includes)


@dataclass(frozen=True)
class DeviceCheck:
    """`ok` None: the compiler could not tell, because of what `detail` says. `unseen`: what it did not
    look at.
    """

    ok: bool | None
    detail: str
    unseen: str


@functools.cache
def find() -> Nvrtc | None:
    """The runtime compiler, if its wheel is installed."""
    for folder in _nvidia_folders():
        libraries = sorted(folder.glob("cuda_nvrtc/lib/libnvrtc.so.*")) + sorted(
            folder.glob("cu*/lib/libnvrtc.so.*")
        )
        for library in libraries:
            builtins = next(iter(sorted(library.parent.glob("libnvrtc-builtins.so*"))), None)
            version = builtins.name.rpartition(".so.")[2] if builtins else library.name.rpartition(".so.")[2]
            return Nvrtc(library, builtins, _include_folders(folder), version)
    return None


def _nvidia_folders() -> list[Path]:
    spec = importlib.util.find_spec("nvidia")
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _include_folders(nvidia: Path) -> tuple[Path, ...]:
    """Headers of wheels (`nvidia-cuda-runtime-cu12`, `-cccl-`, `-nvcc-`)."""
    return tuple(sorted(folder for folder in nvidia.glob("*/include") if folder.is_dir()))


def check(text: str, file: str, nvrtc: Nvrtc) -> DeviceCheck:
    """Compiles the device side of `text`."""
    parts = chunks(text)
    blanked = [part for part in parts if part.kind == "host"]
    source = device_side(text, parts)
    wanted = instantiations(text)
    for _ in range(_ROUNDS):
        answer = _compile(source, file, wanted, nvrtc)
        log = str(answer.get("log", ""))
        if answer.get("ok"):
            return DeviceCheck(True, "", _unseen(blanked, parts, wanted, answer))
        errors = list(_ERROR.finditer(log))
        if not errors:
            return DeviceCheck(None, log.strip()[:300] or "the compiler ended without a word", "")
        guilty = _host_only(text, file, errors, parts, blanked)
        if not guilty:
            return _verdict(errors, log, blanked)
        blanked += guilty
        source = without(source, guilty)
    return DeviceCheck(None, "too much of the text is host code that this compiler cannot read", "")


def _compile(source: str, file: str, wanted: list[str], nvrtc: Nvrtc) -> dict[str, object]:
    # Headers that exist for real are better than stand-ins.
    real = {name for name in _STUBS for folder in nvrtc.includes if (folder / name).is_file()}
    headers = {name: body for name, body in _STUBS.items() if name not in real or not body}
    folders = [*nvrtc.includes, Path(file).resolve().parent, *include_folders(source, file)]
    request = {
        "library": str(nvrtc.library),
        "builtins": str(nvrtc.builtins) if nvrtc.builtins else "",
        "text": source,
        "name": file,
        "headers": headers,
        "expressions": wanted,
        "options": [
            *("--std=c++17", "--gpu-architecture=compute_80", "--device-as-default-execution-space"),
            *(f"--include-path={folder}" for folder in folders),
        ],
    }
    with tempfile.TemporaryDirectory(prefix="xpiler-nvrtc-") as scratch:
        done = sandbox.run(
            [sys.executable, "-I", "-S", str(_CHILD)],
            cwd=Path(scratch),
            limits=_LIMITS,
            stdin=json.dumps(request).encode(),
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return {"ok": False, "log": f"the runtime compiler failed: {done.describe()} {done.stderr[-300:]}"}
    return answer if isinstance(answer, dict) else {"ok": False, "log": "no answer"}


def _host_only(
    text: str, file: str, errors: list[re.Match[str]], parts: list[Chunk], blanked: list[Chunk]
) -> list[Chunk]:
    """Declarations outside device code that the compiler stumbled over."""
    starts = [0]
    for content in text.split("\n"):
        starts.append(starts[-1] + len(content) + 1)
    guilty = []
    for error in errors:
        line = int(error["line"])
        if Path(error["file"]).name != Path(file).name or line >= len(starts):
            continue
        first, last = starts[line - 1], starts[line]
        for part in parts:
            overlaps = part.start < last and part.end > first
            if overlaps and part.kind == "other" and part not in blanked and part not in guilty:
                guilty.append(part)
    return guilty


def _verdict(errors: list[re.Match[str]], log: str, blanked: list[Chunk]) -> DeviceCheck:
    first = errors[0]
    message = f"{first['file']}:{first['line']}: {first['text']}"
    missing = re.search(r'(?:could not|cannot) open source file "([^"]+)"', log)
    if missing:
        return DeviceCheck(None, f"it has no header {missing[1]}", "")
    taken = {name for part in blanked for name in part.names} - _FUNDAMENTAL
    unknown = set(re.findall(r'(?:identifier|name|type) "(?:\w+::)*(\w+)"', log)) | set(
        re.findall(r'namespace "(\w+)"', log)
    )
    called = unknown & {part.function for part in blanked if part.kind == "host" and part.function}
    if called:
        name = sorted(called)[0]
        return DeviceCheck(
            False, f"{message}: {name} is a host function and cannot be called on the device", ""
        )
    if unknown & (taken | {"std"}):
        return DeviceCheck(None, f"device code uses what only a host compiler can read ({message})", "")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return DeviceCheck(False, message + more, "")


def _unseen(blanked: list[Chunk], parts: list[Chunk], wanted: list[str], answer: dict[str, object]) -> str:
    unseen = []
    if blanked:
        unseen.append("host code not seen")
    if wanted and not answer.get("expressions"):
        unseen.append("template instantiations not seen")
    return ", ".join(unseen)
