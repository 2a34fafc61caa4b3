"""`tf.train.NewCheckpointReader`, `list_variables`, `load_variable`: one face over V1 and V2 checkpoints."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from hornbeam import proto
from hornbeam.core.dtypes import DType
from hornbeam.files.bundle import BundleReader, index_path
from hornbeam.files.checkpoint_state import latest_checkpoint
from hornbeam.files.checkpoint_v1 import V1Reader
from hornbeam.files.tensor_slice import TensorSlice


class CheckpointReader:
    """What a checkpoint holds, by name. Tensors are read when asked for; quantised ones as their integers."""

    def __init__(self, prefix: str) -> None:
        self.prefix = os.fspath(prefix)
        self._v2: BundleReader | None = None
        self._v1: V1Reader | None = None
        if os.path.exists(index_path(self.prefix)):
            self._v2 = BundleReader(self.prefix)
        else:
            self._v1 = V1Reader(self.prefix)

    def keys(self) -> list[str]:
        return self._source().keys()

    def has_tensor(self, tensor_str: str | bytes) -> bool:
        return _name(tensor_str) in self._source()

    def get_tensor(self, tensor_str: str | bytes) -> Any:
        """The value as an array, scalars as NumPy scalars or bytes. Raises NotFoundError, DataLossError."""
        value = self._source().read(_name(tensor_str))
        return value[()] if value.ndim == 0 else value

    def read_slice(self, name: str, slice_: TensorSlice) -> np.ndarray:
        """A part of a tensor, out of whatever slices the checkpoint stores."""
        return self._source().read_slice(name, slice_)

    def dtype(self, name: str) -> DType:
        return self._about(name)[0]

    def shape(self, name: str) -> tuple[int, ...]:
        return self._about(name)[1]

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        return {name: list(self._about(name)[1]) for name in self.keys()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        return {name: self._about(name)[0] for name in self.keys()}

    def debug_string(self) -> bytes:
        """A line for each tensor: name, type, shape; V2 lists stored slices, not the tensor they make up."""
        lines: list[bytes] = []
        if self._v2 is not None:
            sliced = [(k, self._v2._entry(k, repr(k))) for k in self._v2.slice_keys()]
            whole = [(n.encode("utf-8", "surrogateescape"), self._v2.entry(n)) for n in self.keys()]
            for key, entry in [*sliced, *(w for w in whole if not w[1].slices)]:
                lines.append(key + f" ({_type_name(entry.dtype)}) {_shape_text(entry.shape)}\n".encode())
        elif self._v1 is not None:
            for name in self.keys():
                tensor = self._v1.tensor(name)
                parts = f", {len(tensor.slices)} slices" if len(tensor.slices) > 1 else ""
                lines.append(f"{name} ({_type_name(tensor.dtype)}) {_shape_text(tensor.shape)}{parts}\n".encode())
        return b"".join(lines)

    def close(self) -> None:
        self._source().close()

    def __enter__(self) -> CheckpointReader:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _source(self) -> BundleReader | V1Reader:
        source = self._v2 or self._v1
        assert source is not None
        return source

    def _about(self, name: str) -> tuple[DType, tuple[int, ...]]:
        found = self._v2.entry(name) if self._v2 is not None else self._source().tensor(name)  # type: ignore[union-attr]
        return found.dtype, found.shape


def NewCheckpointReader(filepattern: str | bytes) -> CheckpointReader:
    """A reader of the checkpoint with this prefix (V1: file or pattern). Raises NotFoundError."""
    return CheckpointReader(_name(filepattern))


def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """A reader of a checkpoint, or of the latest one in a directory. Raises ValueError when the directory has none."""
    path = _name(os.fspath(ckpt_dir_or_file))
    if os.path.isdir(path):
        latest = latest_checkpoint(path)
        if latest is None:
            raise ValueError(f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}")
        path = latest
    return NewCheckpointReader(path)


def load_variable(ckpt_dir_or_file: Any, name: str) -> Any:
    """The value of one variable of a checkpoint; `name` may end in `:0`."""
    with load_checkpoint(ckpt_dir_or_file) as reader:
        return reader.get_tensor(name.removesuffix(":0"))


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """(name, shape) of all variables of a checkpoint, sorted by name."""
    with load_checkpoint(ckpt_dir_or_file) as reader:
        return sorted(reader.get_variable_to_shape_map().items())


def _name(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _type_name(dtype: DType) -> str:
    return str(proto.DataType.Name(dtype.as_datatype_enum))


def _shape_text(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
