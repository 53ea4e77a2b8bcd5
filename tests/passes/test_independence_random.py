"""What is said to be independent is so: against every two iterations of small loops."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from xpiler.frontend import parse
from xpiler.ir.nodes import For, If
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent
from xpiler.passes.serial import serial_form

TEXT = """
void f(float *__restrict__ b, int n, int m, int ld, int k) {{
    if ({condition})
        for (int i = {low}; i < {high}; ++i)
            for (int j = {start}; j < {stop}; ++j) b[{write}] = b[{read}] + 1.0f;
}}
"""
CONDITIONS = ["n <= ld", "m <= ld", "n <= ld && k >= 0 && k < n", "n <= ld && m <= ld", "ld >= 1", "n > 0"]
ROWS = ["i*ld", "j*ld", "i*n", "j*n", "k*ld", "i", "j", "(i+1)*ld", "i*m", "2*i*ld", "i*ld*2", "j*m", "0"]
COLUMNS = ["j", "i", "k", "j+1", "i+1", "0", "n-1-j", "2*j", "j+k", "i+j", "m-1-i"]


@st.composite
def nests(draw: st.DrawFn) -> dict[str, str]:
    place = st.builds(
        lambda row, column: f"{row} + {column}", st.sampled_from(ROWS), st.sampled_from(COLUMNS)
    )
    write = draw(place)
    return {
        "condition": draw(st.sampled_from(CONDITIONS)),
        "low": draw(st.sampled_from(["0", "1"])),
        "high": draw(st.sampled_from(["m", "n"])),
        "start": draw(st.sampled_from(["0", "i", "i + 1"])),
        "stop": draw(st.sampled_from(["n", "i", "i + 1", "m", "n - i"])),
        "write": write,
        "read": draw(st.one_of(st.just(write), place)),
    }


def conflict(nest: dict[str, str]) -> dict[str, int] | None:
    """Sizes at which two iterations of the outer loop meet in an element that one of them writes."""
    code = {name: compile(text.replace("&&", "and"), name, "eval") for name, text in nest.items()}
    for n, m, ld, k in product((1, 2, 3, 4), (1, 2, 3), (-1, 0, 1, 2, 3, 4, 5), (-1, 0, 1, 2)):
        sizes = {"n": n, "m": m, "ld": ld, "k": k}
        if not eval(code["condition"], {}, sizes):
            continue
        writers: dict[int, int] = {}
        readers: dict[int, set[int]] = {}
        for i in range(eval(code["low"], {}, sizes), eval(code["high"], {}, sizes)):
            at = {**sizes, "i": i}
            for j in range(eval(code["start"], {}, at), eval(code["stop"], {}, at)):
                here = {**at, "j": j}
                written, read = eval(code["write"], {}, here), eval(code["read"], {}, here)
                if writers.setdefault(written, i) != i:
                    return sizes
                readers.setdefault(read, set()).add(i)
        if any(written in readers and readers[written] - {i} for written, i in writers.items()):
            return sizes
    return None


@settings(max_examples=400, deadline=None)
@given(nests())
def test_no_two_iterations_of_a_loop_that_is_said_to_be_independent_meet(nest: dict[str, str]) -> None:
    (kernel,) = parse(TEXT.format(**nest), "f.cpp", platform="vnni").program.kernels
    function = serial_form(kernel)
    (chosen,) = function.body.body
    assert isinstance(chosen, If)
    (loop,) = chosen.then.body
    assert isinstance(loop, For)
    if independent(loop, Facts.of(function).where(chosen.condition)):
        assert conflict(nest) is None
