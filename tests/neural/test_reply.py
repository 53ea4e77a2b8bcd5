"""What a reply has to be before anybody compiles it."""

import pytest

from xpiler.neural.reply import Unusable, program_in


def reply(statement: str) -> str:
    return f"```cpp\nvoid f(float *x) {{ {statement} }}\n```\n"


@pytest.mark.parametrize(
    "statement",
    ['__asm__("" : "+v"(v));', 'asm volatile ("" ::: "memory");'],
)
def test_an_assembler_statement_without_instructions_is_admitted(statement: str) -> None:
    assert statement in program_in(reply(statement), ("f",), "")


@pytest.mark.parametrize(
    "statement",
    [
        '__asm__("int3");',
        'asm("" "int3" : "+v"(v));',
        'asm volatile("syscall" : : : "memory");',
        "asm(CODE);",
    ],
)
def test_one_with_instructions_is_not(statement: str) -> None:
    with pytest.raises(Unusable, match="asm"):
        program_in(reply(statement), ("f",), "")
