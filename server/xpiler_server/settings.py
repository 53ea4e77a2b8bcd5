"""The settings, each typed and checked: what is wrong is told once and replaced by its default."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from xpiler.errors import Refusal
from xpiler.neural.settings import endpoint, parse_budget, parse_prices
from xpiler.platforms.bang import ARCHITECTURES

SECTION = "xpiler"
# What only the client itself says: an answer to `workspace/configuration` may come out of the workspace's own
# files, which must not trust themselves, nor say where the key goes and what may be spent.
OF_THE_CLIENT = ("trusted", "model_enable", "model_name", "model_base_url", "model_budget", "model_prices")


@dataclass(frozen=True)
class Settings:
    """`max_parallel`: jobs at a time, 0 for half the cores. `debounce_ms`: pause in typing before a check.
    `model_name`: what sketches translations, "" for what the environment names. `tune_minutes`: of work, for
    one search. `trusted`: whether code of the workspace may be compiled and run."""

    max_parallel: int = 0
    check_enable: bool = True
    check_on_type: bool = True
    debounce_ms: int = 400
    check_seconds: float = 10.0
    verify_automatic: bool = True
    repair_automatic: bool = True
    repair_seconds: float = 60.0
    bang_arch: str = ""
    model_enable: bool = True
    model_name: str = ""
    model_base_url: str = ""
    model_budget: str = ""
    model_prices: str = ""
    tune_minutes: float = 5.0
    trusted: bool = True

    @property
    def jobs(self) -> int:
        return self.max_parallel or max(1, (os.cpu_count() or 2) // 2)

    @property
    def unrun(self) -> str:
        """Why nothing is compiled or run; "" where it may be. The sandbox, and how all that a program started
        is ended, are Linux's."""
        if not self.trusted:
            return "not run: the workspace isn't trusted"
        return "" if sys.platform == "linux" else "not run: programs are compiled and run on Linux only"

    @property
    def model(self) -> dict[str, str] | None:
        """What a worker is told of the model; None if none is to be asked."""
        if not self.model_enable or self.unrun:
            return None
        stated = {"name": self.model_name, "baseUrl": self.model_base_url}
        return {**stated, "budget": self.model_budget, "prices": self.model_prices}


@dataclass(frozen=True)
class _Option:
    """A setting by its path in the editor's JSON. `low` and `high` are bounds of a number, `choices` all that
    a text may be; `parse` raises Refusal for a text that makes no sense."""

    path: str
    field: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    parse: Callable[[str], object] | None = None


_OPTIONS = (
    _Option("jobs.maxParallel", "max_parallel", 0, 256),
    _Option("check.enable", "check_enable"),
    _Option("check.onType", "check_on_type"),
    _Option("check.debounceMs", "debounce_ms", 0, 60_000),
    _Option("check.seconds", "check_seconds", 0.5, 600),
    _Option("verify.automatic", "verify_automatic"),
    _Option("repair.automatic", "repair_automatic"),
    _Option("repair.seconds", "repair_seconds", 1, 3600),
    _Option("compile.bangArch", "bang_arch", choices=("", *ARCHITECTURES)),
    _Option("model.enable", "model_enable"),
    _Option("model.name", "model_name", parse=str),
    _Option("model.baseUrl", "model_base_url", parse=endpoint),
    _Option("model.budget", "model_budget", parse=parse_budget),
    _Option("model.prices", "model_prices", parse=parse_prices),
    _Option("tune.minutes", "tune_minutes", 0.1, 24 * 60),
    _Option("trusted", "trusted"),
)


def read(given: object, before: Settings = Settings()) -> tuple[Settings, list[str]]:
    """The settings of the editor's section, and what is wrong with it in words. What is not given stays as it
    was; other keys are the client's own."""
    if given is None:
        return before, []
    if not isinstance(given, Mapping):
        return before, [f"{SECTION}: the settings must be an object"]
    kinds: dict[str, type] = {field.name: type(getattr(before, field.name)) for field in fields(before)}
    problems: list[str] = []
    values: dict[str, Any] = {}
    for option in _OPTIONS:
        value = _at(given, option.path)
        if value is None:
            continue
        problem = _problem(option, value, kinds[option.field])
        if problem:
            problems.append(f"{SECTION}.{option.path}: {problem}; the default is used")
            values[option.field] = getattr(Settings(), option.field)
        else:
            values[option.field] = kinds[option.field](value)
    return replace(before, **values), problems


def _at(given: Mapping[str, Any], path: str) -> Any:
    """A value by its path, nested or spelled out: `{"jobs": {"maxParallel": 2}}`, `{"jobs.maxParallel":
    2}`."""
    if path in given:
        return given[path]
    here: Any = given
    for name in path.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(name)
    return here


def _problem(option: _Option, value: object, kind: type) -> str:
    if kind is bool:
        return "" if isinstance(value, bool) else f"{value!r} is neither true nor false"
    if kind is str:
        return _wrong_text(option, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{value!r} is not a number"
    if kind is int and value != int(value):
        return f"{value!r} is not a whole number"
    if not option.low <= value <= option.high:
        return f"{value!r} is not from {option.low:g} to {option.high:g}"
    return ""


def _wrong_text(option: _Option, value: object) -> str:
    if not isinstance(value, str):
        return f"{value!r} is not a text"
    if option.parse is None:
        known = ", ".join(filter(None, option.choices))
        return "" if value in option.choices else f"{value!r} is not one of {known}"
    try:
        if value:
            option.parse(value)
    except Refusal as refusal:
        return refusal.diagnostic.message
    return ""
