"""Variables: reference and resource forms, assignments, scatters into them. Their values live in the session's state."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.constant import partial_value
from hornbeam.core.graph import IndexedSlices, InferenceContext
from hornbeam.core.lazy import jnp
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.state import VarRef, variable_key
from hornbeam.core.tensor_shape import Shape, merge
from hornbeam.ops import shapes
from hornbeam.ops.xp import known, xp

NUMBER = "numbertype"


# --- shapes behind handles ------------------------------------------------------------------------------------------------
def handle_shape(tensor: Any) -> Shape:
    """The static shape of the variable behind a resource tensor, None when unknown."""
    extra = tensor._extra
    if extra is not None and "handle_shape" in extra:
        return extra["handle_shape"]  # type: ignore[no-any-return]
    source = tensor.op
    if source.type == "VarHandleOp":
        return source._attrs["shape"]  # type: ignore[no-any-return]
    if source.type in ("Identity", "Enter", "Switch") and source.inputs:
        return handle_shape(source.inputs[0])
    return None


def _read_shape(c: InferenceContext) -> list[Shape]:
    return [handle_shape(c.op.inputs[0])]


# --- variables -----------------------------------------------------------------------------------------------------------------
def _variable(shape: Any, dtype: Any, container: bytes, shared_name: bytes, ctx: Any) -> VarRef:
    return VarRef(variable_key(container, shared_name, ctx.node), ctx.node, dtype, shape)


VariableV2 = op(
    "VariableV2() -> (ref: Ref(dtype)); shape: shape; dtype: type; container: string = ''; shared_name: string = ''",
    shape=shapes.from_attr(), stateful=True,
)(_variable)  # fmt: skip
Variable = op(
    "Variable() -> (ref: Ref(dtype)); shape: shape; dtype: type; container: string = ''; shared_name: string = ''",
    # an old scalar-shaped Variable meant "shape unknown" (TF's own rule)
    shape=lambda c: [None if c.attr("shape") == () else c.attr("shape")], stateful=True,
)(_variable)  # fmt: skip


@op(
    "VarHandleOp() -> (resource: resource); container: string = ''; shared_name: string = ''; dtype: type; shape: shape; "
    "allowed_devices: list(string) = []; debug_name: string = ''",
    shape=shapes.scalar, stateful=True,
)  # fmt: skip
def VarHandleOp(container, shared_name, dtype, shape, ctx):
    return VarRef(variable_key(container, shared_name, ctx.node), ctx.node, dtype, shape, resource=True)


@op(
    "TemporaryVariable() -> (ref: Ref(dtype)); shape: shape; dtype: type; var_name: string = ''",
    shape=shapes.from_attr(),
    stateful=True,
)
def TemporaryVariable(shape, dtype, var_name, ctx):
    ref = VarRef("tmp/" + (var_name.decode() or ctx.node), ctx.node, dtype, shape)
    if not ctx.initialized(ref):
        ctx.write(ref, np.zeros(shape, dtype.np))
    return ref


@op(
    "DestroyTemporaryVariable(ref: Ref(T)) -> (value: T); T: type; var_name: string",
    shape=shapes.unchanged,
    stateful=True,
)
def DestroyTemporaryVariable(ref, ctx):
    value = ctx.read(ref)
    ctx.delete(ref)
    return value


@op(
    "IsVariableInitialized(ref: Ref(dtype)) -> (is_initialized: bool); dtype: type",
    shape=shapes.scalar,
    stateful=True,
    allows_uninitialized=True,
    numpy=True,
)
def IsVariableInitialized(ref, ctx):
    return np.bool_(ctx.initialized(ref))


@op("VarIsInitializedOp(resource: resource) -> (is_initialized: bool)", shape=shapes.scalar, stateful=True, numpy=True)
def VarIsInitializedOp(resource, ctx):
    return np.bool_(ctx.initialized(resource))


@op("ReadVariableOp(resource: resource) -> (value: dtype); dtype: type", shape=_read_shape, stateful=True, numpy=True)
def ReadVariableOp(resource, dtype, ctx):
    value = ctx.read(resource)
    if value.dtype != dtype.np:
        raise ctx.fail(
            f"Trying to read variable {resource.name} with wrong dtype. Expected {dtype.name} got {value.dtype}"
        )
    return value


@ReadVariableOp.gradient
def _(op, grad):
    return [grad]


@op("VariableShape(input: resource) -> (output: out_type); out_type: {int32, int64} = int32",
    shape=lambda c: [(None,) if (s := handle_shape(c.op.inputs[0])) is None else (len(s),)], stateful=True, numpy=True)  # fmt: skip
def VariableShape(input, out_type, ctx):
    return np.array(ctx.read(input).shape, out_type.np)


@op("DestroyResourceOp(resource: resource) -> (); ignore_lookup_error: bool = true", stateful=True, host=True)
def DestroyResourceOp(resource, ignore_lookup_error, ctx):
    if isinstance(resource, VarRef):
        if not ctx.initialized(resource) and not ignore_lookup_error:
            raise ctx.not_found(f"Resource {resource.name} does not exist.")
        ctx.delete(resource)
    elif not ctx.destroy_resource(resource) and not ignore_lookup_error:
        raise ctx.not_found(f"Resource {resource.name} does not exist.")


# --- assignment -------------------------------------------------------------------------------------------------------------
def _assign_shape(c: InferenceContext) -> list[Shape]:
    if c.attr("validate_shape", True):
        m = merge(c.shape(0), c.shape(1))
        if m is not None and not isinstance(m, tuple):
            raise c.fail(f"Dimension mismatch: the variable has shape {c.shape(0)}, the value {c.shape(1)}")
        return [m]
    return [c.shape(1)]


def _same_size(ref: VarRef, value: Any, ctx: Any) -> None:
    if ctx.initialized(ref):
        shape = ctx.read(ref).shape
    else:
        shape = ref.shape
        if shape is None or None in shape:
            return
    if tuple(shape) != tuple(value.shape):
        raise ctx.fail(
            f"Assign requires shapes of both tensors to match. lhs shape= {_brackets(shape)} rhs shape= {_brackets(value.shape)}"
        )


def _brackets(shape: Any) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


@op("Assign(ref: Ref(T), value: T) -> (output_ref: Ref(T)); T: type; validate_shape: bool = true; use_locking: bool = true",
    shape=_assign_shape, stateful=True, allows_uninitialized=True, numpy=True)  # fmt: skip
def Assign(ref, value, validate_shape, ctx):
    if validate_shape:
        _same_size(ref, value, ctx)
    ctx.write(ref, value)
    return ref


def _update(symbol: str, name: str) -> Any:
    def kernel(ref, value, ctx):
        old = ctx.read(ref)
        if tuple(old.shape) != tuple(value.shape):
            raise ctx.fail(
                f"{name} requires shapes of both tensors to match. lhs shape= {_brackets(old.shape)} rhs shape= {_brackets(value.shape)}"
            )
        ctx.write(ref, old + value if symbol == "+" else old - value)
        return ref

    return kernel


AssignAdd = op(f"AssignAdd(ref: Ref(T), value: T) -> (output_ref: Ref(T)); T: {NUMBER}; use_locking: bool = false",
               shape=shapes.merged, stateful=True, numpy=True)(_update("+", "AssignAdd"))  # fmt: skip
AssignSub = op(f"AssignSub(ref: Ref(T), value: T) -> (output_ref: Ref(T)); T: {NUMBER}; use_locking: bool = false",
               shape=shapes.merged, stateful=True, numpy=True)(_update("-", "AssignSub"))  # fmt: skip


@op(
    "AssignVariableOp(resource: resource, value: dtype) -> (); dtype: type; validate_shape: bool = false",
    stateful=True,
    numpy=True,
)
def AssignVariableOp(resource, value, ctx):
    s = resource.shape
    if s is not None and (
        len(s) != len(value.shape) or any(d is not None and d != v for d, v in zip(s, value.shape, strict=True))
    ):
        raise ctx.fail(f"Shape of variable {resource.name} ({s}) does not match the value's shape {tuple(value.shape)}")
    ctx.write(resource, value)


@op("AssignAddVariableOp(resource: resource, value: dtype) -> (); dtype: type", stateful=True, numpy=True)
def AssignAddVariableOp(resource, value, ctx):
    _update("+", "AssignAddVariableOp")(resource, value, ctx)


@op("AssignSubVariableOp(resource: resource, value: dtype) -> (); dtype: type", stateful=True, numpy=True)
def AssignSubVariableOp(resource, value, ctx):
    _update("-", "AssignSubVariableOp")(resource, value, ctx)


@op(
    "CountUpTo(ref: Ref(T)) -> (output: T); limit: int; T: {int32, int64}",
    shape=shapes.scalar,
    stateful=True,
    host=True,
)
def CountUpTo(ref, limit, ctx):
    return _count(ref, limit, ctx)


@op(
    "ResourceCountUpTo(resource: resource) -> (output: T); limit: int; T: {int32, int64}",
    shape=shapes.scalar,
    stateful=True,
    host=True,
)
def ResourceCountUpTo(resource, limit, ctx):
    return _count(resource, limit, ctx)


def _count(ref: VarRef, limit: int, ctx: Any) -> Any:
    value = np.asarray(ctx.read(ref))
    if value >= limit:
        raise ctx.out_of_range(f"Reached limit of {limit}")
    ctx.write(ref, value + value.dtype.type(1))
    return value


# --- scatter into variables ------------------------------------------------------------------------------------------------
_SCATTER = {"Update": "set", "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Min": "min", "Max": "max"}


def scatter(old: Any, indices: Any, updates: Any, how: str, ctx: Any = None) -> Any:
    """Rows `indices` of `old` combined with `updates`; rows out of range raise when known, are dropped when traced."""
    if known(indices) and ctx is not None:
        check_indices(indices, old.shape[0], ctx)
    updates = xp.broadcast_to(updates, tuple(indices.shape) + tuple(old.shape[1:]))
    if known(old) and known(indices) and known(updates):
        new = np.array(old)
        flat = np.asarray(indices).reshape(-1)
        rows = np.asarray(updates).reshape((flat.size, *old.shape[1:]))
        if how == "set":
            new[flat] = rows
        else:
            {
                "add": np.add,
                "sub": np.subtract,
                "mul": np.multiply,
                "min": np.minimum,
                "max": np.maximum,
                "div": np.divide,
            }[how].at(new, flat, rows)
        return new
    at = jnp.asarray(old).at[indices]
    if how == "sub":
        return at.add(-updates, mode="drop")
    if how == "div":
        return at.divide(updates, mode="drop")
    return getattr(at, {"mul": "multiply"}.get(how, how))(updates, mode="drop")


def check_indices(indices: Any, limit: int, ctx: Any) -> None:
    """InvalidArgumentError in TensorFlow's words for the first known index out of [0, limit)."""
    bad = np.argwhere((np.asarray(indices) < 0) | (np.asarray(indices) >= limit))
    if len(bad):
        where = ",".join(map(str, bad[0]))
        raise ctx.fail(f"indices[{where}] = {np.asarray(indices)[tuple(bad[0])]} is not in [0, {limit})")


def _scatter_kernel(how: str) -> Any:
    def kernel(ref, indices, updates, ctx):
        ctx.write(ref, scatter(ctx.read(ref), indices, updates, how, ctx))
        return ref

    return kernel


def _scatter_resource_kernel(how: str) -> Any:
    def kernel(resource, indices, updates, ctx):
        ctx.write(resource, scatter(ctx.read(resource), indices, updates, how, ctx))

    return kernel


for _name, _how in _SCATTER.items():
    _lock = "true" if _name == "Update" else "false"
    _types = (
        "type"
        if _name == "Update"
        else "{half, bfloat16, float, double, int32, int64}"
        if _name in ("Min", "Max")
        else NUMBER
    )
    op(
        f"Scatter{_name}(ref: Ref(T), indices: Tindices, updates: T) -> (output_ref: Ref(T)); T: {_types}; "
        f"Tindices: {{int32, int64}}; use_locking: bool = {_lock}",
        shape=shapes.unchanged, stateful=True, numpy=True,
    )(_scatter_kernel(_how))  # fmt: skip
    op(
        f"ResourceScatter{_name}(resource: resource, indices: Tindices, updates: dtype) -> (); dtype: {'type' if _name == 'Update' else NUMBER}; "
        "Tindices: {int32, int64}",
        stateful=True, numpy=True,
    )(_scatter_resource_kernel(_how))  # fmt: skip


def scatter_nd(old: Any, indices: Any, updates: Any, how: str, ctx: Any = None) -> Any:
    """`old` with `updates` combined at the index tuples in the last dimension of `indices`."""
    k = indices.shape[-1]
    if known(indices) and ctx is not None and indices.size:
        bad = np.any((indices < 0) | (indices >= np.array(old.shape[:k], indices.dtype)), axis=-1)
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise ctx.fail(
                f"indices[{','.join(map(str, at))}] = {indices[at].tolist()} does not index into shape {_brackets(old.shape)}"
            )
    updates = xp.broadcast_to(updates, tuple(indices.shape[:-1]) + tuple(old.shape[k:]))
    index = tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0)) if k else ()
    if not k:
        raise ValueError("indices of depth 0")
    at = jnp.asarray(old).at[index]
    if how == "sub":
        return at.add(-updates, mode="drop")
    return getattr(at, how)(updates, mode="drop")


def _scatter_nd_kernel(how: str, resource: bool) -> Any:
    def kernel(ref, indices, updates, ctx):
        ctx.write(ref, scatter_nd(ctx.read(ref), indices, updates, how, ctx))
        return None if resource else ref

    return kernel


for _name in ("Update", "Add", "Sub", "Min", "Max"):
    _how = _SCATTER[_name]
    op(
        f"ScatterNd{_name}(ref: Ref(T), indices: Tindices, updates: T) -> (output_ref: Ref(T)); T: {'type' if _name == 'Update' else NUMBER}; "
        f"Tindices: {{int32, int64}}; use_locking: bool = {'true' if _name == 'Update' else 'false'}",
        shape=shapes.unchanged, stateful=True,
    )(_scatter_nd_kernel(_how, False))  # fmt: skip
    op(
        f"ResourceScatterNd{_name}(ref: resource, indices: Tindices, updates: T) -> (); T: {'type' if _name == 'Update' else NUMBER}; "
        "Tindices: {int32, int64}; use_locking: bool = true",
        stateful=True,
    )(_scatter_nd_kernel(_how, True))  # fmt: skip


# --- gathers from variables ----------------------------------------------------------------------------------------------------
def _gather_shape(c: InferenceContext) -> list[Shape]:
    s, i = handle_shape(c.op.inputs[0]), c.shape(1)
    b = c.attr("batch_dims") or 0
    return [None if s is None or i is None else i + s[1 + b :] if not b else s[:b] + i[b:] + s[b + 1 :]]


@op("ResourceGather(resource: resource, indices: Tindices) -> (output: dtype); batch_dims: int = 0; validate_indices: bool = true; dtype: type; "
    "Tindices: {int32, int64}", shape=_gather_shape, stateful=True)  # fmt: skip
def ResourceGather(resource, indices, batch_dims, ctx):
    params = ctx.read(resource)
    if known(indices) and batch_dims == 0:
        check_indices(indices, params.shape[0], ctx)
    if batch_dims:
        return raw.GatherV2.kernel(params, indices, np.int32(batch_dims), batch_dims=batch_dims)
    return (
        xp.take(params, indices, axis=0)
        if known(params) and known(indices)
        else jnp.take(params, indices, axis=0, mode="fill", fill_value=0)
    )


@ResourceGather.gradient
def _(op, grad):
    handle, indices = op.inputs
    shape = handle_shape(handle)
    if shape is not None and None not in shape:
        dense = np.array(shape, np.int32)
    else:
        dense = raw.VariableShape(handle)
    from hornbeam.core.graph import convert_to_tensor

    dense_t = convert_to_tensor(dense)
    rows = raw.Reshape(indices, [-1])
    tail = raw.StridedSlice(dense_t, [1], [0], [1], end_mask=1)
    values = raw.Reshape(grad, raw.ConcatV2([np.array([-1], np.int32), tail], 0))
    known_shape = partial_value(dense_t)
    if known_shape is not None:
        n = indices._shape
        lead = None if n is None or None in n else int(np.prod(n, dtype=np.int64))
        values.set_shape((lead, *known_shape[1:]))
    return [IndexedSlices(values, rows, dense_t), None]


def _gather_nd_shape(c: InferenceContext) -> list[Shape]:
    s, i = handle_shape(c.op.inputs[0]), c.shape(1)
    return [None if s is None or not i or i[-1] is None else i[:-1] + s[i[-1] :]]


@op("ResourceGatherNd(resource: resource, indices: Tindices) -> (output: dtype); dtype: type; Tindices: {int32, int64}",
    shape=_gather_nd_shape, stateful=True)  # fmt: skip
def ResourceGatherNd(resource, indices, ctx):
    return raw.GatherNd.kernel(ctx.read(resource), indices)


no_gradient(
    "VariableV2", "Variable", "VarHandleOp", "Assign", "AssignAdd", "AssignSub", "AssignVariableOp", "AssignAddVariableOp",
    "AssignSubVariableOp", "IsVariableInitialized", "VarIsInitializedOp", "VariableShape", "CountUpTo", "ResourceCountUpTo",
    "ScatterUpdate", "ScatterAdd", "ScatterSub", "ScatterMul", "ScatterDiv", "ScatterNdUpdate", "ScatterNdAdd", "ScatterNdSub",
)  # fmt: skip
