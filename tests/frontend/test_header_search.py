"""A program's own headers are found beside the file, and by paths from the project's root."""

from __future__ import annotations

from pathlib import Path

from xpiler.frontend import parse
from xpiler.frontend.header_search import find_angled, find_header
from xpiler.gate.shim import inline_includes


def project(folder: Path) -> Path:
    """`kernels/abs/abs.mlu` with a header beside it, one from the root and one of the root's `include`."""
    (folder / "kernels" / "abs").mkdir(parents=True)
    (folder / "kernels" / "sizes.h").write_text("#define SPAN 64\n")
    (folder / "include" / "lib").mkdir(parents=True)
    (folder / "include" / "lib" / "more.h").write_text("#define MORE 2\n")
    (folder / "sizes.h").write_text("#error of another program\n")
    source = folder / "kernels" / "abs" / "abs.mlu"
    source.write_text(
        '#include "kernels/sizes.h"\n#include "lib/more.h"\n'
        "__mlu_entry__ void k(float *y) {\n"
        "  __nram__ float t[SPAN];\n  __memcpy(t, y, SPAN * sizeof(float), GDRAM2NRAM);\n"
        "  __bang_mul_scalar(t, t, MORE, SPAN);\n  __memcpy(y, t, SPAN * sizeof(float), NRAM2GDRAM);\n}\n"
    )
    return source


def test_names_with_a_folder_are_looked_for_above(tmp_path: Path) -> None:
    source = project(tmp_path)
    assert find_header(source, "kernels/sizes.h") == tmp_path / "kernels" / "sizes.h"
    assert find_header(source, "lib/more.h") == tmp_path / "include" / "lib" / "more.h"
    assert find_header(source, "sizes.h") == source.parent / "sizes.h"  # beside, though there is none
    assert find_header(source, "../sizes.h") == source.parent / "../sizes.h"


def test_nothing_is_looked_for_above_the_repository(tmp_path: Path) -> None:
    source = project(tmp_path)
    (source.parent / ".git").mkdir()
    assert find_header(source, "kernels/sizes.h") == source.parent / "kernels" / "sizes.h"


def test_the_kernel_is_read_and_compiled_with_them(tmp_path: Path) -> None:
    source = project(tmp_path)
    unit = parse(source.read_text(), str(source), platform="bang")
    assert [k.name for k in unit.program.kernels] == ["k"]
    compiled = inline_includes(source.read_text(), str(source))
    assert "#define SPAN 64" in compiled and "#define MORE 2" in compiled and '"lib/more.h"' not in compiled


def test_other_names_are_looked_for_in_folders_of_headers(tmp_path: Path) -> None:
    source = project(tmp_path)
    (tmp_path / "kernels" / "inc").mkdir()
    for name in ("include/norm.cuh", "kernels/inc/own.cuh", "stray.cuh"):
        (tmp_path / name).write_text("")
    assert find_header(source, "norm.cuh") == tmp_path / "include" / "norm.cuh"
    assert find_header(source, "own.cuh") == tmp_path / "kernels" / "inc" / "own.cuh"
    assert find_header(source, "stray.cuh") == source.parent / "stray.cuh"  # beside, though there is none
    assert find_angled(source, "norm.cuh") == tmp_path / "include" / "norm.cuh"
    assert find_angled(source, "stray.cuh") is None and find_angled(source, "stdio.h") is None


def test_headers_of_libraries_are_not_the_programs(tmp_path: Path) -> None:
    source = project(tmp_path)
    (tmp_path / "include" / "cub").mkdir()
    (tmp_path / "include" / "cub" / "cub.cuh").write_text("")
    assert find_angled(source, "cub/cub.cuh") is None
