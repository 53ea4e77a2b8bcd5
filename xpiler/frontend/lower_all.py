"""Imports every module that registers handlers of syntax or of built-in functions."""

from xpiler.frontend import (
    lower_assignment,
    lower_calls,
    lower_copies,
    lower_declarations,
    lower_expressions,
    lower_groups,
    lower_half,
    lower_literals,
    lower_loops,
    lower_math,
    lower_simt,
    lower_statements,
    lower_wmma,
)

__all__ = [
    "lower_assignment",
    "lower_calls",
    "lower_copies",
    "lower_declarations",
    "lower_expressions",
    "lower_groups",
    "lower_half",
    "lower_literals",
    "lower_loops",
    "lower_math",
    "lower_simt",
    "lower_statements",
    "lower_wmma",
]
