"""The format of the manuals, and that they cover what the platforms have."""

import importlib
import pkgutil

import pytest

from xpiler import platforms
from xpiler.errors import Refusal
from xpiler.neural.manual import entries_by_name, expanded, load_manual, parse_manual
from xpiler.platforms.bang_meaning import MEANINGS
from xpiler.platforms.registry import PLATFORMS

for module in pkgutil.iter_modules(platforms.__path__):
    importlib.import_module(f"xpiler.platforms.{module.name}")

SMALL = """# A title

## `__bang_{add,sub}`: sums
Adds or
subtracts.

- signature: `void __bang_add(T *dst, const T *a, const T *b, unsigned n)`
- means:
  - `__bang_add`: `dst[i] = a[i] + b[i]`
- types: float

    __bang_add(c, a, b, n);

    // and back
## A concept
Words.
"""


def test_an_entry_has_names_text_facts_meanings_and_an_example() -> None:
    first, second = parse_manual(SMALL, "bang", "small.md")
    assert first.names == ("__bang_add", "__bang_sub")
    assert first.text == "Adds or subtracts."
    assert first.facts["types"] == "float"
    assert first.meaning("__bang_add") == "dst[i] = a[i] + b[i]"
    assert first.meaning("__bang_sub") == ""
    assert first.example == "__bang_add(c, a, b, n);\n\n// and back"
    assert first.place == "bang/small.md:3"
    assert (second.title, second.names, second.text) == ("A concept", (), "Words.")


def test_a_fact_that_no_entry_has_is_refused() -> None:
    with pytest.raises(Refusal, match="no such fact: sourse"):
        parse_manual("## A\n- sourse: x\n", "bang", "a.md")


def test_braces_expand_like_a_shells() -> None:
    assert list(expanded("a{b,c}{,_d}")) == ["ab", "ab_d", "ac", "ac_d"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_entry_says_what_it_is_and_where_that_is_from(platform: str) -> None:
    for entry in load_manual(platform):
        assert entry.text and entry.facts.get("source"), entry.place


@pytest.mark.parametrize("platform", PLATFORMS)
def test_names_are_explained_once(platform: str) -> None:
    several = {"__memcpy"}  # of one, two and three dimensions
    seen: dict[str, str] = {}
    for entry in load_manual(platform):
        for name in entry.names:
            assert name in several or name not in seen, f"{name}: {entry.place} and {seen[name]}"
            seen[name] = entry.place


def test_every_instruction_of_bang_c_is_explained() -> None:
    assert [name for name in MEANINGS if name not in entries_by_name("bang")] == []


def test_no_vector_instruction_is_invented() -> None:
    moved = {"__bang_move", "__bang_write_value", "__bang_write_zero", "__bang_printf"}
    named = {name for name in entries_by_name("bang") if name.startswith("__bang_")}
    assert named - moved - set(MEANINGS) == set()
