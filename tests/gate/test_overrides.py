"""What a person states is read exactly, or refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpiler.errors import Refusal
from xpiler.gate.contract import Role, Values
from xpiler.gate.overrides import Overrides, evaluate, from_flags, from_toml, load_beside, names_in

FILE = """entry = "launch_gemm"
reduction = 1024
fast_math = true

[args]
m = 1024
n = [100, 257]
eps = 1e-5

[launch]
grid = [16, "n / 16"]
block = [16, 16]
shared = 4096

[shapes]
A = ["m", "k"]
B = "k,n"

[roles]
C = "inout"

[values]
index = { kind = "index", low = 0, high = 100 }
"""


def test_a_file_states_everything() -> None:
    assert from_toml(FILE, "gemm.xpiler.toml") == Overrides(
        entry="launch_gemm",
        args=(("m", (1024,)), ("n", (100, 257)), ("eps", (1e-5,))),
        grid=(16, "n / 16"),
        block=(16, 16),
        shared_bytes=4096,
        shapes=(("A", ("m", "k")), ("B", ("k", "n"))),
        roles=(("C", Role.INOUT),),
        values=(("index", Values("index", 0, 100)),),
        reduction_length=1024,
        fast_math=True,
    )


def test_flags_state_the_same_and_win() -> None:
    flags = from_flags(arg=["m=7", "flag=true"], grid="4,n/16", block="256", shape=["A=m,k*2"], entry="other")
    assert flags.args == (("m", (7,)), ("flag", (True,)))
    assert (flags.grid, flags.block, flags.shapes) == ((4, "n/16"), (256,), (("A", ("m", "k*2")),))
    merged = from_toml(FILE, "f").merged(flags)
    assert merged.entry == "other" and merged.scalar_choices("m") == (7,)
    assert merged.scalar_choices("n") == (100, 257) and merged.shared_bytes == 4096


def test_a_file_beside_the_kernel_is_found(tmp_path: Path) -> None:
    (tmp_path / "gemm.xpiler.toml").write_text("entry = 'f'\n")
    assert load_beside(str(tmp_path / "gemm.cu")).entry == "f"
    assert load_beside(str(tmp_path / "other.cu")) == Overrides()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("\n[args]\nm = 'x'\n", "3:1", "argument 'm' must be a number"),
        ("entry = \n", "1:9", "not valid TOML"),
        ("[launch]\ngrid = [1, 2, 3, 4]\n", "2:1", "one to three dimensions"),
        ("[launch]\nstream = 1\n", "2:1", "unknown key 'stream' in [launch]"),
        ("[shapes]\nA = 'm,f(1)'\n", "2:1", "may only use names, integers"),
        ("[roles]\nC = 'output'\n", "2:1", "no role of an argument; known are in, out, inout, scalar"),
        ("[values]\ni = { kind = 'odd' }\n", "2:1", "must be a table with a kind of index"),
        ("colour = 1\n", "1:1", "unknown key 'colour'"),
        ("fast_math = 1\n", "1:1", "must be of type bool"),
    ],
)
def test_a_mistake_in_the_file_is_refused_with_its_place(text: str, place: str, words: str) -> None:
    with pytest.raises(Refusal) as refusal:
        from_toml(text, "k.xpiler.toml")
    message = str(refusal.value)
    assert message.startswith(f"k.xpiler.toml:{place}: error: ") and words in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"arg": ["m"]}, "is not NAME=VALUE; write for example --arg m=1024"),
        ({"arg": ["m=a"]}, "'a' is no number, true or false"),
        ({"grid": "1,2,3,4"}, "more than three dimensions"),
        ({"block": "-3"}, "-3 is negative"),
        ({"block": "__import__('os')"}, "may only use names, integers"),
        ({"shape": ["A"]}, "is not NAME=EXTENT"),
        ({"grid": "((("}, "is not an expression"),
    ],
)
def test_a_mistake_in_a_flag_is_refused(flags: dict[str, str], words: str) -> None:
    with pytest.raises(Refusal, match="error: --") as refusal:
        from_flags(**flags)  # type: ignore[arg-type]
    assert words in str(refusal.value)


def test_extents_are_integer_expressions() -> None:
    assert evaluate("(n + 15) / 16 * 2", {"n": 100}) == 14
    assert evaluate("1 << k", {"k": 5}) == 32
    assert names_in("m * (k + 1)") == {"m", "k"}
    with pytest.raises(Refusal, match="state --arg q=VALUE"):
        evaluate("q * 2", {})
    for bomb in ("1 << 1000000000", "9 ** 9 ** 9", "n / 0"):
        with pytest.raises(Refusal):
            evaluate(bomb, {"n": 1})
