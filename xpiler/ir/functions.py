"""Pure scalar functions by platform-neutral name: arity and result type.

Meanings are those of C's <math.h> on `dtype`. Where GPU and host disagree the GPU's rule is the meaning:
`min` and `max` of floats return the operand that is a number.
"""

from __future__ import annotations

# One float argument, result of the same type.
FLOAT_UNARY = frozenset([
    "abs", "sqrt", "rsqrt", "cbrt", "rcp", "exp", "exp2", "exp10", "expm1", "log", "log2", "log10",
    "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh",
    "atanh", "sinpi", "cospi", "erf", "erfc", "erfinv", "tgamma", "lgamma", "floor", "ceil", "trunc",
    "round", "rint", "normcdf", "saturate", "j0", "j1",
])  # fmt: skip
# Two or three float arguments of one type, result of the same type.
FLOAT_BINARY = frozenset([
    "pow", "fmod", "remainder", "atan2", "hypot", "fdim", "copysign", "min", "max", "nextafter", "ldexp",
])  # fmt: skip
FLOAT_TERNARY = frozenset(["fma"])
# Predicates on floats, result bool.
FLOAT_PREDICATES = frozenset([
    "isnan", "isinf", "isfinite", "signbit",
])  # fmt: skip
# Integers: result of the operand type, but popc, clz and ffs yield i32.
INT_FUNCTIONS = frozenset([
    "abs", "min", "max", "mulhi", "mul24", "popc", "clz", "ffs", "brev", "byte_perm", "funnelshift_l",
    "funnelshift_r", "dp4a", "dp2a", "sad",
])  # fmt: skip
# Predicates on an array parameter, given as a `Ref`; result bool. `is_null`: no array was passed (a null
# pointer).
POINTER_PREDICATES = frozenset(["is_null"])
