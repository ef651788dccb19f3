"""The vector code of dense rows: the predictions and the gradient of a block of rows.

LLVM's loop vectoriser runs short rows as scalars and reduces every row by itself; here the vectors are written out, of
64 bytes: one register with AVX-512, and LLVM splits them on narrower CPUs. Against the plain loops in the same run:
1.3 times faster at d=50 to 2000, 3 at d=10 in float32. Results depend on the inputs only, never on alignment.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import compiled_as

# Explicit flags (Numba adds the caller's only where there are none): `contract` gives FMAs; no `reassoc`, which would
# let LLVM undo the independent accumulators below.
FLAGS = ("contract", "nsz", "arcp")
SHORT, LONG = 256, 8192  # bytes: rows outside this range are read 4 at a time
I32 = ir.IntType(32)


class Emit:
    """Vector loads, stores and loops over the columns of ``X``, the first argument.

    The second is an array of row numbers, or None where rows are counted through.
    """

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
        self.order = self.args[1].data if isinstance(sig.args[1], types.Array) else None

    def ints(self, values):
        return ir.Constant(ir.VectorType(I32, len(values)), list(values))

    def at(self, ptr, k, type=None):
        return self.b.bitcast(self.b.gep(ptr, [k]), (type or self.item).as_pointer())

    def row(self, k, q):
        k = self.b.add(k, k.type(q))
        i = k if self.order is None else self.b.load(self.at(self.order, k, k.type))
        return self.at(self.args[0].data, self.b.mul(i, self.d))

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

    def columns(self, body, unroll=1):
        """body(j, mask, q): whole vectors, then a masked tail: nothing is touched outside a row."""
        b, d, zero = self.b, self.d, self.d.type(0)
        tail = b.srem(d, d.type(self.lanes))
        end, start = b.sub(d, tail), zero
        for u in sorted({1, unroll}, reverse=True):
            step = d.type(u * self.lanes)
            stop = b.sub(end, b.srem(end, step))
            with cgutils.for_range_slice(b, start, stop, step) as (j, _):
                for q in range(u):
                    body(b.add(j, j.type(q * self.lanes)), None, q)
            start = stop
        with b.if_then(b.icmp_signed(">", tail, zero)):
            body(end, b.icmp_signed("<", self.ints(range(self.lanes)), self.splat(b.trunc(tail, I32))), 0)


@intrinsic(prefer_literal=True)
def _dot(typingctx, X, order, i, shift, u, P, k, H):
    """``P[k:k+H] = (X[i:i+H] - shift) @ u``, for a literal H."""
    h = H.literal_value

    def codegen(context, b, sig, args):
        e = Emit(context, b, sig, args)
        _, _, i, shift, u, P, k, _ = e.args
        unroll = 4 // h  # a row alone: 4 accumulators along the columns hide the FMA latency
        rows = [(e.row(i, q), e.variables(unroll)) for q in range(h)]

        def body(j, mask, q):
            s, w = e.load(shift.data, j, mask), e.load(u.data, j, mask)
            for x, acc in rows:
                e.fma(b.fsub(e.load(x, j, mask), s, flags=FLAGS), w, acc[q])

        e.columns(body, unroll)

        def add(x, y, low, high):
            return b.fadd(b.shuffle_vector(x, y, e.ints(low)), b.shuffle_vector(x, y, e.ints(high)), flags=FLAGS)

        # Transposing add tree: H accumulators become one vector of H sums in row order, at about two shuffles a row
        # instead of a full horizontal reduction of each.
        v, g = [e.total(acc) for _, acc in rows], 1
        while len(v) > 1:
            low = [
                c + side + t
                for base in range(0, e.lanes, h)
                for c in range(base, base + h // 2, g)
                for side in (0, e.lanes)
                for t in range(g)
            ]
            v, g = [add(x, y, low, [c + h // 2 for c in low]) for x, y in zip(v[::2], v[1::2], strict=True)], 2 * g
        v, n = v[0], e.lanes
        while n > h:
            n //= 2
            v = add(v, v, range(n), range(n, 2 * n))
        b.store(v, e.at(P.data, k, v.type), align=e.size)
        return context.get_dummy_value()

    return types.void(X, order, i, shift, u, P, k, H), codegen


@intrinsic
def _add(typingctx, X, order, lo, hi, shift, r, G):
    """``G += r @ (X[lo:hi] - shift)``: columns outside, rows inside."""

    def codegen(context, b, sig, args):
        e = Emit(context, b, sig, args)
        _, _, lo, hi, shift, r, G = e.args
        n = b.sub(hi, lo)
        mid = b.sub(n, b.srem(n, n.type(8)))

        def body(j, mask, _):
            # G stays in registers for the whole block (storing it after every few rows made rows of 10 four times
            # slower), in 4 accumulators that hide the FMA latency.
            s, acc = e.load(shift.data, j, mask), e.variables(4)
            for start, stop, step in ((n.type(0), mid, 8), (mid, n, 1)):
                with cgutils.for_range_slice(b, start, stop, n.type(step)) as (k, _):
                    for q in range(step):
                        x = b.fsub(e.load(e.row(b.add(lo, k), q), j, mask), s, flags=FLAGS)
                        e.fma(x, e.splat(b.load(e.at(r.data, b.add(k, k.type(q))))), acc[q % 4])
            e.store(b.fadd(e.load(G.data, j, mask), e.total(acc), flags=FLAGS), G.data, j, mask)

        e.columns(body)
        return context.get_dummy_value()

    return types.void(X, order, lo, hi, shift, r, G), codegen


def rows_of(X, order, lo, hi):
    """Rows lo to hi, or those that ``order`` names there."""
    return X[lo:hi] if order is None else X[order[lo:hi]]


def block_dot(X, order, lo, hi, shift, u, P):
    """``P[:hi-lo] = (rows - shift) @ u[:d]``, for C-contiguous arrays of one float type and rows ``rows_of`` them."""
    P[: hi - lo] = (rows_of(X, order, lo, hi) - shift) @ u[: X.shape[1]]


@compiled_as(block_dot, forceinline=False)
def _(X, order, lo, hi, shift, u, P):
    size = X.dtype.bitwidth // 8

    def block_dot(X, order, lo, hi, shift, u, P):
        # Four short rows share the loads of shift and u and one add tree, and so do very long ones, whose shift and u
        # fill the first-level cache. The others go one by one: four streams defeat the hardware prefetcher.
        alone = SHORT < X.shape[1] * size <= LONG
        middle = lo if alone else hi - (hi - lo) % 4
        for i in range(lo, middle, 4):
            _dot(X, order, i, shift, u, P, i - lo, 4)
        for i in range(middle, hi):
            _dot(X, order, i, shift, u, P, i - lo, 1)

    return block_dot


def block_add(X, order, lo, hi, shift, r, G):
    """``G[:d] += r[:hi-lo] @ (rows - shift)``, for C-contiguous arrays of one float type and rows ``rows_of`` them."""
    G[: X.shape[1]] += r[: hi - lo] @ (rows_of(X, order, lo, hi) - shift)


@compiled_as(block_add, forceinline=False)
def _(X, order, lo, hi, shift, r, G):
    return lambda X, order, lo, hi, shift, r, G: _add(X, order, lo, hi, shift, r, G)


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
