"""Entries of the cache are whole or absent, and made once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from xpiler.gate import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPILER_CACHE", str(tmp_path / "cache"))


def test_an_entry_is_made_once() -> None:
    made: list[Path] = []

    def make(path: Path) -> bool:
        made.append(path)
        path.write_text("content")
        return True

    first, second = cache.fetch("kind", "name", make), cache.fetch("kind", "name", make)
    assert first == second and first is not None and first.read_text() == "content" and len(made) == 1


def test_what_was_not_made_is_not_kept() -> None:
    def fail(path: Path) -> bool:
        path.write_text("half")
        return False

    def crash(path: Path) -> bool:
        path.write_text("half")
        raise RuntimeError

    assert cache.fetch("kind", "name", fail) is None
    with pytest.raises(RuntimeError):
        cache.fetch("kind", "name", crash)
    assert [entry.name for entry in (cache.folder() / "kind").iterdir()] == []


def test_makers_at_the_same_time_agree() -> None:
    def make(path: Path) -> bool:
        path.mkdir()
        (path / "part").write_text("content")
        return True

    with ThreadPoolExecutor(8) as pool:
        entries = set(pool.map(lambda _: cache.fetch("kind", "folder", make), range(16)))
    (entry,) = entries
    assert entry is not None and (entry / "part").read_text() == "content"


def test_a_key_depends_on_where_its_parts_end() -> None:
    assert cache.key("ab", "c") != cache.key("a", "bc")


def test_without_a_writable_place_the_cache_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPILER_CACHE", "/proc/no-such-place")
    assert cache.folder().is_dir() and cache.folder() == cache.folder()
