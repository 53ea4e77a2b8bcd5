"""Changes that do not compile are left out, and no others with them."""

from __future__ import annotations

from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.harness import _around, _undeclared

TEXT = "int f(int a) { int n = a; return n; }"


def test_a_name_is_missing_only_if_the_text_does_not_have_it() -> None:
    site = Site(19, 24, Form.VALUE, "f", [Alternative(t, 1.0, t) for t in ("n + 1", "taskId", "taskId + a")])
    log = "f.cpp:3:1: error: ‘n’ was not declared in this scope\nf.cpp:4:1: error: ‘taskId’ was not declared"
    assert _undeclared(log, TEXT, [site], {0: [1, 2, 3]}) == {(0, 2), (0, 3)}


def test_what_a_template_was_asked_for_blames_the_changes_around_it() -> None:
    log = (
        "f.cu:7:50:   required from here\natomics.hpp:38:13: error: assignment of read-only location ‘* at’\n"
    )
    lines = {3: (0, 1), 6: (1, 1), 9: (2, 1), 20: (3, 1)}
    assert _around(log, "f.cu", lines, {0: [1], 1: [1], 2: [1], 3: [1]}) == {(1, 1), (2, 1)}
