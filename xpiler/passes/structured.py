"""Early exits become structured control flow, so that the code after them can be split at barriers.

    if (row >= n) return;                if (!(row >= n)) {
    A; __syncthreads(); B;       -->       A; __syncthreads(); B;
                                         }

`return` goes everywhere; `continue` and `break` only out of loops in which threads synchronise. Where an
exit is not the
last thing in its branch a flag remembers it. The meaning is unchanged for each thread by itself, so it
always applies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import add, and_, lt, not_, var
from xpiler.ir.nodes import (
    EMPTY,
    FALSE,
    TRUE,
    Assign,
    Block,
    Break,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Return,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import assigned_vars, map_stmt, walk_stmts
from xpiler.ir.types import BOOL
from xpiler.passes.names import Names
from xpiler.passes.sync import Team, has_return, leaves_loop, team


def without_returns(body: Block, names: Names) -> Block:
    """The body of a kernel without `return`."""
    if not has_return(body):
        return body
    return Block(_strip(spliced(body.body), Return, None, names))


def without_exits(loop: For | While, names: Names) -> tuple[Stmt, ...]:
    """A loop without `continue` and `break` of its own; with `break` a `for` becomes a `while` with a
    flag."""
    body = _strip(spliced(loop.body.body), Continue, None, names)
    if isinstance(loop, While):
        body = (*body, *loop.advance.body)
        loop = replace(loop, advance=EMPTY)
    if not any(leaves_loop(s, (Break,)) for s in body):
        return (replace(loop, body=Block(body)),)
    stopped = var(names.fresh("stopped"), BOOL)
    flag = Decl(stopped.name, BOOL, init=FALSE)
    body = _strip(body, Break, stopped, names)
    if isinstance(loop, While):
        condition = and_(not_(stopped), loop.condition)
        return (flag, While(condition, Block(body), loop.do_while, range=loop.range))
    counter = var(loop.var, loop.dtype)
    step = Assign(counter, add(counter, loop.step))
    return (
        flag,
        Decl(loop.var, loop.dtype, init=loop.start),
        While(
            and_(not_(stopped), lt(counter, loop.stop)),
            Block((*body, If(not_(stopped), Block((step,))))),
            range=loop.range,
        ),
    )


def without_continues(function: Function) -> Function:
    """Every loop without `continue`, where that needs no flag.

    for (k) { if (k > n) continue; A; }   -->   for (k) { if (!(k > n)) { A; } }
    """
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, (For, While)) or not any(leaves_loop(s, (Continue,)) for s in stmt.body.body):
            return stmt
        before = sum(isinstance(s, Decl) for s in walk_stmts(stmt.body))
        body = Block(_strip(stmt.body.body, Continue, None, names))
        needs_flag = sum(isinstance(s, Decl) for s in walk_stmts(body)) != before
        return stmt if needs_flag else replace(stmt, body=body)

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def spliced(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """Nested blocks opened: names are unique, so their scopes do not matter here."""
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Block):
            out.extend(spliced(stmt.body))
        else:
            out.append(stmt)
    return tuple(out)


def _strip(body: Sequence[Stmt], kind: type[Stmt], flag: Var | None, names: Names) -> tuple[Stmt, ...]:
    """`body` without exits of `kind`: what follows an exit is made conditional. `flag`, if given, is set
    by exits."""
    out: list[Stmt] = []
    mark: tuple[Stmt, ...] = () if flag is None else (Assign(flag, TRUE),)
    body = spliced(body)
    for n, stmt in enumerate(body):
        if not leaves_loop(stmt, (kind,)):
            out.append(stmt)
            continue
        rest = body[n + 1 :]
        match stmt:
            case If(condition=condition, then=then, otherwise=otherwise):
                yes, no = spliced(then.body), spliced(otherwise.body)
                if _ends(yes, kind):
                    out.append(
                        _if(condition, (*_strip(yes[:-1], kind, flag, names), *mark), (*no, *rest), stmt)
                    )
                    return _inside(out, kind, flag, names, "otherwise")
                if _ends(no, kind):
                    out.append(
                        _if(condition, (*yes, *rest), (*_strip(no[:-1], kind, flag, names), *mark), stmt)
                    )
                    return _inside(out, kind, flag, names, "then")
                gone = flag or var(names.fresh("done"), BOOL)
                if flag is None:
                    out.append(Decl(gone.name, BOOL, init=FALSE))
                out.append(
                    replace(
                        stmt,
                        then=Block(_strip(yes, kind, gone, names)),
                        otherwise=Block(_strip(no, kind, gone, names)),
                    )
                )
                if rest:
                    out.append(If(not_(gone), Block(_strip(rest, kind, gone, names))))
                return tuple(out)
            case For() | While():  # only a return gets here: it leaves the loop by a break
                gone = flag or var(names.fresh("done"), BOOL)
                if flag is None:
                    out.append(Decl(gone.name, BOOL, init=FALSE))
                out.append(_breaking(stmt, gone))
                if rest:
                    out.append(If(not_(gone), Block(_strip(rest, kind, gone, names))))
                return tuple(out)
            case _:  # the exit itself: what follows is never reached
                out.extend(mark)
                return tuple(out)
    return tuple(out)


def _ends(body: tuple[Stmt, ...], kind: type[Stmt]) -> bool:
    return bool(body) and isinstance(body[-1], kind) and not any(leaves_loop(s, (kind,)) for s in body[:-1])


def _if(condition: Expr, then: tuple[Stmt, ...], otherwise: tuple[Stmt, ...], origin: If) -> If:
    if not then:
        return If(not_(condition), Block(otherwise), range=origin.range)
    return If(condition, Block(then), Block(otherwise), range=origin.range)


def _inside(out: list[Stmt], kind: type[Stmt], flag: Var | None, names: Names, side: str) -> tuple[Stmt, ...]:
    """Continue stripping in the branch that now holds the rest of the body."""
    last = out[-1]
    assert isinstance(last, If)
    field = "then" if side == "then" or not last.otherwise.body else "otherwise"
    branch: Block = getattr(last, field)
    stripped = Block(_strip(branch.body, kind, flag, names))
    out[-1] = If(
        last.condition,
        stripped if field == "then" else last.then,
        stripped if field == "otherwise" else last.otherwise,
        range=last.range,
    )
    return tuple(out)


def _breaking(loop: For | While, gone: Var) -> Stmt:
    """`return` inside the loop becomes `gone = true; break`, through all loops between."""

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Return():
                return (Assign(gone, TRUE), Break(range=stmt.range))
            case For() | While() if stmt.body is not loop.body and _sets(stmt, gone):
                return (stmt, If(gone, Block((Break(),))))
        return stmt

    body = map_stmt(loop.body, change)
    return replace(loop, body=body if isinstance(body, Block) else Block((body,)))


def _sets(stmt: Stmt, flag: Var) -> bool:
    return flag.name in assigned_vars(stmt)


def without_team_exits(stmt: Stmt, names: Names, level: Team) -> Stmt:
    """`without_exits` on every loop in which a team of at least `level` synchronises."""

    def change(inner: Stmt) -> Stmt | tuple[Stmt, ...]:
        if (
            isinstance(inner, (For, While))
            and team(inner) >= level
            and any(leaves_loop(s, (Break, Continue)) for s in inner.body.body)
        ):
            return without_exits(inner, names)
        return inner

    return map_stmt(stmt, change)
