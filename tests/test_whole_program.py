"""Programs of several files on the command line: what takes part in a run is compared by that run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xpiler.cli import main
from xpiler.gate import program_files

ADD = """#include "helper.h"
__global__ void add_one(float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += kStep;
}
void add(float *y, int n) { add_one<<<(n + 127) / 128, 128>>>(y, n); }
"""
HELPER = """#include "helper.h"
#include <cuda_runtime.h>
const float kStart = 3.0f;
void *on_device(const void *host, size_t bytes) {
    void *p = nullptr;
    cudaMalloc(&p, bytes);
    cudaMemcpy(p, host, bytes, cudaMemcpyHostToDevice);
    return p;
}
void to_host(void *host, const void *p, size_t bytes) { cudaMemcpy(host, p, bytes, cudaMemcpyDeviceToHost); }
"""
HELPER_H = """#pragma once
#include <cstddef>
#define kStep 1.0f
extern const float kStart;
void *on_device(const void *host, size_t bytes);
void to_host(void *host, const void *p, size_t bytes);
"""
MAIN = """#include <cstdio>
#include "helper.h"
void add(float *y, int n);
int main() {
    float h[300];
    for (int i = 0; i < 300; i++) h[i] = kStart * i;
    float *y = (float *)on_device(h, sizeof h);
    add(y, 300);
    to_host(h, y, sizeof h);
    printf("%f %f\\n", h[1], h[299]);
}
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Path]:
    for name, text in {
        "include/helper.h": HELPER_H,
        "src/add.cu": ADD,
        "src/helper.cu": HELPER,
        "main.cpp": MAIN.replace('"helper.h"', '"include/helper.h"'),
    }.items():
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path / "p"
    program_files.state([])


def translated(folder: Path, to: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    main(["translate", str(folder), "--to", to, "-o", str(folder.parent / "out"), "--json"])
    documents = json.loads(capsys.readouterr().out)
    return {document["entries"][0]["name"]: document for document in documents}


@pytest.mark.parametrize(("to", "suffix"), [("hip", ".hip"), ("vnni", ".cpp")])
def test_host_files_are_verified_by_the_main_that_uses_them(
    program: Path, to: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = translated(program, to, capsys)
    assert {name: document["status"] for name, document in found.items()} == {
        "add": "verified",
        "main": "verified",
        "helper.cu": "verified",
    }
    assert found["main"]["output"] is None  # the file is left as it is
    linked = f"linked with helper.cu, add.cu (translated: helper{suffix}, add{suffix})"
    assert found["main"]["evidence"][-1]["detail"].endswith(linked)
    assert found["helper.cu"]["output"].endswith(f"helper{suffix}")
    said = "linked into the programs of main.cpp, which were run and compared"
    assert found["helper.cu"]["evidence"][-1]["detail"] == said


def test_what_nobody_calls_is_named(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    helper = program / "src" / "helper.cu"
    helper.write_text(HELPER + "void forget(void *p) { cudaFree(p); }\n")
    found = translated(program, "hip", capsys)
    assert found["helper.cu"]["status"] == "unverified"
    assert found["helper.cu"]["evidence"][-1]["detail"].endswith("nobody calls `forget`")


def test_host_code_alone_is_translated_and_not_verified(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    helper, out = program / "src" / "helper.cu", program / "helper.hip"
    assert main(["translate", str(helper), "--to", "hip", "-o", str(out)]) == 1
    assert "nothing of it was run" in capsys.readouterr().out
    assert "hipMalloc" in (program / "helper.hip.unverified").read_text()
