"""TensorFlow's messages under their true names, in a private descriptor pool: `from hornbeam.proto import GraphDef`.

The pool is not protobuf's default one, so a real TensorFlow or TensorBoard in the same process does not clash with it
(exchange bytes with them, not objects). A schema file enters the pool when one of its messages is first asked for.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from types import ModuleType
from typing import Any

from hornbeam.proto._index import FILES

_lock = threading.RLock()
_loaded: set[str] = set()
_state: dict[str, Any] = {}

# Short name -> schema file; a name of package `tensorflow` wins over the same name elsewhere (tensorflow.tfprof.Tuple).
_MESSAGE_FILES: dict[str, str] = {}
_ENUM_FILES: dict[str, str] = {}
_VALUES: dict[str, int] = {}
for _file, (_, _, _package, _, _, _messages, _enums) in sorted(FILES.items(), key=lambda f: f[1][2] == "tensorflow"):
    _MESSAGE_FILES.update(dict.fromkeys(_messages, _file))
    _ENUM_FILES.update(dict.fromkeys(_enums, _file))
    for _values in _enums.values():
        _VALUES.update(_values)


def _module_name(file: str) -> str:
    name = file.removesuffix(".proto").replace("/", ".") + "_pb2"
    return f"tensorflow.{name}" if name.startswith("tsl.") else name


_MODULE_FILES = {_module_name(file): file for file in FILES}
# Where other releases of TensorFlow keep the same schema.
_MODULE_FILES["tensorflow.python.checkpoint.checkpoint_state_pb2"] = "tensorflow/python/training/checkpoint_state.proto"
_MODULE_FILES["tensorflow.core.framework.histogram_pb2"] = "tsl/protobuf/histogram.proto"

PB2_MODULES: tuple[str, ...] = tuple(name for name in _MODULE_FILES if name.startswith("tensorflow."))
"""The names of TensorFlow's generated modules that `pb2_module` serves."""


def pool() -> Any:
    """The private DescriptorPool with every schema file in it (for text_format, Any and reflection)."""
    for file in FILES:
        _load(file)
    return _state["pool"]


def message_class(full_name: str) -> Any:
    """The message class of a full protobuf name such as `tensorflow.NodeDef` or `tensorflow.AttrValue.ListValue`.

    Raises KeyError when the schema has no such message.
    """
    for file, (_, _, package, _, _, messages, _) in FILES.items():
        prefix = f"{package}." if package else ""
        if full_name.startswith(prefix) and full_name[len(prefix) :].partition(".")[0] in messages:
            descriptor = _load(file).message_types_by_name[full_name[len(prefix) :].partition(".")[0]]
            for part in full_name[len(prefix) :].split(".")[1:]:
                descriptor = descriptor.nested_types_by_name[part]
            return _class_of(descriptor)
    raise KeyError(full_name)


@cache
def pb2_module(name: str) -> ModuleType:
    """A module equal to TensorFlow's generated one, e.g. `tensorflow.core.framework.graph_pb2`.

    It has the file's messages, enums, enum constants and `DESCRIPTOR`. Raises KeyError for a name not in PB2_MODULES.
    """
    return _Pb2Module(name, _MODULE_FILES[name])


class _Pb2Module(ModuleType):
    """Resolves the names of one schema file, and of those it publicly imports, when they are asked for."""

    def __init__(self, name: str, file: str) -> None:
        super().__init__(name, f"TensorFlow's {file}, served by hornbeam.proto.")
        self._files = _with_public_imports(file)
        values: dict[str, int] = {}
        for member in self._files:
            for enum_values in FILES[member][6].values():
                values.update(enum_values)
        self.__dict__.update(values)
        # A real tuple, so that `from … import *` works before anything is resolved.
        self.__all__ = tuple(
            n for member in self._files for n in (*FILES[member][5], *FILES[member][6])
        ) + tuple(values)  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        if name == "DESCRIPTOR":
            value = _load(self._files[0])
        else:
            for file in self._files:
                if name in FILES[file][5] or name in FILES[file][6]:
                    value = _resolve(file, name)
                    break
            else:
                raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return sorted({*self.__all__, "DESCRIPTOR"})


def _with_public_imports(file: str) -> tuple[str, ...]:
    return (file, *(f for public in FILES[file][4] for f in _with_public_imports(public)))


def _load(file: str) -> Any:
    """The FileDescriptor of a schema file, added to the pool with what it imports when it is not there yet."""
    with _lock:
        if not _state:
            from google.protobuf import descriptor_pool

            _state["pool"] = descriptor_pool.DescriptorPool()
            with open(os.path.join(os.path.dirname(__file__), "descriptors.bin"), "rb") as f:
                _state["data"] = f.read()
        if file not in _loaded:
            offset, length, _, imports, *_ = FILES[file]
            for dependency in imports:
                if dependency not in _loaded:
                    _load(dependency)
            _state["pool"].AddSerializedFile(_state["data"][offset : offset + length])
            _loaded.add(file)
        return _state["pool"].FindFileByName(file)


def _class_of(descriptor: Any) -> Any:
    from google.protobuf import message_factory

    cls = message_factory.GetMessageClass(descriptor)
    if descriptor.containing_type is None and _MESSAGE_FILES.get(descriptor.name) == descriptor.file.name:
        cls.__module__ = __name__  # makes instances picklable
    return cls


def _resolve(file: str, name: str) -> Any:
    descriptor = _load(file)
    if name in FILES[file][5]:
        return _class_of(descriptor.message_types_by_name[name])
    from google.protobuf.internal import enum_type_wrapper

    return enum_type_wrapper.EnumTypeWrapper(descriptor.enum_types_by_name[name])


def __getattr__(name: str) -> Any:
    value: Any
    if (file := _MESSAGE_FILES.get(name) or _ENUM_FILES.get(name)) is not None:
        value = _resolve(file, name)
    elif name in _VALUES:
        value = _VALUES[name]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MESSAGE_FILES, *_ENUM_FILES, *_VALUES})
