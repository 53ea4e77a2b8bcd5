"""Which line of code a comment speaks of."""

from __future__ import annotations

from xpiler.frontend.comments import blank_comments, with_lines
from xpiler.frontend.sourcemap import SourceFile

TEXT = """\
// of the whole
// file

int a; // of a
/* of b,
   over two lines */
// and more
int b;
// at the end
"""


def test_a_comment_speaks_of_its_own_line_or_of_the_next_with_code() -> None:
    _, comments = blank_comments(SourceFile.of("a.cu", TEXT))
    lines = [(line, text.split("\n")[0]) for line, text in with_lines(TEXT, comments)]
    assert lines == [
        (4, "// of the whole"),
        (4, "// file"),
        (4, "// of a"),
        (8, "/* of b,"),
        (8, "// and more"),
        (10, "// at the end"),
    ]
