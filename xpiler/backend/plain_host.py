"""Host code that says plainly what it does, for targets whose host code is another's.

    #define gpuMalloc cudaMalloc                                -->
    gpuMalloc(&x, n);                                                cudaMalloc(&x, n);
    auto kernel = &scan<64>;
    CHECK(cudaFuncSetAttribute(kernel, ...Shared..., bytes));        CHECK(cudaSuccess);
    kernel<<<grid, block, bytes>>>(x, y);                            scan<64><<<grid, block, bytes>>>(x, y);

Limits that a GPU's launches have to be told of are none elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection

from xpiler.backend.cuda_vectors import statement_end, statement_start
from xpiler.backend.hip_edits import EditList, apply
from xpiler.backend.hip_source import Directive, SourceText

_LIMITS = ("cudaFuncSetAttribute", "cudaFuncSetCacheConfig", "cudaFuncSetSharedMemConfig")
_TESTS = ("ifdef", "ifndef", "undef", "if", "elif")


def plain_host(text: str, file: str, kernels: Collection[str]) -> str:
    """The text with names of the runtime and of kernels in place of names for them, without launch limits."""
    for rule in (_aliases, _kernel_variables, _limits):
        source, edits = SourceText(text, file), EditList()
        rule(source, edits, kernels)
        text = apply(source.text, edits.settled())
    return text


def _aliases(source: SourceText, edits: EditList, kernels: Collection[str]) -> None:
    """Macros that are another name of something in the runtime."""
    live = [d for d in source.directives if not source.is_dead(d.start)]
    defined = [d for d in live if d.word == "define" and len(d.tokens) == 2]
    tested = {t.text for d in live if d.word in _TESTS for t in d.tokens}
    # `#ifdef USE_HIP` may define the same names for another runtime.
    names = [d.tokens[0].text for d in live if d.word == "define" and d.tokens and not _is_hip(d)]
    aliases = {
        d.tokens[0].text: d
        for d in defined
        if d.tokens[1].text.startswith("cuda")
        and names.count(d.tokens[0].text) == 1
        and d.tokens[0].text not in tested
    }
    for _, token in source.names():
        directive = aliases.get(token.text)
        around = source.directive_at(token.start)
        if directive is None or source.is_dead(token.start) or (around is not None and _is_hip(around)):
            continue
        if directive.start <= token.start < directive.end:
            edits.replace(directive.start, directive.tokens[-1].end, "", "another name of the runtime's")
        else:
            edits.replace(token.start, token.end, directive.tokens[1].text, "the runtime's own name")


def _is_hip(directive: Directive) -> bool:
    return len(directive.tokens) == 2 and directive.tokens[1].text.startswith("hip")


def _kernel_variables(source: SourceText, edits: EditList, kernels: Collection[str]) -> None:
    """Variables that hold one kernel, which is launched through them."""
    tokens = source.tokens
    for i, token in source.names():
        if tokens[i + 1].text != "<<<" or token.text in kernels or source.is_dead(token.start):
            continue
        given = [
            j
            for j in range(i)
            if tokens[j].text == token.text and "=" in (tokens[j + 1].text, _after_parameters(source, j))
        ]
        if len(given) != 1:
            continue
        start, end = statement_start(tokens, given[0]), statement_end(tokens, given[0])
        equals = next(j for j in range(given[0], end) if tokens[j].text == "=")
        value = [t for t in tokens[equals + 1 : end] if t.text != "&"]
        if not value or value[0].text not in kernels or any(t.text == "?" for t in value):
            continue
        kernel = source.text[value[0].start : value[-1].end]
        edits.replace(tokens[start].start, tokens[end].end, "", "a name of a kernel")
        for other in tokens[end : i + 1]:
            if other.text == token.text:
                edits.replace(other.start, other.end, kernel, "the kernel itself")


def _after_parameters(source: SourceText, j: int) -> str:
    """What follows the declarator of a function pointer, `(*name)(int, float)`, whose name is token j."""
    tokens = source.tokens
    if tokens[j + 1].text != ")" or tokens[j + 2].text != "(":
        return ""
    close = source.match(j + 2)
    return tokens[close + 1].text if close is not None else ""


def _limits(source: SourceText, edits: EditList, kernels: Collection[str]) -> None:
    tokens = source.tokens
    for i, token in source.names():
        if token.text not in _LIMITS or source.is_dead(token.start):
            continue
        call = source.call(i)
        if call is None or not call.arguments:
            continue
        close = source.match(i + 1)
        assert close is not None
        alone = tokens[i - 1].text in (";", "{", "}") and tokens[close + 1].text == ";"
        end = tokens[close + 1].end if alone else tokens[close].end
        edits.replace(token.start, end, "" if alone else "cudaSuccess", "no limit elsewhere")
