"""Run as a script in the sandbox: one NVRTC compilation, described by JSON on standard input.

In: `builtins`, `library` (paths, the first loaded first), `text`, `name`, `headers` {name: text}, `options`,
`expressions` (instantiations to force). Out: JSON `{"ok", "log", "version", "expressions"}`.
The text is hostile and the compiler is a large C++ program in this process: nothing else lives here.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any


def compile_device(request: dict[str, Any]) -> dict[str, Any]:
    if request.get("builtins"):
        ctypes.CDLL(request["builtins"], mode=ctypes.RTLD_GLOBAL)
    nvrtc = ctypes.CDLL(request["library"])
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    answer = _attempt(nvrtc, request, request["expressions"])
    if not answer["ok"] and request["expressions"]:
        plain = _attempt(nvrtc, request, [])
        # An instantiation that cannot be named (its arguments are host values) is no error of the program.
        if plain["ok"] and "name expression" in answer["log"]:
            answer = plain
    return answer | {"version": f"{major.value}.{minor.value}"}


def _attempt(nvrtc: ctypes.CDLL, request: dict[str, Any], expressions: list[str]) -> dict[str, Any]:
    program = ctypes.c_void_p()
    headers = request["headers"]
    texts = (ctypes.c_char_p * len(headers))(*[text.encode() for text in headers.values()])
    names = (ctypes.c_char_p * len(headers))(*[name.encode() for name in headers])
    text = request["text"].encode("utf-8", "surrogateescape")
    created = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), text, request["name"].encode(), len(headers), texts, names
    )
    if created != 0:
        return {"ok": False, "log": f"nvrtcCreateProgram failed: {created}", "expressions": []}
    for expression in expressions:
        nvrtc.nvrtcAddNameExpression(program, expression.encode())
    options = (ctypes.c_char_p * len(request["options"]))(*[o.encode() for o in request["options"]])
    status = nvrtc.nvrtcCompileProgram(program, len(request["options"]), options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value + 1)
    nvrtc.nvrtcGetProgramLog(program, log)
    return {"ok": status == 0, "log": log.value.decode("utf-8", "replace"), "expressions": expressions}


if __name__ == "__main__":
    json.dump(compile_device(json.load(sys.stdin)), sys.stdout)
