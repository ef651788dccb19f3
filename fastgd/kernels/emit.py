"""Vector code: what it is made of, written out inside a kernel (``Inside``) or as a function of its own (``Body``).

LLVM's loop vectoriser runs short rows as scalars and reduces every row by itself; here the vectors are written out, of
64 bytes: one register with AVX-512, and LLVM splits them on narrower CPUs. Results depend on the inputs only, never on
alignment.

Eight rows at once are a function of their own: inside a kernel the same instructions shared its registers, pointers
were spilled and read anew for every row, and a pass over rows of 50 took twice as long.
"""

import inspect

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Explicit flags (Numba adds the caller's only where there are none): `contract` gives FMAs; no `reassoc`, which would
# let LLVM undo independent accumulators.
FLAGS = ("contract", "nsz", "arcp")
BYTES = 64  # of a vector
ROWS = 8  # at once
I8, I32, I64, PTR = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.PointerType()


def emitted(plain):
    """What is emitted by the decorated function of a :class:`Body`; ``plain`` does the same in NumPy.

    The arguments are those of ``plain``: arrays, pointers and whole numbers. All numbers are of the first one's type.
    """
    return lambda emit: plain if numba.config.DISABLE_JIT else _intrinsic(plain, emit)


def _intrinsic(plain, emit):
    def typed(typing, *kinds):
        places = [isinstance(kind, (types.Array, types.CPointer)) for kind in kinds]

        def build(context, builder, signature, args):
            values = [
                context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, args, strict=True)
            ]
            values = [builder.bitcast(v, PTR) if place else v for v, place in zip(values, places, strict=True)]
            name = plain.__name__.lstrip("_")
            builder.call(_function(context, builder.module, kinds[0].dtype, name, emit, places), values)
            return context.get_dummy_value()

        return types.void(*(k if place else types.int64 for k, place in zip(kinds, places, strict=True))), build

    # As if ``typed`` had the parameters of ``plain``: an intrinsic's are counted by its signature.
    own = inspect.signature(typed)
    typed.__signature__ = own.replace(
        parameters=[*list(own.parameters.values())[:1], *inspect.signature(plain).parameters.values()]
    )
    return intrinsic(typed)


def _attribute(text):
    """An intrinsic that gives the function which calls it an attribute of LLVM's."""

    @intrinsic
    def attribute(typing):
        def build(context, builder, signature, args):
            set.add(builder.function.attributes, text)  # llvmlite's own method knows no values
            return context.get_dummy_value()

        return types.void(), build

    return attribute


def _nothing():
    pass


# ``wide()``: LLVM takes vectors of 64 bytes for the caller's loops: on Intel's servers it prefers 32.
# ``compact()``: it writes each of the caller's loops once, not unrolled, vectorised and plain with checks between them.
# For kernels whose time is in vectors that are written out, or in branches: they compile in 0.6 to 0.9 of the time.
# Where panels lie inside it may cost some: the Gram matrix of rows of 50 took 1.04 times as long.
wide, compact = (
    (_nothing, _nothing)
    if numba.config.DISABLE_JIT
    else (_attribute('"prefer-vector-width"="512"'), _attribute("optsize"))
)


def _function(context, module, kind, name, emit, places):
    """The emitted function for numbers of a type, which a module has once."""
    item = context.get_data_type(kind)
    name = f"fastgd_{name}_{item}"
    if name not in module.globals:
        body = Body(module, name, item, kind.bitwidth // 8, [PTR if place else I64 for place in places])
        emit(body, *body.fn.args)
        body.b.ret_void()
    return module.globals[name]


def prefetch(builder, ptr, level):
    """Ask for what lies there: into the first-level cache (3) or the second (2)."""
    args = [ptr, I32(0), I32(level), I32(1)]
    kind = ir.FunctionType(ir.VoidType(), [PTR, I32, I32, I32])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"), args)


class Vectors:
    """What code is made of: ``lanes`` numbers of a type at once, each of ``size`` bytes."""

    def __init__(self, builder, item, size, lanes=None):
        self.b, self.item, self.size, self.lanes = builder, item, size, lanes or BYTES // size
        self.vec = ir.VectorType(item, self.lanes)
        self.zero = ir.Constant(self.vec, [0.0] * self.lanes)

    # Numbers and places

    def ints(self, values):
        return ir.Constant(ir.VectorType(I32, len(values)), list(values))

    def bytes(self, count):
        """How many bytes so many numbers take."""
        return self.b.mul(count, I64(self.size))

    def at(self, ptr, k):
        """The place ``k`` bytes on."""
        k = k if isinstance(k, ir.Value) else I64(k)
        return self.b.gep(ptr, [k], source_etype=I8)

    def number(self, ptr, k=0, kind=None):
        return self.b.load(self.at(ptr, k), typ=kind or self.item)

    def call(self, name, result, args):
        kind = ir.FunctionType(result, [a.type for a in args])
        return self.b.call(cgutils.get_or_insert_function(self.b.module, kind, name), args)

    def prefetch(self, ptr, level):
        prefetch(self.b, ptr, level)

    # Vectors

    def splat(self, number):
        v = self.b.insert_element(ir.Constant(ir.VectorType(number.type, self.lanes), ir.Undefined), number, I32(0))
        return self.b.shuffle_vector(v, v, self.ints([0] * self.lanes))

    def load(self, ptr, mask=None):
        if mask is None:
            return self.b.load(ptr, align=self.size, typ=self.vec)
        name = f"llvm.masked.load.v{self.lanes}{self.item.intrinsic_name}.p0"
        return self.call(name, self.vec, [ptr, I32(self.size), mask, self.zero])

    def store(self, v, ptr):
        self.b.store(v, self.b.bitcast(ptr, self.vec.as_pointer()), align=self.size)

    def add(self, x, y):
        return self.b.fadd(x, y, flags=FLAGS)

    def subtract(self, x, y):
        return self.b.fsub(x, y, flags=FLAGS)

    def fma(self, x, y, z):
        return self.add(self.b.fmul(x, y, flags=FLAGS), z)

    def variables(self, count):
        """Places for so many vectors, zeros."""
        out = [cgutils.alloca_once(self.b, self.vec) for _ in range(count)]
        for place in out:
            self.b.store(self.zero, place)
        return out

    def add_product(self, x, y, variable):
        self.b.store(self.fma(x, y, self.b.load(variable, typ=self.vec)), variable)

    def total(self, variables):
        """Their sum."""
        out = [self.b.load(place, typ=self.vec) for place in variables]
        while len(out) > 1:
            out = [self.add(x, y) for x, y in zip(out[::2], out[1::2], strict=True)]
        return out[0]

    def columns(self, d, state, body):
        """``state = body(j, mask, state)`` at each offset of a whole vector, then once with the mask of those left."""
        b = self.b
        tail = b.srem(d, I64(self.lanes))
        full = self.bytes(b.sub(d, tail))
        mask = b.icmp_signed("<", self.ints(range(self.lanes)), self.splat(b.trunc(tail, I32)))
        before = b.block
        loop, after, masked, end = (b.append_basic_block() for _ in range(4))
        b.cbranch(b.icmp_signed(">", full, I64(0)), loop, after)

        def merged(*ways):
            out = []
            for values in zip(*(values for _, values in ways), strict=True):
                phi = b.phi(values[0].type)
                for (block, _), value in zip(ways, values, strict=True):
                    phi.add_incoming(value, block)
                out.append(phi)
            return out

        b.position_at_end(loop)
        j, *inside = merged((before, [I64(0), *state]))
        out = body(j, None, inside)
        following, last = b.add(j, I64(BYTES)), b.block
        for phi, value in zip([j, *inside], [following, *out], strict=True):
            phi.add_incoming(value, last)
        b.cbranch(b.icmp_signed("<", following, full), loop, after)
        b.position_at_end(after)
        state = merged((before, state), (last, out))
        b.cbranch(b.icmp_signed(">", tail, I64(0)), masked, end)
        b.position_at_end(masked)
        out, last = body(full, mask, state), b.block
        b.branch(end)
        b.position_at_end(end)
        return merged((after, state), (last, out))

    def sums(self, v):
        """The sums of each of some vectors, as one vector: about two shuffles each."""
        b, h = self.b, len(v)

        def add(x, y, low, high):
            return self.add(b.shuffle_vector(x, y, self.ints(low)), b.shuffle_vector(x, y, self.ints(high)))

        g = 1
        while len(v) > 1:
            low = [
                c + side + t
                for base in range(0, self.lanes, h)
                for c in range(base, base + h // 2, g)
                for side in (0, self.lanes)
                for t in range(g)
            ]
            v, g = [add(x, y, low, [c + h // 2 for c in low]) for x, y in zip(v[::2], v[1::2], strict=True)], 2 * g
        v, n = v[0], self.lanes
        while n > h:
            n //= 2
            v = add(v, v, range(n), range(n, 2 * n))
        return v


class Inside(Vectors):
    """Code inside the caller of an intrinsic; ``args`` are its arguments, arrays with ``data`` and ``shape``."""

    def __init__(self, context, builder, kind, signature, args):
        super().__init__(builder, context.get_data_type(kind), kind.bitwidth // 8)
        self.args = [
            context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, args, strict=True)
        ]

    def width(self, array):
        """How many columns a table has."""
        return self.b.extract_value(array.shape, 1)


class Body(Vectors):
    """A function without result."""

    def __init__(self, module, name, item, size, arguments):
        self.fn = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
        self.fn.linkage = "internal"
        for attribute in ("noinline", "nounwind"):
            self.fn.attributes.add(attribute)
        for argument in self.fn.args:
            if argument.type == PTR:
                argument.add_attribute("noalias")
        super().__init__(ir.IRBuilder(self.fn.append_basic_block()), item, size)

    def repeat(self, count, body):
        """``body(k)`` for k in range(count)."""
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        b.cbranch(b.icmp_signed(">", count, I64(0)), loop, done)
        b.position_at_end(loop)
        k = b.phi(I64)
        k.add_incoming(I64(0), before)
        body(k)
        following = b.add(k, I64(1))
        k.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, count), loop, done)
        b.position_at_end(done)

    def centred(self, ptr, mask, shift):
        return self.subtract(self.load(ptr, mask), shift)

    def add_rows(self, ptr, rows, slopes, mask, shift):
        """Add ``slopes`` times the eight rows' vectors to the one that lies at ``ptr``.

        In two sums, which are added to it at the end: the next eight rows wait for this addition alone.
        """
        sums = [None, None]
        for q, (row, slope) in enumerate(zip(rows, slopes, strict=True)):
            x, k = self.centred(row, mask, shift), q % 2
            sums[k] = self.b.fmul(x, slope, flags=FLAGS) if sums[k] is None else self.fma(x, slope, sums[k])
        self.store(self.add(self.load(ptr), self.add(*sums)), ptr)
