"""From expanded text to a tree that means what C++ means.

The grammar knows no names, so it takes `if (i < n && j > (m))` for the call of a template `i`, `(T)-x` for a
subtraction and `float (*p)[4] = q;` for an assignment. Where the names decide, `parse` inserts what makes
the text unambiguous (`(i) < n`, `(const T)-x`, `register float (*p)[4]`) and parses again. Where the grammar
leaves errors, it tries a few maskings that keep the meaning, and keeps those that help.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import tree_sitter_cuda
from tree_sitter import Language, Node, Parser, Tree

from xpiler.frontend.prepare import closing, prepare
from xpiler.frontend.preprocess import Expanded

_LANGUAGE = Language(tree_sitter_cuda.language())
_ROUNDS = 8  # one misreading may hide another


@dataclass(frozen=True)
class Parsed:
    """`prepared` is what was parsed, of the length of `expanded.text`. `guesses` are [start, end) of words
    that were ignored without knowing what they stand for."""

    expanded: Expanded
    prepared: str
    tree: Tree
    guesses: tuple[tuple[int, int], ...]


def parse(expanded: Expanded) -> Parsed:
    """The tree of an expanded text, and the text with what was inserted."""
    prepared = prepare(expanded.text)
    tree = _tree(prepared)
    for _ in range(_ROUNDS):
        insertions = _ambiguities(tree.root_node, prepared)
        if not insertions:
            break
        expanded = _insert(expanded, insertions)
        prepared = prepare(expanded.text)
        tree = _tree(prepared)
    guesses: list[tuple[int, int]] = []
    if tree.root_node.has_error:
        tree, guesses = _repaired(tree, prepared)
    return Parsed(expanded, prepared, tree, tuple(guesses))


def _tree(prepared: str) -> Tree:
    return Parser(_LANGUAGE).parse(prepared.encode("ascii"))


def problem_nodes(root: Node) -> list[Node]:
    """Error and missing nodes, in order of the text."""
    found: list[Node] = []
    pending = [root] if root.has_error else []
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            found.append(node)
        pending.extend(c for c in reversed(node.children) if c.has_error)
    return found


# ------------------------------------------------------------------------------------------ ambiguities

_COMPARISON = re.compile(r"[\w$]\s*<(?![<=])[^;{}]{0,400}?[^->\s]\s*>\s*\(")
_OPERATOR_AFTER = re.compile(r"(?<![->])>\s*[-=*&+]")  # `i < n && j >= 0`, `i < n && j > -m`
_CAST = re.compile(r"\(\s*([A-Za-z_]\w*)\s*\)\s*[-+*&(]")
_PRODUCT = re.compile(r"\(\s*([A-Za-z_]\w*)\s*[*&]\s*\(")  # `(n * (m)) - (k)`, `(T *(U))-(k)`
_ARRAY_POINTER = re.compile(r"[;{}]\s*([A-Za-z_]\w*)\s*\(\s*[*&]\s*\w+\s*\)\s*\[")
_GROUP = re.compile(r"(?:(?<=[;{}(=,?:])|(?<=\breturn))\s*\(")
_OPERAND_SIGNS = re.compile(r"(?<![=!<>])=(?!=)|(?:<<|>>)=|[(\[{)\]},;]")
_TEMPLATE_NAME = re.compile(
    r"\btemplate\s*<[^;{}]{0,600}?(?:>|\))\s*(?:[^;{}()=]{0,200}?[\s*&>:](\w+)\s*(?=\()"
    r"|(?:struct|class|union)\s+(\w+)|using\s+(\w+))"
)
_TYPE_NAME = re.compile(
    r"(?:\btypename|\bclass|\bstruct|\bunion|\benum(?:\s+class)?)\s+(?:\.\.\.\s*)?(?:__align__\s*\([^()]*\)\s*)?([A-Za-z_]\w*)"
    r"|\busing\s+([A-Za-z_]\w*)\s*="
    r"|\btypedef\b[^;{}]{0,300}?\b([A-Za-z_]\w*)\s*(?:\[[^;\]]*\]\s*)*;"
    r"|\}\s*([A-Za-z_]\w*)\s*;"
)
_DECLARED = re.compile(r"(?:\b(\w+)(?=[\s*&])|>|,)[\s*&]*\b([A-Za-z_]\w*)\s*(?=[=;,)\[({])")
_NO_TYPES = frozenset(
    ("return", "case", "goto", "typename", "class", "struct", "sizeof", "else", "new", "throw")
)
_VENDOR_TYPES = re.compile(
    r"(?:__)?(?:half2?|nv_bfloat16(?:2)?|nv_fp8_\w+|hip_bfloat16)|(?:u?(?:char|short|int|long|longlong)|float|double)[1-4]"
    r"|uint|uchar|ushort|ulong|(?:u?int(?:8|16|32|64)|size|ptrdiff|u?intptr)_t|bfloat16|floatX|scalar_t|dim3"
    r"|__m(?:128|256|512)(?:d|i|h|bh)?|__mmask(?:8|16|32|64)|_Float16|__(?:hip_)?bf(?:loat)?16"
)


def _ambiguities(root: Node, text: str) -> list[tuple[int, str]]:
    """(offset, text) to insert, ascending."""
    found: dict[int, str] = {}
    names = _Names(root, text)
    for match in _COMPARISON.finditer(text):
        operand = _compared(root, match.end(), names)
        if operand is not None:
            found[operand[0]] = "("
            found[operand[1]] = ")"
    for match in _OPERATOR_AFTER.finditer(text):
        operand = _compared_alone(root, match.start(), names)
        if operand is not None:
            found[operand[0]] = "("
            found[operand[1]] = ")"
    for match in _CAST.finditer(text):
        at = match.start(1)
        if names.is_type(match[1], at) and _is_misread_cast(root, at, match.end(1)):
            found[at] = "const "
        elif _is_cast(root, at, match.end(1)) and (
            text.startswith("&&", match.end() - 1) or names.is_variable(match[1], at)
        ):
            found[match.start()] = "("
            found[text.index(")", match.end(1)) + 1] = ")"
    for match in _PRODUCT.finditer(text):
        at = match.start(1)
        end = closing(text, match.start())
        if end is not None and names.is_variable(match[1], at) and _is_cast(root, at, match.end(1)):
            found[match.start()] = found.get(match.start(), "") + "("
            found[end] = ")"
    for match in _ARRAY_POINTER.finditer(text):
        at = match.start(1)
        node = root.descendant_for_byte_range(at, match.end(1))
        if node is None or node.parent is None or node.parent.type != "call_expression":
            continue
        if node.type == "primitive_type" or names.is_type(match[1], at):
            found[at] = "register "
    for match in _GROUP.finditer(text) if root.has_error else ():
        end = _assigned_first(text, match.end())
        if end is not None:
            found[match.end()] = "(" + found.get(match.end(), "")
            found[end] = found.get(end, "") + ")"
    return sorted(found.items())


def _assigned_first(text: str, start: int) -> int | None:
    """Where the first of several operands ends that is an assignment, of `(*out = 4, 0)`: the grammar wants
    it in parentheses."""
    depth, assigned = 0, False
    for match in _OPERAND_SIGNS.finditer(text, start, start + 400):
        sign = match[0]
        if sign in ("(", "[", "{"):
            depth += 1
        elif sign in (")", "]", "}"):
            depth -= 1
        elif sign == "," and depth == 0:
            return match.start() if assigned else None
        elif depth == 0:
            assigned = True
        if depth < 0 or sign == ";":
            return None
    return None


class _Names:
    """What a name is at a place in the text, as far as its declarations say."""

    def __init__(self, root: Node, text: str) -> None:
        self.root = root
        self.text = text
        self.variables: dict[int, dict[str, int]] = {}  # by function: name -> where it is declared first

    @cached_property
    def templates(self) -> frozenset[str]:
        return _all_names(_TEMPLATE_NAME, self.text)

    @cached_property
    def types(self) -> frozenset[str]:
        return _all_names(_TYPE_NAME, self.text)

    def is_type(self, name: str, at: int) -> bool:
        return (name in self.types or _VENDOR_TYPES.fullmatch(name) is not None) and not self.is_variable(
            name, at
        )

    def is_variable(self, name: str, at: int) -> bool:
        """Whether a name is declared as a variable or parameter before `at` in the function around it."""
        function = self.root.descendant_for_byte_range(at, at)
        while function is not None and function.type != "function_definition":
            function = function.parent
        if function is None:
            return False
        declared = self.variables.get(function.start_byte)
        if declared is None:
            declared = self.variables[function.start_byte] = {}
            for match in _DECLARED.finditer(self.text, function.start_byte, function.end_byte):
                if match[1] not in _NO_TYPES:
                    declared.setdefault(match[2], match.start(2))
        return declared.get(name, at) < at


def _all_names(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    return frozenset(name for match in pattern.finditer(text) for name in match.groups() if name)


def _compared(root: Node, end: int, names: _Names) -> tuple[int, int] | None:
    """The left operand of a comparison that was read as a template's name, in the call whose `(` is there."""
    node = root.descendant_for_byte_range(end - 1, end)
    call = node.parent if node is not None and node.type != "call_expression" else node
    if call is not None and call.type != "call_expression":
        call = call.parent
    callee = call.child_by_field_name("function") if call is not None else None
    if callee is None:
        return None
    return _misread_name(callee, names)


def _compared_alone(root: Node, closing_angle: int, names: _Names) -> tuple[int, int] | None:
    """The same where no call follows the `>`."""
    node = root.descendant_for_byte_range(closing_angle, closing_angle + 1)
    arguments = node.parent if node is not None else None
    generic = arguments.parent if arguments is not None else None
    if generic is None or arguments is None or arguments.type != "template_argument_list":
        return None
    outer = generic.parent
    return _misread_name(outer if outer is not None and outer.type == "field_expression" else generic, names)


def _misread_name(callee: Node, names: _Names) -> tuple[int, int] | None:
    """Start of the operand and end of its name if `callee` is a comparison read as a template."""
    generic = callee.child_by_field_name("field") if callee.type == "field_expression" else callee
    if generic is None or generic.type not in ("template_function", "template_method"):
        return None
    name = generic.child_by_field_name("name")
    arguments = generic.child_by_field_name("arguments")
    if name is None or arguments is None:
        return None
    spelling = names.text[name.start_byte : name.end_byte]
    if spelling in names.templates:
        return None
    is_member = callee is not generic
    is_comparison = any(_is_logical(a, is_member) for a in arguments.named_children)
    if is_comparison or (not is_member and names.is_variable(spelling, name.start_byte)):
        return callee.start_byte, name.end_byte
    return None


def _is_logical(node: Node, is_member: bool) -> bool:
    """An argument that is an `&&`, `||` or `?:` without parentheses: no template argument looks like that.

    Of a member (`threadIdx.x < n & threadIdx.y > (m)`) `&` and `|` say the same.
    """
    if node.type == "conditional_expression":
        return True
    operator = node.child_by_field_name("operator")
    if node.type != "binary_expression" or operator is None:
        return False
    return operator.type in ("&&", "||", "and", "or") or (is_member and operator.type in ("&", "|"))


def _is_cast(root: Node, start: int, end: int) -> bool:
    """Whether `(name)` was read as a cast: of `(name) && x` the address of a label `x`."""
    node = root.descendant_for_byte_range(start, end)
    while node is not None and node.type in ("type_identifier", "type_descriptor"):
        node = node.parent
    return node is not None and node.type == "cast_expression"


def _is_misread_cast(root: Node, start: int, end: int) -> bool:
    node = root.descendant_for_byte_range(start, end)
    outer = node.parent if node is not None else None
    use = outer.parent if outer is not None else None
    if outer is None or use is None or outer.type != "parenthesized_expression":
        return False
    if use.type == "call_expression":
        return use.child_by_field_name("function") == outer
    # `a - (T)-x`: the parenthesis is an operand of the inner expression
    return use.type == "binary_expression"


def _insert(expanded: Expanded, insertions: list[tuple[int, str]]) -> Expanded:
    pieces: list[str] = []
    done = 0
    for offset, text in insertions:
        pieces += (expanded.text[done:offset], text)
        done = offset
    pieces.append(expanded.text[done:])
    lengths = [(offset, len(text)) for offset, text in insertions]
    pragmas = tuple(
        replace(p, offset=p.offset + sum(n for at, n in lengths if at < p.offset)) for p in expanded.pragmas
    )
    return replace(expanded, text="".join(pieces), map=expanded.map.with_insertions(lengths), pragmas=pragmas)


# ------------------------------------------------------------------------------------------ errors

_TYPENAME = re.compile(r"\btypename\b(?=\s+(?:::\s*)?\w+\s*(?:<[^;{}]*?>)?\s*::)")
_DEPENDENT_TEMPLATE = re.compile(r"(?<=\.|>|:)\s*\btemplate\b(?=\s+\w)")
_EMPTY_DEFAULT = re.compile(r"(?<==)(\s*)\{(\s*)\}(?=\s*[,)])")
_FUNCTIONAL_CAST = re.compile(r"\b(?:unsigned|signed|long|short)(?=\s*\(\s*[^*&)\s])")
_UNKNOWN_WORD = re.compile(
    r"\b[A-Z][A-Z0-9_]{3,}\b(?=\s+[A-Za-z_~])|(?<=[\w>])(?<=\s|\w)\s\b[A-Z][A-Z0-9_]{3,}\b(?=\s*[),{])"
)
_USE_WITHOUT_SEMICOLON = re.compile(r"(?:(?<=[;{}])\s*|^[ \t]*)([A-Za-z_]\w*)[ \t]*(?=\()", re.MULTILINE)
_STATEMENT_WORDS = frozenset(
    "if while for switch catch return sizeof decltype alignof static_assert else do operator defined".split()
)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0]) if "\n" not in match[0] else re.sub(r"[^\n]", " ", match[0])


def _repaired(tree: Tree, prepared: str) -> tuple[Tree, list[tuple[int, int]]]:
    """Tries the maskings around the errors one after the other."""
    guesses: list[tuple[int, int]] = []
    rules: list[tuple[Callable[[str, list[Node]], str], bool]] = [
        (_mask_dependent_names, False),
        (_end_macro_uses, False),
        (_mask_unknown_words, True),
    ]
    weight = _weight(tree.root_node)
    for rule, is_guess in rules:
        problems = problem_nodes(tree.root_node)
        if not problems:
            break
        changed = rule(prepared, problems)
        if changed == prepared:
            continue
        candidate = _tree(changed)
        found = _weight(candidate.root_node)
        if found < weight:
            if is_guess:
                guesses += _differences(prepared, changed)
            tree, prepared, weight = candidate, changed, found
    return tree, guesses


def _weight(root: Node) -> tuple[int, int]:
    problems = problem_nodes(root)
    return len(problems), sum(n.end_byte - n.start_byte for n in problems)


def _differences(before: str, after: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for match in re.finditer(r"\w+", before):
        if after[match.start()] == " ":
            found.append(match.span())
    return found


def _near(text: str, problems: list[Node], edit: Callable[[str], str]) -> str:
    """Applies a length-preserving edit to the lines around each problem."""
    pieces: list[str] = []
    done = 0
    for start, end in _windows(text, problems):
        pieces += (text[done:start], edit(text[start:end]))
        done = end
    pieces.append(text[done:])
    return "".join(pieces)


def _windows(text: str, problems: list[Node]) -> list[tuple[int, int]]:
    """Stretches of whole lines around the problems, merged, in order."""
    merged: list[tuple[int, int]] = []
    for node in problems:
        start = text.rfind("\n", 0, max(0, node.start_byte - 200)) + 1
        stop = min(node.end_byte, node.start_byte + 2000)
        end = text.find("\n", min(len(text), stop + 200))
        end = len(text) if end < 0 else end + 1
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _mask_dependent_names(text: str, problems: list[Node]) -> str:
    def edit(part: str) -> str:
        part = _TYPENAME.sub(_blank, part)
        part = _DEPENDENT_TEMPLATE.sub(_blank, part)
        part = _EMPTY_DEFAULT.sub(lambda m: f"{m[1]}_{m[2]}_" if not m[2] else f"{m[1]}_{m[2]} ", part)
        return _FUNCTIONAL_CAST.sub(lambda m: m[0][:-1] + "_", part)

    return _near(text, problems, edit)


def _mask_unknown_words(text: str, problems: list[Node]) -> str:
    return _near(text, problems, lambda part: _UNKNOWN_WORD.sub(_blank, part))


def _end_macro_uses(text: str, problems: list[Node]) -> str:
    """`CHECK(x)` on a line of its own becomes a statement: the blank behind it becomes a semicolon."""
    characters: list[str] | None = None
    for start, end in _windows(text, problems):
        for match in _USE_WITHOUT_SEMICOLON.finditer(text, start, end):
            if match[1] in _STATEMENT_WORDS or match[1].startswith("__"):
                continue
            close = closing(text, match.end())
            if close is None or close >= len(text) or text[close] != "\n":
                continue
            follows = (
                text[close:].lstrip()[:1]
                if close + 400 > len(text)
                else text[close : close + 400].lstrip()[:1]
            )
            if follows.isalnum() or follows in ("}", "_"):
                characters = characters if characters is not None else list(text)
                characters[close] = ";"
    return text if characters is None else "".join(characters)
