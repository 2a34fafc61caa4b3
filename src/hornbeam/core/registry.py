"""Operation declarations: one text gives an op's signature as TensorFlow defines it; kernel, shape rule and gradient hang on it.

`@op("MatMul(a: T, b: T) -> (product: T); transpose_a: bool = false; T: {float, double}")` turns the decorated kernel into an
`OpSpec`; calling the spec adds a node to the default graph.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType

_MISSING = object()
_KINDS = {"string", "int", "float", "bool", "type", "shape", "tensor", "func"}
_TYPE_GROUPS = {
    "numbertype": "float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, bfloat16, qint16, "
    "quint16, uint16, complex128, half, uint32, uint64",
    "realnumbertype": "float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64",
    "quantizedtype": "qint8, quint8, qint32, qint16, quint16",
}


@dataclass(slots=True)
class ArgSpec:
    """One declared input or output: a single tensor, `number_attr` tensors of one type, or a heterogeneous list."""

    name: str
    type_attr: str | None = None
    dtype: DType | None = None
    number_attr: str | None = None
    type_list_attr: str | None = None
    is_ref: bool = False

    @property
    def is_list(self) -> bool:
        return self.number_attr is not None or self.type_list_attr is not None


@dataclass(slots=True)
class AttrSpec:
    name: str
    kind: str
    default: Any = _MISSING
    allowed: tuple[Any, ...] | None = None
    minimum: int | None = None

    @property
    def has_default(self) -> bool:
        return self.default is not _MISSING


class OpSpec:
    """A registered operation type. Call it to build a node; `.kernel`, `.shape`, `.gradient_fn` are its three rules."""

    def __init__(
        self,
        declaration: str,
        kernel: Callable[..., Any] | None = None,
        *,
        shape: Callable[..., Any] | None = None,
        host: bool = False,
        stateful: bool = False,
        numpy: bool = False,
        aggregate: bool = False,
        allows_uninitialized: bool = False,
        device_if: Callable[..., bool] | None = None,
        raw_refs: bool = False,
    ) -> None:
        self.declaration = declaration
        self.name = declaration[: declaration.index("(")].strip()
        self.kernel = kernel
        self.shape = shape
        self.host = host
        self.stateful = stateful
        self.numpy = numpy
        self.aggregate = aggregate
        self.allows_uninitialized = allows_uninitialized
        self.device_if = device_if
        self.raw_refs = raw_refs
        self.bounded_kernel: Callable[..., Any] | None = None  # static output bounds, where `device_if` says they do
        self.gradient_fn: Callable[..., Any] | None = None
        self.has_gradient = False
        self._parsed = False
        self._kernel_attrs: tuple[str, ...] | None = None
        self.takes_ctx = False

    # signature, parsed when first needed -----------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        if name in ("inputs", "outputs", "attrs", "attr_from_input") and not self.__dict__["_parsed"]:
            self._parse()
            return self.__dict__[name]
        raise AttributeError(name)

    def _parse(self) -> None:
        head, *attr_texts = _split(self.declaration, ";")
        m = re.match(r"\s*\w[\w>]*\s*\((.*)\)\s*->\s*\((.*)\)\s*$", head, re.S)
        if m is None:
            raise ValueError(f"Bad op declaration: {self.declaration!r}")
        self.attrs: dict[str, AttrSpec] = {}
        for text in attr_texts:
            if text.strip():
                a = _parse_attr(text)
                self.attrs[a.name] = a
        self.inputs: list[ArgSpec] = [_parse_arg(t, self.attrs) for t in _split(m.group(1), ",") if t.strip()]
        self.outputs: list[ArgSpec] = [_parse_arg(t, self.attrs) for t in _split(m.group(2), ",") if t.strip()]
        self.attr_from_input: set[str] = {
            n for a in self.inputs for n in (a.type_attr, a.number_attr, a.type_list_attr) if n
        }
        self._parsed = True

    @property
    def kernel_attrs(self) -> tuple[str, ...]:
        """Names of the attributes that the kernel's signature asks for."""
        if self._kernel_attrs is None:
            try:
                params = inspect.signature(self.kernel).parameters if self.kernel else {}
            except (TypeError, ValueError):
                params = {}
            self.takes_ctx = "ctx" in params
            self._kernel_attrs = tuple(list(params)[len(self.inputs) :]) if params else ()
            self._kernel_attrs = tuple(p for p in self._kernel_attrs if p in self.attrs)
        return self._kernel_attrs

    # declaration -------------------------------------------------------------------------------------------------------
    def gradient(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: `fn(op, *grads)` returns one gradient (Tensor, IndexedSlices or None) per input."""
        self.gradient_fn = fn
        self.has_gradient = True
        return fn

    def __call__(self, *args: Any, name: str | None = None, **kwargs: Any) -> Any:
        from hornbeam.core.graph import build

        return build(self, args, kwargs, name)

    def __repr__(self) -> str:
        return f"<OpSpec {self.name}>"

    def op_def(self) -> Any:
        """The signature as an `OpDef` proto."""
        from hornbeam.core.node_def import spec_to_op_def

        return spec_to_op_def(self)


def op(declaration: str, **flags: Any) -> Callable[[Callable[..., Any] | None], OpSpec]:
    """Declares an operation; the decorated kernel becomes its `OpSpec`. Flags: see `OpSpec` and CONTRIBUTING."""

    def decorate(kernel: Callable[..., Any] | None) -> OpSpec:
        spec = OpSpec(declaration, kernel, **flags)
        _REGISTRY[spec.name] = spec
        return spec

    return decorate


def no_gradient(*names: str) -> None:
    """Says that the named op types pass no gradient (TF's `NotDifferentiable`)."""
    for n in names:
        _NO_GRADIENT.add(n)


_REGISTRY: dict[str, OpSpec] = {}
_NO_GRADIENT: set[str] = set()
_GRADIENT_OVERRIDES: dict[str, Callable[..., Any]] = {}
_loaded = False
# where families live; those that need a higher floor (file formats) register from there
_FAMILY_PACKAGES = ("hornbeam.ops", "hornbeam.files.ops")


def load() -> None:
    """Imports every family of `hornbeam.ops`, so that the registry is complete."""
    global _loaded
    if not _loaded:
        _loaded = True  # families may look one another up while they load
        try:
            for package in _FAMILY_PACKAGES:
                importlib.import_module(package).load()
        except BaseException:
            _loaded = False  # the next look-up says again what is wrong, not "no such op"
            raise


_FALLBACK: list[Callable[..., Any]] = []


def set_fallback_shape_rule(rule: Callable[..., Any]) -> None:
    """The shape rule of ops that declare none (`hornbeam.ops.abstract_eval` sets it when the families load)."""
    _FALLBACK[:] = [rule]


def fallback_shape_rule() -> Callable[..., Any]:
    load()
    return _FALLBACK[0]


def lookup(name: str) -> OpSpec | None:
    spec = _REGISTRY.get(name)
    if spec is None and not _loaded:
        load()
        spec = _REGISTRY.get(name)
    return spec


def get(name: str) -> OpSpec:
    """The registered op `name`; raises NotFoundError with TensorFlow's wording for an unknown one."""
    spec = lookup(name)
    if spec is None:
        from hornbeam.core import errors

        raise errors.NotFoundError(
            None,
            None,
            f"Op type not registered '{name}' in Hornbeam ('hornbeam coverage --ops' lists what is registered).",
        )
    return spec


def names() -> list[str]:
    load()
    return sorted(_REGISTRY)


def gradient_of(op_type: str) -> Callable[..., Any] | None:
    """The gradient function registered for an op type or a `RegisterGradient` name; None for non-differentiable; LookupError."""
    if op_type in _GRADIENT_OVERRIDES:
        return _GRADIENT_OVERRIDES[op_type]
    spec = lookup(op_type)
    if op_type in _NO_GRADIENT:
        return None
    if spec is not None and spec.has_gradient:
        return spec.gradient_fn
    raise LookupError(f"gradient registry has no entry for: {op_type}")


class RegisterGradient:
    """`tf.RegisterGradient(name)`: registers `fn(op, *grads)` under a name for `gradient_override_map` or a new op type."""

    def __init__(self, op_type: str) -> None:
        if not isinstance(op_type, str):
            raise TypeError("op_type must be a string")
        self._op_type = op_type

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        spec = lookup(self._op_type)
        if self._op_type in _GRADIENT_OVERRIDES or (spec is not None and spec.has_gradient):
            raise KeyError(f"Registering two gradient with name '{self._op_type}'!")
        _GRADIENT_OVERRIDES[self._op_type] = f
        return f


class _Raw:
    """`raw.MatMul(...)`: any registered op by name (`tf.raw_ops`)."""

    def __getattr__(self, name: str) -> OpSpec:
        spec = lookup(name)
        if spec is None:
            raise AttributeError(f"There is no registered op {name!r}; 'hornbeam coverage --ops' lists them.")
        self.__dict__[name] = spec
        return spec

    def __dir__(self) -> list[str]:
        return names()


raw: Any = _Raw()


# --- parsing of declarations ------------------------------------------------------------------------------------------
def _split(text: str, separator: str) -> list[str]:
    """Splits at separators outside brackets and quotes."""
    parts, depth, start, quote = [], 0, 0, ""
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote and text[i - 1] != "\\" else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == separator and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return parts


def _parse_arg(text: str, attrs: dict[str, AttrSpec]) -> ArgSpec:
    name, _, t = text.partition(":")
    name, t = name.strip(), t.strip()
    number = None
    if "*" in t:
        number, t = (s.strip() for s in t.split("*"))
    is_ref = False
    if m := re.match(r"Ref\((.*)\)$", t):
        is_ref, t = True, m.group(1).strip()
    if t in attrs:
        if attrs[t].kind == "list(type)":
            return ArgSpec(name, type_list_attr=t, is_ref=is_ref)
        return ArgSpec(name, type_attr=t, number_attr=number, is_ref=is_ref)
    return ArgSpec(name, dtype=dtypes.as_dtype(t), number_attr=number, is_ref=is_ref)


def _parse_attr(text: str) -> AttrSpec:
    name, _, rest = text.partition(":")
    head, eq, default = _partition_outside(rest, "=")
    head = head.strip()
    minimum = None
    if m := re.match(r"(.*?)\s*>=\s*(-?\d+)\s*$", head, re.S):
        head, minimum = m.group(1).strip(), int(m.group(2))
    in_list = head.startswith("list(")
    inner = head[5:-1].strip() if in_list else head
    allowed: tuple[Any, ...] | None = None
    if inner in _TYPE_GROUPS:
        inner = "{" + _TYPE_GROUPS[inner] + "}"
    if inner.startswith("{"):
        items = [s.strip() for s in _split(inner[1:-1], ",") if s.strip()]
        if items and items[0][0] in "'\"":
            allowed, kind = tuple(ast.literal_eval(s).encode() for s in items), "string"
        else:
            allowed, kind = tuple(dtypes.as_dtype(s) for s in items), "type"
    elif inner in _KINDS:
        kind = inner
    else:
        raise ValueError(f"Unknown attribute type {inner!r} in {text!r}")
    if in_list:
        kind = f"list({kind})"
    spec = AttrSpec(name.strip(), kind, allowed=allowed, minimum=minimum)
    if eq:
        spec.default = _parse_default(kind, default.strip())
    return spec


def _partition_outside(text: str, separator: str) -> tuple[str, str, str]:
    depth = 0
    for i, c in enumerate(text):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == separator and depth == 0 and (i == 0 or text[i - 1] != ">"):
            return text[:i], separator, text[i + 1 :]
    return text, "", ""


def _parse_default(kind: str, text: str) -> Any:
    if kind.startswith("list("):
        inner = kind[5:-1]
        return [_parse_default(inner, t.strip()) for t in _split(text.strip()[1:-1], ",") if t.strip()]
    match kind:
        case "bool":
            return text == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "string":
            return ast.literal_eval(text).encode()
        case "type":
            return dtypes.as_dtype(text)
        case "shape":
            return None if text == "unknown" else tuple(None if int(d) < 0 else int(d) for d in ast.literal_eval(text))
        case _:
            return None


def families() -> Iterable[str]:
    """Names of the op families (modules of `hornbeam.ops`) that declare something, for the coverage tables."""
    load()
    return sorted({s.kernel.__module__ for s in _REGISTRY.values() if s.kernel is not None})
