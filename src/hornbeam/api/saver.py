"""`tf.train.Saver`: checkpoint nodes in the graph as TensorFlow builds them, and the bookkeeping of checkpoint files around them."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hornbeam.api import meta_graph as _meta
from hornbeam.core import errors
from hornbeam.core.constant import const_node
from hornbeam.core.device import to_string
from hornbeam.core.graph import (
    GraphKeys,
    Operation,
    Tensor,
    control_dependencies,
    convert_to_tensor,
    device,
    get_default_graph,
    name_scope,
)  # fmt: skip
from hornbeam.core.registry import raw
from hornbeam.core.variables import PartitionedVariable, ResourceVariable, Variable
from hornbeam.files import checkpoint_state
from hornbeam.proto import SaverDef


class SaveSpec:
    """One tensor of a saveable: its checkpoint name, slice ("" for whole) and dtype."""

    def __init__(self, tensor: Any, slice_spec: str, name: str, dtype: Any = None, device: Any = None) -> None:
        self._tensor = tensor
        self.slice_spec = slice_spec
        self.name = name
        self.dtype = dtype if dtype is not None else tensor.dtype
        self.device = device if device is not None else getattr(tensor, "device", "")

    @property
    def tensor(self) -> Tensor:
        return self._tensor() if callable(self._tensor) else self._tensor


class SaveableObject:
    """Something a Saver stores: `specs` to save, and `restore(restored_tensors, restored_shapes)` that returns an op."""

    def __init__(self, op: Any, specs: Sequence[SaveSpec], name: str) -> None:
        self.op = op
        self.specs = list(specs)
        self.name = name

    @property
    def device(self) -> str:
        return self.specs[0].device  # type: ignore[no-any-return]

    def restore(self, restored_tensors: Sequence[Tensor], restored_shapes: Sequence[Any] | None) -> Operation:
        raise NotImplementedError("Calling an abstract method.")


class VariableSaveable(SaveableObject):
    """A reference variable or ref tensor."""

    def __init__(self, var: Any, slice_spec: str, name: str) -> None:
        ref = var._ref() if isinstance(var, Variable) and hasattr(var, "_ref") else var
        super().__init__(ref, [SaveSpec(ref, slice_spec, name, ref.dtype)], name)

    def restore(self, restored_tensors: Sequence[Tensor], restored_shapes: Sequence[Any] | None) -> Operation:
        value = restored_tensors[0]
        if restored_shapes is not None:
            value = raw.Reshape(value, restored_shapes[0])
        fully = self.op._shape is not None and None not in self.op._shape
        return raw.Assign(self.op, value, validate_shape=restored_shapes is None and fully).op  # type: ignore[no-any-return]


class ResourceVariableSaveable(SaveableObject):
    """A resource variable."""

    def __init__(self, var: ResourceVariable, slice_spec: str, name: str) -> None:
        def read() -> Tensor:
            with control_dependencies(None):
                return raw.Identity(
                    raw.ReadVariableOp(var.handle, dtype=var.dtype.base_dtype, name="Read/ReadVariableOp")
                )  # type: ignore[no-any-return]

        self.handle = var.handle
        self._shape = var.shape
        super().__init__(var, [SaveSpec(read, slice_spec, name, var.dtype, var.handle.device)], name)

    def restore(self, restored_tensors: Sequence[Tensor], restored_shapes: Sequence[Any] | None) -> Operation:
        value = restored_tensors[0]
        if restored_shapes is not None:
            value = raw.Reshape(value, restored_shapes[0])
        return raw.AssignVariableOp(self.handle, raw.Identity(value))  # type: ignore[no-any-return]


# --- what to save ------------------------------------------------------------------------------------------------------
def op_list_to_dict(op_list: Iterable[Any]) -> dict[str, Any]:
    """{checkpoint name: variable, saveable, or list of slices}; ValueError when two have one name."""
    out: dict[str, Any] = {}
    for var in op_list:
        if isinstance(var, SaveableObject):
            _put(out, var.name, var)
        elif isinstance(var, PartitionedVariable):
            _put(out, var.name, var)
        elif isinstance(var, Variable) and getattr(var, "_save_slice_info", None) is not None:
            name = var._save_slice_info.full_name
            existing = out.setdefault(name, [])
            if not isinstance(existing, list):
                raise ValueError(f"Mixing slices and non-slices with the same name: {name}")
            existing.append(var)
        elif isinstance(var, Variable):
            _put(out, var._shared_name if isinstance(var, ResourceVariable) else var.op.name, var)
        elif isinstance(var, Tensor) or hasattr(var, "_as_graph_element"):
            t = var if isinstance(var, Tensor) else var._as_graph_element()
            if not t.dtype._is_ref_dtype:
                raise TypeError(f"Variable to save is not a Variable: {var}")
            _put(out, t.op.name, t)
        else:
            raise TypeError(f"Variable to save is not a Variable: {var}")
    return out


def _put(out: dict[str, Any], name: str, value: Any) -> None:
    if name in out and out[name] is not value:
        raise ValueError(f"At least two variables have the same name: {name}")
    out[name] = value


def saveables_of(names_to_saveables: Any) -> list[SaveableObject]:
    """SaveableObjects, in name order, of a list or dict of variables (each may stand once)."""
    names = names_to_saveables if isinstance(names_to_saveables, dict) else op_list_to_dict(names_to_saveables)
    out: list[SaveableObject] = []
    seen: set[int] = set()

    def add(s: SaveableObject, of: Any) -> None:
        if id(of) in seen:
            raise ValueError(f"The same saveable will be restored with two names: {s.name}")
        seen.add(id(of))
        out.append(s)

    for name in sorted(names):
        if not isinstance(name, str):
            raise TypeError(
                f"names_to_saveables must be a dict mapping string names to checkpointable operations. Name is not a string: {name}"
            )
        for part in _saveables_for(names[name], name):
            add(part, part.op)
    return out


def _saveables_for(op: Any, name: str) -> list[SaveableObject]:
    if isinstance(op, SaveableObject):
        return [op]
    if isinstance(op, (list, tuple, PartitionedVariable)):
        slices = list(op)
        out: list[SaveableObject] = []
        for v in slices:
            info = getattr(v, "_save_slice_info", None)
            if info is None:
                raise ValueError(f"Slices must all be slices: {v}")
            out += [_one(v, info.spec, name)]
        return out
    info = getattr(op, "_save_slice_info", None)
    return [_one(op, info.spec if info is not None else "", name)]


def _one(op: Any, spec: str, name: str) -> SaveableObject:
    if isinstance(op, ResourceVariable):
        return ResourceVariableSaveable(op, spec, name)
    if isinstance(op, Variable):
        return VariableSaveable(op, spec, name)
    if hasattr(op, "_gather_saveables_for_checkpoint"):
        made = list(op._gather_saveables_for_checkpoint().values())[0]
        return made(name) if callable(made) else made  # type: ignore[no-any-return]
    t = op if isinstance(op, Tensor) else convert_to_tensor(op, as_ref=True)
    if not t.dtype._is_ref_dtype:
        raise TypeError(
            f"names_to_saveables must be a dict mapping string names to Tensors/Variables. Not a variable: {t}"
        )
    return VariableSaveable(t, spec, name)


# --- nodes -----------------------------------------------------------------------------------------------------------------
def _strings(values: Iterable[str], name: str) -> Tensor:
    array = np.array([v.encode() for v in values], object)
    return const_node(array, name=name)


def _save_nodes(prefix: Tensor, saveables: Sequence[SaveableObject]) -> Operation:
    specs = [s for saveable in saveables for s in saveable.specs]
    with name_scope("SaveV2") as scope:
        names = _strings([s.name for s in specs], "tensor_names")
        slices = _strings([s.slice_spec for s in specs], "shape_and_slices")
    return raw.SaveV2(prefix, names, slices, [s.tensor for s in specs], name=scope)  # type: ignore[no-any-return]


def _restore_nodes(prefix: Tensor, saveables: Sequence[SaveableObject], reshape: bool) -> list[Operation]:
    specs = [s for saveable in saveables for s in saveable.specs]
    with device("cpu:0"):
        with name_scope("RestoreV2") as scope:
            names = _strings([s.name for s in specs], "tensor_names")
            slices = _strings([s.slice_spec for s in specs], "shape_and_slices")
        tensors = raw.RestoreV2(prefix, names, slices, dtypes=[s.dtype.base_dtype for s in specs], name=scope)
    ops: list[Operation] = []
    i = 0
    for saveable in saveables:
        part = tensors[i : i + len(saveable.specs)]
        i += len(saveable.specs)
        shapes = None
        if reshape:
            shapes = []
            for s in saveable.specs:
                static = s.tensor._shape
                shapes.append(
                    np.array(static, np.int32) if static is not None and None not in static else raw.Shape(s.tensor)
                )
        with device(saveable.device):
            ops.append(saveable.restore(part, shapes))
    return ops


def _group(ops: Sequence[Operation], name: str) -> Operation:
    with control_dependencies(ops):
        return raw.NoOp(name=name)  # type: ignore[no-any-return]


def build_saver_def(
    names_to_saveables: Any,
    reshape: bool = False,
    sharded: bool = False,
    max_to_keep: int = 5,
    keep_checkpoint_every_n_hours: float = 10000.0,
    name: str | None = None,
    filename: str | None = None,
) -> Any:
    """Adds save and restore nodes for the variables to the default graph; the SaverDef names them."""
    saveables = saveables_of(names_to_saveables)
    if max_to_keep is None:
        max_to_keep = 0
    with name_scope(name, "save", [s.op for s in saveables if isinstance(s.op, Tensor)]) as scope:
        file_tensor = raw.PlaceholderWithDefault(
            _scalar_string(filename or "model", "filename/input"), shape=(), name="filename"
        )
        file_tensor = raw.PlaceholderWithDefault(file_tensor, shape=(), name="Const")
        if sharded:
            save_tensor, restore_op = _sharded_nodes(file_tensor, saveables, reshape, scope)
        else:
            saved = _save_nodes(file_tensor, saveables)
            with control_dependencies([saved]):
                save_tensor = raw.Identity(file_tensor, name="control_dependency")
            restore_op = _group(_restore_nodes(file_tensor, saveables, reshape), "restore_all")
    return SaverDef(
        filename_tensor_name=file_tensor.name, save_tensor_name=save_tensor.name, restore_op_name=restore_op.name,
        max_to_keep=max_to_keep, sharded=sharded, keep_checkpoint_every_n_hours=keep_checkpoint_every_n_hours, version=SaverDef.V2,
    )  # fmt: skip


def _scalar_string(text: str, name: str) -> Tensor:
    a = np.empty((), object)
    a[()] = text.encode()
    return const_node(a, name=name)


def _sharded_nodes(
    file_tensor: Tensor, saveables: Sequence[SaveableObject], reshape: bool, scope: str
) -> tuple[Tensor, Operation]:
    """One shard a device, written under a temporary name and merged: as TensorFlow's V2 format does."""
    groups: dict[str, list[SaveableObject]] = {}
    for s in saveables:
        groups.setdefault(to_string(s.device), []).append(s)
    ordered = sorted(groups.items())
    with name_scope("StringJoin"):
        suffix = _scalar_string(f"_temp_{uuid.uuid4().hex}/part", "inputs_1")
    temporary = raw.StringJoin([file_tensor, suffix], name="StringJoin_1")
    count = const_node(np.array(len(ordered), np.int32), name="num_shards")
    prefixes, shards = [], []
    for i, (where, group) in enumerate(ordered):
        with device(where or None):
            shard_name = raw.ShardedFilename(
                temporary,
                const_node(np.array(i, np.int32), name="ShardedFilename/shard"),
                count,
                name="ShardedFilename",
            )
            prefixes.append(shard_name)
            shards.append(_save_nodes(shard_name, group))
    with control_dependencies(shards):
        all_prefixes = raw.Pack(prefixes, axis=0, name="MergeV2Checkpoints/checkpoint_prefixes")
        merged = raw.MergeV2Checkpoints(all_prefixes, file_tensor, delete_old_dirs=True, name="MergeV2Checkpoints")
    with control_dependencies([merged, *shards]):
        save_tensor = raw.Identity(file_tensor, name="Identity")
    restored: list[Operation] = []
    for i, (where, group) in enumerate(ordered):
        with device(where or None):
            restored.append(
                _group(_restore_nodes(file_tensor, group, reshape), "restore_shard" if i == 0 else f"restore_shard_{i}")
            )
    return save_tensor, _group(restored, "restore_all")


# --- Saver --------------------------------------------------------------------------------------------------------------------
class Saver:
    """Saves and restores variables. `save` writes `prefix[-step].index/.data-…`, the `checkpoint` file and a `.meta`; old ones go.

    `var_list` is a list or a {checkpoint name: variable} dict (default: all saveable objects). With `sharded`, one data file a
    device; with `reshape`, values are reshaped on restore; `restore_sequentially` is accepted (nodes run in order anyway).
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = SaverDef.V2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ) -> None:
        if defer_build and var_list:
            raise ValueError(
                "If `var_list` is provided then build cannot be deferred. Either set defer_build=False or var_list=None."
            )
        if write_version != SaverDef.V2:
            raise errors.UnimplementedError(None, None, "Checkpoints are written in format V2; V1 files can be read.")
        self._var_list = var_list
        self._reshape = reshape
        self._sharded = sharded
        self._max_to_keep = 0 if max_to_keep is None else max_to_keep
        self._keep_checkpoint_every_n_hours = keep_checkpoint_every_n_hours
        self._name = name
        self.saver_def = saver_def
        self._builder = builder
        self._is_built = False
        self._allow_empty = allow_empty
        self._is_empty = False
        self._write_version = write_version
        self._pad_step_number = pad_step_number
        self._save_relative_paths = save_relative_paths
        self._filename = filename
        self._last_checkpoints: list[tuple[str, float]] = []
        self._checkpoints_to_be_deleted: list[tuple[str, float]] = []
        if not defer_build:
            self.build()
        if self.saver_def is not None:
            self._check_saver_def()
            self._write_version = self.saver_def.version
        self._next_checkpoint_time = time.time() + self._keep_checkpoint_every_n_hours * 3600

    # building ---------------------------------------------------------------------------------------------------------------
    def build(self) -> None:
        if self._is_built:
            return
        self._is_built = True
        if self.saver_def is not None:
            self._max_to_keep = self.saver_def.max_to_keep
            self._keep_checkpoint_every_n_hours = self.saver_def.keep_checkpoint_every_n_hours
            if not isinstance(self.saver_def, SaverDef):
                self.saver_def = SaverDef.FromString(self.saver_def.SerializeToString())
            return
        if self._var_list is None:
            self._var_list = _all_saveable_objects()
        if not self._var_list:
            if self._allow_empty:
                self._is_empty = True
                return
            raise ValueError("No variables to save")
        self._is_empty = False
        if self._builder is not None and hasattr(self._builder, "build"):
            self.saver_def = self._builder.build(
                self._var_list, reshape=self._reshape, sharded=self._sharded, max_to_keep=self._max_to_keep,
                keep_checkpoint_every_n_hours=self._keep_checkpoint_every_n_hours, name=self._name, filename=self._filename,
            )  # fmt: skip
            return
        self.saver_def = build_saver_def(
            self._var_list,
            self._reshape,
            self._sharded,
            self._max_to_keep,
            self._keep_checkpoint_every_n_hours,
            self._name,
            self._filename,
        )

    def _check_saver_def(self) -> None:
        if not self.saver_def.save_tensor_name:
            raise ValueError(f"saver_def must specify the save_tensor_name: {self.saver_def}")
        if not self.saver_def.restore_op_name:
            raise ValueError(f"saver_def must specify the restore_op_name: {self.saver_def}")

    def as_saver_def(self) -> Any:
        return self.saver_def

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The SaverDef, with names relative to `export_scope` (None when it is not inside)."""
        if export_scope is None:
            return self.saver_def
        if not self.saver_def.filename_tensor_name.startswith(
            export_scope
        ) or not self.saver_def.save_tensor_name.startswith(export_scope):
            return None
        out = SaverDef()
        out.CopyFrom(self.saver_def)
        for field in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
            setattr(out, field, getattr(out, field).removeprefix(export_scope + "/"))
        return out

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> Saver:
        return Saver(saver_def=_scoped(saver_def, import_scope))

    # files ------------------------------------------------------------------------------------------------------------------
    @property
    def last_checkpoints(self) -> list[str]:
        return [p for p, _ in self._last_checkpoints]

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        self._last_checkpoints = [(p, np.inf) for p in last_checkpoints]

    def set_last_checkpoints_with_time(self, last_checkpoints_with_time: Sequence[tuple[str, float]]) -> None:
        self._last_checkpoints = list(last_checkpoints_with_time)

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Remembers earlier checkpoints that still exist, so that they count for `max_to_keep`."""
        found = [p for p in checkpoint_paths if checkpoint_state.checkpoint_exists(p)]
        self.set_last_checkpoints_with_time(
            list(zip(found, checkpoint_state.get_checkpoint_mtimes(found), strict=True))
        )

    def _record(self, path: str, meta_suffix: str) -> None:
        """Notes a new checkpoint and deletes what `max_to_keep` no longer allows, except one every n hours."""
        if not self._max_to_keep:
            return
        self._last_checkpoints = [c for c in self._last_checkpoints if c[0] != path]
        self._last_checkpoints.append((path, time.time()))
        while len(self._last_checkpoints) > self._max_to_keep:
            old, when = self._last_checkpoints.pop(0)
            if when > self._next_checkpoint_time:
                self._next_checkpoint_time += self._keep_checkpoint_every_n_hours * 3600
                continue
            self._checkpoints_to_be_deleted.append((old, when))
        self._meta_suffix = meta_suffix

    def _delete_old(self) -> None:
        while self._checkpoints_to_be_deleted:
            old, _ = self._checkpoints_to_be_deleted.pop(0)
            checkpoint_state.remove_checkpoint(old, self.saver_def.version, self._meta_suffix)

    # save ---------------------------------------------------------------------------------------------------------------------
    def save(
        self,
        sess: Any,
        save_path: Any,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Writes a checkpoint and returns its prefix. The previous one stays intact until the new one is complete."""
        self._require_built()
        save_path = os.fspath(save_path)
        save_path = save_path.decode() if isinstance(save_path, bytes) else save_path
        latest_filename = latest_filename or "checkpoint"
        if os.path.split(latest_filename)[0]:
            raise ValueError("'latest_filename' must not contain path components")
        prefix = save_path
        if global_step is not None:
            if not isinstance(global_step, (int, np.integer)):
                global_step = int(np.asarray(sess.run(global_step)))
            prefix = f"{save_path}-{global_step:08d}" if self._pad_step_number else f"{save_path}-{global_step}"
        elif os.path.basename(save_path) == latest_filename and not self._sharded:
            raise ValueError(f"'latest_filename' collides with 'save_path': '{latest_filename}' and '{save_path}'")
        if sess is None or not hasattr(sess, "run"):
            raise TypeError(f"'sess' must be a Session; {sess}")
        parent = os.path.dirname(save_path)
        if (
            parent and not os.path.isdir(parent) and not os.path.isdir(os.path.dirname(parent) or ".")
        ):  # one level is made
            raise ValueError(f"Parent directory of {save_path} doesn't exist, can't save.")
        path: str | None = None
        if not self._is_empty:
            saved = sess.run(self.saver_def.save_tensor_name, {self.saver_def.filename_tensor_name: prefix})
            path = saved.decode() if isinstance(saved, bytes) else str(saved)
            if write_state:
                self._record(path, meta_graph_suffix)
                times = [t for _, t in self._last_checkpoints]
                checkpoint_state.update_checkpoint_state_internal(
                    save_dir=parent, model_checkpoint_path=path, all_model_checkpoint_paths=self.last_checkpoints,
                    latest_filename=latest_filename, save_relative_paths=self._save_relative_paths,
                    all_model_checkpoint_timestamps=times if np.all(np.isfinite(times)) else None,
                )  # fmt: skip
                self._delete_old()
        if write_meta_graph:
            name = checkpoint_state.meta_graph_filename(prefix, meta_graph_suffix)
            with sess.graph.as_default():
                self.export_meta_graph(name, strip_default_attrs=strip_default_attrs)
        return path

    def _require_built(self) -> None:
        if not self._is_built:
            raise RuntimeError("`build()` should be called before save if defer_build==True")

    def export_meta_graph(
        self, filename: str | None = None, collection_list: Any = None, as_text: bool = False, export_scope: str | None = None,
        clear_devices: bool = False, clear_extraneous_savers: bool = False, strip_default_attrs: bool = False, save_debug_info: bool = False,
    ) -> Any:  # fmt: skip
        """Writes the default graph with this saver as a MetaGraphDef."""
        return _meta.export_meta_graph(
            filename, graph_def=get_default_graph().as_graph_def(add_shapes=True), saver_def=self.saver_def, collection_list=collection_list,
            as_text=as_text, export_scope=export_scope, clear_devices=clear_devices, clear_extraneous_savers=clear_extraneous_savers,
            strip_default_attrs=strip_default_attrs,
        )  # fmt: skip

    def restore(self, sess: Any, save_path: Any) -> None:
        """Loads the variables from a checkpoint; ValueError for a path that is none, NotFoundError for a missing tensor."""
        if self._is_empty:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        save_path = os.fspath(save_path)
        save_path = save_path.decode() if isinstance(save_path, bytes) else save_path
        if not checkpoint_state.checkpoint_exists(save_path):
            raise ValueError(f"The passed save_path is not a valid checkpoint: {save_path}")
        from hornbeam.api.platform import info

        info("Restoring parameters from %s", save_path)
        try:
            sess.run(self.saver_def.restore_op_name, {self.saver_def.filename_tensor_name: save_path})
        except errors.NotFoundError as e:
            raise errors.NotFoundError(
                e.node_def, e.op,
                "Restoring from checkpoint failed. This is most likely due to a Variable name or other graph key that is missing from the "
                "checkpoint. Please ensure that you have not altered the graph expected based on the checkpoint. Original error:\n\n" + e.message,
            ) from e  # fmt: skip
        except errors.InvalidArgumentError as e:
            raise errors.InvalidArgumentError(
                e.node_def, e.op,
                "Restoring from checkpoint failed. This is most likely due to a mismatch between the current graph and the graph from the "
                "checkpoint. Please ensure that you have not altered the graph expected based on the checkpoint. Original error:\n\n" + e.message,
            ) from e  # fmt: skip


def _all_saveable_objects(scope: str | None = None) -> list[Any]:
    g = get_default_graph()
    return g.get_collection(GraphKeys.GLOBAL_VARIABLES, scope) + g.get_collection(GraphKeys.SAVEABLE_OBJECTS, scope)


def _scoped(saver_def: Any, scope: str | None) -> Any:
    if not scope:
        return saver_def
    out = SaverDef()
    out.CopyFrom(saver_def if isinstance(saver_def, SaverDef) else SaverDef.FromString(saver_def.SerializeToString()))
    for field in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
        setattr(out, field, f"{scope}/{getattr(out, field)}")
    return out


def import_meta_graph(
    meta_graph_or_file: Any,
    clear_devices: bool = False,
    import_scope: str | None = None,
    return_elements: Any = None,
    **kwargs: Any,
) -> Any:
    """Recreates a saved graph in the default graph; gives a Saver for its checkpoints (None when it has no variables)."""
    meta = meta_graph_or_file
    if isinstance(meta, (str, bytes, os.PathLike)):
        meta = _meta.read_meta_graph_file(os.fspath(meta) if not isinstance(meta, bytes) else meta.decode())
    variables, elements = _meta.import_scoped_meta_graph(
        meta, clear_devices=clear_devices, import_scope=import_scope, return_elements=return_elements, input_map=kwargs.get("input_map"),
        restore_collections_predicate=kwargs.get("restore_collections_predicate", lambda key: True),
    )  # fmt: skip
    saver: Saver | None = None
    if meta.HasField("saver_def"):
        scope = import_scope
        if variables:
            name, var = next(iter(sorted(variables.items())))
            scope = var.op.name[: -len(name) - 1] if var.op.name != name else scope
        saver = Saver(saver_def=_scoped(meta.saver_def, scope), name=scope)
    elif _all_saveable_objects(import_scope):
        saver = Saver()
    else:
        from hornbeam.api.platform import info

        info("Saver not created because there are no variables in the graph to restore")
    return saver if return_elements is None else (saver, elements)


class BaseSaverBuilder:
    """The class that subclasses and tests of Saver name: save and restore nodes, and the saveable classes."""

    SaveSpec = SaveSpec
    SaveableObject = SaveableObject
    VariableSaveable = VariableSaveable
    ResourceVariableSaveable = ResourceVariableSaveable

    def __init__(self, write_version: int = SaverDef.V2) -> None:
        self._write_version = write_version

    def build(
        self, names_to_saveables: Any, reshape: bool = False, sharded: bool = False, max_to_keep: int = 5,
        keep_checkpoint_every_n_hours: float = 10000.0, name: str | None = None, restore_sequentially: bool = False, filename: str = "model",
    ) -> Any:  # fmt: skip
        return build_saver_def(
            names_to_saveables, reshape, sharded, max_to_keep, keep_checkpoint_every_n_hours, name, filename
        )

    OpListToDict = staticmethod(op_list_to_dict)


_STATE = "hornbeam.files.checkpoint_state:"
_READER = "hornbeam.files.checkpoint_reader:"
__tf_exports__ = {
    "train.Saver": "Saver",
    "train.import_meta_graph": "import_meta_graph",
    "train.latest_checkpoint": _STATE + "latest_checkpoint",
    "train.get_checkpoint_state": _STATE + "get_checkpoint_state",
    "train.update_checkpoint_state": _STATE + "update_checkpoint_state",
    "train.generate_checkpoint_state_proto": _STATE + "generate_checkpoint_state_proto",
    "train.checkpoint_exists": _STATE + "checkpoint_exists",
    "train.get_checkpoint_mtimes": _STATE + "get_checkpoint_mtimes",
    "train.remove_checkpoint": _STATE + "remove_checkpoint",
    "train.NewCheckpointReader": _READER + "NewCheckpointReader",
    "train.load_checkpoint": _READER + "load_checkpoint",
    "train.load_variable": _READER + "load_variable",
    "train.list_variables": _READER + "list_variables",
    "contrib.framework.load_checkpoint": _READER + "load_checkpoint",
    "contrib.framework.load_variable": _READER + "load_variable",
    "contrib.framework.list_variables": _READER + "list_variables",
    "python.training.saver.BaseSaverBuilder": "BaseSaverBuilder",
    "python.training.saver.Saver": "Saver",
    "train.write_graph": "hornbeam.files.graph_io:write_graph",
    "io.write_graph": "hornbeam.files.graph_io:write_graph",
}
