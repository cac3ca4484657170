"""Compiles the coder's loops to machine code that runs without numba: one object file with a function for each entry.

numba makes LLVM's language of Python, and LLVM machine code of that. The result needs neither Python nor numba, so that
who loads it need not import numba, which takes longer than to read a small file.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

_PACKAGE = "ratefront_compiled"
_ENTRY = "i32 (ptr, ptr, ptr)"
"""How numba passes arguments: where the result goes, where an exception goes, and our one argument."""
_LIBRARY = {"memset", "memcpy", "memmove"}
"""Functions of the C library, which every process has."""


def compile_object(sources: Path, prefix: str) -> bytes:
    """Compile the package in the folder ``sources`` for this processor.

    Returns:
        An object file in the system's format. A function's name is ``prefix`` and that of its entry.

    Raises:
        RuntimeError: the code wants something that is not there without numba.
    """
    switched_off, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, 0  # for somebody's debugging
    package = _imported_anew(sources)
    try:
        module = llvm.parse_assembly("")
        jit, entries = (importlib.import_module(f"{package}.{name}") for name in ("jit", "entries"))
        for name, (function, examples) in entries.ENTRIES.items():
            module.link_in(_compiled(prefix + name, function, examples, jit.OPTIONS))
    finally:
        numba.config.DISABLE_JIT = switched_off
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            del sys.modules[name]
    wanted = {one.name for one in module.functions if one.is_declaration and not one.name.startswith("llvm.")}
    if not wanted <= _LIBRARY:
        raise RuntimeError(f"compiled code calls {', '.join(sorted(wanted - _LIBRARY))}")
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )
    code: bytes = machine.emit_object(module)
    return code


def _imported_anew(sources: Path) -> str:
    """Import the package under a name under which its decorator compiles; returns the name."""
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, sources / "__init__.py", submodule_search_locations=[str(sources)]
    )
    assert spec is not None, "a folder of sources is a package"
    assert spec.loader is not None, "and so has a loader"
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[_PACKAGE])
    return _PACKAGE


def _compiled(name: str, function: Callable[..., Any], examples: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A module of LLVM with one function, ``name``, which takes the arguments as one block of 64-bit integers."""
    wanted = types.Tuple([numba.typeof(example) for example in examples])

    @intrinsic  # type: ignore[untyped-decorator]
    def unpacked(_typing_context: Any, block: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return _unpacked(context, builder, wanted, _Block(context, builder, arguments[0]))

        return wanted(block), generate

    @numba.njit(**options)
    def number(result):  # type: ignore[no-untyped-def]
        return 0 if result is None else result

    @numba.njit(**options)
    def call(block):  # type: ignore[no-untyped-def]
        return number(function(*unpacked(block)))

    call.compile((types.CPointer(types.int64),))
    module = llvm.parse_assembly(call.inspect_llvm(call.signatures[0]))
    (entry,) = (one for one in module.functions if not one.is_declaration)
    assert str(entry.global_value_type) == _ENTRY, "numba passes arguments in another way"
    entry.name = name
    return module


class _Block:
    """Loads one integer after the other from where ``pointer`` points."""

    def __init__(self, context: Any, builder: Any, pointer: Any) -> None:
        self._context, self._builder, self._pointer, self._index = context, builder, pointer, 0

    def take(self) -> Any:
        place = self._builder.gep(self._pointer, [self._context.get_constant(types.int64, self._index)])
        self._index += 1
        return self._builder.load(place)


def _unpacked(context: Any, builder: Any, wanted: Any, block: _Block) -> Any:
    """The next value of the type ``wanted``: a tuple part by part, an array as its address and its shape."""
    if isinstance(wanted, types.BaseTuple):
        return context.make_tuple(builder, wanted, [_unpacked(context, builder, one, block) for one in wanted])
    if not isinstance(wanted, types.Array):
        return block.take()
    array = make_array(wanted)(context, builder)
    data = builder.inttoptr(block.take(), array.data.type)
    shape = [block.take() for _ in range(wanted.ndim)]
    itemsize = context.get_constant(types.intp, wanted.dtype.bitwidth // 8)
    strides = [itemsize]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
    return array._getvalue()
