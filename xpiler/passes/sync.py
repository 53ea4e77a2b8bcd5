"""Where threads meet: which statements synchronise, and over which team of threads."""

from __future__ import annotations

from enum import IntEnum

from xpiler.ir.nodes import Barrier, Break, Collective, Continue, Expr, For, Instr, Return, Stmt, While
from xpiler.ir.rewrite import children, walk_stmts


class Team(IntEnum):
    """A group of threads that run together between two synchronisation points, smallest first."""

    THREAD = 0
    WARP = 1
    BLOCK = 2
    GRID = 3


_SCOPES = {"warp": Team.WARP, "block": Team.BLOCK, "grid": Team.GRID}


def own_team(stmt: Stmt) -> Team:
    """The team that this very statement (not what is inside it) synchronises."""
    match stmt:
        case Barrier(scope=scope) | Collective(scope=scope):
            return _SCOPES[scope]
        case Instr():  # tensor-core instructions are executed by whole warps
            return Team.WARP
    return Team.THREAD


def team(stmt: Stmt) -> Team:
    """The largest team that synchronises anywhere inside the statement; THREAD if none."""
    return max((own_team(s) for s in walk_stmts(stmt)), default=Team.THREAD)


def team_of(body: tuple[Stmt, ...]) -> Team:
    return max(map(team, body), default=Team.THREAD)


def leaves_loop(stmt: Stmt, kinds: tuple[type[Stmt], ...]) -> bool:
    """Whether a `break`/`continue` of the kinds asked for inside `stmt` belongs to a loop around `stmt`.

    `Return` passes through every loop.
    """
    if isinstance(stmt, kinds):
        return True
    if isinstance(stmt, (For, While)):
        kinds = tuple(k for k in kinds if k not in (Break, Continue))
        if not kinds:
            return False
    return any(
        not isinstance(c, Expr) and isinstance(c, Stmt) and leaves_loop(c, kinds) for c in children(stmt)
    )


def has_return(stmt: Stmt) -> bool:
    return leaves_loop(stmt, (Return,))
