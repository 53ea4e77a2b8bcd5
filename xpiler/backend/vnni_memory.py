"""Loads and stores of lanes: consecutive elements, gathers and scatters, arrays private to each lane."""

from __future__ import annotations

from xpiler.backend.c_types import storage_type, value_type
from xpiler.backend.vnni_conversions import Conversions
from xpiler.backend.vnni_forms import Value, atom
from xpiler.backend.vnni_lanes import NotVectorizable, is_real
from xpiler.ir.nodes import Binary, Cast, Const, Expr, Load, Var
from xpiler.ir.types import F32, F64, I32, I64, U32, DType, Kind
from xpiler.passes.vectorize import is_piece_of_word


class Memory(Conversions):
    """Accesses."""

    def position(self, load: Load) -> Value:
        """The flat index of an access."""
        info = self.printer.arrays.get(load.array)
        index = load.index
        if len(index) == 1 or info is None or not info.shape:
            return self.eval(index[0])
        # a value of its own: the row-major sum, in 64 bits only where the indices are
        total = index[0]
        for extent, part in zip(info.shape[1:], index[1:], strict=True):
            total = _plus(_times(total, extent), part)
        return self.eval(total)

    def place(self, load: Load) -> tuple[str, Value]:
        """A pointer and how far from it an access is. What all lanes have alike goes into the pointer where
        that leaves 32 bits to each lane: `p[(i64)row * n + (i64)k]` is `(p + row * n)[k]`."""
        if len(load.index) == 1 and load.index[0].dtype.bits == 64:
            terms = _terms(load.index[0])
            apart = [t for t in terms if self.shapes.varies(t)]
            alike = [t for t in terms if not self.shapes.varies(t)]
            if len(apart) == 1 and alike and (narrow := _extended(apart[0])) is not None:
                at = self.eval(narrow)
                if at.kind == "vector":
                    whole = alike[0]
                    for term in alike[1:]:
                        whole = _plus(whole, term)
                    return f"{self._base(load, at)} + {atom(self.eval(whole).text)}", at
        at = self.position(load)
        return self._base(load, at), at

    def load(self, load: Load) -> Value:
        if load.array in self.shapes.arrays:
            return self._private(load)
        base, at = self.place(load)
        lanes, dtype = self.lanes, load.dtype
        wraps = at.minus and at.dtype == U32
        if at.kind == "linear" and not wraps:
            if at.stride == 1:
                return self.result(dtype, lanes.load(dtype, f"{base} + {at.text}", self.mask))
            pointer, step = f"{base} + {at.text}", self._int_stride(at)
            if dtype == F32 and lanes.count == 16 and (step in (2, 3, 4) or isinstance(step, str)):
                live = self.mask or f"({lanes.mask}){lanes.all}"
                return self.result(dtype, f"load_step_ps({live}, {pointer}, {step})")
            if lanes.count == 16 and is_piece_of_word(dtype, step):
                live = self.mask or lanes.all
                return self.result(dtype, f"load_{_piece(dtype)}({live}, {pointer})")
            index = self.offsets(I32, step)
            return self.result(dtype, lanes.gather(dtype, pointer, index, I32, self.mask))
        return self.result(dtype, lanes.gather(dtype, base, self.vector(at), at.dtype, self.mask))

    def _base(self, place: Load, at: Value) -> str:
        """A pointer to elements of the access's own type: the intrinsics may read any memory. (Narrow
        elements that do not lie side by side are read by no intrinsic.)"""
        base = self.printer.base(place.array)
        if not self.printer.reinterprets(place):
            return base
        side_by_side = at.kind == "linear" and at.stride == 1 and not (at.minus and at.dtype == U32)
        if place.dtype.bits < 32 and not (side_by_side and place.dtype.bits == 16):
            raise NotVectorizable("reinterpreted memory")
        return f"(({storage_type(place.dtype)} *){base})"

    def _int_stride(self, at: Value) -> int | str:
        if isinstance(at.stride, str) and at.dtype.bits == 64:
            return f"(int){atom(at.stride)}"
        return at.stride

    def store(self, target: Load, value: Value) -> None:
        """Store the lanes of the current mask."""
        if target.array in self.shapes.arrays:
            self._store_private(target, value)
            return
        base, at = self.place(target)
        lanes, dtype, printer = self.lanes, target.dtype, self.printer
        if at.kind == "uniform" and printer.reinterprets(target):
            raise NotVectorizable("lanes that write the same element of reinterpreted memory")
        if at.kind == "uniform":
            self._store_uniform(base, at, value)
        elif at.kind == "linear" and not (at.minus and at.dtype == U32):
            pointer, text = f"{base} + {at.text}", self.vector(value)
            if at.stride == 1:
                printer.line(f"{lanes.store(dtype, pointer, text, self.mask)};")
            elif lanes.count == 16 and is_piece_of_word(dtype, at.stride):
                live = self.mask or lanes.all
                printer.line(f"store_{_piece(dtype, stored=True)}({pointer}, {live}, {text});")
            else:
                index = self.offsets(I32, self._int_stride(at))
                printer.line(f"{lanes.scatter(dtype, pointer, index, I32, text, self.mask)};")
        else:
            text = lanes.scatter(dtype, base, self.vector(at), at.dtype, self.vector(value), self.mask)
            printer.line(f"{text};")

    def _store_uniform(self, base: str, at: Value, value: Value) -> None:
        """All active lanes write one element: the last one's value stays."""
        if value.kind != "uniform":
            raise NotVectorizable("lanes that write the same element")
        guard = f"if ({self.mask}) " if self.mask is not None else ""
        self.printer.names["\0"] = atom(value.text)
        stored = self.printer.to_storage(Var(value.dtype, "\0"))
        self.printer.line(f"{guard}{base}[{at.text}] = {stored};")

    def _private(self, load: Load) -> Value:
        """An element of an array with one copy a lane: registers, or a gather from them."""
        at = self.position(load)
        name, dtype = self.printer.name(load.array), load.dtype
        held = self._held(load)
        if at.kind == "uniform":
            element = Value("vector", f"{name}[{at.text}]", held)
            return element if held == dtype else self._bitcast(element, dtype)
        if dtype.bits < 32:
            raise NotVectorizable("narrow private arrays at varying positions")
        at = self.convert(at, I64 if dtype.bits == 64 else I32)
        index = self._private_index(at, dtype)
        kind = "double" if dtype == F64 else "float" if is_real(dtype) else value_type(dtype)
        return self.result(
            dtype, self.lanes.gather(dtype, f"(const {kind} *){name}", index, at.dtype, self.mask)
        )

    def _held(self, place: Load) -> DType:
        """The type of the registers of a private array, which an access may take for another of its width."""
        info = self.printer.arrays.get(place.array)
        held = info.dtype if info is not None else place.dtype
        if held != place.dtype and (held.bits != place.dtype.bits or held.bits < 32):
            raise NotVectorizable("a private array taken for one of another width")
        return held

    def _private_index(self, at: Value, dtype: DType) -> str:
        lanes = self.lanes
        scaled = lanes.op("mullo", at.dtype, self.vector(at), lanes.set1(at.dtype, str(lanes.count)))
        return lanes.op("add", at.dtype, scaled, self.lane_numbers(at.dtype))

    def _store_private(self, target: Load, value: Value) -> None:
        at = self.position(target)
        lanes, dtype, name = self.lanes, target.dtype, self.printer.name(target.array)
        held = self._held(target)
        if at.kind == "uniform" and held != dtype:
            value, dtype = self._bitcast(Value("vector", self.vector(value), dtype), held), held
        text = self.vector(value)
        if at.kind == "uniform":
            place = f"{name}[{at.text}]"
            if self.mask is not None:
                text = lanes.blend(dtype, self.mask, place, text)
            self.printer.line(f"{place} = {text};")
            return
        if dtype.bits < 32:
            raise NotVectorizable("narrow private arrays at varying positions")
        at = self.convert(at, I64 if dtype.bits == 64 else I32)
        index = self._private_index(at, dtype)
        kind = "double" if dtype == F64 else "float" if is_real(dtype) else value_type(dtype)
        self.printer.line(f"{lanes.scatter(dtype, f'({kind} *){name}', index, at.dtype, text, self.mask)};")


def _piece(dtype: DType, *, stored: bool = False) -> str:
    """What the helpers for bytes or halves of words are called."""
    kind = "epi" if dtype.kind is Kind.INT or stored else "epu"
    return f"{'fourths' if dtype.bits == 8 else 'halves'}_{kind}{dtype.bits}"


def _terms(expr: Expr) -> list[Expr]:
    """What a sum in 64 bits adds up."""
    match expr:
        case Binary(op="+", left=left, right=right) if expr.dtype.bits == 64:
            return [*_terms(left), *_terms(right)]
        case Cast(operand=operand) if (
            expr.dtype.bits == 64 == operand.dtype.bits and operand.dtype.is_integer
        ):
            return _terms(operand)
    return [expr]


def _extended(expr: Expr) -> Expr | None:
    """The signed number of 32 bits that is extended to 64."""
    match expr:
        case Cast(operand=operand) if operand.dtype == I32:
            return operand
    return None


def _times(left: Expr, right: Expr) -> Expr:
    return Binary(left.dtype, "*", left, _to(right, left.dtype))


def _plus(left: Expr, right: Expr) -> Expr:
    if right.dtype.bits > left.dtype.bits:
        left = _to(left, right.dtype)
    return Binary(left.dtype, "+", left, _to(right, left.dtype))


def _to(expr: Expr, dtype: DType) -> Expr:
    if expr.dtype == dtype:
        return expr
    if isinstance(expr, Const):
        return Const(dtype, expr.value)
    return Cast(dtype, expr)
