"""One host call that starts several instances of a kernel template, as a template that picks the instance.

    template <typename Op> __global__ void map(float *x, int n, Op op)      (instances map<Relu>, map<Scale>)
    template <typename Op> void run(Op op) { map<<<g, b>>>(x, n, op); }
    -->
    template <typename Op> static inline void map(dim3 gridDim, dim3 blockDim, float *x, int n, Op op) {
        if constexpr (std::is_same_v<Op, Relu>) map_Relu(gridDim, blockDim, x, n);
        else if constexpr (std::is_same_v<Op, Scale>) map_Scale(gridDim, blockDim, x, n, op.factor);
        else __builtin_trap();
    }
    template <typename Op> void run(Op op) { map(g, b, x, n, op); }

The header and the parameters are those of the source, so that arguments are deduced as they are there. An
instance that there is none of is not passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from xpiler.backend.c_types import storage_type
from xpiler.backend.vnni import CppFunction
from xpiler.errors import Refusal
from xpiler.ir.nodes import Function, Param

SHARED = "sharedBytes"


def cpp_dispatcher(text: str, name: str, instances: Sequence[tuple[Function, CppFunction]]) -> str | None:
    """The template for C++ functions, which take the launch before their parameters."""

    def call(function: CppFunction) -> Callable[[Sequence[str]], str]:
        shared = [SHARED] if function.takes_shared else []
        return lambda values: f"{function.name}({', '.join(['gridDim', 'blockDim', *shared, *values])})"

    head = ["dim3 gridDim", "dim3 blockDim"]
    head += [f"size_t {SHARED}"] if any(f.takes_shared for _, f in instances) else []
    return dispatcher(text, name, head, [(kernel, call(function)) for kernel, function in instances])


def dispatcher(
    text: str,
    name: str,
    head: Sequence[str],
    instances: Sequence[tuple[Function, Callable[[Sequence[str]], str]]],
) -> str | None:
    """The template for the kernel `name`, whose definition is `text`, with the parameters `head` before those
    of the source; each instance comes with how it is called. None where its parameters are of a form that
    cannot be compared (packs)."""
    header = re.match(r"\s*template\s*<", text)
    if header is None:
        return None
    close = _closing(text, header.end() - 1, "<", ">")
    named = re.search(rf"\b{re.escape(name)}\s*\(", text)
    if close is None or named is None:
        return None
    end = _closing(text, named.end() - 1, "(", ")")
    if end is None:
        return None
    kinds = [_template_param(p) for p in split(text[header.end() : close])]
    params = split(text[named.end() : end])
    names = [_declared(p) for p in params]
    if None in kinds or None in names or not kinds:
        return None
    lines: list[str] = []
    for kernel, call in instances:
        arguments = (
            split(kernel.spelling[kernel.spelling.find("<") + 1 : -1]) if "<" in kernel.spelling else []
        )
        if len(arguments) != len(kinds):
            return None
        conditions = [
            k[0].format(name=k[1], argument=a) for k, a in zip(kinds, arguments, strict=True) if k is not None
        ]
        values = passed(kernel, [n or "" for n in names])
        otherwise = "else " if lines else ""
        lines.append(f"    {otherwise}if constexpr ({' && '.join(conditions)}) {call(values)};")
    lines.append("    else __builtin_trap();")
    parameters = re.sub(r"\s*=[^,>]+(?=[,>])", "", text[header.start() : close + 1].strip())
    signature = ", ".join([*head, *params])
    return "\n".join([parameters, f"static inline void {name}({signature}) {{", *lines, "}"])


def passed(kernel: Function, arguments: Sequence[str]) -> list[str]:
    """What a call passes for each parameter of `kernel`: arguments of the launch, or members of structs."""
    values = []
    for place, param in enumerate(kernel.params):
        argument = arguments[param.argument if param.argument >= 0 else place]
        if argument.startswith("["):  # a lambda: what it captures is passed
            values.append(cast(param, param.member))
            continue
        whole = argument if re.fullmatch(r"[\w.]+", argument) else f"({argument})"
        values.append(cast(param, f"{whole}.{param.member}" if param.member else argument))
    return values


def unpacked(param: Param, table: str, place: int) -> str:
    """The value of a parameter out of a table of addresses (`void *args[] = {&n, &x}`)."""
    stored = storage_type(param.dtype)
    pointer = ("const " if param.is_const else "") + f"{stored} *"
    if param.member:
        raise Refusal(
            "struct-in-table",
            f"a struct passed through a table of arguments ('{param.name}') is not supported",
            param.range,
            "launch with <<<...>>>",
        )
    index = param.argument if param.argument >= 0 else place
    kind = pointer if param.is_pointer else f"{stored} "
    return f"*({kind}*)(({table})[{index}])"


def cast(param: Param, argument: str) -> str:
    """An argument in the generated function's type where that may be another than in the text: of pointers,
    and of enumerations that do not turn into numbers by themselves."""
    if param.spelling.startswith("enum class "):
        return f"({storage_type(param.dtype)})({argument})"
    if not param.is_pointer or not _needscast(param):
        return argument
    const = "const " if param.is_const else ""
    return f"({const}{storage_type(param.dtype)} *)({_uncast(argument)})"


def _uncast(argument: str) -> str:
    """`(const half2 *)p` --> `p`, where the pointer gets another type anyway."""
    found = re.fullmatch(r"\(\s*(?:const\s+)?[\w:]+\s*\*\s*\)\s*([\w.]+)", argument)
    return found[1] if found else argument


def _needscast(param: Param) -> bool:
    words = re.findall(r"\w+", param.spelling.replace("__restrict__", " ").replace("__restrict", " "))
    base = [w for w in words if w not in ("const", "volatile", "signed", "restrict")]
    return param.lanes > 1 or base not in ([storage_type(param.dtype)], ["unsigned", "int"][: len(base)])


def split(text: str) -> list[str]:
    """The pieces between commas outside of all brackets."""
    pieces, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([{<") - (c in ")]}>")
        if c == "," and depth == 0:
            pieces.append(text[start:i].strip())
            start = i + 1
    return [p for p in (*pieces, text[start:].strip()) if p]


def _closing(text: str, opening: int, left: str, right: str) -> int | None:
    depth = 0
    for i in range(opening, len(text)):
        depth += (text[i] == left) - (text[i] == right)
        if depth == 0:
            return i
    return None


def _template_param(text: str) -> tuple[str, str] | None:
    """How it is told that it is a given argument, and its name: `template <class> class Op` is `Add` where
    `Op<int>` is `Add<int>`."""
    declared = text.split("=")[0].strip()
    inner = re.fullmatch(r"template\s*<([^<>.]*)>\s*(?:typename|class)\s+(\w+)", declared)
    if inner:
        kinds = [part.split()[0] if part.split() else "" for part in inner[1].split(",")]
        of = ", ".join("int" if kind in ("typename", "class") else "0" for kind in kinds)
        return f"std::is_same_v<{{name}}<{of}>, {{argument}}<{of}>>", inner[2]
    match = re.fullmatch(r"(?:(typename|class)|[\w:\s]+?)\s+(\w+)", declared)
    if match is None:
        return None
    return "std::is_same_v<{name}, {argument}>" if match[1] else "{name} == {argument}", match[2]


def _declared(text: str) -> str | None:
    match = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", text.split("=")[0].strip())
    return match[1] if match else None
