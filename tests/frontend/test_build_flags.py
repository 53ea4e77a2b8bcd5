"""Flags of builds: stated, or told by a compilation database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from xpiler.frontend import build_flags, parse
from xpiler.frontend.build_flags import BuildFlags, defined_above, flags_of, from_words
from xpiler.gate.shim import inline_includes


@pytest.fixture(autouse=True)
def nothing_stated() -> Iterator[None]:
    yield
    build_flags.state(BuildFlags())


def test_flags_are_read_as_compilers_do(tmp_path: Path) -> None:
    words = "nvcc -Iinc -I ../up --include-path=third -DN=4 -D FAST -D'SQ(x)=((x)*(x))' -isystem sys -c k.cu"
    flags = from_words(words.replace("'", "").split(), tmp_path / "build")
    assert flags.folders == (tmp_path / "build" / "inc", tmp_path / "up", tmp_path / "build" / "third")
    assert flags.macros == {"N": "4", "FAST": "1", "SQ(x)": "((x)*(x))"}


def test_response_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "includes.rsp").write_text('-I"/p/a b" -DK=2')
    for words in (["@includes.rsp"], ["--options-file", "includes.rsp"], ["--options-file=includes.rsp"]):
        assert from_words(words, tmp_path) == BuildFlags((Path("/p/a b"),), {"K": "2"})
    assert from_words(["@absent.rsp", "-DK"], tmp_path) == BuildFlags((), {"K": "1"})


def test_folders_of_toolkits_are_not_the_programs(tmp_path: Path) -> None:
    (tmp_path / "cuda").mkdir()
    (tmp_path / "cuda" / "cuda_runtime.h").write_text("")
    assert from_words(["-Icuda", "-Iown"], tmp_path).folders == (tmp_path / "own",)


def database(folder: Path) -> Path:
    """`src/norm.cu`, which is compiled with `-Iheaders -DROWS=4` in `build`, where the database is."""
    for name in ("build", "src", "headers"):
        (folder / name).mkdir()
    command = "nvcc -I../headers -DROWS=4 -c ../src/norm.cu"
    entry = {"directory": str(folder / "build"), "file": "../src/norm.cu", "command": command}
    (folder / "build" / "compile_commands.json").write_text(json.dumps([entry]))
    (folder / "headers" / "norm.cuh").write_text("#define COLS 8\n")
    source = folder / "src" / "norm.cu"
    source.write_text(
        "#include <norm.cuh>\n"
        "__global__ void k(float *y) { if (threadIdx.x < ROWS * COLS) y[threadIdx.x] = 1; }\n"
    )
    return source


def test_a_database_tells_folders_and_macros(tmp_path: Path) -> None:
    source = database(tmp_path)
    assert flags_of(source) == BuildFlags((tmp_path / "headers",), {"ROWS": "4"})
    # A header may be read for any file: it has all folders, and no macros.
    assert flags_of(tmp_path / "headers" / "norm.cuh") == BuildFlags((tmp_path / "headers",))
    build_flags.state(BuildFlags((Path("/x"),), {"ROWS": "5"}))
    assert flags_of(source) == BuildFlags((Path("/x"), tmp_path / "headers"), {"ROWS": "5"})


def test_kernels_are_read_and_compiled_with_them(tmp_path: Path) -> None:
    source = database(tmp_path)
    unit = parse(source.read_text(), str(source))
    assert [k.name for k in unit.program.kernels] == ["k"] and not unit.refusals
    compiled = inline_includes(source.read_text(), str(source))
    assert compiled.startswith("#ifndef ROWS\n#define ROWS 4\n#endif\n#line 1 ") and "COLS 8" in compiled


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"file": 3}]', '[{"file": "norm.cu", "command": "\'"}]'])
def test_a_broken_database_tells_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "compile_commands.json").write_text(text)
    assert flags_of(tmp_path / "norm.cu") == BuildFlags()


def test_only_macros_that_a_text_names_are_written() -> None:
    macros = {"N": "4", "SQ(x)": "((x)*(x))", "NDEBUG": "1"}
    told = defined_above("int a[SQ(N)];", macros)
    assert told == "#ifndef N\n#define N 4\n#endif\n#ifndef SQ\n#define SQ(x) ((x)*(x))\n#endif\n"
