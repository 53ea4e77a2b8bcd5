"""The platforms' own compilers: which are here, and what they say of a text.

A text is compiled by everything that knows its platform, at the same time: CUDA by nvcc, or without one by
NVRTC (device code alone), or by the emulator; HIP by hipcc for gfx90a; C++ with AVX-512 by g++ and clang++.
What a compiler did not look at stands in the rung's detail. Answers are kept by the text's content.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from xpiler.gate import cache, nvrtc, sandbox
from xpiler.gate.absent_headers import reduced_text
from xpiler.gate.avx512 import VNNI_FLAGS, missing_parts
from xpiler.gate.compilers import (
    Compiler,
    first_line,
    host_compilers,
    openmp_flag,
    output_of,
)
from xpiler.gate.contract import Contract
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import build, torch_headers
from xpiler.gate.sandbox import Completed, Limits
from xpiler.gate.shim import include_folders, inline_includes
from xpiler.platforms.registry import PLATFORMS

_LIMITS = Limits(cpu=240, wall=300, memory=16384, processes=256, file=512)
_HIP_ENVIRONMENT = {"HIP_PLATFORM": "amd"}
_MISSING_HEADER = re.compile(r"No such file or directory|file not found")
_ERROR = re.compile(
    r"^(?P<file>[^\s:(][^:(\n]*)[:(](?P<line>\d+)(?:[:,](?P<column>\d+))?\)?: "
    r"(?:fatal |catastrophic )?error:? ?(?P<text>.*)$"
)


@dataclass(frozen=True)
class Tool:
    """One line of `xpiler doctor`. `path` is empty when the tool is not here; `use` says what it is for."""

    name: str
    path: str
    version: str
    use: str

    @property
    def found(self) -> bool:
        return bool(self.path)


def doctor() -> list[Tool]:
    """What there is to compile, run and check with."""
    tools = []
    uses = {
        "g++": "runs programs (emulators, AVX-512), checks C++ with AVX-512",
        "clang++": "a second opinion on C++ with AVX-512; runs programs where there is no g++",
        "zig c++": "runs programs where there is neither g++ nor clang++ (xpiler[compiler])",
    }
    here = {compiler.name: compiler for compiler in host_compilers()}
    for name, use in uses.items():
        compiler = here.get(name)
        tools.append(Tool(name, compiler.path if compiler else "", compiler.version if compiler else "", use))
    nvcc, hipcc = nvcc_path(), shutil.which("hipcc")
    tools.append(Tool("nvcc", nvcc or "", _nvcc_version(), "checks CUDA"))
    tools.append(
        Tool("NVRTC", *_nvrtc_line(), "checks CUDA device code where there is no nvcc (xpiler[cuda])")
    )
    tools.append(Tool("hipcc", hipcc or "", _hipcc_version(), "checks HIP for gfx90a"))
    cncc = shutil.which("cncc")
    tools.append(Tool("cncc", cncc or "", first_line([cncc, "--version"]) if cncc else "", "checks BANG C"))
    isolation = sandbox.isolation()
    tool = {"bubblewrap": "bwrap", "unshare": "unshare"}.get(isolation)
    where = shutil.which(tool) or "" if tool else ""
    tools.append(Tool("sandbox", where, isolation, "keeps programs under test from network and files"))
    lacking = ", ".join(missing_parts())
    said = f"emulated: what uses {lacking}" if lacking else "runs as it is"
    found = "" if missing_parts("") else "/proc/cpuinfo"  # the parts that every text needs
    tools.append(Tool("AVX-512 VNNI, BF16", found, said, "runs C++ with AVX-512"))
    return tools


def render_doctor(tools: list[Tool]) -> str:
    """The table for a terminal."""
    rows = [(t.name, t.version[:48] if t.found or t.version else "not found", t.use, t.path) for t in tools]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    )


# ------------------------------------------------------------------------------------------------ compiling


def compile_check(text: str, file: str, platform: str) -> list[Rung]:
    """What the compilers of `platform` say of `text`; one rung each, run concurrently."""
    checks = list(CHECKS[platform]()) if platform in CHECKS else []
    checks = checks or [functools.partial(_check_emulated, platform=platform)]
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(pool.map(lambda check: check(text, file), checks))


def _checks_of_cuda() -> list[Check]:
    return [_check_cuda]


def _checks_of_hip() -> list[Check]:
    return [_check_hip] if shutil.which("hipcc") else []


def _checks_of_vnni() -> list[Check]:
    return [
        functools.partial(_check_vnni, compiler=compiler)
        for compiler in host_compilers()
        if compiler.name != "zig c++"  # the last resort, and slow
    ]


Check = Callable[[str, str], Rung]  # of a text and its file's name
# The compilers of each platform that are here; where there is none its emulator's headers stand in.
CHECKS: dict[str, Callable[[], list[Check]]] = {
    "cuda": _checks_of_cuda,
    "hip": _checks_of_hip,
    "vnni": _checks_of_vnni,
}


def _check_cuda(text: str, file: str) -> Rung:
    why_not = ""
    nvcc = nvcc_path()
    if nvcc:
        argv = [
            nvcc,
            "-std=c++17",
            "-arch=sm_80",
            *(["-rdc=true"] if lacks_device_code(inline_includes(text, file)) else []),
            "-c",
        ]
        rung = _compile("nvcc", argv, _nvcc_version(), text, file, "cuda")
        if rung.ok or not re.search(r"cuda_runtime\.h|nvcc fatal|No such file or directory: ", rung.detail):
            return rung
        why_not = f"nvcc is here but does not work: {rung.detail}; "
    runtime_compiler = nvrtc.find()
    if runtime_compiler:
        start = time.monotonic()
        seen = _remembered(
            cache.key("nvrtc", inline_includes(text, file), file, repr(runtime_compiler)),
            lambda: _device_check(text, file, runtime_compiler),
        )
        if seen["ok"] is not None:
            detail = str(seen["detail"]) if not seen["ok"] else "device code compiles for sm_80"
            unseen = f" ({seen['unseen']})" if seen["unseen"] else ""
            tool = f"NVRTC {runtime_compiler.version}"
            return Rung(
                "compiled", bool(seen["ok"]), tool, why_not + detail + unseen, time.monotonic() - start
            )
        why_not += f"NVRTC could not tell: {seen['detail']}; "
    return _check_emulated(text, file, "cuda", why_not)


def _device_check(text: str, file: str, compiler: nvrtc.Nvrtc) -> dict[str, object]:
    checked = nvrtc.check(text, file, compiler)
    return {"ok": checked.ok, "detail": checked.detail, "unseen": checked.unseen}


def _check_hip(text: str, file: str) -> Rung:
    """Code for gfx90a and, at the same time, the host side up to its types: what `hipcc -c` would check."""
    hipcc = shutil.which("hipcc")
    assert hipcc
    apart = ["-fgpu-rdc"] if lacks_device_code(inline_includes(text, file)) else []
    sides = [
        [hipcc, "--offload-arch=gfx90a", "-std=c++17", "-O1", *apart, "--cuda-device-only", "-c"],
        [hipcc, "--offload-arch=gfx90a", "-std=c++17", "--cuda-host-only", "-fsyntax-only"],
    ]
    with ThreadPoolExecutor(2) as pool:
        device, host = pool.map(
            lambda argv: _compile("hipcc", argv, f"{_hipcc_version()} for gfx90a", text, file, "hip"), sides
        )
    worst = host if device.ok and not host.ok else device
    return Rung("compiled", worst.ok, "hipcc", worst.detail, max(device.seconds, host.seconds))


_OF_OTHERS = re.compile(
    r"\bextern\s+__(?:device|constant)__|\bextern\b[^;={}()]*\b__(?:device|constant)__[^;={}()]*;|"
    r"^[ \t]*__device__[^;={}()#]*\b\w+\s*\([^;{}]*\)\s*;",
    re.MULTILINE,
)


def lacks_device_code(text: str) -> bool:
    """Whether device code may use functions or variables of other files, which only builds with relocatable
    device code link."""
    return _OF_OTHERS.search(text) is not None


def _check_vnni(text: str, file: str, compiler: Compiler) -> Rung:
    """Compiled alone, without the precompiled header of `execute`: it must include what it uses. Optimising
    is most of the time and finds no errors; but only then does what is inlined count as a constant."""
    command = [*compiler.command, "-std=c++17", openmp_flag(compiler), *VNNI_FLAGS, "-c"]
    quick = _compile(compiler.name, [*command, "-O0"], compiler.version, text, file, "vnni")
    return (
        quick
        if quick.ok
        else _compile(compiler.name, [*command, "-O2"], compiler.version, text, file, "vnni")
    )


def _check_emulated(text: str, file: str, platform: str, why_not: str = "") -> Rung:
    """The weakest check: the emulator's headers accept the text. Optimising finds no errors, but leaves out
    calls of functions that are not there, if nothing comes to them."""
    for quick in (True, False):
        built = build(text, file, platform, Contract("", "main"), quick=quick)
        missing_main = not built.ok and "main" in built.error and "undefined reference" in built.error
        ok = built.ok or missing_main
        if ok:
            break
    emulated = PLATFORMS[platform].emulated
    reason = why_not or (f"no compiler for {platform} here; " if emulated else "")
    accepted = "accepted by the emulator's headers only" if emulated else "accepted"
    detail = f"{reason}{accepted}{_without(built.without)}" if ok else f"{reason}{built.error}"
    return Rung("compiled", ok, built.tool, detail, built.seconds)


def _compile(tool: str, argv: list[str], version: str, text: str, file: str, platform: str) -> Rung:
    start = time.monotonic()
    folders = dict.fromkeys([Path(file).resolve().parent, *include_folders(text, file)])
    includes = [f"-I{folder}" for folder in folders]
    name = cache.key("compile", inline_includes(text, file), file, version, *argv, *includes)

    def ask() -> dict[str, object]:
        with tempfile.TemporaryDirectory(prefix="xpiler-compile-") as folder:
            scratch = Path(folder)
            source = scratch / (re.sub(r"[^\w.-]", "_", Path(file).stem) + PLATFORMS[platform].extension)
            source.write_text(text, encoding="utf-8", errors="surrogateescape")
            environment = dict(_HIP_ENVIRONMENT)
            for variable in ("CUDA_HOME", "CUDA_PATH", "ROCM_PATH", "HIP_PATH", "HIP_DEVICE_LIB_PATH"):
                if variable in os.environ:
                    environment[variable] = os.environ[variable]
            done = sandbox.run(
                [*argv, *includes, source.name, "-o", "object.o"],
                cwd=scratch,
                limits=_LIMITS,
                env=environment,
            )
            detail = _diagnosis(done, source.name, file)
            return {"ok": done.ok, "detail": detail, "cut_short": bool(done.reason or done.signal)}

    known = _remembered(name, ask)
    detail = str(known["detail"])
    if not known["ok"] and platform == "vnni" and re.search(r"\b(?:torch|ATen|c10)/[\w/.]+", detail):
        tensors = f"-I{torch_headers()}"
        if tensors not in argv and _MISSING_HEADER.search(detail):
            rung = _compile(tool, [*argv, tensors], version, text, file, platform)
            seen = f"{rung.detail}, with what stands in for PyTorch's headers" if rung.ok else rung.detail
            return replace(rung, detail=seen, seconds=time.monotonic() - start)
    if not known["ok"] and _MISSING_HEADER.search(detail):
        reduced = reduced_text(text, file, platform)
        if reduced is not None:
            rung = _compile(tool, argv, version, reduced.text, file, platform)
            left_out = _without(reduced.headers) if rung.ok else ""
            return replace(rung, detail=f"{rung.detail}{left_out}", seconds=time.monotonic() - start)
    return Rung("compiled", bool(known["ok"]), tool, detail or version, time.monotonic() - start)


def _without(headers: Sequence[str]) -> str:
    """What a compiler did not see, for the headers of libraries that are not here."""
    return f", without what uses {', '.join(headers)}, not found here" if headers else ""


def _remembered(name: str, ask: Callable[[], dict[str, object]]) -> dict[str, object]:
    """The answer to a question that was asked before, or a fresh one; one that was cut short is not kept."""
    fresh: list[dict[str, object]] = []

    def make(path: Path) -> bool:
        fresh.append(ask())
        path.write_text(json.dumps(fresh[0]))
        return not fresh[0].get("cut_short")

    kept = cache.fetch("answers", f"{name}.json", make)
    if fresh or kept is None:
        return fresh[0]
    try:
        answer: dict[str, object] = json.loads(kept.read_text())
        return answer
    except ValueError:
        return ask()


def _diagnosis(done: Completed, name: str, file: str) -> str:
    """The first error as `file:line:column: message` and the number of others; empty when it compiled."""
    if done.ok:
        return ""
    if done.reason:
        return f"the compiler was {done.reason}"
    found = []
    for line in (done.stderr + done.stdout).splitlines():
        match = _ERROR.match(line.strip())
        if match:
            where = file if Path(match["file"]).name == name else match["file"]
            column = f":{match['column']}" if match["column"] else ""
            found.append(f"{where}:{match['line']}{column}: {match['text'].strip()}")
    if not found:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [
            line for line in said if re.search(r"\b(?:fatal )?error: ", line)
        ]  # of no place, as the linker's
        return (errors or said)[0][:300] if said else done.describe()
    return found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


# ----------------------------------------------------------------------------------------------- what is here


@functools.cache
def nvcc_path() -> str | None:
    """nvcc on the path or where toolkits are installed."""
    candidates = [
        shutil.which("nvcc"),
        *(f"{home}/bin/nvcc" for home in (os.environ.get("CUDA_HOME"), "/usr/local/cuda")),
    ]
    return next((path for path in candidates if path and os.access(path, os.X_OK)), None)


@functools.cache
def _nvcc_version() -> str:
    nvcc = nvcc_path()
    said = output_of([nvcc, "--version"]) if nvcc else ""
    match = re.search(r"release ([\d.]+)", said)
    return f"CUDA {match[1]}" if match else ""


@functools.cache
def _hipcc_version() -> str:
    hipcc = shutil.which("hipcc")
    if not hipcc:
        return ""
    said = output_of([hipcc, "--version"], _HIP_ENVIRONMENT)
    match = re.search(r"HIP version: ?([\d.]+)", said)
    return f"HIP {match[1]}" if match else (said.strip().splitlines() or [""])[0]


def _nvrtc_line() -> tuple[str, str]:
    found = nvrtc.find()
    if not found:
        return "", ""
    headers = "" if found.has_headers else ", without the headers for half precision"
    return str(found.library), f"NVRTC {found.version}{headers}"
