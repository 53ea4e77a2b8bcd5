"""The server's copy of a text is the editor's: lines and columns as the protocol counts them."""

from __future__ import annotations

import random
import re

import pytest
from lsprotocol import types
from xpiler_server.documents import Document
from xpiler_server.text import Edit, Text, carried, difference

PIECES = [
    "a",
    "b{",
    "\n",
    "\r\n",
    "\r",
    "\f",
    "\x0b",
    "\x85",
    "\u2028",
    "é",
    "😋",
    " ",
    "\n\n",
    "x\ny",
    "\ud83d",
]
UNITS = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}


class Reference:
    """A document as the protocol's text describes it, without any cleverness."""

    def __init__(self, encoding: str) -> None:
        self.text, self.units = "", UNITS[encoding]

    def position(self, offset: int) -> types.Position:
        lines = re.split(r"\r\n|\n|\r", self.text[:offset])
        return types.Position(len(lines) - 1, self.units(lines[-1]))

    def edit(self, start: int, end: int, new: str) -> types.TextDocumentContentChangePartial:
        place = types.Range(self.position(start), self.position(end))
        self.text = self.text[:start] + new + self.text[end:]
        return types.TextDocumentContentChangePartial(place, new)


@pytest.mark.parametrize("encoding", UNITS)
def test_ten_thousand_random_edits_leave_no_difference(encoding: str) -> None:
    chance = random.Random(encoding)
    reference = Reference(encoding)
    document = Document("file:///k.cu", "", 0, "cuda-cpp", encoding)
    for _ in range(10_000):
        start = chance.randrange(len(reference.text) + 1)
        end = min(len(reference.text), start + chance.choice([0, 0, 1, 3, 12]))
        if len(reference.text) > 600:
            end = min(len(reference.text), start + 60)
        # An editor never points between the halves of a line's end.
        start -= reference.text[start - 1 : start + 1] == "\r\n"
        end += reference.text[end - 1 : end + 1] == "\r\n"
        new = "".join(chance.choice(PIECES) for _ in range(chance.choice([0, 1, 1, 2, 6])))
        document.apply_change(reference.edit(start, end, new))
        assert document.source == reference.text
        assert document.text.starts == Text(reference.text).starts
        offset = chance.randrange(len(reference.text) + 1)
        offset -= reference.text[offset - 1 : offset + 1] == "\r\n"
        assert document.text.position(offset) == reference.position(offset)
        assert document.text.offset(reference.position(offset)) == offset


def test_a_form_feed_ends_no_line() -> None:
    document = Document("file:///k.cu", "a\f\nb\u2028c\nd", 0, None, "utf-16")
    place = types.Range(types.Position(1, 0), types.Position(1, 1))
    document.apply_change(types.TextDocumentContentChangePartial(place, "X"))
    assert document.source == "a\f\nX\u2028c\nd"
    assert document.lines == ["a\f\n", "X\u2028c\n", "d"]


def test_columns_are_units_of_the_encoding() -> None:
    line = "// 😋é BUG"
    assert [Text(line, e).position(line.index("B")).character for e in UNITS] == [10, 7, 6]


def test_a_column_behind_the_end_of_a_line_is_its_end() -> None:
    assert Text("ab\r\ncd").offset(types.Position(0, 99)) == 2
    assert Text("ab\r\ncd").offset(types.Position(99, 0)) == 6


def test_a_whole_new_text_is_the_smallest_edit() -> None:
    assert difference("one two three", "one 2 three") == Edit(4, 7, 1)
    assert difference("aaa", "aaaa") == Edit(3, 3, 1)
    assert difference("same", "same") == Edit(4, 4, 0)


def test_a_place_moves_with_the_text_and_is_lost_when_it_is_edited() -> None:
    assert carried((10, 14), [Edit(0, 2, 5)]) == (13, 17)
    assert carried((10, 14), [Edit(20, 22, 0)]) == (10, 14)
    assert carried((10, 14), [Edit(10, 10, 1)]) == (11, 15)
    assert carried((10, 14), [Edit(13, 15, 0)]) is None


def test_a_place_of_an_older_revision_is_carried_through_all_edits_since() -> None:
    document = Document("file:///k.cu", "abc def", 0, None, "utf-16")
    start = types.Range(types.Position(0, 0), types.Position(0, 0))
    for _ in range(3):
        document.apply_change(types.TextDocumentContentChangePartial(start, "x"))
    assert document.carried((4, 7), 0) == (7, 10)
    assert document.carried((4, 7), 2) == (5, 8)
