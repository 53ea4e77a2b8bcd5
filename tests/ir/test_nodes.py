"""Equality of nodes: structural, without places in the text; what is remembered with a node stays with it."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace

from xpiler.ir.build import add, const, load, var
from xpiler.ir.nodes import Assign, Block, Const, Stmt, Var
from xpiler.ir.rewrite import uses
from xpiler.ir.source import SourceRange
from xpiler.ir.types import F32, I32, U32, DType, Kind

HERE = SourceRange("kernel.cu", 1, 1, 1, 2)


def test_places_in_the_text_take_no_part_in_equality() -> None:
    assert Var(I32, "x", range=HERE) == Var(I32, "x")
    assert hash(Var(I32, "x", range=HERE)) == hash(Var(I32, "x"))


def test_types_and_classes_do() -> None:
    assert Var(I32, "x") != Var(U32, "x")
    nothing: Stmt = Block(())
    assert nothing != Assign(var("x"), const(0))
    assert add(var("x"), 1) != add(var("x"), 2)


def test_float_constants_are_equal_if_their_bits_are() -> None:
    assert Const(F32, 0.0) != Const(F32, -0.0)
    assert Const(F32, math.nan) == Const(F32, float("nan"))
    assert hash(Const(F32, math.nan)) == hash(Const(F32, float("nan")))
    assert Const(F32, 1) == Const(F32, 1.0)
    assert Const(I32, 1) != Const(F32, 1.0)


def test_a_changed_copy_remembers_nothing_of_the_original() -> None:
    stmt = Assign(var("x"), load("a", I32, var("i")))
    assert uses(stmt).arrays_read == {"a"}
    hash(stmt)
    other = replace(stmt, value=load("b", I32, var("i")))
    assert other != stmt
    assert uses(other).arrays_read == {"b"}


def test_pickled_nodes_leave_the_hash_behind() -> None:
    stmt = Assign(var("x"), load("a", F32, var("i")))
    hash(stmt)
    for same in (pickle.loads(pickle.dumps(stmt)), copy.deepcopy(stmt)):
        assert "_hash" not in same.__dict__
        assert same == stmt and same.value.dtype is F32


def test_there_is_one_object_of_each_type() -> None:
    assert DType("f32", Kind.FLOAT, 32) is F32
    assert pickle.loads(pickle.dumps(F32)) is F32
