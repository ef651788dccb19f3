"""The table of protocols: complete, and true of every part."""

import inspect

import pytest

import fastgd
from fastgd.kernels import _jit
from fastgd.parts import losses, optimizers, registry, schedules

PARTS = [(kind, part) for kind in (losses, optimizers, schedules) for part in kind.classes.values()]
every_part = pytest.mark.parametrize(("module", "part"), PARTS, ids=[part.__name__ for _, part in PARTS])


@every_part
def test_methods_and_traits_are_those_of_the_table(module, part):
    protocol = registry.protocol_of(module.__name__.rpartition(".")[2], part)
    for name, method in protocol.methods.items():
        found = getattr(part, name)
        if found is not None:
            assert ", ".join(inspect.signature(found).parameters) == f"self, {method.arguments}"
        assert found is not None or not method.required
    for name in protocol.traits:
        assert hasattr(part, name)
    known = {*protocol.methods, *protocol.traits, *part._fields}
    own = {name for name in vars(part) if not name.startswith("_")}
    assert own <= known, "a method or trait that the table does not have"


@every_part
def test_string_names_and_public_names(module, part):
    assert getattr(part, "by_row", False) == (part.__name__ not in module.__all__)
    public = getattr(fastgd, module.__name__.rpartition(".")[2])
    assert public.__all__ == module.__all__ == sorted(module.__all__)


def test_kernels_can_call_what_the_table_says():
    for kind, protocol in registry.PROTOCOLS.items():
        for name, method in protocol.methods.items():
            assert (name in registry.COMPILED_METHODS) == method.compiled, (kind, name)
    assert registry.COMPILED_METHODS["slope"] == "p, y"
    assert _jit.COMPILED_METHODS is registry.COMPILED_METHODS
