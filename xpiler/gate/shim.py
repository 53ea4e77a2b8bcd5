"""The C++ text that is compiled for a run: the program as delivered, and after it a call of the entry.

The call is written in the program's own dialect (`kernel<<<...>>>(...)`), so it takes the same road through
the emulators. Types of arguments are read off the entry by the C++ compiler: typedefs and vector types need
no spelling.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from xpiler.frontend.build_flags import defined_above, flags_of
from xpiler.frontend.c_text import as_cpp, is_c
from xpiler.frontend.header_search import find_angled, find_header
from xpiler.gate.contract import Contract
from xpiler.ir.nodes import RETURN

RENAMED_MAIN = "xpiler_program_main"
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)[^\n]*$', re.MULTILINE)

_SUPPORT = """
#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
namespace xpiler_shim {
struct Launch { unsigned grid[3], block[3]; std::size_t shared; };
struct Global { const char* name; void* address; std::size_t bytes; };
struct Entry {
    const char* name;
    int arguments;
    const std::size_t* sizes;
    void (*call)(void* const*, const Launch*);
    const Global* globals;
};
template <std::size_t I, class... T> struct Pick;  // declared for none too: functions without parameters
template <std::size_t I, class Head, class... Tail> struct Pick<I, Head, Tail...> : Pick<I - 1, Tail...> {};
template <class Head, class... Tail> struct Pick<0, Head, Tail...> { using type = Head; };
template <class T> struct Tag { using type = T; };
template <class F> struct Signature;
template <class R, class... A> struct Signature<R (*)(A...)> {
    static constexpr int count = sizeof...(A);
    using Result = R;
    template <std::size_t I>
    using Argument = std::remove_cv_t<std::remove_reference_t<typename Pick<I, A...>::type>>;
    template <std::size_t I> using Raw = typename Pick<I, A...>::type;
    template <std::size_t I>
    static Argument<I>& at(void* const* slots, std::size_t slot) {
        return *static_cast<Argument<I>*>(slots[slot]);
    }
};
// An object that a function fills in through a pointer or reference, and how it is handed over.
template <class T> struct Made {
    using type = std::remove_cv_t<std::remove_pointer_t<T>>;
    static T pass(type& object) { return &object; }
};
template <class T> struct Made<T&> {
    using type = std::remove_cv_t<T>;
    static T& pass(type& object) { return object; }
};
#if __cplusplus >= 201703L
template <class R, class... A> struct Signature<R (*)(A...) noexcept> : Signature<R (*)(A...)> {};
// An object, its address, or what it points to: whichever the parameter takes.
template <class P, class T> decltype(auto) fit(T& object) {
    if constexpr (std::is_convertible_v<T&, P>) return (object);
    else if constexpr (std::is_convertible_v<T*, P>) return &object;
    else return (*object);
}
// Zeroed room for a parameter that is filled member by member, also where it has no such constructor.
template <class T> struct Room {
    alignas(T) unsigned char bytes[sizeof(T)] = {};
    T& object() { return *reinterpret_cast<T*>(bytes); }
    T& whole() { return object(); }
};
// Of a pointer what it points to may be filled member by member.
template <class T> struct Room<T*> {
    T* pointer = nullptr;
    std::unique_ptr<unsigned char[]> bytes;
    T*& object() { return pointer; }
    std::remove_cv_t<T>& whole() {
        using Whole = std::remove_cv_t<T>;
        if (!bytes) bytes.reset(new unsigned char[sizeof(Whole)]());
        pointer = reinterpret_cast<Whole*>(bytes.get());
        return *reinterpret_cast<Whole*>(bytes.get());
    }
};
template <> struct Room<void*> {
    void* pointer = nullptr;
    void*& object() { return pointer; }
};
template <> struct Room<const void*> {
    const void* pointer = nullptr;
    const void*& object() { return pointer; }
};
template <class S, class Fill, class Start, std::size_t... I>
void start_filled(const Fill& fill, const Start& start, std::index_sequence<I...>) {
    std::tuple<Room<typename S::template Argument<I>>...> rooms;
    fill(rooms);
    start(std::get<I>(rooms).object()...);
}
template <class S, class Start, std::size_t... I>
void start_flat(void* const* slots, const Start& start, std::index_sequence<I...>) {
    start(S::template at<I>(slots, I)...);
}
// A kernel that takes structs by value is handed them, one that takes their members is handed those.
template <class S, std::size_t Place, std::size_t Count, class Fill, class Start>
void start_in_parts(void* const* slots, const Fill& fill, const Start& start) {
    if constexpr (std::is_class_v<typename S::template Argument<Place>> || S::count != Count)
        start_filled<S>(fill, start, std::make_index_sequence<S::count>());
    else
        start_flat<S>(slots, start, std::make_index_sequence<Count>());
}
template <class T> void put(T& member, void* slot) { member = *static_cast<std::remove_cv_t<T>*>(slot); }
// A kernel that became a function may take its launch first: grid and block, then the bytes of shared memory.
template <class F, std::size_t... I>
void call_kernel(F* kernel, void* const* slots, const Launch* launch, std::index_sequence<I...>) {
    using S = Signature<F*>;
    constexpr std::size_t extra = S::count - sizeof...(I);
    const auto slot = [slots](auto type, std::size_t i) -> auto& {
        return *static_cast<typename decltype(type)::type*>(slots[i]);
    };
    const auto dims = [](auto type, const unsigned (&n)[3]) {
        return typename decltype(type)::type{n[0], n[1], n[2]};
    };
    if constexpr (extra == 0) {
        kernel(slot(Tag<typename S::template Argument<I>>{}, I)...);
    } else {
        const auto grid = dims(Tag<typename S::template Argument<0>>{}, launch->grid);
        const auto block = dims(Tag<typename S::template Argument<1>>{}, launch->block);
        if constexpr (extra == 2)
            kernel(grid, block, slot(Tag<typename S::template Argument<I + 2>>{}, I)...);
        else
            kernel(grid, block, launch->shared, slot(Tag<typename S::template Argument<I + 3>>{}, I)...);
    }
}
#endif
}
"""


def translation_unit(text: str, contracts: Sequence[Contract], platform: str = "cuda") -> str:
    """The program with calls of its entries appended, still in its own dialect, and the table of them.

    Where kernels are plain functions (`_configuration` is None) the launch is passed to those that take one.
    A contract of kind `main` stands alone; if it has variables, the emulator is told where they lie, so that
    a record of the memory at a launch has them too.
    """
    if contracts[0].kind == "main":
        return text + _variables(contracts[0])
    calls = "".join(_call(n, contract, text, platform) for n, contract in enumerate(contracts))
    rows = "".join(_row(number, contract) for number, contract in enumerate(contracts))
    return (
        f"{text}{calls}\n"
        'extern "C" const xpiler_shim::Entry xpiler_entries[];\n'
        "const xpiler_shim::Entry xpiler_entries[] = {\n"
        f"{rows}{{nullptr, 0, nullptr, nullptr, nullptr}}}};\n"
    )


def _variables(contract: Contract) -> str:
    if not contract.globals:
        return ""
    table = 'extern "C" const XpilerVariable xpiler_variables[]'
    rows = "".join(f'{{"{g.name}", (void*)&::{g.name}, sizeof(::{g.name})}}, ' for g in contract.globals)
    rows += "{nullptr, nullptr, 0}"
    struct = "struct XpilerVariable { const char* name; void* address; unsigned long bytes; };"
    return f"\n{struct}\n{table};\nconst XpilerVariable xpiler_variables[] = {{{rows}}};\n"


def _row(number: int, contract: Contract) -> str:
    space = f"xpiler_entry_{number}"
    variables = f"{space}::globals" if contract.globals else "nullptr"
    count = len(contract.arguments)
    return f'{{"{call_name(contract)}", {count}, {space}::sizes, &{space}::call, {variables}}},\n'


def call_name(contract: Contract) -> str:
    """The word by which the runner finds an entry."""
    callee = contract.kernel_spelling or contract.entry
    told = contract.signature or (callee if "<" in callee else "")  # `k<-1>` and `k<1>` are words apart
    types = f"-{zlib.crc32(told.encode()):x}" if told else ""
    return re.sub(r"\W+", "_", f"{contract.kind}-{callee}{types}")


_GRID, _BLOCK = (
    ", ".join(f"xpiler_launch->{part}[{axis}]" for axis in range(3)) for part in ("grid", "block")
)
_SIMT = f"<<<dim3({_GRID}), dim3({_BLOCK}), xpiler_launch->shared>>>"
# The type of the job stands where other platforms have the block, see `gate/tasks.py`.
_TASKS = f"<<<cnrtDim3_t{{{_GRID}}}, static_cast<cnrtFunctionType_t>(xpiler_launch->block[0]), nullptr>>>"


def _configuration(contract: Contract, text: str, platform: str) -> str | None:
    """What stands between a kernel's name and its arguments; None if the kernel is a plain function there."""
    if contract.kind != "kernel":
        return ""
    name = re.escape((contract.kernel_spelling or contract.entry).split("<")[0].split("::")[-1])
    if platform in ("cuda", "hip"):  # a kernel of another platform may have become a function that launches
        return None if re.search(rf'extern "C" void {name}\s*\(', text) else _SIMT
    if platform != "bang":
        return None
    kernel = rf"\b__mlu_(?:entry|global)__\b[^;{{}}()]*\b{name}\s*\("
    function = rf"\b{name}\s*\([^;{{}}]*\)\s*\{{"  # neither: a macro defines it
    return _TASKS if re.search(kernel, text) or not re.search(function, text) else None


def _call(number: int, contract: Contract, text: str, platform: str) -> str:
    """A namespace with the call of one entry, the sizes of its arguments, and the variables that it reads."""
    callee = contract.kernel_spelling or contract.entry
    count = len(contract.arguments)
    head = f'\n#line 1 "call-of-{contract.entry}"\nnamespace xpiler_entry_{number} {{\n'
    if contract.globals:
        rows = ", ".join(f'{{"{g.name}", (void*)&::{g.name}, sizeof(::{g.name})}}' for g in contract.globals)
        head += f"const xpiler_shim::Global globals[] = {{{rows}, {{nullptr, nullptr, 0}}}};\n"
    opening = "void call(void* const* xpiler_slots, const xpiler_shim::Launch* xpiler_launch) {\n"
    opening += "    (void)xpiler_slots; (void)xpiler_launch;\n"
    launch = _configuration(contract, text, platform)
    in_parts = any(a.member for a in contract.arguments)
    if launch is None and in_parts and _takes_structs(contract, text):
        return head + _call_in_parts(contract, callee, opening)
    if launch is None:
        sizes = ", ".join(str(8 if a.is_pointer else a.dtype.bytes) for a in contract.arguments)
        return (
            f"{head}const std::size_t sizes[] = {{{sizes or '0'}}};\n{opening}"
            f"    xpiler_shim::call_kernel(&{callee}, xpiler_slots, xpiler_launch, "
            f"std::make_index_sequence<{count}>());\n}}\n}}\n"
        )
    if contract.cooperative and launch == _SIMT:
        return head + _cooperative_call(contract, callee, opening, platform)
    if contract.kind == "host" and not (in_parts and _takes_plainly(contract)):
        return head + _host_call(contract, callee, opening)
    if "<" in callee or in_parts:
        return head + _call_in_parts(contract, f"{callee}{launch}", opening)
    sizes = ", ".join(f"sizeof(XpilerSignature::Argument<{i}>)" for i in range(count))
    arguments = ", ".join(f"XpilerSignature::at<{i}>(xpiler_slots, {i})" for i in range(count))
    return (
        f"{head}{_signature('XpilerSignature', f'decltype(&{callee})', count)}"
        f"const std::size_t sizes[] = {{{sizes or '0'}}};\n{opening}"
        f"    {callee}{launch}({arguments});\n}}\n}}\n"
    )


def _takes_structs(contract: Contract, text: str) -> bool:
    """Whether the function that a kernel became takes structs whole, its launch not at all."""
    name = re.escape((contract.kernel_spelling or contract.entry).split("<")[0].split("::")[-1])
    found = re.search(rf'extern "C" void {name}\s*\(([^)]*)\)', text)
    return found is not None and "dim3" not in found[1] and found[1].count(",") + 1 < len(contract.arguments)


def _takes_plainly(contract: Contract) -> bool:
    """Whether a host function is handed its arguments in their order, and nothing is called before."""
    in_order = tuple(a.name for a in contract.arguments if a.name != RETURN)
    return contract.handed in ((), in_order) and not contract.before and not contract.signature


def _cooperative_call(contract: Contract, callee: str, opening: str, platform: str) -> str:
    """The launch of a kernel whose blocks wait for one another."""
    count = len(contract.arguments)
    sizes = ", ".join(f"sizeof(XpilerSignature::Argument<{i}>)" for i in range(count))
    given = f"dim3({_GRID}), dim3({_BLOCK}), const_cast<void**>(xpiler_slots), xpiler_launch->shared, nullptr"
    return (
        f"{_signature('XpilerSignature', f'decltype(&{callee})', count)}"
        f"const std::size_t sizes[] = {{{sizes or '0'}}};\n{opening}"
        f"    {platform}LaunchCooperativeKernel(&{callee}, {given});\n}}\n}}\n"
    )


def _call_in_parts(contract: Contract, launch: str, opening: str) -> str:
    """The launch of a kernel that takes structs by value, or whose text takes their members instead: none for
    a struct without members, which a template's parameter may be."""
    sizes = ", ".join(str(8 if a.is_pointer else a.dtype.bytes) for a in contract.arguments)
    first = next((a.place for a in contract.arguments if a.member), 0)
    taken = [(slot, a) for slot, a in enumerate(contract.arguments) if a.name != RETURN]
    back = next((slot for slot, a in enumerate(contract.arguments) if a.name == RETURN), None)
    puts, place = [], -1
    for slot, argument in taken:
        place = argument.place if argument.place >= 0 else place + 1
        part = f"whole().{argument.member}" if argument.member else "object()"
        target = f"std::get<{place}>(xpiler_rooms).{part}"
        puts.append(f"xpiler_shim::put({target}, xpiler_slots[{slot}]);")
    callee = launch.partition("<<<")[0]
    result = "" if back is None else f"**static_cast<XpilerSignature::Result**>(xpiler_slots[{back}]) = "
    return (
        f"using XpilerSignature = xpiler_shim::Signature<decltype(&{callee})>;\n"
        f"const std::size_t sizes[] = {{{sizes}}};\n{opening}"
        f"    const auto fill = [&](auto& xpiler_rooms) {{ {' '.join(puts)} }};\n"
        f"    const auto start = [&](auto&... xpiler_given) {{ {result}{launch}(xpiler_given...); }};\n"
        f"    xpiler_shim::start_in_parts<XpilerSignature, {first}, {len(taken)}>"
        "(xpiler_slots, fill, start);\n}\n}\n"
    )


def _signature(name: str, function: str, count: int) -> str:
    return (
        f"using {name} = xpiler_shim::Signature<{function}>;\n"
        f'static_assert({name}::count == {count}, "another number of arguments than in the contract");\n'
    )


def _host_call(contract: Contract, callee: str, opening: str) -> str:
    """The call of a host function, after the calls that set up what it uses."""
    slots = {argument.name: slot for slot, argument in enumerate(contract.arguments)}
    handed = contract.handed or tuple(slots)
    sizes: dict[str, str] = {}
    kinds: list[str] = []
    lines: list[str] = []

    def passed(kind: str, position: int, name: str) -> str:
        if name not in slots:
            return f"xpiler_shim::fit<{kind}::Argument<{position}>>(xpiler_made_{name})"
        sizes.setdefault(name, f"sizeof({kind}::Argument<{position}>)")
        return f"{kind}::at<{position}>(xpiler_slots, {slots[name]})"

    function = f"static_cast<{contract.signature}>(&{callee})" if contract.signature else f"&{callee}"
    last = ", ".join(passed("XpilerSignature", i, name) for i, name in enumerate(handed))
    kinds.append(_signature("XpilerSignature", f"decltype({function})", len(handed)))
    for number, setup in enumerate(contract.before):
        kind, made = f"XpilerBefore{number}", f"xpiler_made_{setup.object}"
        kinds.append(_signature(kind, f"decltype(&{setup.callee})", len(setup.arguments)))
        arguments = []
        for position, name in enumerate(setup.arguments):
            if name:
                arguments.append(passed(kind, position, name))
            elif setup.form == "again":
                arguments.append(f"xpiler_shim::fit<{kind}::Argument<{position}>>({made})")
            else:
                raw = f"xpiler_shim::Made<{kind}::Raw<{position}>>"
                lines.append(f"{raw}::type {made}{{}};")
                arguments.append(f"{raw}::pass({made})")
        result = f"auto {made} = " if setup.form == "returned" else ""
        lines.append(f"{result}{setup.callee}({', '.join(arguments)});")
    call = f"({function})({last})" if contract.signature else f"{callee}({last})"
    if RETURN in slots:
        sizes[RETURN] = "sizeof(void*)"
        call = f"**static_cast<XpilerSignature::Result**>(xpiler_slots[{slots[RETURN]}]) = {call}"
    lines.append(f"{call};")
    body = "".join(f"    {line}\n" for line in lines)
    known = ", ".join(sizes[name] for name in slots)
    return f"{''.join(kinds)}const std::size_t sizes[] = {{{known or '0'}}};\n{opening}{body}}}\n}}\n"


def with_prologue(prepared: str, file: str, contract: Contract) -> str:
    """The prepared text with what the call needs before it; the program's own `main` gets another name."""
    support = "" if contract.kind == "main" else f"{_SUPPORT}#define main {RENAMED_MAIN}\n"
    return f'{support}#line 1 "{_quoted(file)}"\n{prepared}'


def inline_includes(text: str, file: str) -> str:
    """The text with its own headers (`#include "x"` beside the file) in place: they are prepared with it.

    Line directives keep places right. A header with `#pragma once` is put in once; others guard themselves.
    C is compiled as the C++ that it is but for some words.
    """
    whole = _inline(text, Path(file), file, set(), ())
    macros = defined_above(whole, flags_of(Path(file)).macros)
    if macros:
        whole = f'{macros}#line 1 "{_quoted(file)}"\n{whole}'
    return as_cpp(whole, file) if is_c(file) else whole


def include_folders(text: str, file: str) -> list[Path]:
    """Where a compiler has to look for the headers of its own that a text includes, and for theirs."""
    folders: list[Path] = []
    pending, seen = [(text, Path(file))], set[Path]()
    while pending:
        body, path = pending.pop()
        for match in _INCLUDE.finditer(body):
            header = find_header(path, match[1]) if match[1] else find_angled(path, match[2])
            if header is None or not header.is_file() or header.resolve() in seen:
                continue
            seen.add(header.resolve())
            name = Path(match[1] or match[2])
            root = header.resolve()
            for _ in name.parts:
                root = root.parent
            if root / name == header.resolve():
                folders.append(root)
            try:
                pending.append((header.read_text(encoding="utf-8"), header))
            except (OSError, UnicodeDecodeError):
                continue
    return list(dict.fromkeys(folders))


def _inline(text: str, path: Path, shown: str, once: set[Path], opened: tuple[Path, ...]) -> str:
    def replacement(match: re.Match[str]) -> str:
        found = find_header(path, match[1]) if match[1] else find_angled(path, match[2])
        if found is None:
            return match[0]
        header = found.resolve()
        if len(opened) > 30 or header in opened or not header.is_file():
            return match[0]
        line = text.count("\n", 0, match.start()) + 2
        back = f'#line {line} "{_quoted(shown)}"'
        if header in once:
            return f"// {match[0].strip()}"
        try:
            body = header.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return match[0]
        if re.search(r"^[ \t]*#[ \t]*pragma[ \t]+once\b", body, re.MULTILINE):
            once.add(header)
            body = re.sub(r"^[ \t]*#[ \t]*pragma[ \t]+once\b", "// once", body, flags=re.MULTILINE)
        inner = _inline(body, header, str(header), once, (*opened, header))
        return f'#line 1 "{_quoted(str(header))}"\n{inner}\n{back}'

    return _INCLUDE.sub(replacement, text)


def _quoted(path: str) -> str:
    return path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
