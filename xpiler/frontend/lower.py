"""A text to a `Unit`: every kernel, each instantiation of a template that is launched, lowered or refused
on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend import lower_all  # noqa: F401  (registers the handlers)
from xpiler.frontend.comments import with_lines
from xpiler.frontend.conditions import ConditionError, integer
from xpiler.frontend.host_calls import calls_of_main
from xpiler.frontend.host_instances import host_instances
from xpiler.frontend.kernel_values import enclosing, function_values, kernel_values
from xpiler.frontend.libraries import without_libraries
from xpiler.frontend.lost_kernels import lost_kernels
from xpiler.frontend.lower_context import Context, Frame, Scope, complete_ranges
from xpiler.frontend.lower_entities import Entities
from xpiler.frontend.lower_finish import finish
from xpiler.frontend.lower_host_state import host_variables, records
from xpiler.frontend.lower_launches import (
    Wanted,
    host_functions,
    launch_sites,
    namespace_of,
    wanted_kernels,
)
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_params import (
    as_used,
    declare_params,
    declare_returned,
    declared_params,
    name_packs,
    without_idle_copies,
)
from xpiler.frontend.lower_pools import Pools, TwoArrays
from xpiler.frontend.lower_tasks import as_blocks
from xpiler.frontend.lower_typenames import add_binding, try_constant
from xpiler.frontend.macros import Token, tokens_of
from xpiler.frontend.serial import with_serial_kernels
from xpiler.frontend.signatures import signatures
from xpiler.frontend.syntax import SyntaxUnit, analyse
from xpiler.frontend.syntax_model import FunctionDef
from xpiler.frontend.unit import HandedLambda, KernelText, TakenFunction, Unit
from xpiler.frontend.word_copies import with_word_copies
from xpiler.ir.nodes import Block, Const, Function, Program
from xpiler.platforms import cuda, hip
from xpiler.platforms.registry import PLATFORMS


def parse(
    text: str,
    file: str,
    *,
    platform: str = "cuda",
    defines: dict[str, str] | None = None,
    tells_streams: bool = False,
    entries: frozenset[str] = frozenset(),
) -> Unit:
    """Parses and lowers a text. What cannot be lowered is in `refusals`; a text that is no program raises
    `Refusal`. `tells_streams`: kernels keep what is asynchronous in them, for those who check it.
    `entries`: the functions of a C or C++ text that are its kernels, where that is known."""
    syntax = analyse(text, file, platform=platform, defines=defines)
    is_serial = PLATFORMS[platform].model == "serial"
    if is_serial:
        syntax = with_serial_kernels(syntax, entries)
    entities = Entities.of(syntax, _warp_size(syntax, platform))
    entities.is_serial = is_serial
    entities.tells_streams = tells_streams
    refusals = lost_kernels(syntax)
    wanted = wanted_kernels(entities, refusals)
    kernels: list[Function] = []
    for kernel in wanted:
        try:
            kernels.append(lower_kernel(entities, kernel, is_serial=is_serial))
        except Refusal as refusal:
            refusals[kernel.spelling] = refusal.diagnostic
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # A hole in the frontend, not in the text: still a refusal of this kernel alone.
            refusals[kernel.spelling] = Diagnostic(
                "internal",
                f"kernel `{kernel.spelling}` met an error in the frontend: {type(error).__name__}: {error}",
                kernel.function.range,
                remedy="please report it with the file",
            )
        except RecursionError:
            refusals[kernel.spelling] = Diagnostic(
                "too-deep", f"kernel `{kernel.spelling}` is nested too deeply", kernel.function.range
            )
    lowered = {k.spelling: k.name for k in kernels}
    return Unit(
        file=file,
        reduced=without_libraries(text, file) if PLATFORMS[platform].emulated else None,
        text=text,
        platform=platform,
        program=Program(file, platform, tuple(kernels)),
        refusals=refusals,
        launches=launch_sites(entities, wanted, lowered),
        host_functions=host_functions(entities),
        kernels=tuple(kernel_text(f) for f in syntax.kernels if f.is_local),
        device_functions=tuple(kernel_text(f) for f in syntax.device_functions if f.is_local),
        vector_operators=frozenset(entities.vector_operators),
        comments=with_lines(text, syntax.comments),
        device_methods=tuple(
            kernel_text(m)
            for s in syntax.structs
            for m in s.methods
            if m.is_local and "__device__" in m.qualifiers and "__host__" not in m.qualifiers
        ),
        variables=host_variables(syntax),
        records=records(syntax),
        lambdas=tuple(_handed_lambdas(entities)),
        kernel_values=tuple(value.span for value in kernel_values(syntax)),
        signatures=signatures(syntax, syntax.kernels),
        instances=host_instances(entities),
        calls=calls_of_main(entities),
        taken=tuple(_taken_functions(syntax)),
        macro_prototypes=_macro_prototypes(syntax),
    )


def _taken_functions(syntax: SyntaxUnit) -> Iterator[TakenFunction]:
    for value in function_values(syntax):
        around = enclosing(syntax, value.node)
        if around is not None and _declares(syntax, around, value.name):
            continue
        variable = re.search(r"[A-Za-z_]\w*", value.target)
        yield TakenFunction(value.name, variable[0] if variable else "", around.name if around else "")


def _declares(syntax: SyntaxUnit, function: FunctionDef, name: str) -> bool:
    """Whether a parameter or a variable of the function hides what the file calls by the name."""
    declared = rf"(?<!\breturn)(?<!\belse)(?<=[\w>])[\s*&]+{name}\s*[=;,\[{{]"
    hidden = re.search(declared, syntax.text_of(function.body)) is not None
    return hidden or any(param.name == name for param in function.params)


def _macro_prototypes(syntax: SyntaxUnit) -> tuple[tuple[int, int], ...]:
    """The calls of macros that write declarations of kernels, and nothing else."""
    written: dict[tuple[int, int], set[bool]] = {}
    kernels = {p.node.start_byte: p for p in syntax.prototypes if p.is_kernel}
    for node in syntax.root.named_children:
        file, start, end = syntax.map.span(node.start_byte, node.end_byte)
        if file == 0:
            kernel = kernels.get(node.start_byte)
            by_macro = kernel is not None and f"{kernel.name}(" not in syntax.text[start:end].replace(" ", "")
            written.setdefault((start, end), set()).add(by_macro)
    return tuple(span for span, all_kernels in written.items() if all_kernels == {True})


def _handed_lambdas(entities: Entities) -> Iterator[HandedLambda]:
    unit = entities.unit
    for name, struct in entities.handed_lambdas.items():
        node = entities.lambdas[name].node
        file, start, end = unit.map.span(node.start_byte, node.end_byte)
        if file == 0:
            captured = tuple((str(ctype), member) for member, ctype in struct.fields if str(ctype))
            yield HandedLambda(name, captured, (start, end), _first_definition(unit))


def _first_definition(unit: SyntaxUnit) -> int:
    """Where the file's own text begins behind its includes and macros: kernels may follow."""
    for node in unit.tree.root_node.named_children:
        file, start, _ = unit.map.span(node.start_byte, node.end_byte)
        if file == 0 and (node.type.endswith("_definition") or node.type == "template_declaration"):
            return start
    return 0


def _warp_size(syntax: SyntaxUnit, platform: str) -> int:
    """Lanes that act together: 32 in a HIP text that carries CUDA's fragments of 32 lanes."""
    carried = any(struct.name == "fragment" for struct in syntax.structs)
    return hip.WAVE_SIZE if platform == "hip" and not carried else cuda.WARP_SIZE


def kernel_text(function: FunctionDef) -> KernelText:
    return KernelText(function.name, function.span, function.is_template, function.range)


def lower_kernel(entities: Entities, kernel: Wanted, *, is_serial: bool = False) -> Function:
    """The IR of one kernel or instantiation. Raises `Refusal`."""
    pools: Pools = frozenset()
    while True:
        try:
            return _lowered(entities, kernel, is_serial, pools)
        except TwoArrays as refusal:
            more = refusal.pooled(pools)
            if more is None:
                raise
            pools = more


def _lowered(entities: Entities, kernel: Wanted, is_serial: bool, pools: Pools) -> Function:
    function = kernel.function
    if function.errors:
        problem = function.errors[0]
        raise Refusal("syntax", str(problem), problem.range)
    assert function.body is not None
    ctx = Context(entities, pools)
    scope = Scope()
    for binding in kernel.bindings:
        add_binding(scope, binding)
    found = entities.mutations_of(function.body)
    frame = Frame(function, function.name, None, None, None, found.changed, found.addressed)
    ctx.frames.append(frame)
    with ctx.nested(scope), ctx.at(function.body):
        declarations, types = declared_params(ctx, function)
        params = declare_params(ctx, declarations, types, frame)
        name_packs(ctx, function)
        if is_serial:
            params += declare_returned(ctx, function, frame)
        bounds = _launch_bounds(ctx, function)
        ctx.statement(function.body)
    body = without_idle_copies(ctx, Block((*ctx.prologue, *ctx.out), range=ctx.range(function.body)))
    body = with_word_copies(params, body)
    result = Function(
        name=kernel.name,
        params=as_used(params, body),
        body=body,
        spelling=kernel.spelling,
        template=function.name if function.template is not None else "",
        namespace=namespace_of(function),
        launch_bounds=bounds,
        block_size=(1, 1, 1) if is_serial else kernel.block_size,
        grid_size=(1, 1, 1) if is_serial else kernel.grid_size,
        is_serial=is_serial,
        globals=tuple(ctx.globals.values()),
        warp_size=entities.warp_size,
        range=function.range,
    )
    result = finish(result)
    if entities.unit.platform == "bang":
        result = as_blocks(result)
    complete_ranges(result.body, result.range)
    return result


def _number(ctx: Context, text: str) -> int:
    """The value of `2 * BLOCK`, where a template or a constant says what `BLOCK` is; 0 if nobody does."""
    words: list[Token] = []
    for token in tokens_of(text):
        known = ctx.scope.find(token.text) if token.text.isidentifier() else None
        if token.text.isidentifier() and known is None:
            return 0
        value = load(ctx, known) if known is not None else None
        if value is not None and not isinstance(value, Const):
            return 0
        words += tokens_of(str(int(value.value))) if value is not None else [token]
    try:
        return integer(words)
    except ConditionError:
        return 0


def _launch_bounds(ctx: Context, function: FunctionDef) -> tuple[int, int] | None:
    node = next((c for c in function.node.children if c.type == "launch_bounds"), None)
    if node is None and not function.launch_bounds:
        return None
    values: list[int] = []
    children: list[Node] = list(node.named_children) if node is not None else []
    for child in children:
        value = try_constant(ctx, child)
        values.append(int(value.value) if isinstance(value, Const) else 0)
    if not values:
        values = [_number(ctx, text) for text in function.launch_bounds]
    if not values or values[0] == 0:
        return None
    return values[0], values[1] if len(values) > 1 else 0
