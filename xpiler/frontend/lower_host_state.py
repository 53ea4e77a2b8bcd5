"""What host code keeps between calls: variables of file scope, and structs that hold pointers."""

from __future__ import annotations

import re

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import Field, GlobalVar, StructDef
from xpiler.frontend.unit import HostVariable, Record

_NOT_HOST_STATE = {"__device__", "__constant__", "__shared__", "__managed__", "const", "constexpr", "extern"}
_NUMBERS = re.compile(r"(?:unsigned|signed|int|long|short|char|float|double|size_t|s?u?int\d+_t)\b")
_EMPTY = re.compile(r"\s*(?:=\s*)?(?:nullptr|NULL|0|\{\s*\}|\{\s*(?:nullptr|NULL|0)\s*\})\s*")


def host_variables(unit: SyntaxUnit) -> tuple[HostVariable, ...]:
    """The variables of file scope that host code may change."""
    found: dict[str, HostVariable] = {}
    structs = {record.name for record in records(unit)}
    for variable in unit.globals:
        if not _NOT_HOST_STATE & variable.qualifiers:
            is_pointer = "*" in unit.text_of(variable.declarator).split(variable.name)[0]
            empty = _begins_empty(unit, variable, is_pointer, structs)
            found[variable.name] = HostVariable(variable.name, is_pointer, empty)
    return tuple(found.values())


def _begins_empty(unit: SyntaxUnit, variable: GlobalVar, is_pointer: bool, structs: set[str]) -> bool:
    kind = re.sub(r"^struct\s+", "", unit.text_of(variable.type_node))
    if variable.init is not None:
        return (is_pointer or kind in structs) and _EMPTY.fullmatch(unit.text_of(variable.init)) is not None
    return is_pointer or kind in structs or _NUMBERS.match(kind) is not None


def records(unit: SyntaxUnit) -> tuple[Record, ...]:
    """The structs that hold pointers, and other names for them."""
    found = {
        struct.name: Record(struct.name, tuple(field.name for field in struct.fields))
        for struct in unit.structs
        if struct.name and struct.template is None and _holds_pointers(unit, struct)
    }
    incomplete = {s.name for s in unit.structs if not s.fields}
    for alias in unit.aliases:
        target = re.sub(r"\b(?:struct|class|const)\b|\*", " ", unit.text_of(alias.type_node)).strip()
        is_handle = "*" in unit.text_of(alias.declarator) + unit.text_of(alias.type_node)
        known = found.get(target)
        if known is not None:
            found.setdefault(alias.name, Record(alias.name, known.members, is_handle))
        elif is_handle and ("struct" in unit.text_of(alias.type_node) or target in incomplete):
            found.setdefault(alias.name, Record(alias.name, (), True))
    return tuple(found.values())


def _holds_pointers(unit: SyntaxUnit, struct: StructDef) -> bool:
    def is_pointer(field: Field) -> bool:
        return "*" in unit.text_of(field.declarator)

    return any(is_pointer(field) for field in struct.fields)
