"""Vector code that is a function of its own: eight rows at once, with the registers to themselves.

Inlined into a kernel, the same instructions shared its registers: pointers were spilled and read anew for every row,
and a pass over rows of 50 took twice as long. A vector is 64 bytes: one register with AVX-512; LLVM splits it on
narrower CPUs. Results depend on the inputs only, never on alignment.
"""

import inspect

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import FLAGS

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


def _function(context, module, kind, name, emit, places):
    """The emitted function for numbers of a type, which a module has once."""
    item = context.get_data_type(kind)
    name = f"fastgd_{name}_{item}"
    if name not in module.globals:
        body = Body(module, name, item, kind.bitwidth // 8, [PTR if place else I64 for place in places])
        emit(body, *body.fn.args)
        body.b.ret_void()
    return module.globals[name]


class Body:
    """A function without result, and what it is made of. Pointers are moved by bytes."""

    def __init__(self, module, name, item, size, arguments):
        self.size, self.lanes, self.item = size, BYTES // size, item
        self.vec = ir.VectorType(item, self.lanes)
        self.zero = ir.Constant(self.vec, [0.0] * self.lanes)
        self.module = module
        self.fn = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
        self.fn.linkage = "internal"
        for attribute in ("noinline", "nounwind"):
            self.fn.attributes.add(attribute)
        for argument in self.fn.args:
            if argument.type == PTR:
                argument.add_attribute("noalias")
        self.b = ir.IRBuilder(self.fn.append_basic_block())

    # Numbers and places

    def ints(self, values):
        return ir.Constant(ir.VectorType(I32, len(values)), list(values))

    def bytes(self, count):
        """How many bytes so many numbers take."""
        return self.b.mul(count, I64(self.size))

    def at(self, ptr, k):
        return self.b.gep(ptr, [k if isinstance(k, ir.Value) else I64(k)], source_etype=I8)

    def number(self, ptr, k=0, kind=None):
        return self.b.load(self.at(ptr, k), typ=kind or self.item)

    def call(self, name, result, args):
        kind = ir.FunctionType(result, [a.type for a in args])
        return self.b.call(cgutils.get_or_insert_function(self.module, kind, name), args)

    def prefetch(self, ptr, level):
        """Ask for what lies there: into the first-level cache (3) or the second (2)."""
        self.call("llvm.prefetch.p0", ir.VoidType(), [ptr, I32(0), I32(level), I32(1)])

    def repeat(self, count, body):
        """``body(k)`` for k in range(count)."""
        b, before = self.b, self.b.block
        loop, done = self.fn.append_basic_block(), self.fn.append_basic_block()
        b.cbranch(b.icmp_signed(">", count, I64(0)), loop, done)
        b.position_at_end(loop)
        k = b.phi(I64)
        k.add_incoming(I64(0), before)
        body(k)
        following = b.add(k, I64(1))
        k.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, count), loop, done)
        b.position_at_end(done)

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
        self.b.store(v, ptr, align=self.size)

    def add(self, x, y):
        return self.b.fadd(x, y, flags=FLAGS)

    def fma(self, x, y, z):
        return self.add(self.b.fmul(x, y, flags=FLAGS), z)

    def centred(self, ptr, mask, shift):
        return self.b.fsub(self.load(ptr, mask), shift, flags=FLAGS)

    def columns(self, d, state, body):
        """``state = body(j, mask, state)`` at each offset of a whole vector, then once with the mask of those left."""
        b, fn = self.b, self.fn
        tail = b.srem(d, I64(self.lanes))
        full = self.bytes(b.sub(d, tail))
        mask = b.icmp_signed("<", self.ints(range(self.lanes)), self.splat(b.trunc(tail, I32)))
        before = b.block
        loop, after, masked, end = (fn.append_basic_block() for _ in range(4))
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

    def add_rows(self, ptr, rows, slopes, mask, shift):
        """Add ``slopes`` times the eight rows' vectors to the one that lies at ``ptr``.

        In two sums, which are added to it at the end: the next eight rows wait for this addition alone.
        """
        sums = [None, None]
        for q, (row, slope) in enumerate(zip(rows, slopes, strict=True)):
            x, k = self.centred(row, mask, shift), q % 2
            sums[k] = self.b.fmul(x, slope, flags=FLAGS) if sums[k] is None else self.fma(x, slope, sums[k])
        self.store(self.add(self.load(ptr), self.add(*sums)), ptr)
