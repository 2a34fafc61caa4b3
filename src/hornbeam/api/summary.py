"""`tf.summary`: summary nodes, merging, and FileWriter, which writes TensorBoard's event files."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.constant import const_node
from hornbeam.core.graph import (
    Graph,
    GraphKeys,
    Tensor,
    add_to_collection,
    convert_to_tensor,
    get_collection,
    get_default_graph,
    name_scope,
)
from hornbeam.core.registry import raw
from hornbeam.files.events import EventFileWriter
from hornbeam.proto import Event, GraphDef, MetaGraphDef, SessionLog, Summary, SummaryMetadata


def _tag_const(tag: str, name: str) -> Tensor:
    a = np.empty((), object)
    a[()] = tag.encode()
    return const_node(a, name=name)


def _collect(summary: Tensor, collections: Any) -> Tensor:
    for key in [GraphKeys.SUMMARIES] if collections is None else collections:
        add_to_collection(key, summary)
    return summary


class _Scope:
    """Enters `name`'s scope as TF does; the tag is the scope's name, with `family` in front when given."""

    def __init__(self, name: str, family: str | None, values: Any) -> None:
        clean = _clean_tag(name)
        family = _clean_tag(family) if family else None
        scope_name = f"{family}/{clean}" if family else clean
        self._scope = name_scope(scope_name, None, values)
        self._family = family

    def __enter__(self) -> tuple[str, str]:
        scope = self._scope.__enter__()
        tag = f"{self._family}/{scope.rstrip('/')}" if self._family else scope.rstrip("/")
        return tag, scope

    def __exit__(self, *exc: Any) -> None:
        self._scope.__exit__(*exc)


def _clean_tag(name: str) -> str:
    import re

    new = re.sub(r"[^-\w./]", "_", name).lstrip("/")
    if new != name:
        from hornbeam.api.platform import info

        info("Summary name %s is illegal; using %s instead.", name, new)
    return new


def scalar(name: str, tensor: Any, collections: Any = None, family: str | None = None) -> Tensor:
    """A serialised Summary with one scalar."""
    with _Scope(name, family, [tensor]) as (tag, scope):
        tensor = convert_to_tensor(tensor)
        tags = _tag_const(tag, "tags")
        if tensor._shape:
            raise ValueError(
                f"Shapes must be equal rank, but are 0 and {len(tensor._shape)} for '{scope.rstrip('/')}' (op: 'ScalarSummary'): "
                f"tf.summary.scalar takes a scalar, '{tensor.name}' has shape {tensor.shape}."
            )
        return _collect(raw.ScalarSummary(tags, tensor, name=scope), collections)


def histogram(name: str, values: Any, collections: Any = None, family: str | None = None) -> Tensor:
    """A serialised Summary with a histogram of the values; NaN or Inf among them is an error when run."""
    with _Scope(name, family, [values]) as (tag, scope):
        return _collect(raw.HistogramSummary(_tag_const(tag, "tag"), values, name=scope), collections)


def image(name: str, tensor: Any, max_outputs: int = 3, collections: Any = None, family: str | None = None) -> Tensor:
    """A serialised Summary with up to `max_outputs` PNGs of a [batch, height, width, 1|3|4] tensor."""
    with _Scope(name, family, [tensor]) as (tag, scope):
        red = np.array([255, 0, 0, 255], np.uint8)
        return _collect(
            raw.ImageSummary(_tag_const(tag, "tag"), tensor, max_images=max_outputs, bad_color=red, name=scope),
            collections,
        )


def audio(
    name: str, tensor: Any, sample_rate: Any, max_outputs: int = 3, collections: Any = None, family: str | None = None
) -> Tensor:
    """A serialised Summary with WAV clips of a [batch, frames] or [batch, frames, channels] tensor in [-1, 1]."""
    with _Scope(name, family, [tensor]) as (tag, scope):
        rate = convert_to_tensor(sample_rate, dtypes.float32, name="sample_rate")
        return _collect(
            raw.AudioSummaryV2(_tag_const(tag, "tag"), tensor, rate, max_outputs=max_outputs, name=scope), collections
        )


def tensor_summary(
    name: str,
    tensor: Any,
    summary_description: Any = None,
    collections: Any = None,
    summary_metadata: Any = None,
    family: str | None = None,
    display_name: str | None = None,
) -> Tensor:
    """A serialised Summary that holds the whole tensor, for TensorBoard plugins."""
    metadata = summary_metadata if summary_metadata is not None else SummaryMetadata()
    if display_name is not None:
        metadata.display_name = display_name
    if summary_description is not None:
        metadata.summary_description = summary_description
    with _Scope(name, family, [tensor]) as (tag, scope):
        blob = np.empty((), object)
        blob[()] = metadata.SerializeToString()
        packed = const_node(blob, name="serialized_summary_metadata")
        return _collect(raw.TensorSummaryV2(_tag_const(tag, "tag"), tensor, packed, name=scope), collections)


def text(name: str, tensor: Any, collections: Any = None) -> Tensor:
    """A text summary of a string tensor, shown (as Markdown) by TensorBoard's text plugin."""
    tensor = convert_to_tensor(tensor)
    if tensor.dtype.base_dtype is not dtypes.string:
        raise ValueError(f"Expected tensor {tensor.name} to have dtype string, got {tensor.dtype}")
    metadata = SummaryMetadata()
    metadata.plugin_data.plugin_name = "text"
    return tensor_summary(name, tensor, summary_metadata=metadata, collections=collections)


def merge(inputs: Any, collections: Any = None, name: str | None = None) -> Tensor:
    """One summary of many; a tag that stands twice is an error when run."""
    inputs = list(inputs)
    with name_scope(name, "Merge", inputs):
        merged = raw.MergeSummary(inputs, name="MergeSummary")
    for key in collections or []:
        add_to_collection(key, merged)
    return merged  # type: ignore[no-any-return]


def merge_all(key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None) -> Tensor | None:
    """All summaries of a collection merged; None when there are none."""
    found = get_collection(key, scope)
    return merge(found, name=name) if found else None


def get_summary_description(node_def: Any) -> Any:
    """The SummaryDescription in a TensorSummary node."""
    from google.protobuf import json_format

    from hornbeam.proto import SummaryDescription

    if node_def.op != "TensorSummary":
        raise ValueError(f"Can't get_summary_description on {node_def.op}")
    out = SummaryDescription()
    json_format.Parse(node_def.attr["description"].s.decode(), out)
    return out


# --- writers ---------------------------------------------------------------------------------------------------------------
class FileWriter:
    """Writes an event file in `logdir`: summaries, graphs, run metadata. Use it as a context manager or call `close`."""

    def __init__(
        self,
        logdir: Any,
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        self._writer = EventFileWriter(os.fspath(logdir), max_queue, flush_secs, filename_suffix)
        self._closed = False
        self._seen_plugins: set[str] = set()
        self._tagged_metadata: set[str] = set()
        if graph is not None or graph_def is not None:
            self.add_graph(graph, graph_def=graph_def)
            if isinstance(graph, Graph):
                from hornbeam.api.meta_graph import create_meta_graph_def

                self.add_meta_graph(create_meta_graph_def(graph=graph, graph_def=graph.as_graph_def(add_shapes=True)))

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def get_logdir(self) -> str:
        return self._writer.get_logdir()  # type: ignore[no-any-return]

    def add_event(self, event: Any) -> None:
        if self._closed:
            from hornbeam.api.platform import warning

            warning(
                "Attempting to use a closed FileWriter. The operation will be a noop unless the FileWriter is explicitly reopened."
            )
            return
        self._writer.add_event(event if isinstance(event, Event) else Event.FromString(event.SerializeToString()))

    def _add(self, event: Any, step: Any) -> None:
        event.wall_time = time.time()
        if step is not None:
            event.step = int(step)
        self.add_event(event)

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Adds a Summary proto or its serialised form (what `sess.run(merged)` gives)."""
        if isinstance(summary, bytes):
            summary = Summary.FromString(summary)
        elif not isinstance(summary, Summary):
            summary = Summary.FromString(summary.SerializeToString())
        for v in summary.value:  # plugin metadata is written with the first value of a tag only
            if not v.HasField("metadata"):
                continue
            if v.tag in self._seen_plugins:
                v.ClearField("metadata")
            else:
                self._seen_plugins.add(v.tag)
        self._add(Event(summary=summary), global_step)

    def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
        log = (
            session_log
            if isinstance(session_log, SessionLog)
            else SessionLog.FromString(session_log.SerializeToString())
        )
        self._add(Event(session_log=log), global_step)

    def add_graph(self, graph: Any = None, global_step: Any = None, graph_def: Any = None) -> None:
        """Adds a graph, with static shapes, for TensorBoard's graph page."""
        if graph is not None and graph_def is not None:
            raise ValueError("Please pass only graph, or graph_def (deprecated), but not both.")
        if isinstance(graph, Graph) or isinstance(graph_def, Graph):
            g = graph if isinstance(graph, Graph) else graph_def
            definition = g.as_graph_def(add_shapes=True)
        elif hasattr(graph, "node") or hasattr(graph_def, "node"):
            definition = graph if graph is not None else graph_def
        else:
            raise TypeError("The passed graph must be an instance of `Graph` or the deprecated `GraphDef`")
        self._add(
            Event(
                graph_def=definition.SerializeToString(
                    **({"deterministic": True} if isinstance(definition, GraphDef) else {})
                )
            ),
            global_step,
        )

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        if not hasattr(meta_graph_def, "graph_def"):
            raise TypeError(f"meta_graph_def must be type MetaGraphDef, saw type: {type(meta_graph_def)}")
        data = meta_graph_def.SerializeToString(
            **({"deterministic": True} if isinstance(meta_graph_def, MetaGraphDef) else {})
        )
        self._add(Event(meta_graph_def=data), global_step)

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Adds step stats under a tag of their own, for the graph page's "Session runs"."""
        if tag in self._tagged_metadata:
            raise ValueError("The provided tag was already used for this event type")
        self._tagged_metadata.add(tag)
        event = Event()
        event.tagged_run_metadata.tag = tag
        event.tagged_run_metadata.run_metadata = run_metadata.SerializeToString()
        self._add(event, global_step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        if not self._closed:
            self._writer.close()
            self._closed = True

    def reopen(self) -> None:
        """Opens a new event file after `close`."""
        if self._closed:
            self._writer.reopen()
            self._closed = False


class FileWriterCache:
    """One FileWriter a directory."""

    _cache: dict[str, FileWriter] = {}
    _lock = threading.RLock()

    @staticmethod
    def clear() -> None:
        with FileWriterCache._lock:
            for w in FileWriterCache._cache.values():
                w.close()
            FileWriterCache._cache.clear()

    @staticmethod
    def get(logdir: str) -> FileWriter:
        with FileWriterCache._lock:
            if logdir not in FileWriterCache._cache:
                FileWriterCache._cache[logdir] = FileWriter(logdir, graph=get_default_graph())
            return FileWriterCache._cache[logdir]


__tf_exports__ = {
    **{f"summary.{n}": n for n in (
        "scalar", "histogram", "image", "audio", "tensor_summary", "text", "merge", "merge_all", "get_summary_description", "FileWriter",
        "FileWriterCache",
    )},
    "train.summary_iterator": "hornbeam.files.events:summary_iterator",
    "summary.summary_iterator": "hornbeam.files.events:summary_iterator",
    "train.SummaryWriter": "FileWriter",
    "train.SummaryWriterCache": "FileWriterCache",
    "scalar_summary": "_scalar_summary",
    "histogram_summary": "_histogram_summary",
    "merge_all_summaries": "merge_all",
    "merge_summary": "merge",
    "python_io.TFRecordWriter": "hornbeam.files.records:TFRecordWriter",
    "python_io.TFRecordOptions": "hornbeam.files.records:TFRecordOptions",
    "python_io.TFRecordCompressionType": "hornbeam.files.records:TFRecordCompressionType",
    "python_io.tf_record_iterator": "hornbeam.files.records:tf_record_iterator",
    "io.TFRecordWriter": "hornbeam.files.records:TFRecordWriter",
    "io.TFRecordOptions": "hornbeam.files.records:TFRecordOptions",
    "io.TFRecordCompressionType": "hornbeam.files.records:TFRecordCompressionType",
    "io.tf_record_iterator": "hornbeam.files.records:tf_record_iterator",
}  # fmt: skip


def _scalar_summary(tags: Any, values: Any, collections: Any = None, name: str | None = None) -> Tensor:
    """`tf.scalar_summary` of TensorFlow before 1.0: tags as given."""
    with name_scope(name, "ScalarSummary", [tags, values]) as scope:
        return _collect(raw.ScalarSummary(tags, values, name=scope), collections)


def _histogram_summary(tag: Any, values: Any, collections: Any = None, name: str | None = None) -> Tensor:
    with name_scope(name, "HistogramSummary", [tag, values]) as scope:
        return _collect(raw.HistogramSummary(tag, values, name=scope), collections)
