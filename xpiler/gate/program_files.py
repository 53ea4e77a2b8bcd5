"""The files of a program: what a file's functions may call that it does not define.

    main.cu calls `launch_norm`, which norm.cu defines   -->   both are compiled and linked to run `main`

They lie beside the file, are named on the command line, or in the build's compilation database. A translation
that was made here stands for its file among programs of its platform, wherever it is written to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.files import read_source
from xpiler.frontend.build_flags import listed_files
from xpiler.platforms.registry import PLATFORMS, extensions, platform_of

_LARGEST = 1 << 20  # bytes of a file that is looked into
_WORDS = re.compile("|".join(platform.words for platform in PLATFORMS.values() if platform.words))
_VARIABLE = re.compile(
    r"^(?!extern\b[^;={]*;|(?:return|using|typedef|static|namespace|template|struct|class|enum)\b)"
    r"[A-Za-z_][\w:<>,*& \t]*[\s*&](?P<name>\w+)\s*(?:\[[^;=]*\]\s*)*[;={]",
    re.MULTILINE,
)
_HOST_FUNCTION = re.compile(
    r"^(?!.*__(?:global|device)__|\s*(?:static|inline|template|else|return)\b)[A-Za-z_][\w:<>,*& \t\"]*[\s*&]"
    r"(?:\w+::)*(?P<name>\w+)\s*\([^;{}]*\)[\w\s]*\{",
    re.MULTILINE,
)
_DEVICE_FUNCTION = re.compile(
    r"^(?![^;{}()]*(?:__global__|__forceinline__|\b(?:static|inline|template|else|return)\b))"
    r"(?=[^;{}()]*\b__device__\b)[A-Za-z_][\w:<>,*& \t\"]*[\s*&](?P<name>\w+)\s*\([^;{}]*\)[\w\s]*\{",
    re.MULTILINE,
)
_MAIN = re.compile(r"\bmain\s*\(")


@dataclass(frozen=True)
class OtherFile:
    """One file: its text, and its platform, "" for plain C and C++ that any platform's compiler takes.
    `origin` and `source`: the file and the text that it is a translation of, made here; "" for one on the
    disk."""

    path: str
    text: str
    platform: str
    origin: str = ""
    source: str = ""

    def defines(self, names: Iterable[str]) -> frozenset[str]:
        """Which functions and variables of these names seem to be defined in it."""
        return frozenset(name for name in names if _definition(name).search(self.text))

    def functions(self) -> frozenset[str]:
        """The host functions that others may call."""
        return frozenset(m["name"] for m in _HOST_FUNCTION.finditer(self.text)) - {"main"}

    def device_functions(self) -> frozenset[str]:
        """The device functions that kernels of others may call."""
        return frozenset(m["name"] for m in _DEVICE_FUNCTION.finditer(self.text))

    def variables(self) -> frozenset[str]:
        """Those at the start of lines, which others may use."""
        return frozenset(m["name"] for m in _VARIABLE.finditer(self.text))


_stated: tuple[Path, ...] = ()
_folder: Path | None = None
_translations: dict[Path, OtherFile] = {}  # by the path that the translation has beside its source
_used: dict[Path, dict[Path, str]] = {}  # translations that programs were linked with, by those programs


def state(files: Sequence[Path], output: Path | None = None) -> None:
    """The files of the program that is translated, and the folder with translations of it. Nothing is known
    of other translations any more."""
    global _stated, _folder
    _stated, _folder = tuple(path.resolve() for path in files), output
    _translations.clear()
    _used.clear()


def callees_first(files: Sequence[Path]) -> list[Path]:
    """The files in an order in which those that others call come before them, as far as there is one."""
    read = {path: _read(path) for path in files}
    defined: dict[Path, frozenset[str]] = {}
    for path, other in read.items():
        defined[path] = frozenset()
        if other is not None:
            defined[path] = other.functions() | other.variables() | other.device_functions()
    needs: dict[Path, list[Path]] = {}
    for path, other in read.items():
        used = frozenset(re.findall(r"\b\w+\b", other.text)) if other is not None else frozenset()
        used -= defined[path]
        needs[path] = [callee for callee in files if callee != path and used & defined[callee]]
    ordered: list[Path] = []
    begun: set[Path] = set()

    def visit(path: Path) -> None:
        if path not in begun:
            begun.add(path)
            for callee in needs[path]:
                visit(callee)
            ordered.append(path)

    for path in files:
        visit(path)
    return ordered


def is_stated(path: str) -> bool:
    """Whether the command names the file, so that its translation is written."""
    return Path(path).resolve() in _stated


def translated_path(file: Path | str, to: str) -> Path:
    """Where the translation of a file would lie beside it."""
    return Path(file).resolve().with_suffix(PLATFORMS[to].extension)


def keep_translation(file: Path | str, source: str, to: str, text: str) -> None:
    """`text` is what became of the text `source` of the file."""
    path = translated_path(file, to)
    _translations[path] = OtherFile(str(path), text, to, str(Path(file).resolve()), source)


def definers(file: str, platform: str, names: Sequence[str]) -> tuple[list[OtherFile], dict[str, list[str]]]:
    """Files that define functions or variables of these names, which a program of `file` lacks; and those
    names that several files define alike, so that nobody can tell which is meant."""
    others = other_files(file, platform)
    found: dict[str, OtherFile] = {}
    unclear: dict[str, list[str]] = {}
    for name in names:
        defining = [other for other in others if other.defines((name,))]
        if not defining:
            continue
        best = min(map(_distance, defining))
        nearest = [other for other in defining if _distance(other) == best]
        if len(nearest) == 1:
            found[nearest[0].path] = nearest[0]
        else:
            unclear[name] = [other.path for other in nearest]
    return list(found.values()), unclear


def _distance(other: OtherFile) -> tuple[bool, bool, bool]:
    """Translations come before their like on the disk, files that the command names before their
    neighbours, device code before plain code, programs of their own last."""
    named = bool(other.source) or Path(other.path) in _stated
    return not named, not other.platform, _MAIN.search(other.text) is not None


def has_translation(other: OtherFile, to: str) -> bool:
    """Whether a translation of a file was made here, or lies where translations are written: with the same
    functions, so that it is no host code of the same name."""
    beside = translated_path(other.path, to)
    known = _translations.get(beside)
    if known is not None and known.platform == to:
        return known.source == other.text
    names = other.functions()
    there = [beside, *([_folder / beside.name] if _folder is not None else [])]
    return any(o is not None and o.defines(names) >= names for o in map(_read, there))


def note_use(file: str, others: Sequence[OtherFile]) -> None:
    """A program of `file` was linked with them."""
    of_file = _used.setdefault(Path(file).resolve(), {})
    of_file.update({Path(o.path): o.text for o in others if o.source})


def users_of(file: Path | str, to: str, text: str) -> list[Path]:
    """The files, as their translations lie beside them, whose programs were linked with this text as the
    translation of `file`."""
    path = translated_path(file, to)
    return [user for user, used in _used.items() if used.get(path) == text]


def is_outdated(file: Path | str, to: str) -> bool:
    """Whether a program of the file's translation was linked with a text that is another one now."""
    used = _used.get(translated_path(file, to), {})
    return any(path in _translations and _translations[path].text != text for path, text in used.items())


def other_files(file: str, platform: str) -> list[OtherFile]:
    """What a program of `file`, a text for `platform`, may be linked with; device code first."""
    own = Path(file).resolve()
    candidates = [*_candidates(own)]
    made = [o for o in _translations.values() if o.platform == platform and Path(o.origin) in candidates]
    found = {Path(other.path): other for other in made if Path(other.path) != own}
    older = {own.name, *(Path(other.path).name for other in made)}  # in the folder of translations
    for path in candidates:
        is_own = path.parent == own.parent and path.stem == own.stem
        if path in found or is_own or (path.parent == _folder and path.name in older):
            continue
        read = _read(path)
        if read is not None and read.platform in ("", platform):
            found[path] = read
    plain = [o for o in found.values() if not o.platform and not _MAIN.search(o.text)]
    return [*(o for o in found.values() if o.platform), *plain]


def _candidates(own: Path) -> Iterator[Path]:
    folders = [own.parent, *([_folder] if _folder is not None else [])]
    beside = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    yield from dict.fromkeys([*_stated, *beside, *listed_files(own)])


def _read(path: Path) -> OtherFile | None:
    if path.suffix not in extensions() or path.suffix.endswith("h"):
        return None
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        text = read_source(path)
        platform = platform_of(str(path), text)
    except (OSError, Refusal):
        return None
    is_plain = not PLATFORMS[platform].emulated and not _WORDS.search(text)
    return OtherFile(str(path), text, "" if is_plain else platform)


def _definition(name: str) -> re.Pattern[str]:
    """`name(...) {`, or a variable `type name[8];` at the start of a line."""
    n = re.escape(name)
    function = rf"\b{n}\s*\([^;{{}}]*\)[\w\s]*\{{"
    variable = (
        rf"^(?!\s*(?:extern\b[^;={{]*;|(?:return|using|static)\b))\s*[A-Za-z_][\w:<>,*& \t]*[\s*&]{n}\s*"
        r"(?:\[[^;=]*\]\s*)*[;={,]"
    )
    return re.compile(f"{function}|{variable}", re.MULTILINE)
