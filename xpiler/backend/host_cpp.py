"""The host text of a CUDA file as a C++ program: edited in place, so that names, comments and the interface
survive.

    __global__ void k(...) {...}       -->  static void k(dim3 gridDim, dim3 blockDim, ...) {...}  (generated)
    k<<<grid, block, bytes>>>(a, n);   -->  k(grid, block, a, n);
    cudaMemcpy(...)                    -->  unchanged, on a small function that copies host memory

Kernels and device functions are replaced or removed; `__constant__` and `__device__` variables become
static ones; CUDA headers give way to the few functions of `host_shims` that are used. What has no host
meaning is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from xpiler.backend.hip_source import SourceText, Token
from xpiler.backend.host_dispatch import cpp_dispatcher, passed, split, unpacked
from xpiler.backend.host_graphs import captures, copy_edits, enqueued
from xpiler.backend.host_halves import converted, needed, with_conversions
from xpiler.backend.host_lambdas import lambda_edits
from xpiler.backend.host_math import called_in
from xpiler.backend.host_shims import SHIMS
from xpiler.backend.host_values import address_function, chosen, value_edits
from xpiler.backend.omit import base_name
from xpiler.backend.vnni import ALL_HELPERS, HEADERS, CppFunction
from xpiler.errors import Refusal
from xpiler.frontend.unit import LaunchSite, Unit
from xpiler.ir.nodes import Function

_CUDA_HEADERS = re.compile(
    r"[<\"](cuda[\w/]*|device_launch_parameters|device_functions|cooperative_groups[\w/]*|mma|vector_types|vector_functions|"
    r"math_constants|sm_\w+|texture_\w+|helper_\w+|exception|curand_kernel|nvToolsExt|nvfunctional)(\.h|\.hpp|\.cuh)?[>\"]"
)
_QUALIFIERS = frozenset(
    ("__host__", "__device__", "__constant__", "__managed__", "__forceinline__", "__noinline__")
)
_PLAIN_TYPES = frozenset(
    "float double int unsigned bool half bfloat16 char short int8_t uint8_t int16_t uint16_t int32_t "
    "uint32_t int64_t "
    "uint64_t".split()
)


@dataclass(frozen=True)
class Edit:
    """text[start:end] becomes `text`."""

    start: int
    end: int
    text: str


def to_cpp(unit: Unit, functions: Mapping[str, CppFunction]) -> str:
    """The C++ program. `functions`: generated code by `Function.name`, made without `launch`.

    Raises `Refusal` where host code uses what has no host form, or launches a kernel that was refused.
    """
    source = SourceText(unit.text, unit.file)
    edits = [
        *_launch_edits(unit, source, functions),
        *_kernel_edits(unit, functions),
        *_device_function_edits(unit, source),
        *_text_edits(source),
        *macro_prototype_edits(unit),
        *(Edit(*e) for e in (*value_edits(unit), *lambda_edits(unit), *copy_edits(source))),
    ]
    body = _apply(unit.text, edits)
    _check(unit, source, edits)
    return _with_preamble(body)


# ---------------------------------------------------------------------------------------------- launches


def _launch_edits(unit: Unit, source: SourceText, functions: Mapping[str, CppFunction]) -> Iterable[Edit]:
    sites: dict[tuple[int, int], list[LaunchSite]] = defaultdict(list)
    for site in unit.launches:
        sites[site.span].append(site)
    for span, group in sites.items():
        yield Edit(*span, _call(unit, source, span, group, functions))


Made = TypeVar("Made")


def none_of(unit: Unit, group: Sequence[LaunchSite], functions: Mapping[str, Made]) -> str | None:
    """What stands for the launch of an instance that has no form on the target, of a template with others
    that have one: the program stops there. None where one of the launch's instances has a form."""
    had = {k.template for k in unit.program.kernels if k.name in functions}
    templates = {k.name: k.template for k in unit.program.kernels}
    if any(s.kernel in functions or s.value for s in group):
        return None
    if not all(templates.get(s.kernel, base_name(s.spelling)) in had for s in group):
        return None
    return f"__builtin_trap() /* {group[0].spelling} is not translated */"


def launched(unit: Unit, site: LaunchSite, functions: Mapping[str, Made]) -> Made:
    """What was made of the kernel that a launch starts. Raises the reason why nothing was."""
    if site.kernel in functions:
        return functions[site.kernel]
    why = unit.refusals.get(site.kernel) or unit.refusals.get(site.spelling)
    if why is not None:
        raise Refusal.of(why)
    name = site.spelling.split("<")[0].split("::")[-1].strip()
    if not any(kernel.name == name for kernel in unit.kernels):
        raise Refusal(
            "kernel-chosen",
            f"which kernel `{site.spelling}` starts is decided when the program runs",
            site.range,
            "launch each kernel by its own name: if (...) one<<<...>>>(...); else other<<<...>>>(...);",
        )
    raise Refusal("kernel-missing", f"the kernel '{site.spelling}' was not translated", site.range)


def _call(
    unit: Unit,
    source: SourceText,
    span: tuple[int, int],
    group: list[LaunchSite],
    functions: Mapping[str, CppFunction],
) -> str:
    stopped = none_of(unit, group, functions)
    if stopped is not None:
        return stopped
    group = sorted(group, key=lambda s: s.kernel not in functions)
    for site in group[: None if group[0].value else 1]:
        launched(unit, site, functions)
    site = group[0]
    if site.value:
        *some, (last, _) = chosen(unit, group)
        asked = [f"{question} ? {_start(source, span, site, functions, k)} : " for k, question in some]
        return f"({''.join(asked)}{_start(source, span, site, functions, last)})"
    configuration, arguments = _parts(source, span)
    if len(_instances(group)) > 1:
        if not configuration:
            raise _several_instances(group)
        callee = source.text[span[0] : source.text.index("<<<", span[0])].strip()
        takes_shared = any(f.takes_shared for name in _instances(group) if (f := functions.get(name)))
        dynamic = [configuration[2] if len(configuration) > 2 else "0"] if takes_shared else []
        if captures(source.text):
            return enqueued(callee, [*configuration[:2], *dynamic, *arguments])
        return f"{callee}({', '.join([*configuration[:2], *dynamic, *arguments])})"
    return _start(source, span, site, functions, _kernel(unit, site.kernel))


def _start(
    source: SourceText,
    span: tuple[int, int],
    site: LaunchSite,
    functions: Mapping[str, CppFunction],
    kernel: Function,
) -> str:
    """The call of what was made of `kernel`, with the configuration and the arguments of a launch."""
    function = functions[kernel.name]
    configuration, arguments = _parts(source, span)
    if not configuration:  # the launch comes from a macro
        configuration, arguments = [site.grid, site.block, site.shared or "0"], list(site.arguments)
    grid, block = configuration[0], configuration[1]
    shared = configuration[2] if len(configuration) > 2 else "0"
    values = [grid, block]
    if function.takes_shared:
        values.append(shared)
    table = _argument_table(source, span)
    if table is not None:
        arguments = [unpacked(p, table, n) for n, p in enumerate(kernel.params)]
        return f"({function.name}({', '.join([*values, *arguments])}), cudaSuccess)"
    if all(p.argument < len(arguments) for p in kernel.params):
        arguments = passed(kernel, arguments)
    space = kernel.namespace if site.value else _namespace(source, span)
    if captures(source.text):
        return enqueued(space + function.name, [*values, *arguments])
    return f"{space}{function.name}({', '.join([*values, *arguments])})"


def _argument_table(source: SourceText, span: tuple[int, int]) -> str | None:
    """The `void **` of a launch by `cudaLaunchKernel(function, grid, block, table, ...)`."""
    text = source.text[span[0] : span[1]]
    match = re.match(r"cudaLaunch(?:Cooperative)?Kernel\s*\(", text)
    pieces = split(text[match.end() : text.rindex(")")]) if match else []
    return pieces[3] if len(pieces) > 3 else None


def _instances(group: list[LaunchSite]) -> list[str]:
    return list(dict.fromkeys(site.kernel for site in group))


def _template(unit: Unit, group: Sequence[LaunchSite]) -> str:
    """The template of whose instances a launch starts several."""
    return next((_kernel(unit, s.kernel).template for s in group if s.kernel), "")


def _several_instances(group: list[LaunchSite]) -> Refusal:
    return Refusal(
        "template-launch",
        f"one launch starts several instances: {', '.join(sorted(s.spelling for s in group))}",
        group[0].range,
        "launch each instance by itself",
    )


def _namespace(source: SourceText, span: tuple[int, int]) -> str:
    """The `space::` before the kernel's name in a launch."""
    match = re.match(r"(?:::\s*)?(?:\w+\s*::\s*)*", source.text[span[0] : span[1]])
    return match.group() if match else ""


def _kernel(unit: Unit, name: str) -> Function:
    return next(k for k in unit.program.kernels if k.name == name)


def _parts(source: SourceText, span: tuple[int, int]) -> tuple[list[str], list[str]]:
    """Configuration and arguments of a launch as they stand in the text; empty if it is not spelled there."""
    tokens = [(i, t) for i, t in enumerate(source.tokens) if span[0] <= t.start and t.end <= span[1]]
    opened = next((n for n, (_, t) in enumerate(tokens) if t.text == "<<<"), None)
    if opened is None:
        return [], []
    closed = _triple_close(tokens, opened)
    if closed is None:
        return [], []
    configuration = _split(source, [t for _, t in tokens[opened + 1 : closed[0]]])
    call = tokens[closed[1] + 1 :]
    if not call or call[0][1].text != "(":
        return [], []
    return configuration, _split(source, [t for _, t in call[1:-1]])


def _triple_close(tokens: list[tuple[int, Token]], opened: int) -> tuple[int, int] | None:
    """First and last token of the `>>>` (the scanner sees three `>`)."""
    depth = 0
    for n in range(opened + 1, len(tokens) - 2):
        text = tokens[n][1].text
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text, 0)
        if depth == 0 and text == ">>>":
            return n, n
        three = [t.text for _, t in tokens[n : n + 3]]
        adjacent = (
            tokens[n][1].end == tokens[n + 1][1].start and tokens[n + 1][1].end == tokens[n + 2][1].start
        )
        if depth == 0 and three == [">", ">", ">"] and adjacent and tokens[n + 3][1].text == "(":
            return n, n + 2
    return None


def _split(source: SourceText, tokens: list[Token]) -> list[str]:
    """The texts between top-level commas."""
    pieces: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [source.text[p[0].start : p[-1].end] for p in pieces if p]


# ---------------------------------------------------------------------------------------------- definitions


def _kernel_edits(unit: Unit, functions: Mapping[str, CppFunction]) -> Iterable[Edit]:
    sites: dict[tuple[int, int], list[LaunchSite]] = defaultdict(list)
    for site in unit.launches:
        sites[site.span].append(site)
    several = [g for g in sites.values() if len(_instances(g)) > 1 and not g[0].value]
    for text in unit.kernels:
        own = [
            functions[k.name]
            for k in unit.program.kernels
            if k.name in functions and text.name in (k.template, k.name, k.spelling.split("<")[0])
        ]
        replacement = "\n\n".join(dict.fromkeys(f.text for f in own))
        for group in several:
            if _template(unit, group) != text.name or f"static inline void {text.name}(" in replacement:
                continue
            every = [k for k in unit.program.kernels if k.template == text.name and k.name in functions]
            instances = [(k, functions[k.name]) for k in every]
            picked = cpp_dispatcher(_without_comments(unit.text[slice(*text.span)]), text.name, instances)
            if picked is None:
                raise _several_instances(group)
            replacement += f"\n\n{picked}"
        if not own:
            replacement = f"// {text.name}: not launched here, left out"
        elif address := address_function(unit, text.name, _without_comments(unit.text[slice(*text.span)])):
            replacement += f"\n\n{address}"
        yield Edit(*text.span, replacement)


def _device_function_edits(unit: Unit, source: SourceText) -> Iterable[Edit]:
    """Device functions are inlined into the generated code; those for the host as well stay."""
    for text in (*unit.device_functions, *unit.device_methods):
        body = source.text[text.span[0] : text.span[1]]
        if "__host__" not in body.split("{")[0]:
            yield Edit(*text.span, "")


def macro_prototype_edits(unit: Unit) -> Iterable[Edit]:
    """`DECLARE(relu, float)`, with the semicolon behind it: what is generated stands before its launches."""
    for start, end in unit.macro_prototypes:
        semicolon = re.match(r"\s*;", unit.text[end:])
        yield Edit(start, end + (semicolon.end() if semicolon else 0), "")


def _text_edits(source: SourceText) -> Iterable[Edit]:
    for directive in source.directives:
        line = source.text[directive.start : directive.end]
        if directive.word == "include" and _CUDA_HEADERS.search(line):
            yield Edit(directive.start, directive.end, "")
    tokens = source.tokens
    for i, token in source.names():
        if source.directive_at(token.start):
            continue
        if token.text == "__global__":
            end = _prototype_end(source, i)
            if end is not None:
                yield Edit(_declaration_start(source, i), end, "")
        elif token.text in ("__constant__", "__managed__") or (
            token.text == "__device__" and _is_variable(source, i)
        ):
            before = {t.text for t in tokens[max(0, i - 3) : i]}
            said = {"static", "extern"} & (before | {t.text for t in tokens[i + 1 : i + 4]})
            second = before & {"__constant__", "__device__", "__managed__"}
            is_own = not said and not second and not _is_declared(source, token.end)
            yield Edit(token.start, token.end, "static" if is_own else "")
        elif token.text == "__shared__":  # the kernels that come out have memory of their own
            semicolon = next((t for t in tokens[i:] if t.text == ";"), None)
            if semicolon is not None:
                yield Edit(_declaration_start(source, i), semicolon.end, "")
        elif token.text == "__align__":
            yield Edit(token.start, token.end, "alignas")
        elif token.text == "__forceinline__":
            yield Edit(token.start, token.end, "inline")
        elif token.text in _QUALIFIERS:
            yield Edit(token.start, token.end + (source.text[token.end : token.end + 1] == " "), "")
        elif token.text == "namespace" and _alias_of_device_namespace(source, i):
            semicolon = next((t for t in tokens[i:] if t.text == ";"), None)
            start = tokens[i - 1].start if i and tokens[i - 1].text == "using" else token.start
            if semicolon is not None:
                yield Edit(start, semicolon.end, "")


def _is_declared(source: SourceText, start: int) -> bool:
    """Whether the variable whose declaration goes on at `start` is declared for other files, too."""
    name = re.match(r"[^;={\[]*?\b(\w+)\s*[\[=;{]", source.text[start:])
    return name is not None and bool(
        re.search(rf"\bextern\b[^;={{}}()]*\b{name[1]}\s*(?:\[[^\]]*\]\s*)*;", source.text)
    )


def _declaration_start(source: SourceText, i: int) -> int:
    """Where the declaration that holds token i starts: after the last `;`, `}` or `{` (template<...>
    included)."""
    while (
        i > 0
        and source.tokens[i - 1].text not in (";", "}", "{")
        and not source.directive_at(source.tokens[i - 1].start)
    ):
        i -= 1
    return source.tokens[i].start


def _prototype_end(source: SourceText, i: int) -> int | None:
    """End of a kernel's declaration without a body; None for a definition."""
    depth = 0
    for token in source.tokens[i:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == "{":
            return None
        if depth == 0 and token.text == ";":
            return token.end
    return None


def _is_variable(source: SourceText, i: int) -> bool:
    """Whether the declaration from token i on is one of a variable: `=`, `[` or `;` comes before any `(`."""
    for token in source.tokens[i + 1 :]:
        if token.text in ("=", "[", ";"):
            return True
        if token.text in ("(", "{", "operator"):
            return False
    return False


def _alias_of_device_namespace(source: SourceText, i: int) -> bool:
    following = [t.text for t in source.tokens[i + 1 : i + 6]]
    return bool(
        {"cooperative_groups", "nvcuda"}
        & set(following[: following.index(";")] if ";" in following else following)
    )


# ---------------------------------------------------------------------------------------------- the whole


def _apply(text: str, edits: Iterable[Edit]) -> str:
    """All edits; one inside a larger one is dropped."""
    out, position = [], 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end > e.start, -e.end)):
        if edit.start < position:
            continue
        out.append(text[position : edit.start])
        out.append(edit.text)
        position = edit.end
    out.append(text[position:])
    return re.sub(r"\n{4,}", "\n\n\n", "".join(out))


def _check(unit: Unit, source: SourceText, edits: list[Edit]) -> None:
    """Refuse what is left of CUDA in the host text."""
    gone = sorted((e.start, e.end) for e in edits if e.end > e.start)

    def left(token: Token) -> bool:
        return not any(start <= token.start < end for start, end in gone)

    for i, token in source.names():
        if not left(token) or token.text in SHIMS or source.is_member(i):
            continue
        directive = source.directive_at(token.start)
        if directive is not None and directive.word in (
            "include",
            "if",
            "ifdef",
            "ifndef",
            "elif",
            "error",
            "pragma",
        ):
            continue
        if (
            re.match(r"(cuda|cu|cublas|curand|cusparse|cudnn|nccl|nvrtc)[A-Z]\w*$", token.text)
            and token.text not in source.defined
        ):
            raise source.refuse(
                "host-api",
                f"'{token.text}' has no form on the host",
                token,
                "move it out of this file, or translate the kernel without its host code",
            )
        if token.text in ("thrust", "cub") and source.tokens[i + 1].text == "::":
            raise source.refuse("host-api", f"the library '{token.text}' has no form on the host", token)
    for token in source.tokens:
        if token.text == "<<<" and left(token):
            raise source.refuse("launch", "a launch that was not understood", token)


def _with_preamble(body: str) -> str:
    """Headers, helpers and host functions that the text uses, before its first declaration."""
    names = set(re.findall(r"[A-Za-z_]\w*", _without_comments(body)))
    texts = {**ALL_HELPERS, **SHIMS}
    order = {name: n for n, name in enumerate(texts)}
    chosen: dict[str, None] = {}
    own = set(re.findall(r"\b(?:struct|class|union)\s+(\w+)\s*\{", body))

    def add(name: str) -> None:
        text = texts[name]
        if text in chosen or name in own:
            return
        for word in re.findall(r"[A-Za-z_]\w*", text):
            if word in texts and texts[word] != text:
                add(word)
        chosen[text] = None

    values = converted(_without_comments(body)) - own
    for name in sorted((names | needed(values)) & set(texts), key=order.__getitem__):
        add(name)
    headers = HEADERS
    headers += "#include <time.h>\n" if any("timespec" in t for t in chosen) else ""
    if any("std::function" in t for t in chosen):
        headers += "#include <functional>\n#include <vector>\n"
    headers += "#include <stddef.h>\n" if re.search(r"\bptrdiff_t\b", body) else ""
    headers += "#include <type_traits>\n" if "std::is_same_v" in body else ""
    mathematics = called_in(_without_comments(body))
    preamble = "\n".join([headers, *(f"{t}\n" for t in [*with_conversions(chosen, values), *mathematics])])
    at = _after_leading_comment(body)
    return f"{body[:at]}{preamble}\n{body[at:].lstrip(chr(10))}"


def _without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.S)


def leading_comment(text: str) -> str:
    """The comment that opens the file (its title, a licence)."""
    return text[: _after_leading_comment(text)].strip()


def comment_before(text: str, at: int) -> str:
    """The comment directly above what starts at offset `at`; that which opens the file is none."""
    before = text[_after_leading_comment(text) : at]
    comment = r"[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/)[ \t]*\n"
    match = re.search(rf"(?:^|(?<=\n))(?:{comment})+[ \t]*$", before, re.S)
    return match.group().strip() if match else ""


def _after_leading_comment(text: str) -> int:
    """Offset after the comment that opens the file (its title, a licence)."""
    match = re.match(r"\s*(?:(?://[^\n]*\n|/\*.*?\*/[ \t]*\n?))*", text, re.S)
    return match.end() if match else 0
