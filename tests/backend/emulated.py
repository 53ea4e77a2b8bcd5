"""Runs CUDA and HIP text on the host emulators: the same driver on both, the bytes that it printed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from xpiler.emulators import host

_COMPILER = "g++"
_CACHE = Path(tempfile.gettempdir()) / f"xpiler-emulator-tests-{os.getuid()}"

_DRIVER = """
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
template <typename T> struct Data {
    T* p;
    size_t n;
    Data(size_t n) : p((T*)calloc(n, sizeof(T))), n(n) {}
    operator T*() const { return p; }
};
static unsigned driver_state = 12345;
static int driver_random() { return (driver_state = driver_state * 1664525u + 1013904223u) >> 16; }
template <typename T, typename F> Data<T> input(size_t n, F value) {
    Data<T> d(n);
    for (size_t i = 0; i < n; ++i) d.p[i] = value((int)i);
    return d;
}
template <typename T> Data<T> output(size_t n) { return Data<T>(n); }
template <typename T> void emit(const Data<T>& d) { fwrite(d.p, sizeof(T), d.n, stdout); }
int main() {
"""


def run(text: str, file: str, platform: str, driver: str, folder: Path) -> bytes:
    """What the statements of `driver` print when run behind `text`; asserts that all went well."""
    prepared = host.prepare(text + _DRIVER + driver + "\n}\n", file, platform)
    program = folder / f"{Path(file).stem}-{platform}"
    source = program.with_suffix(".cpp")
    source.write_text(prepared)
    _CACHE.mkdir(exist_ok=True)
    flags = host.precompiled_header(platform, _COMPILER, _CACHE)
    compiled = subprocess.run(
        [_COMPILER, str(source), *flags, "-o", str(program)], capture_output=True, text=True, timeout=120
    )
    assert compiled.returncode == 0, compiled.stderr[:3000]
    events = program.with_suffix(".events")
    done = subprocess.run(
        [str(program)], capture_output=True, timeout=60, env={**os.environ, "XPILER_EVENTS": str(events)}
    )
    told = events.read_text() if events.exists() else ""
    assert done.returncode == 0, f"{platform}: exit {done.returncode}: {told[:2000]} {done.stderr[:500]!r}"
    return done.stdout
