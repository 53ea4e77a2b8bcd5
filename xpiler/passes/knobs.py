"""Knobs: the numbers that a pass could as well have chosen otherwise.

A pass declares its knobs beside its code and reads their values where it needs them. Outside of a search they
have their defaults. Inside `chosen` they have the values that the search gives, and what was read is noted,
so that a search only turns knobs that a program depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Knob:
    """`name` is `pass.what`; `values` are those worth trying, `default` is one of them; `meaning` says what
    is counted."""

    name: str
    values: tuple[int, ...]
    default: int
    meaning: str

    def __post_init__(self) -> None:
        if self.default not in self.values:
            raise ValueError(f"{self.name}: the default is not among the values")
        if KNOBS.setdefault(self.name, self) != self:
            raise ValueError(f"{self.name}: the name is taken")

    @property
    def value(self) -> int:
        """The value that holds now."""
        setting = _SETTING.get()
        if setting is None:
            return self.default
        setting.read.setdefault(self.name, None)
        return setting.values.get(self.name, self.default)


@dataclass
class Setting:
    """Values of knobs by name, and the knobs that were read, in the order in which they first were."""

    values: Mapping[str, int]
    read: dict[str, None] = field(default_factory=dict)


KNOBS: dict[str, Knob] = {}
_SETTING: ContextVar[Setting | None] = ContextVar("knobs", default=None)


@contextmanager
def chosen(values: Mapping[str, int]) -> Iterator[Setting]:
    """Knobs have these values while the block lasts. Raises ValueError for a knob or value that there is
    not."""
    for name, value in values.items():
        if name not in KNOBS or value not in KNOBS[name].values:
            raise ValueError(f"{name} = {value}: there is no such knob or value")
    setting = Setting(dict(values))
    token = _SETTING.set(setting)
    try:
        yield setting
    finally:
        _SETTING.reset(token)
