"""Running nodes one after another on values: under a JAX trace, with NumPy, or op by op on the host. The same loop does all three."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from hornbeam.core import dtypes, errors
from hornbeam.core.graph import Operation, Tensor, group_inputs
from hornbeam.core.state import VarRef
from hornbeam.ops.random import must_round, rounded_product
from hornbeam.ops.xp import NeedsValue
from hornbeam.runtime.context import Context
from hornbeam.runtime.refs import functions_of


class Cut(Exception):  # noqa: N818  a signal to the planner
    """`op` cannot be traced as it is: it needs `tensor`'s value, or (None) has to run on the host."""

    def __init__(self, op: Operation, tensor: Tensor | None) -> None:
        super().__init__(f"{op.name} needs {tensor.name if tensor is not None else 'the host'}")
        self.op = op
        self.tensor = tensor


class Step:
    """A node made ready to run: kernel, attributes for it, which inputs to read through a reference."""

    __slots__ = ("op", "kernel", "inputs", "deref", "grouped", "attrs", "outputs", "functional", "takes_ctx", "bounded")

    def __init__(self, op: Operation, late: dict[int, Tensor] | None = None) -> None:
        spec = op.spec
        self.op = op
        self.inputs = op._inputs if late is None else [late.get(i, t) for i, t in enumerate(op._inputs)]
        self.outputs = op._outputs
        self.functional = bool(functions_of(op))
        self.bounded = False
        self.kernel: Any = spec.kernel
        if must_round(op):
            plain: Any = self.kernel
            self.kernel = lambda x, y: rounded_product(plain(x, y))
        names = spec.kernel_attrs
        self.takes_ctx = spec.takes_ctx
        self.attrs = {n: op._attrs[n] for n in names}
        self.grouped = any(a.is_list for a in spec.inputs)
        wants_ref: list[bool] = []
        for a in spec.inputs:
            n = (
                op._attrs[a.number_attr]
                if a.number_attr
                else len(op._attrs[a.type_list_attr])
                if a.type_list_attr
                else 1
            )
            wants_ref += [a.is_ref or a.dtype is dtypes.resource] * n
        self.deref = tuple(
            i for i, t in enumerate(op._inputs) if t._dtype._is_ref_dtype and not wants_ref[i]
        ) if not self.functional and not spec.raw_refs else ()  # fmt: skip
        if late is not None:
            self.deref += tuple(late)

    def use_bounded(self) -> None:
        """Takes the kernel with static output bounds in place of the host one (Unique in sparse updates)."""
        self.kernel = self.op.spec.bounded_kernel  # type: ignore[attr-defined]
        self.bounded = True


def run_steps(steps: Iterable[Step], env: dict[Tensor, Any], ctx: Context) -> None:
    """Executes the steps in order; `env` maps tensors to values and receives every output."""
    for s in steps:
        op = s.op
        values = [env[t] for t in s.inputs]
        ctx.op = op
        for i in s.deref:
            if isinstance(values[i], VarRef):
                values[i] = ctx.read(values[i])
        if ctx.timer is not None:
            ctx.timer(op, None)
        try:
            if s.functional:
                from hornbeam.runtime.functional import run_functional

                result = run_functional(op, values, ctx)
            else:
                kernel = s.kernel
                if kernel is None:
                    raise _no_kernel(op)
                args = group_inputs(op.spec, op._attrs, values) if s.grouped else values
                result = kernel(*args, ctx=ctx, **s.attrs) if s.takes_ctx else kernel(*args, **s.attrs)
        except NeedsValue as e:
            raise _cut(s, values, e.value) from None
        except Cut as e:
            raise Cut(op, None) from (e if e.op is not op else None)
        except errors.OpError as e:
            if e._op is None:
                e._op = op
            raise
        except (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError) as e:
            if type(e).__name__ in (
                "ConcretizationTypeError",
                "TracerArrayConversionError",
                "TracerIntegerConversionError",
                "TracerBoolConversionError",
            ):
                raise Cut(op, None) from e
            shapes = ", ".join(f"{t.name}: {_shape(v)}" for t, v in zip(s.inputs, values, strict=True))
            raise errors.InvalidArgumentError(
                None, op, f"{e}\n\t [[node {op.name} (op: {op.type}), inputs {shapes}]]"
            ) from e
        outs = s.outputs
        if len(outs) == 1:
            if isinstance(result, (list, tuple)):
                result = result[0]
            env[outs[0]] = _typed(result, outs[0])
        elif outs:
            flat: list[Any] = []
            for r in result:
                flat.extend(r) if isinstance(r, (list, tuple)) else flat.append(r)
            if len(flat) != len(outs):
                raise errors.InternalError(
                    None,
                    op,
                    f"The kernel of {op.type} gave {len(flat)} outputs for node {op.name}, {len(outs)} declared.",
                )
            for t, v in zip(outs, flat, strict=True):
                if t not in env:  # else it is fed
                    env[t] = _typed(v, t)
        if ctx.timer is not None:
            ctx.timer(op, [env[t] for t in outs])


def _typed(value: Any, t: Tensor) -> Any:
    """The value with exactly the declared dtype; handles and lists pass."""
    dtype = getattr(value, "dtype", None)
    if isinstance(value, (np.ndarray, np.generic)) or (dtype is not None and hasattr(value, "aval")):
        want = t._dtype._base
        if want._enum in (20, 21) or t._dtype._is_ref_dtype:
            return value
        if dtype != want.np:
            return value.astype(want.np)
        return value
    if isinstance(value, (bool, int, float, complex)):
        return np.asarray(value, t._dtype.np)
    if isinstance(value, (bytes, str)):
        out = np.empty((), object)
        out[()] = value if isinstance(value, bytes) else value.encode()
        return out
    return value


def _shape(v: Any) -> str:
    return str(tuple(v.shape)) if hasattr(v, "shape") else type(v).__name__


def _cut(s: Step, values: list[Any], wanted: Any) -> Cut:
    for t, v in zip(s.inputs, values, strict=True):
        if v is wanted:
            return Cut(s.op, t)
    return Cut(s.op, None)


def _no_kernel(op: Operation) -> errors.OpError:
    if op.type in ("Placeholder", "PlaceholderV2"):
        from hornbeam.core.graph import shape_text

        shape = op._attrs.get("shape")
        where = f" and shape {shape_text(shape)}" if shape is not None else ""
        return errors.InvalidArgumentError(
            None, op,
            f"You must feed a value for placeholder tensor '{op.name}' with dtype {_cpp_name(op._attrs['dtype'])}{where}: "
            f"pass it in feed_dict.\n\t [[node {op.name}]]",
        )  # fmt: skip
    return errors.UnimplementedError(
        None, op, f"Op type '{op.type}' of node '{op.name}' has no kernel in Hornbeam ('hornbeam coverage --ops')."
    )


def _cpp_name(dtype: dtypes.DType) -> str:
    return {"float32": "float", "float64": "double", "float16": "half"}.get(
        dtype.base_dtype.name, dtype.base_dtype.name
    )
