"""What vector code is made of that is written out inside a kernel, and hints to the memory.

LLVM's loop vectoriser runs short rows as scalars and reduces every row by itself; here the vectors are written out, of
64 bytes: one register with AVX-512, and LLVM splits them on narrower CPUs. Results depend on the inputs only, never on
alignment.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import compiled_as

# Explicit flags (Numba adds the caller's only where there are none): `contract` gives FMAs; no `reassoc`, which would
# let LLVM undo independent accumulators.
FLAGS = ("contract", "nsz", "arcp")
I32 = ir.IntType(32)


class Emit:
    """Vector loads, stores and loops over the columns of ``X``, the first argument."""

    def __init__(self, context, builder, sig, args):
        self.b, self.item = builder, context.get_data_type(sig.args[0].dtype)
        self.size = sig.args[0].dtype.bitwidth // 8
        self.lanes = 64 // self.size
        self.vec = ir.VectorType(self.item, self.lanes)
        self.zero = ir.Constant(self.vec, [0.0] * self.lanes)
        self.flags = FLAGS
        self.args = [
            context.make_array(t)(context, builder, a) if isinstance(t, types.Array) else a
            for t, a in zip(sig.args, args, strict=True)
        ]
        self.d = cgutils.unpack_tuple(builder, self.args[0].shape, 2)[1]

    def ints(self, values):
        return ir.Constant(ir.VectorType(I32, len(values)), list(values))

    def at(self, ptr, k, type=None):
        return self.b.bitcast(self.b.gep(ptr, [k]), (type or self.item).as_pointer())

    def splat(self, s):
        v = self.b.insert_element(ir.Constant(ir.VectorType(s.type, self.lanes), ir.Undefined), s, I32(0))
        return self.b.shuffle_vector(v, v, self.ints([0] * self.lanes))

    def masked(self, name, result, args):
        fn = ir.FunctionType(result, [a.type for a in args])
        name = f"llvm.masked.{name}.v{self.lanes}{self.item.intrinsic_name}.p0"
        return self.b.call(cgutils.get_or_insert_function(self.b.module, fn, name), args)

    def load(self, ptr, j, mask):
        p = self.at(ptr, j, self.vec)
        if mask is None:
            return self.b.load(p, align=self.size)
        return self.masked("load", self.vec, [p, I32(self.size), mask, self.zero])

    def store(self, v, ptr, j, mask):
        p = self.at(ptr, j, self.vec)
        if mask is None:
            return self.b.store(v, p, align=self.size)
        return self.masked("store", ir.VoidType(), [v, p, I32(self.size), mask])

    def variables(self, n):
        out = [cgutils.alloca_once(self.b, self.vec) for _ in range(n)]
        for a in out:
            self.b.store(self.zero, a)
        return out

    def fma(self, x, y, a):
        b = self.b
        b.store(b.fadd(b.fmul(x, y, flags=FLAGS), b.load(a), flags=FLAGS), a)

    def total(self, variables):
        out = [self.b.load(a) for a in variables]
        while len(out) > 1:
            out = [self.b.fadd(x, y, flags=FLAGS) for x, y in zip(out[::2], out[1::2], strict=True)]
        return out[0]

    def columns(self, body):
        """body(j, mask): whole vectors, then a masked tail: nothing is touched outside a row."""
        b, d, zero = self.b, self.d, self.d.type(0)
        tail = b.srem(d, d.type(self.lanes))
        end = b.sub(d, tail)
        with cgutils.for_range_slice(b, zero, end, d.type(self.lanes)) as (j, _):
            body(j, None)
        with b.if_then(b.icmp_signed(">", tail, zero)):
            body(end, b.icmp_signed("<", self.ints(range(self.lanes)), self.splat(b.trunc(tail, I32))))


@intrinsic
def _prefetch(typingctx, X, i):
    """Ask for row i."""

    def codegen(context, b, sig, args):
        X = context.make_array(sig.args[0])(context, b, args[0])
        d = cgutils.unpack_tuple(b, X.shape, 2)[1]
        start = b.gep(X.data, [b.mul(args[1], d)])
        kind = ir.FunctionType(ir.VoidType(), [start.type, I32, I32, I32])
        call = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
        with cgutils.for_range_slice(b, d.type(0), d, d.type(512 // sig.args[0].dtype.bitwidth)) as (j, _):
            # Into the second-level cache (2): into the first (3) mini-batches at d=50 took 81 ns a row, not 46.
            b.call(call, [b.gep(start, [j]), I32(0), I32(2), I32(1)])
        return context.get_dummy_value()

    return types.void(X, i), codegen


def prefetch_row(X, i):
    """Hint that row i is read soon."""


@compiled_as(prefetch_row)
def _(X, i):
    return lambda X, i: _prefetch(X, i)


@intrinsic
def _prefetch_run(typingctx, A, first, last):
    """Ask for items first to last."""

    def codegen(context, b, sig, args):
        A = context.make_array(sig.args[0])(context, b, args[0])
        kind = ir.FunctionType(ir.VoidType(), [A.data.type, I32, I32, I32])
        call = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
        number = args[1].type
        with cgutils.for_range_slice(b, args[1], args[2], number(512 // sig.args[0].dtype.bitwidth)) as (q, _):
            b.call(call, [b.gep(A.data, [q]), I32(0), I32(2), I32(1)])
        return context.get_dummy_value()

    return types.void(A, first, last), codegen


def prefetch_run(A, first, last):
    """Hint that items first to last of an array (n,) are read soon."""


@compiled_as(prefetch_run)
def _(A, first, last):
    return lambda A, first, last: _prefetch_run(A, first, last)
