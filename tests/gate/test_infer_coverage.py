"""Which arguments are tried to reach the other launches of host code."""

from __future__ import annotations

from dataclasses import replace

from xpiler.frontend import parse
from xpiler.gate.infer_coverage import other_arguments


def test_a_template_for_each_power_of_two_is_reached() -> None:
    tried = {sizes["n"] for sizes in other_arguments({"rows": 37, "n": 53}, ["rows", "n"], [], [])}
    for k in range(14):  # ceil(log2(n)) chooses the instance
        assert any(2 ** (k - 1) < n <= 2**k for n in tried if n > 0), k


def test_sizes_that_one_condition_asks_for_are_tried_together() -> None:
    text = (
        "void run(int d, int m) { if (d == 64 && m == 128) first(); else if (d == 128 && m == 32) other(); }"
    )
    (function,) = parse(text, "run.cu").host_functions
    tried = [(s["d"], s["m"]) for s in other_arguments({"d": 37, "m": 53}, ["d", "m"], [], [function])]
    assert (64, 128) in tried and (128, 32) in tried
    nested = "{ switch (d) { case 64: if (m == 32) first(); } switch (m) { case 16: if (d == 7) other(); } }"
    function = replace(function, body=nested)
    tried = [(s["d"], s["m"]) for s in other_arguments({"d": 37, "m": 53}, ["d", "m"], [], [function])]
    assert (64, 32) in tried and (7, 16) in tried


def test_each_switch_has_its_own_cases_and_enumerators_count_from_zero() -> None:
    text = (
        "void run(Kind kind, int width) {\n"
        "    switch (kind) {\n"
        "        case Kind::First: { switch (width) { case 1: a(); break; case 4: b(); } break; }\n"
        "        case Kind::Other: c(); break;\n"
        "        default: return;\n"
        "    }\n"
        "}"
    )
    (function,) = parse("enum Kind { First, Other };\n" + text, "run.cu").host_functions
    tried = [
        (s["kind"], s["width"])
        for s in other_arguments({"kind": 9, "width": 53}, ["kind", "width"], [], [function])
    ]
    assert {(0, 1), (0, 4), (1, 1), (1, 4)} <= {*tried}
