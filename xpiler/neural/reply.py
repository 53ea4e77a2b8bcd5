"""What a reply has to be: one program in one fenced block, and nothing that no kernel needs.

A reply is text from a stranger. It is never run but in the sandbox; what is refused here is refused to save
the time, and so that a person does not read it as a translation.
"""

from __future__ import annotations

import re

from xpiler.platforms.registry import PLATFORMS

LONGEST = 200_000  # characters of a program
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.M | re.S)
_FORBIDDEN = re.compile(
    r"\b(system|popen|fork|vfork|exec[lv]p?e?|dlopen|socket|connect|getenv|setenv|unlink|remove|rename|fopen|"
    r"freopen|open|mmap|ptrace|syscall|kill|asm|__asm__|__asm)\s*(volatile\s*)?\("
    r'(?!\s*""\s*:)'  # an empty statement, that only keeps a value in a register
)
_INCLUDE = re.compile(r'^\s*#\s*include\s*(["<][^">\n]*[">])', re.M)
_NO_HEADER = re.compile(r'^"|^<(/|\.\.|sys/|unistd|fcntl|spawn|fstream|filesystem|dlfcn|netinet|arpa)')


class Unusable(Exception):
    """Why a reply is no sketch, as the model is told."""


def program_in(reply: str, entry_names: tuple[str, ...], source: str) -> str:
    """The program that a reply has. Raises Unusable.

    `source` is the program that is translated: what it calls and includes a sketch may, too.
    """
    blocks = [found[3] for found in _FENCE.finditer(reply)]
    if not blocks:
        raise Unusable("there is no fenced code block in the reply")
    if len(blocks) > 1:
        named = [block for block in blocks if all(re.search(rf"\b{name}\b", block) for name in entry_names)]
        if len(named) != 1:
            raise Unusable(f"there are {len(blocks)} code blocks; give the whole program in one")
        blocks = named
    program = blocks[0]
    if len(program) > LONGEST or "\0" in program:
        raise Unusable("the block is no program text")
    missing = [name for name in entry_names if not re.search(rf"\b{re.escape(name)}\b", program)]
    if missing:
        raise Unusable(f"the program lacks `{missing[0]}`, which has to keep its name and signature")
    allowed = {found[1] for found in _FORBIDDEN.finditer(source)}
    for call in _FORBIDDEN.finditer(program):
        if call[1] not in allowed:
            raise Unusable(f"`{call[1]}` has no place in a kernel's program")
    included = set(_INCLUDE.findall(source))
    for header in _INCLUDE.findall(program):
        if _NO_HEADER.match(header) and header not in included:
            raise Unusable(f"`#include {header}` has no place in a kernel's program")
    return program


def language_of(platform: str) -> str:
    """The tag of a fenced block for a platform's programs."""
    return "cpp" if PLATFORMS[platform].model == "serial" else platform
