"""Directives and macros: what is left of a text, and where it came from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.pace import paces
from xpiler.errors import Refusal
from xpiler.frontend.macros import tokens_of
from xpiler.frontend.predefined import predefined
from xpiler.frontend.preprocess import Expanded, preprocess

FILES = Path(__file__).parent / "files"


def words(text: str) -> str:
    """Text with every run of blanks made one."""
    return " ".join(text.split())


def expand(text: str, **defines: str) -> str:
    return words(preprocess(text, "t.cu", defines).text)


def original(expanded: Expanded, text: str, piece: str) -> str:
    """The part of the original text that `piece` of the expanded text comes from."""
    at = expanded.text.index(piece)
    _, start, end = expanded.map.span(at, at + len(piece))
    return text[start:end]


def refusal(text: str) -> str:
    with pytest.raises(Refusal) as caught:
        preprocess(text, "t.cu")
    return str(caught.value)


# ------------------------------------------------------------------------------------------ macros


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("#define N 4\nint a[N];", "int a[4];"),
        ("#define N\nint a N;", "int a ;"),
        ("#define N 4\n#undef N\nN", "N"),
        ("#define IDX(i, j) ((i)*N+(j))\n#define N 8\na[IDX(x, y + 1)]", "a[((x)*8+(y + 1))]"),
        ("#define F(x) x\nF F (1) F(2)", "F 1 2"),
        ("#define F(x) x\nF(a, (b, c))", None),
        ("#define F(x, y) x y\nF((a, b), c)", "(a, b) c"),
        ("#define S(x) #x\nS(a  +\n  \"b\\n\" 'c')", '"a + \\"b\\\\n\\" \'c\'"'),
        ("#define C(a, b) a##b\nC(x, 1) C(, y) C(z, )", "x1 y z"),
        ("#define C_(a, b) a##b\n#define C(a, b) C_(a, b)\n#define X v\nC(X, 2) C_(X, 2)", "v2 X2"),
        ("#define P(f, ...) p(f, __VA_ARGS__)\nP(1, 2, 3)", "p(1, 2, 3)"),
        ("#define P(f, ...) p(f, ##__VA_ARGS__)\nP(1) P(1, 2)", "p(1) p(1, 2)"),
        ("#define P(f, ...) p(f __VA_OPT__(,) __VA_ARGS__)\nP(1) P(1, 2)", "p(1) p(1, 2)"),
        ("#define P(args...) p(args)\nP(1, 2)", "p(1, 2)"),
        ("#define A B\n#define B A\nA B", "A B"),
        ("#define f(x) x + f(x - 1)\nf(f(2))", "2 + f(2 - 1) + f(2 + f(2 - 1) - 1)"),
        ("#define NEG -1\nx-NEG", "x- -1"),
        ("#define G f\n#define f(x) <x>\nG(1) f\n(2)", "<1> <2>"),
        ("#define EMPTY()\nEMPTY() a EMPTY( )", "a"),
        ("#define M do { \\\n  x; \\\n} while (0)\nM;", "do { x; } while (0);"),
        ("#define N 4\n\"N\" 'N' N_ xN 0xN 1.N", "\"N\" 'N' N_ xN 0xN 1.N"),
        ("a = __LINE__;\nb = __LINE__; f(__FILE__)", 'a = 1; b = 2; f("t.cu")'),
        ("__COUNTER__ __COUNTER__", "0 1"),
        ("#define A x // y\n#define B /* z */ y\nA B", "x y"),
    ],
)
def test_macros_expand_as_in_c(text: str, expanded: str | None) -> None:
    if expanded is None:
        assert "takes 1 arguments, 2 given" in refusal(text)
    else:
        assert expand(text) == expanded


def test_definitions_may_come_from_outside() -> None:
    assert expand("#ifdef WIDE\nN\n#endif", WIDE="1", N="7") == "7"
    assert words(preprocess("SQ(3)", "t.cu", {"SQ(x)": "((x)*(x))"}).text) == "((3)*(3))"


def test_a_text_may_define_a_known_constant_itself() -> None:
    assert (
        expand("float m = FLT_MAX, w = WARP_SIZE;") == "float m = 3.40282346638528859812e+38F, w = WARP_SIZE;"
    )
    assert expand("#define FLT_MAX 1e30f\nfloat m = FLT_MAX;") == "float m = 1e30f;"


def test_known_float_constants_are_exact() -> None:
    import numpy as np

    values = predefined("cuda")
    assert np.float32(values["FLT_MAX"].rstrip("F")) == np.finfo(np.float32).max
    assert np.float32(values["FLT_EPSILON"].rstrip("F")) == np.finfo(np.float32).eps
    assert np.float32(values["FLT_MIN"].rstrip("F")) == np.finfo(np.float32).tiny
    assert np.float32(values["CUDART_PI_F"].rstrip("f")) == np.float32(np.pi)
    assert float(values["M_PI"]) == np.pi
    assert float(values["DBL_MAX"]) == np.finfo(np.float64).max


def test_macros_that_never_end_are_left_with_a_warning() -> None:
    lines = ["#define L0 x x x x x x x x x x"]
    lines += [f"#define L{i} " + f"L{i - 1} " * 10 for i in range(1, 12)]
    result = preprocess("\n".join([*lines, "int before;", "L11", "int after;"]), "t.cu")
    assert words(result.text) == "int before; L11 int after;"
    assert str(result.warnings[0]).startswith("t.cu:14:1: warning: macro L11 is left as it is")
    nested = "#define F(x) x\n" + "F(" * 500 + "1" + ")" * 500
    assert "nested more than" in str(preprocess(nested, "t.cu").warnings[0])


# ------------------------------------------------------------------------------------------ conditionals


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("1", True),
        ("0x10 == 16 && 010 == 8 && 0b11 == 3", True),
        ("-1 < 0", True),
        ("-1 < 0u", False),
        ("(2 + 3) * 4 == 20", True),
        ("1 ? 0 : 1", False),
        ("UNKNOWN", False),
        ("!defined(UNKNOWN) && defined __CUDACC__", True),
        ("__CUDA_ARCH__ >= 700", True),
        ("__cplusplus >= 201103L", True),
        ("defined(X) && X > 2 || 0", False),
        ("7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1", True),
        ("1 << 4 | 1 ^ 3 & 2", True),
        ("~0 == -1", True),
        ("'a' == 97 && '\\n' == 10", True),
        ("1'000 == 1000", True),
        ("true && !false", True),
        ("defined(X) && 1 / X", False),
        ("__has_include(<cuda.h>)", False),
        ("SOME_VERSION(1, 2) >= 3", False),
    ],
)
def test_conditions_are_decided(condition: str, holds: bool) -> None:
    assert expand(f"#if {condition}\nyes\n#else\nno\n#endif") == ("yes" if holds else "no")


def test_only_one_branch_is_taken() -> None:
    text = "#define V {}\n#if V == 1\none\n#elif V == 2\ntwo\n#elif V\nmany\n#else\nnone\n#endif"
    assert [expand(text.format(v)) for v in (1, 2, 3, 0)] == ["one", "two", "many", "none"]


def test_what_is_skipped_may_be_anything() -> None:
    assert (
        expand("#if 0\n#if x\nisn't\n#else\n#error no\n#endif\n#include junk\n#elif 1\nyes\n#endif") == "yes"
    )


def test_the_device_side_is_taken() -> None:
    text = "#ifdef __CUDA_ARCH__\ndevice\n#else\nhost\n#endif"
    assert expand(text) == "device"
    hip = "#if defined(__HIPCC__) && !defined(__CUDACC__)\nhip\n#endif"
    assert words(preprocess(hip, "t.hip", platform="hip").text) == "hip"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n #if 1\nb", "t.cu:2:1: error: this conditional is never closed; add #endif"),
        ("#endif", "t.cu:1:2: error: #endif without #if"),
        ("#if 1\n#else\n#else\n#endif", "t.cu:3:2: error: #else after #else"),
        ("#if (1\n#endif", "t.cu:1:2: error: this #if has no value: ')' is missing"),
        ("#if 1 +\n#endif", "t.cu:1:2: error: this #if has no value: the expression ends too early"),
        ("#if " + "(" * 3000 + "\n#endif", "nested too deeply"),
        ("#ifdef\n#endif", "t.cu:1:2: error: #ifdef needs a name"),
        ("#define 3 4", "t.cu:1:2: error: a macro needs a name"),
        ("x /* y", "t.cu:1:3: error: this comment never ends"),
        ("int\x00x;", "t.cu:1:4: error: this is not a text file: it has the control character 0x00"),
    ],
)
def test_nonsense_is_refused_with_its_place(text: str, message: str) -> None:
    assert message in refusal(text)


def test_an_error_directive_is_a_warning() -> None:
    (warning,) = preprocess("#if 1\n#error too old\n#endif\nint x;", "t.cu").warnings
    assert str(warning) == "t.cu:2:2: warning: the text says #error too old [preprocess-error]"


# ------------------------------------------------------------------------------------------ includes


def test_local_includes_are_read_and_mapped(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text("#pragma once\n#define N 3\nint from_a;\n")
    main = '#include "a.h"\n#include "a.h"\n#include <b.h>\n#include "c.h"\nint x[N];'
    result = preprocess(main, str(tmp_path / "t.cu"))
    assert words(result.text) == "int from_a; int x[3];"
    assert [(i.name, i.is_system, i.found) for i in result.includes] == [
        ("a.h", False, True),
        ("a.h", False, True),
        ("b.h", True, False),
        ("c.h", False, False),
    ]
    at = result.text.index("from_a")
    assert str(result.map.range(at, at + 1)) == f"{tmp_path / 'a.h'}:3:5"


def test_include_cycles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text('#include "b.h"\n')
    (tmp_path / "b.h").write_text('\n#include "a.h"\n')
    with pytest.raises(Refusal, match=r"[ab]\.h:[12]:2: error: files include each other"):
        preprocess('#include "a.h"\n', str(tmp_path / "t.cu"))


# ------------------------------------------------------------------------------------------ places


def test_expanded_text_knows_where_it_comes_from() -> None:
    text = "#define ADD(a, b) ((a) + (b))\nint x = ADD(left, right); // sum\nint y;\n"
    result = preprocess(text, "t.cu")
    assert original(result, text, "left") == "left"
    assert original(result, text, "right") == "right"
    assert original(result, text, "((left) + (right))") == "ADD(left, right)"
    assert original(result, text, "(left) + (right)") == "ADD(left, right)"
    assert original(result, text, "int x = ((left) + (right));") == "int x = ADD(left, right);"
    assert original(result, text, "int y;") == "int y;"
    at = result.text.index("right")
    assert str(result.map.range(at, at + 5)) == "t.cu:2:19"


def test_every_copied_character_maps_to_itself() -> None:
    for path in sorted(FILES.glob("*.cu")):
        text = path.read_text()
        result = preprocess(text, str(path))
        for match in re.finditer(r"\S", result.text):
            origin, into = result.map.origin(match.start())
            if not origin.is_macro and origin.file == 0:
                assert text[origin.start + into] == match[0]


def test_comments_are_kept_aside() -> None:
    text = 'int a; // one\n/* two\n lines */ char *s = "// no";\n'
    result = preprocess(text, "t.cu")
    assert [c.text for c in result.comments] == ["// one", "/* two\n lines */"]
    assert all(text[c.start : c.end] == c.text for c in result.comments)
    assert words(result.text) == 'int a; char *s = "// no";'


def test_pragmas_are_recorded_where_they_stood() -> None:
    text = '#define U 4\n#define UNROLL _Pragma("unroll 8")\na\n#pragma unroll U\nb\nUNROLL c'
    result = preprocess(text, "t.cu")
    places = [(p.text, result.text[p.offset :].split()[0]) for p in result.pragmas]
    assert places == [("unroll 4", "b"), ("unroll 8", "c")]


def test_odd_line_ends_and_blanks_do_not_matter() -> None:
    unix = "#define N 3\n#define M \\\n  4\nint a[N], b[M];\n#if N\nint c;\n#endif\n"
    for text in (
        unix.replace("\n", "\r\n"),
        "\ufeff" + unix,
        unix.rstrip("\n"),
        unix.replace(" ", "\t"),
        "\f" + unix,
    ):
        assert words(preprocess(text, "t.cu").text) == "int a[3], b[4]; int c;"
    crlf = preprocess(unix.replace("\n", "\r\n"), "t.cu")
    assert str(crlf.map.range(crlf.text.index("int c"), crlf.text.index("int c") + 5)) == "t.cu:6:1"


def test_raw_strings_hide_what_looks_like_code() -> None:
    text = 'const char *s = R"(\n#define N 3\n/* " )";\nint N;'
    assert words(preprocess(text, "t.cu").text) == 'const char *s = R"( )"; int N;'


def test_empty_text_is_fine() -> None:
    assert preprocess("", "t.cu").text == ""


# ----------------------------------------------------------------------------------- against the compiler


@pytest.mark.parametrize("path", sorted(FILES.glob("*.cu")), ids=lambda p: p.stem)
def test_expansion_is_that_of_gcc(path: Path, tmp_path: Path) -> None:
    skipped = {"not_there.h", "math_constants.h"}
    text = "".join(
        "\n" if re.match(r"\s*#\s*(include\s*(<|\"(" + "|".join(skipped) + "))|error|pragma)", line) else line
        for line in path.read_text().splitlines(keepends=True)
    )
    (tmp_path / "layernorm_common.h").write_text(
        re.sub(r"#include <.*", "", (FILES / "layernorm_common.h").read_text())
    )
    copy = tmp_path / "t.cpp"
    copy.write_text(text)
    known = tmp_path / "known.h"
    known.write_text("".join(f"#define {name} {body}\n" for name, body in predefined("cuda").items()))
    command = [
        "g++",
        "-E",
        "-P",
        "-w",
        "-nostdinc",
        f"-I{tmp_path}",
        "-undef",
        "-include",
        str(known),
        str(copy),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    theirs = ran.stdout
    theirs = re.sub(r"^\s*#.*$", "", theirs, flags=re.MULTILINE)
    ours = preprocess(text, str(copy)).text
    assert [t.text for t in tokens_of(ours)] == [t.text for t in tokens_of(theirs)]


def test_a_thousand_lines_take_well_under_a_tenth_of_a_second() -> None:
    body = (FILES / "gemm_tiled.cu").read_text()
    text = body * (1000 // body.count("\n") + 1)
    preprocess(text, "t.cu")
    assert min(paces(lambda: preprocess(text, "t.cu")) for _ in range(5)) < 12
