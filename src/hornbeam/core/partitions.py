"""Partitioned variables: several variables that are slices of one tensor, and what a saver must know of each slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.dtypes import DType
from hornbeam.core.graph import Graph, Tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape


def strip_name_scope(name: str, export_scope: str | None) -> str:
    if not export_scope:
        return name
    prefix = export_scope.rstrip("/") + "/"
    return name[len(prefix) :] if name.startswith(prefix) else name


def prepend_name_scope(name: str, import_scope: str | None) -> str:
    return f"{import_scope.rstrip('/')}/{name}" if import_scope else name


class SaveSliceInfo:
    """Which part of which full tensor a partition is, for savers: all partitions go into one checkpoint entry."""

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Any = None,
        var_offset: Any = None,
        var_shape: Any = None,
        save_slice_info_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        if save_slice_info_def is not None:
            d = save_slice_info_def
            full_name, full_shape = prepend_name_scope(d.full_name, import_scope), list(d.full_shape)
            var_offset, var_shape = list(d.var_offset), list(d.var_shape)
        self.full_name = full_name
        self.full_shape = full_shape
        self.var_offset = var_offset
        self.var_shape = var_shape

    @property
    def spec(self) -> str:
        """`<full shape> <offset,size per dimension>`, the slice's spelling in save and restore ops."""
        full = " ".join(str(d) for d in self.full_shape)
        return full + " " + ":".join(f"{o},{s}" for o, s in zip(self.var_offset, self.var_shape, strict=True))

    def to_proto(self, export_scope: str | None = None) -> Any:
        from hornbeam.proto import SaveSliceInfoDef

        if export_scope is not None and not (self.full_name or "").startswith(export_scope):
            return None
        d = SaveSliceInfoDef(full_name=strip_name_scope(self.full_name or "", export_scope))
        d.full_shape.extend(self.full_shape)
        d.var_offset.extend(self.var_offset)
        d.var_shape.extend(self.var_shape)
        return d


class PartitionedVariable:
    """Several variables that are slices of one tensor along (at most) one axis; converts to their concatenation."""

    def __init__(
        self, name: str, shape: Any, dtype: Any, variable_list: Sequence[Any], partitions: Sequence[int]
    ) -> None:
        if not isinstance(variable_list, (list, tuple)):
            raise TypeError(f"variable_list is not a list or tuple: {variable_list}")
        if not isinstance(partitions, (list, tuple)):
            raise TypeError(f"partitions is not a list or tuple: {partitions}")
        if not all(p >= 1 for p in partitions):
            raise ValueError(f"partition values must be positive: {partitions}")
        if not variable_list:
            raise ValueError("variable_list may not be empty")
        for v in variable_list:
            if v._save_slice_info is None:
                raise ValueError(f"All variables must have a save_slice_info available: {v.name}")
            if v._save_slice_info.full_name != name:
                raise ValueError(
                    f"All variables must have {name!r} as their full name; {v.name} has {v._save_slice_info.full_name!r}"
                )
        self._variable_list = sorted(variable_list, key=lambda v: v._save_slice_info.var_offset)
        self._partitions = list(partitions)
        self._name = name
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._variable_list)

    def __len__(self) -> int:
        axes = self._partition_axes()
        if len(axes) > 1:
            raise ValueError(f"Cannot get a length for {len(axes)} > 1 partition axes")
        return len(self._variable_list)

    def _partition_axes(self) -> list[int]:
        return [i for i, p in enumerate(self._partitions) if p > 1] or [0]

    def as_tensor(self) -> Tensor:
        """The concatenation of the partitions, as a node of the variable's name."""
        if len(self._variable_list) == 1:
            with name_scope(None):
                return raw.Identity(self._variable_list[0], name=self._name)  # type: ignore[no-any-return]
        axes = self._partition_axes()
        if len(axes) > 1:
            raise NotImplementedError(
                f"Cannot concatenate along more than one dimension: {axes}. Multi-axis partition concat is not supported"
            )
        with name_scope(self._name + "/ConcatPartitions/"):
            joined = raw.ConcatV2(self._variable_list, axes[0], name="concat")
        with name_scope(None):
            return raw.Identity(joined, name=self._name)  # type: ignore[no-any-return]

    def _dense_var_to_tensor(self, dtype: DType | None = None, name: str | None = None, as_ref: bool = False) -> Tensor:
        if dtype is not None and not dtype.is_compatible_with(self.dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type '{dtype.name}' for variable of type '{self.dtype.name}'"
            )
        if as_ref:
            raise NotImplementedError("PartitionedVariable doesn't support being used as a reference.")
        return self.as_tensor()

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def graph(self) -> Graph:
        return self._variable_list[0].graph

    def get_shape(self) -> TensorShape:
        return self._shape

    def _get_variable_list(self) -> list[Any]:
        return self._variable_list

    def _get_partitions(self) -> list[int]:
        return self._partitions

    def _apply(self, method: str, value: Any, kwargs: dict[str, Any]) -> list[Any]:
        if isinstance(value, (list, tuple, PartitionedVariable)):
            parts = list(value)
        else:
            axes = self._partition_axes()
            sizes = [int(v.shape[axes[0]]) for v in self._variable_list]
            parts = raw.SplitV(value, sizes, axes[0], num_split=len(sizes)) if len(sizes) > 1 else [value]
        return [getattr(v, method)(p, **kwargs) for v, p in zip(self._variable_list, parts, strict=True)]

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        return self._apply("assign", value, {"use_locking": use_locking, "name": name, "read_value": read_value})

    def assign_add(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        return self._apply("assign_add", value, {"use_locking": use_locking, "name": name, "read_value": read_value})

    def assign_sub(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        return self._apply("assign_sub", value, {"use_locking": use_locking, "name": name, "read_value": read_value})

    def __repr__(self) -> str:
        return f"<tf.PartitionedVariable {self._name!r} shape={self._shape} dtype={self._dtype.name}>"
