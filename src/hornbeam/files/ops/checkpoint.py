"""Checkpoint operations: SaveV2, RestoreV2, the V1 forms, sharded names and merging. They run on the host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.state import VarRef
from hornbeam.core.tensor_shape import Shape
from hornbeam.files.bundle import BundleWriter, merge_bundles
from hornbeam.files.checkpoint_reader import CheckpointReader
from hornbeam.files.checkpoint_v1 import V1Writer
from hornbeam.files.tensor_slice import TensorSlice
from hornbeam.ops import shapes


def _texts(values: Any) -> list[str]:
    return [v.decode() for v in np.asarray(values, object).reshape(-1)]


def _text(value: Any) -> str:
    return np.asarray(value, object).reshape(-1)[0].decode()  # type: ignore[no-any-return]


@contextmanager
def _named(ctx: Any) -> Iterator[None]:
    """Errors of the file layer, with the node that met them."""
    try:
        yield
    except errors.OpError as e:
        if e._op is None:
            e._op = ctx.op
        raise


def _save(prefix: str, names: list[str], slices: list[str], tensors: list[Any], ctx: Any) -> None:
    directory = os.path.dirname(prefix)
    if directory:
        os.makedirs(directory, exist_ok=True)
    with _named(ctx), ctx.state.lock, BundleWriter(prefix) as writer:
        order = sorted(range(len(names)), key=lambda i: names[i].encode())
        for i in order:
            value = tensors[i]
            dtype = ctx.op.inputs[i + _FIRST].dtype.base_dtype
            if isinstance(value, VarRef):  # straight from the session's state: nothing is copied
                held = ctx.state.values.get(value.key)
                if held is None:
                    raise errors.FailedPreconditionError(
                        None, ctx.op, f"Attempting to use uninitialized value {value.name}"
                    )
                value = np.asarray(held)
            if slices[i]:
                shape, at = _parse_slice(slices[i])
                writer.add_slice(names[i], shape, at, value, dtype)
            else:
                writer.add(names[i], value, dtype)


_FIRST = 3


def _parse_slice(spec: str) -> tuple[list[int], TensorSlice]:
    """`"4 5 0,2:0,5"`: full shape, then the slice."""
    *dims, text = spec.split()
    return [int(d) for d in dims], TensorSlice.parse(text)


@op("SaveV2(prefix: string, tensor_names: string, shape_and_slices: string, tensors: dtypes) -> (); dtypes: list(type) >= 1; has_manifest: bool = false",
    host=True, stateful=True, raw_refs=True)  # fmt: skip
def SaveV2(prefix, tensor_names, shape_and_slices, tensors, ctx):
    _save(_text(prefix), _texts(tensor_names), _texts(shape_and_slices), tensors, ctx)


def _save_v1(path: str, names: list[str], slices: list[str], tensors: list[Any], first: int, ctx: Any) -> None:
    with _named(ctx), V1Writer(path) as writer:
        for i, (name, spec, value) in enumerate(zip(names, slices, tensors, strict=True)):
            dtype = ctx.op.inputs[i + first].dtype.base_dtype
            if spec:
                shape, at = _parse_slice(spec)
                writer.add_slice(name, shape, at, value, dtype)
            else:
                writer.add(name, value, dtype)


@op("Save(filename: string, tensor_names: string, data: T) -> (); T: list(type) >= 1", host=True, stateful=True)
def Save(filename, tensor_names, data, ctx):
    names = _texts(tensor_names)
    _save_v1(_text(filename), names, [""] * len(names), data, 2, ctx)


@op(
    "SaveSlices(filename: string, tensor_names: string, shapes_and_slices: string, data: T) -> (); T: list(type) >= 1",
    host=True,
    stateful=True,
)
def SaveSlices(filename, tensor_names, shapes_and_slices, data, ctx):
    _save_v1(_text(filename), _texts(tensor_names), _texts(shapes_and_slices), data, 3, ctx)


def _restored_shapes(c: InferenceContext) -> list[Shape]:
    specs = c.value(2)
    if specs is None:
        return [None] * c.n_outputs
    out: list[Shape] = []
    for s in _texts(specs):
        if not s:
            out.append(None)
            continue
        full, at = _parse_slice(s)
        out.append(tuple(at.shape(full)))
    return out


def _check_dtype(reader: CheckpointReader, name: str, want: Any, ctx: Any) -> None:
    held = reader.dtype(name)
    if held.base_dtype is not want.base_dtype:
        raise ctx.fail(f"tensor_name = {name}; expected dtype {want.name} does not equal original dtype {held.name}")


@op("RestoreV2(prefix: string, tensor_names: string, shape_and_slices: string) -> (tensors: dtypes); dtypes: list(type) >= 1",
    shape=_restored_shapes, host=True, stateful=True)  # fmt: skip
def RestoreV2(prefix, tensor_names, shape_and_slices, dtypes, ctx):
    names, slices = _texts(tensor_names), _texts(shape_and_slices)
    out = []
    with _named(ctx), CheckpointReader(_text(prefix)) as reader:
        missing = [n for n in names if not reader.has_tensor(n)]
        if missing:
            more = (
                f" (and {len(missing) - 1} more: {', '.join(missing[1:6])}{' …' if len(missing) > 6 else ''})"
                if len(missing) > 1
                else ""
            )
            raise ctx.not_found(f"Key {missing[0]} not found in checkpoint {_text(prefix)}{more}")
        for name, spec, dtype in zip(names, slices, dtypes, strict=True):
            _check_dtype(reader, name, dtype, ctx)
            if spec:
                full, at = _parse_slice(spec)
                if list(reader.shape(name)) != full:
                    raise ctx.fail(
                        f"Shape in shape_and_slice spec {full} does not match the shape in the checkpoint {list(reader.shape(name))} for {name}"
                    )
                out.append(reader.read_slice(name, at))
            else:
                out.append(reader.get_tensor(name))
    return [_stored(v) for v in out]


def _stored(value: Any) -> Any:
    if isinstance(value, (bytes, str)):
        a = np.empty((), object)
        a[()] = value
        return a
    array = np.asarray(value)
    array.setflags(write=False)  # nobody else holds it: a variable may take it as it is
    return array


@op(
    "Restore(file_pattern: string, tensor_name: string) -> (tensor: dt); dt: type; preferred_shard: int = -1",
    shape=shapes.unknown,
    host=True,
    stateful=True,
)
def Restore(file_pattern, tensor_name, dt, ctx):
    return _restore(file_pattern, tensor_name, dt, ctx)


def _restore(file_pattern: Any, tensor_name: Any, dt: Any, ctx: Any) -> Any:
    with _named(ctx), CheckpointReader(_text(file_pattern)) as reader:
        name = _text(tensor_name)
        if not reader.has_tensor(name):
            raise ctx.not_found(f'Tensor name "{name}" not found in checkpoint files {_text(file_pattern)}')
        _check_dtype(reader, name, dt, ctx)
        return _stored(reader.get_tensor(name))


@op("RestoreSlice(file_pattern: string, tensor_name: string, shape_and_slice: string) -> (tensor: dt); dt: type; preferred_shard: int = -1",
    shape=shapes.unknown, host=True, stateful=True)  # fmt: skip
def RestoreSlice(file_pattern, tensor_name, shape_and_slice, dt, ctx):
    spec = _text(shape_and_slice)
    if not spec:
        return _restore(file_pattern, tensor_name, dt, ctx)
    with _named(ctx), CheckpointReader(_text(file_pattern)) as reader:
        name = _text(tensor_name)
        if not reader.has_tensor(name):
            raise ctx.not_found(f'Tensor name "{name}" not found in checkpoint files {_text(file_pattern)}')
        _check_dtype(reader, name, dt, ctx)
        return reader.read_slice(name, _parse_slice(spec)[1])


@op(
    "ShardedFilename(basename: string, shard: int32, num_shards: int32) -> (filename: string)",
    shape=shapes.scalar,
    host=True,
)
def ShardedFilename(basename, shard, num_shards):
    return f"{_text(basename)}-{int(shard):05d}-of-{int(num_shards):05d}".encode()


@op("ShardedFilespec(basename: string, num_shards: int32) -> (filename: string)", shape=shapes.scalar, host=True)
def ShardedFilespec(basename, num_shards):
    return f"{_text(basename)}-?????-of-{int(num_shards):05d}".encode()


@op("MergeV2Checkpoints(checkpoint_prefixes: string, destination_prefix: string) -> (); delete_old_dirs: bool = true; allow_missing_files: bool = false",
    host=True, stateful=True)  # fmt: skip
def MergeV2Checkpoints(checkpoint_prefixes, destination_prefix, delete_old_dirs, allow_missing_files, ctx):
    parts = _texts(checkpoint_prefixes)
    with _named(ctx):
        merge_bundles(parts, _text(destination_prefix), allow_missing_files)
    if delete_old_dirs:
        for d in {os.path.dirname(p) for p in parts} - {os.path.dirname(_text(destination_prefix))}:
            if d and not os.listdir(d):
                os.rmdir(d)


no_gradient(
    "SaveV2", "RestoreV2", "Restore", "RestoreSlice", "ShardedFilename", "ShardedFilespec", "MergeV2Checkpoints"
)
