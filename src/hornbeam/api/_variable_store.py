"""The store behind `get_variable`: which names exist in a graph, and how a new one is made, shared or partitioned."""

from __future__ import annotations

import enum
import functools
import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import (
    GraphKeys,
    Tensor,
    add_to_collection,
    colocate_with,
    convert_to_tensor,
    get_collection,
    init_scope,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape
from hornbeam.core.variables import (
    PartitionedVariable,
    ResourceVariable,
    SaveSliceInfo,
    Variable,
    resolve_policy,
    resource_variables_enabled,
)


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1

    def __repr__(self) -> str:
        return "_ReuseMode.AUTO_REUSE"


AUTO_REUSE = _ReuseMode.AUTO_REUSE


class PartitionInfo:
    """Which slice of the whole variable an initializer is asked for."""

    def __init__(self, full_shape: Sequence[int], var_offset: Sequence[int]) -> None:
        if len(var_offset) != len(full_shape):
            raise ValueError(
                f"Expected equal length, but var_offset is of length {len(var_offset)} while full_shape is of length {len(full_shape)}."
            )
        for offset, size in zip(var_offset, full_shape, strict=True):
            if offset < 0 or offset >= size:
                raise ValueError(
                    f"Expected 0 <= offset < shape but found offset={offset}, shape={size} for var_offset={var_offset}, full_shape={full_shape}"
                )
        self._full_shape = list(full_shape)
        self._var_offset = list(var_offset)

    @property
    def full_shape(self) -> list[int]:
        return self._full_shape

    @property
    def var_offset(self) -> list[int]:
        return self._var_offset

    def single_offset(self, shape: Sequence[int]) -> int:
        """The offset along the one partitioned dimension (0 when there is none)."""
        axis = self.single_slice_dim(shape)
        return 0 if axis is None else self._var_offset[axis]

    def single_slice_dim(self, shape: Sequence[int]) -> int | None:
        if len(shape) != len(self._full_shape):
            raise ValueError(
                f"Expected equal length, but received shape={shape} of length {len(shape)} while self.full_shape={self._full_shape}"
            )
        axis = None
        for i, (part, full, offset) in enumerate(zip(shape, self._full_shape, self._var_offset, strict=True)):
            if offset + part > full:
                raise ValueError(
                    f"With self.var_offset={self._var_offset}, a partition of shape={shape} would exceed "
                    f"self.full_shape={self._full_shape} in dimension {i}."
                )
            if part == full:
                continue
            if axis is not None:
                raise ValueError(
                    f"Cannot use single_slice_dim() with shape={shape} and self.full_shape={self._full_shape}: "
                    "slicing is along more than one axis."
                )
            axis = i
        return axis


class VariableStore:
    """The variables of a graph that `get_variable` made, by full name."""

    def __init__(self) -> None:
        self._vars: dict[str, Variable] = {}
        self._partitioned_vars: dict[str, PartitionedVariable] = {}

    def get_variable(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        initializer: Any = None,
        regularizer: Any = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        custom_getter: Any = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        """The variable of that full name: a new one, or (`reuse`) the one that exists; through `custom_getter` if given."""
        if custom_getter is not None and not callable(custom_getter):
            raise ValueError(f"Passed a custom_getter which is not callable: {custom_getter}")
        dtype = dtypes.as_dtype(dtype).base_dtype
        synchronization, aggregation, trainable = resolve_policy(synchronization, aggregation, trainable, name)
        kwargs = {
            "name": name, "shape": shape, "dtype": dtype, "initializer": initializer, "regularizer": regularizer, "reuse": reuse,
            "trainable": trainable, "collections": collections, "caching_device": caching_device, "partitioner": partitioner,
            "validate_shape": validate_shape, "use_resource": use_resource, "synchronization": synchronization,
            "aggregation": aggregation,
        }  # fmt: skip
        if custom_getter is None:
            return self._true_getter(constraint=constraint, **kwargs)
        if _accepts(custom_getter, "constraint"):
            kwargs["constraint"] = constraint
        return custom_getter(getter=self._true_getter, **kwargs)

    def _true_getter(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        initializer: Any = None,
        regularizer: Any = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        common = {
            "dtype": dtypes.as_dtype(dtype).base_dtype, "regularizer": regularizer, "reuse": reuse, "trainable": trainable,
            "collections": collections, "caching_device": caching_device, "validate_shape": validate_shape,
            "use_resource": use_resource, "constraint": constraint, "synchronization": synchronization, "aggregation": aggregation,
        }  # fmt: skip
        is_scalar = shape is not None and isinstance(shape, (list, tuple)) and not shape
        if partitioner is not None and not is_scalar:
            if not callable(partitioner):
                raise ValueError(f"Partitioner must be callable, but received: {partitioner}")
            with name_scope(None):
                return self._get_partitioned(name, shape, initializer, partitioner, **common)
        if f"{name}/part_0" in self._vars:
            raise ValueError(
                f"No partitioner was provided, but a partitioned version of the variable was found: {name}/part_0. Perhaps a "
                "variable of the same name was already created with partitioning?"
            )
        return self._get_single(name, shape, initializer, None, **common)

    # one variable ---------------------------------------------------------------------------------------------------
    def _get_single(
        self,
        name: str,
        shape: Any,
        initializer: Any,
        partition_info: PartitionInfo | None,
        *,
        dtype: DType,
        regularizer: Any,
        reuse: Any,
        use_resource: bool | None,
        **kwargs: Any,
    ) -> Variable:
        from_value = initializer is not None and not callable(initializer)
        if shape is not None and from_value:
            raise ValueError("If initializer is a constant, do not specify shape.")
        shape = TensorShape(shape)
        if name in self._vars:
            return self._shared(name, shape, dtype, reuse)
        if reuse is True:
            raise ValueError(
                f"Variable {name} does not exist, or was not created with tf.get_variable(). Did you mean to set "
                "reuse=tf.AUTO_REUSE in VarScope?"
            )
        if initializer is None:
            if shape.ndims is None:
                raise ValueError(
                    f"Variable {name} did not get an initializer, so its `shape` argument must be specified."
                )
            initializer = default_initializer(name, dtype)
        initial, variable_dtype = (
            (initializer, None) if from_value else _initial_value(initializer, shape, dtype, partition_info)
        )
        with init_scope():
            v: Variable = Variable(
                initial_value=initial,
                name=name,
                dtype=variable_dtype,
                use_resource=resource_variables_enabled() if use_resource is None else use_resource,
                **kwargs,
            )
        self._vars[name] = v
        if regularizer is not None:
            with colocate_with(v.op), name_scope(name + "/Regularizer/"), init_scope():
                loss = regularizer(v)
            if loss is not None:
                add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)
        return v

    def _shared(self, name: str, shape: TensorShape, dtype: DType, reuse: Any) -> Variable:
        found = self._vars[name]
        if reuse is False:
            message = f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            if not isinstance(found, ResourceVariable):
                origin = "".join(traceback.format_list(found.op.traceback[::-1][:5]))
                message += f" Originally defined at:\n\n{origin}\n"
            raise ValueError(message)
        if not shape.is_compatible_with(found.get_shape()):
            raise ValueError(
                f"Trying to share variable {name}, but specified shape {shape} and found shape {found.get_shape()}."
            )
        if not dtype.is_compatible_with(found.dtype):
            raise ValueError(
                f"Trying to share variable {name}, but specified dtype {dtype.name} and found dtype {found.dtype.name}."
            )
        return found

    # partitions -----------------------------------------------------------------------------------------------------
    def _get_partitioned(
        self, name: str, shape: Any, initializer: Any, partitioner: Any, *, dtype: DType, reuse: Any, **kwargs: Any
    ) -> PartitionedVariable:
        from_tensor = isinstance(initializer, Tensor)
        if name in self._vars:
            raise ValueError(
                f"A partitioner was provided, but an unpartitioned version of the variable was found: {name}.  Perhaps a variable "
                "of the same name was already created without partitioning?"
            )
        shape = TensorShape(shape)
        if from_tensor:
            shape = shape.merge_with(initializer.get_shape())
        partitions = call_partitioner(partitioner, shape, dtype)
        if name in self._partitioned_vars:
            return self._shared_partitions(name, shape, dtype, reuse, partitions)
        if reuse is True:
            raise ValueError(
                f"PartitionedVariable {name} does not exist, or was not created with tf.get_variable(). Did you mean to set "
                "reuse=False or reuse=tf.AUTO_REUSE in VarScope?"
            )
        axis = next((i for i, p in enumerate(partitions) if p > 1), 0)
        count = partitions[axis]
        self._check_shards(name, count)
        parts = []
        for i, (offset, part) in enumerate(slices(shape.as_list(), count, axis)):
            info = PartitionInfo(shape.as_list(), offset)
            full = f"{name}/part_{i}"
            part_dtype, part_shape = dtype, part
            with name_scope(full + "/PartitionedInitializer"):
                if initializer is None:
                    initial = default_initializer(name, dtype)
                elif callable(initializer):
                    initial = initializer
                else:
                    whole = initializer if from_tensor else convert_to_tensor(initializer, dtype=dtype)
                    initial = raw.Slice(whole, offset, part)
                    part_dtype, part_shape = initial.dtype.base_dtype, None
            with name_scope(None):
                v = self._get_single(full, part_shape, initial, info, dtype=part_dtype, reuse=reuse, **kwargs)
            v._set_save_slice_info(SaveSliceInfo(name, shape.as_list(), offset, part))
            parts.append(v)
        whole_variable = PartitionedVariable(name, shape, dtype, parts, partitions)
        self._partitioned_vars[name] = whole_variable
        return whole_variable

    def _shared_partitions(
        self, name: str, shape: TensorShape, dtype: DType, reuse: Any, partitions: list[int]
    ) -> PartitionedVariable:
        if reuse is False:
            raise ValueError(
                f"Partitioned variable with name {name} already exists. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in "
                "VarScope?"
            )
        found = self._partitioned_vars[name]
        for what, wanted, has, same in (
            ("shape", shape, found.get_shape(), shape.is_compatible_with(found.get_shape())),
            ("dtype", dtype.name, found.dtype.name, dtype.is_compatible_with(found.dtype)),
            ("partitions", partitions, found._get_partitions(), partitions == found._get_partitions()),
        ):
            if not same:
                raise ValueError(
                    f"Trying to reuse partitioned variable {name}, but specified {what} {wanted} and found {what} {has}."
                )
        return found

    def _check_shards(self, name: str, count: int) -> None:
        """Shards made one by one under the same names must be as many as the partitioner asks for."""
        if f"{name}/part_0" not in self._vars:
            return
        said = f"Partitioner returned a different partitioning than what was already found.  Partitioner returned {count} shards"
        if f"{name}/part_{count - 1}" not in self._vars:
            raise ValueError(f"{said}, and shard {name}/part_0 was found, but {name}/part_{count - 1} was not.")
        if f"{name}/part_{count}" in self._vars:
            raise ValueError(
                f"{said}, and shard {name}/part_0 was found, but so was the extra shard {name}/part_{count}."
            )


def default_initializer(name: str, dtype: DType) -> Any:
    """Glorot-uniform for floats; zeros for integers, booleans and strings; ValueError for what has no default."""
    from hornbeam.api import init_ops

    if dtype.is_floating:
        return init_ops.GlorotUniform()
    if dtype.is_integer or dtype.is_bool or dtype is dtypes.string:
        return init_ops.Zeros()
    raise ValueError(f"An initializer for variable {name} of {dtype.base_dtype} is required")


def _initial_value(
    initializer: Any, shape: TensorShape, dtype: DType, partition_info: PartitionInfo | None
) -> tuple[Callable[[], Any], DType | None]:
    """(a function that makes the initial value, the variable's dtype or None for the value's own)."""
    if inspect.isclass(initializer):
        initializer = initializer()
    if shape.is_fully_defined():
        wanted = {"dtype": dtype}
        if _has_parameter(initializer, "partition_info"):
            wanted["partition_info"] = partition_info
        return lambda: initializer(shape.as_list(), **wanted), dtype
    if _needs_no_arguments(initializer):
        return initializer, None
    raise ValueError(
        "The initializer passed is not valid. It should be a callable with no arguments and the shape should not be provided or an "
        "instance of `tf.keras.initializers.*' and `shape` should be fully defined."
    )


def _parameters(fn: Any) -> tuple[inspect.Parameter, ...]:
    """The parameters a caller of `fn` may give; looked up once for all objects of a class (initializers are many)."""
    if inspect.isroutine(fn) or inspect.isclass(fn) or isinstance(fn, functools.partial):
        return _signature(fn)
    return _signature_of_calls(type(fn))


@functools.lru_cache(256)
def _signature_of_calls(cls: type) -> tuple[inspect.Parameter, ...]:
    return _signature(cls.__call__)[1:]


def _signature(fn: Any) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # a builtin tells nothing
        return ()


def _has_parameter(fn: Any, name: str) -> bool:
    return any(p.name == name for p in _parameters(fn))


def _accepts(fn: Any, name: str) -> bool:
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in _parameters(fn))


def _needs_no_arguments(fn: Any) -> bool:
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in _parameters(fn))


def call_partitioner(partitioner: Any, shape: TensorShape, dtype: DType) -> list[int]:
    """How many slices along each dimension; at most one dimension may have more than one."""
    if not shape.is_fully_defined():
        raise ValueError(f"Shape of a new partitioned variable must be fully defined, but instead was {shape}.")
    if len(shape) < 1:
        raise ValueError(f"A partitioned Variable must have rank at least 1, shape: {shape}")
    slicing = partitioner(shape=shape, dtype=dtype)
    if not isinstance(slicing, (list, tuple)):
        raise ValueError(f"Partitioner must return a sequence, but saw: {slicing}")
    if len(slicing) != len(shape):
        raise ValueError(
            f"Partitioner returned a partition list that does not match the Variable's rank: {slicing} vs. {shape}"
        )
    if any(p < 1 for p in slicing):
        raise ValueError(f"Partitioner returned zero partitions for some axes: {slicing}")
    if sum(p > 1 for p in slicing) > 1:
        raise ValueError(f"Can only slice a variable along one dimension: shape: {shape}, partitioning: {slicing}")
    return list(slicing)


def slices(full: list[int], count: int, axis: int) -> Iterator[tuple[list[int], list[int]]]:
    """(offset, shape) of each of `count` slices along `axis`; the first ones take what does not divide."""
    offset = [0] * len(full)
    base, excess = divmod(full[axis], count)
    for i in range(count):
        part = list(full)
        part[axis] = base + (i < excess)
        yield list(offset), part
        offset[axis] += part[axis]


def default_variable_store() -> VariableStore:
    """The default graph's store, made when first asked for."""
    found = get_collection(GraphKeys._VARIABLE_STORE_KEY)
    if found:
        return found[0]
    store = VariableStore()
    add_to_collection(GraphKeys._VARIABLE_STORE_KEY, store)
    return store
