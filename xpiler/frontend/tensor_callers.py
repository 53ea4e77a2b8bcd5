"""Callers for functions that take tensors of PyTorch, so that these are run like any other.

    at::Tensor scaled(const at::Tensor &x, float by) {
      auto y = at::empty_like(x);
      scale<<<(x.numel() + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), by, x.numel());
      return y;
    }
    -->
    void scaled_on_float(float *x, int x_0, float by, float *result_0) {
      at::xpiler_give(result_0, scaled(at::xpiler_tensor(x, {x_0}), by));
    }

They stand behind the text while it is run, and are no part of what is delivered. What the elements of a
tensor are and how many dimensions it has is what the function itself says; tensors are whole, in order of
memory and on the device. Extents that nothing reads are 1, those that a check says are equal are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xpiler.frontend.libraries import CALLERS
from xpiler.frontend.unit import HostFunction, Unit

_HEADER = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:torch|ATen|c10)/", re.MULTILINE)
_TENSOR = re.compile(r"(?:const\s+)?(?:(?:at|torch)\s*::\s*)?Tensor(?:\s+const)?\s*&?")
_NUMBER = re.compile(
    r"(?:const\s+)?(?:int|int64_t|int32_t|unsigned|unsigned int|long|size_t|float|double|bool)"
)
_MANY = re.compile(r"std\s*::\s*(?:vector|tuple)\s*<\s*(?:(?:at|torch)\s*::\s*)?Tensor\b")
_ELEMENTS = {
    "Byte": "unsigned char", "UInt8": "unsigned char", "Char": "signed char", "Int8": "signed char",
    "Short": "short", "Int16": "short", "Int": "int", "Int32": "int", "Long": "int64_t", "Int64": "int64_t",
    "Half": "__half", "Float16": "__half", "Float": "float", "Float32": "float", "Double": "double",
    "Float64": "double", "Bool": "bool", "BFloat16": "__nv_bfloat16",
}  # fmt: skip
_SPELLED = {
    "at::Half": "__half", "c10::Half": "__half", "torch::Half": "__half", "half": "__half",
    "at::BFloat16": "__nv_bfloat16", "c10::BFloat16": "__nv_bfloat16", "uint8_t": "unsigned char",
    "int8_t": "signed char", "long": "int64_t", "int32_t": "int", "unsigned char": "unsigned char",
    "float": "float", "double": "double", "int": "int", "int64_t": "int64_t", "short": "short",
    "bool": "bool", "__half": "__half", "__nv_bfloat16": "__nv_bfloat16",
}  # fmt: skip
_EACH = "scalar_t"  # what a dispatch calls the type of the elements
_FEW = r"(?:size|stride)\s*\(\s*(-?\d+)\s*\)|sizes\s*\(\s*\)\s*\[\s*(-?\d+)\s*\]"
_NO_SIZE = frozenset(
    "data_ptr data mutable_data_ptr const_data_ptr device get_device is_cuda is_contiguous scalar_type dtype "
    "type options dim ndimension defined contiguous zero_ element_size is_floating_point".split()
)


def with_callers(text: str, unit: Unit) -> str:
    """The text with a caller of each function that takes tensors and that no other such function calls; as it
    is where one that launches kernels cannot be called so."""
    if not _HEADER.search(text):
        return text
    taking = [f for f in unit.host_functions if _takes_tensors(f) and not f.is_template]
    launching = {site.host_function for site in unit.launches} - {"main"}
    reached = {f.name: _reached(f, unit.host_functions) for f in taking}
    outer = [
        f
        for f in taking
        if reached[f.name] & launching and not any(f.name in reached[g.name] for g in taking if g is not f)
    ]
    covered = {name for f in outer for name in reached[f.name]}
    callers = [_callers(f) for f in outer]
    if not outer or launching - covered or not all(callers):
        return text
    return text + CALLERS + "".join(one for some in callers for one in some)


def without_callers(text: str) -> str:
    """What is delivered."""
    return text.partition(CALLERS)[0]


def _takes_tensors(function: HostFunction) -> bool:
    return any(_TENSOR.fullmatch(p.spelling.strip()) for p in function.params)


def _reached(function: HostFunction, functions: Sequence[HostFunction]) -> frozenset[str]:
    """The names of the functions that it calls, itself among them."""
    found, waiting = {function.name}, [function]
    while waiting:
        body = waiting.pop().body
        more = [f for f in functions if f.name not in found and re.search(rf"\b{f.name}\s*[(<]", body)]
        found |= {f.name for f in more}
        waiting += more
    return frozenset(found)


@dataclass
class _Tensor:
    """What a function says of one that it takes."""

    name: str
    element: str
    rank: int
    read: set[int] = field(default_factory=set)

    def extent(self, at: int) -> str:
        return f"{self.name}_{at}"


def _callers(function: HostFunction) -> list[str]:
    """One for each type of elements that the function dispatches to; none where one cannot be written."""
    body = function.body
    tensors: dict[str, _Tensor] = {}
    for param in function.params:
        if _TENSOR.fullmatch(param.spelling.strip()):
            element = _element(body, param.name)
            if not element:
                return []
            tensors[param.name] = _sized(body, param.name, element)
        elif not _NUMBER.fullmatch(param.spelling.strip()):
            return []
    results = _results(function, tensors)
    if results is None:
        return []
    same = _equal_extents(body, tensors)
    types = _dispatched(body) if _EACH in {*results, *(t.element for t in tensors.values())} else [""]
    return [_caller(function, tensors, results, same, one) for one in types]


def _element(body: str, name: str) -> str:
    """The type of the elements, `scalar_t` if any that is dispatched to; "" if nothing says."""
    found = re.search(
        rf"\b{name}\s*\.\s*(?:(?:mutable_|const_)?data_ptr|data|(?:packed_)?accessor\w*)\s*<\s*(?:const\s+)?([\w:]+)",
        body,
    ) or re.search(
        rf"(?:\(|_cast<)\s*(?:const\s+)?([\w:]+)\s*(?:const\s*)?\*\s*(?:\)|>\s*\()\s*{name}\s*\.\s*(?:mutable_|const_)?data_ptr\s*\(",
        body,
    )
    if found:
        return _EACH if found[1] == _EACH else _SPELLED.get(found[1], "")
    told = re.search(
        rf"\b{name}\s*\.\s*(?:scalar_type|dtype|type)\s*\(\s*\)\s*==\s*[\w:]*?(?:ScalarType\s*::\s*|\bk)(\w+)",
        body,
    )
    return _ELEMENTS.get(told[1], "") if told else ""


def _sized(body: str, name: str, element: str) -> _Tensor:
    """How many dimensions it has, and which of its extents are read."""
    ranks = [
        int(n) for n in re.findall(rf"\b{name}\s*\.\s*(?:packed_)?accessor\w*\s*<[^<>,]*,\s*(\d+)", body)
    ]
    ranks += [int(n) for n in re.findall(rf"\b{name}\s*\.\s*(?:dim|ndimension)\s*\(\s*\)\s*==\s*(\d+)", body)]
    at = [int(a or b) for a, b in re.findall(rf"\b{name}\s*\.\s*(?:{_FEW})", body)]
    least = [int(n) for n in re.findall(rf"\b{name}\s*\.\s*(?:dim|ndimension)\s*\(\s*\)\s*>=\s*(\d+)", body)]
    rank = max(ranks, default=0) or max([1, *least, *(n + 1 for n in at), *(-n for n in at)])
    if not ranks and any(n < 0 for n in at) and re.search(rf"\b{name}\s*\.\s*(?:numel|size\s*\(\s*0)", body):
        rank = max(rank, 2)
    used = re.sub(rf"\b{name}\s*\.\s*(?:{_FEW})", "", body)
    used = re.sub(rf"\b{name}\s*\.\s*(?:{'|'.join(_NO_SIZE)})\b", "", used)
    used = re.sub(rf"\bdevice_of\s*\(\s*{name}\s*\)", "", used)
    is_whole = re.search(rf"\b{name}\b", used) is not None
    return _Tensor(name, element, rank, set(range(rank)) if is_whole else {n % rank for n in at})


def _results(function: HostFunction, tensors: dict[str, _Tensor]) -> list[str] | None:
    """The types of the elements of the tensors that it returns; None where that is not known."""
    returns = re.sub(r"\b(?:static|inline|const)\s+|\s", "", function.returns)
    if returns in ("void", "int", "bool"):
        return []
    is_one = re.fullmatch(r"(?:(?:at|torch)::)?Tensor", returns) is not None
    if not is_one and not _MANY.match(function.returns.strip()):
        return None
    said = re.findall(r"\breturn\s+(?:std\s*::\s*(?:make_tuple|tie)\s*)?([^;]+);", function.body)
    names = [n.strip() for n in said[-1].strip("{}() ").split(",")] if said else []
    if not names or not all(re.fullmatch(r"\w+", n) for n in names):
        return None
    found = [_result(function.body, name, tensors) for name in names]
    return found if all(found) else None


def _result(body: str, name: str, tensors: dict[str, _Tensor]) -> str:
    if name in tensors:
        return tensors[name].element
    element = _element(body, name)
    like = re.search(rf"\b{name}\s*=\s*(?:\w+\s*::\s*)*\w+_like\s*\(\s*(\w+)\s*\)", body)
    return element or (tensors[like[1]].element if like and like[1] in tensors else "")


def _equal_extents(body: str, tensors: dict[str, _Tensor]) -> dict[str, str]:
    """Extents that checks say are equal, each with the one that stands for it."""
    known = {
        name: (tensor, int(at))
        for name, tensor, at in re.findall(r"\b(\w+)\s*=\s*(\w+)\s*\.\s*size\s*\(\s*(-?\d+)\s*\)", body)
        if tensor in tensors
    }
    order = [tensor.extent(at) for tensor in tensors.values() for at in range(tensor.rank)]
    same: dict[str, str] = {}
    for check in re.findall(r"\b(?:TORCH_CHECK|AT_ASSERTM?|TORCH_INTERNAL_ASSERT)\s*\(([^;]*);", body):
        for left, right in re.findall(rf"({_SIDE})\s*==\s*({_SIDE})", check):
            a, b = (_named(side, known, tensors) for side in (left, right))
            if not a or not b or same.get(a, a) == same.get(b, b):
                continue
            first, second = sorted((same.get(a, a), same.get(b, b)), key=order.index)
            same |= {second: first, **{n: first for n, one in same.items() if one == second}}
    return same


_SIDE = r"\w+(?:\s*\.\s*(?:size\s*\(\s*-?\d+\s*\)|numel\s*\(\s*\)))?"


def _named(side: str, known: dict[str, tuple[str, int]], tensors: dict[str, _Tensor]) -> str:
    """The extent that one side of a comparison is."""
    name, at = known.get(side.strip(), ("", 0))
    size = re.fullmatch(r"(\w+)\s*\.\s*size\s*\(\s*(-?\d+)\s*\)", side)
    if size:
        name, at = size[1], int(size[2])
    whole = re.fullmatch(r"(\w+)\s*\.\s*numel\s*\(\s*\)", side)
    if whole and whole[1] in tensors and tensors[whole[1]].rank == 1:
        name, at = whole[1], 0
    return tensors[name].extent(at % tensors[name].rank) if name in tensors else ""


def _dispatched(body: str) -> list[str]:
    """The types that a function is made for."""
    names = re.findall(r"\bAT_DISPATCH_(\w+)", body)
    if not names:
        return []
    types = ["float", "double"] if any("FLOATING" in n or "ALL" in n for n in names) else []
    types += ["__half"] if any("HALF" in n for n in names) else []
    types += ["int"] if any("INTEGRAL" in n or "ALL" in n for n in names) else []
    return types


def _caller(
    function: HostFunction, tensors: dict[str, _Tensor], results: list[str], same: dict[str, str], each: str
) -> str:
    def of(element: str) -> str:
        return each if element == _EACH else element

    taken: list[str] = []
    given: list[str] = []
    made: list[str] = []
    for param in function.params:
        tensor = tensors.get(param.name)
        if tensor is None:
            taken.append(f"{param.spelling.strip()} {param.name}")
            given.append(param.name)
            continue
        taken.append(f"{of(tensor.element)} *{param.name}")
        names = [tensor.extent(at) for at in range(tensor.rank)]
        own = [n for at, n in enumerate(names) if at in tensor.read and n not in same]
        taken += [f"int {n}" for n in own]
        extents = [same.get(n, n) if at in tensor.read else "1" for at, n in enumerate(names)]
        made.append(
            f"  auto {param.name}_tensor = at::xpiler_tensor({param.name}, {{{', '.join(extents)}}});\n"
        )
        given.append(f"{param.name}_tensor")
    needed = {n for line in made for n in re.findall(r"\w+_\d+", line)} - set(
        re.findall(r"int (\w+_\d+)", " ".join(taken))
    )
    taken += [f"int {n}" for n in sorted(needed)]
    taken += [f"{of(element)} *result_{n}" for n, element in enumerate(results)]
    call = f"{function.callee}({', '.join(given)})"
    lines = list(_given_back(function, call, results))
    suffix = re.sub(r"\W+|^__", "", each) or "arrays"
    return f"void {function.name}_on_{suffix}({', '.join(taken)}) {{\n{''.join(made)}{''.join(lines)}}}\n"


def _given_back(function: HostFunction, call: str, results: list[str]) -> Iterator[str]:
    if not results:
        yield f"  {call};\n"
    elif not _MANY.match(function.returns.strip()):
        yield f"  at::xpiler_give(result_0, {call});\n"
    else:
        yield f"  auto results = {call};\n"
        is_tuple = "tuple" in function.returns
        for n in range(len(results)):
            one = f"std::get<{n}>(results)" if is_tuple else f"results.at({n})"
            yield f"  at::xpiler_give(result_{n}, {one});\n"
