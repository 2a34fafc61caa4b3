"""The `checkpoint` file of a directory: which checkpoints it holds, which is the latest (`tf.train.*checkpoint*`)."""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hornbeam import proto
from hornbeam.files import atomic
from hornbeam.files.bundle import index_path
from hornbeam.proto.text_format import from_text, to_text

_log = logging.getLogger("tensorflow")


def generate_checkpoint_state_proto(
    save_dir: Any,
    model_checkpoint_path: Any,
    all_model_checkpoint_paths: Iterable[Any] | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> Any:
    """A CheckpointState; when `save_dir` is relative, relative paths are rewritten as seen from it.

    Raises ValueError when the timestamps are not as many as the paths.
    """
    save_dir, latest = os.fspath(save_dir), os.fspath(model_checkpoint_path)
    paths = [os.fspath(p) for p in all_model_checkpoint_paths or ()]
    if latest not in paths:
        paths.append(latest)
    if all_model_checkpoint_timestamps and len(all_model_checkpoint_timestamps) != len(paths):
        raise ValueError(
            "Checkpoint timestamps, if provided, must match checkpoint paths (got paths "
            f"{paths} and timestamps {all_model_checkpoint_timestamps})"
        )
    if not os.path.isabs(save_dir):
        latest, *paths = (p if os.path.isabs(p) else os.path.relpath(p, save_dir) for p in (latest, *paths))
    return proto.CheckpointState(
        model_checkpoint_path=latest,
        all_model_checkpoint_paths=paths,
        all_model_checkpoint_timestamps=all_model_checkpoint_timestamps,
        last_preserved_timestamp=last_preserved_timestamp,
    )


def update_checkpoint_state(
    save_dir: Any,
    model_checkpoint_path: Any,
    all_model_checkpoint_paths: Iterable[Any] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """Replaces the state file of `save_dir` in one step. Raises RuntimeError when the checkpoint has its very path."""
    update_checkpoint_state_internal(
        save_dir, model_checkpoint_path, all_model_checkpoint_paths, latest_filename, False,
        all_model_checkpoint_timestamps, last_preserved_timestamp,
    )  # fmt: skip


def update_checkpoint_state_internal(
    save_dir: Any,
    model_checkpoint_path: Any,
    all_model_checkpoint_paths: Iterable[Any] | None = None,
    latest_filename: str | None = None,
    save_relative_paths: bool = False,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """As `update_checkpoint_state`; `save_relative_paths` makes absolute paths relative to `save_dir`: it can move."""
    latest = os.fspath(model_checkpoint_path)
    paths = [os.fspath(p) for p in all_model_checkpoint_paths or ()]
    if save_relative_paths:
        latest, *paths = (os.path.relpath(p, save_dir) if os.path.isabs(p) else p for p in (latest, *paths))
    state = generate_checkpoint_state_proto(
        save_dir, latest, paths, all_model_checkpoint_timestamps, last_preserved_timestamp
    )
    path = _state_path(save_dir, latest_filename)
    if path == state.model_checkpoint_path:
        raise RuntimeError(
            f"Save path '{model_checkpoint_path}' conflicts with path used for checkpoint state. "
            "Please use a different save path."
        )
    atomic.write_atomically(path, to_text(state).encode())


def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> Any:
    """The CheckpointState of a directory, its paths joined to the directory; None when there is none to be read."""
    path = _state_path(checkpoint_dir, latest_filename)
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    except OSError as e:
        _log.warning("%s: %s", path, e.strerror)
        return None
    state = proto.CheckpointState()
    try:
        from_text(text, state)
    except Exception as e:  # ParseError, UnicodeDecodeError
        _log.warning("%s: Checkpoint ignored: %s", path, e)
        return None
    if not state.model_checkpoint_path:
        raise ValueError(f"Invalid checkpoint state loaded from {checkpoint_dir}")
    directory = os.fspath(checkpoint_dir)
    state.model_checkpoint_path = os.path.join(directory, state.model_checkpoint_path)
    joined = [os.path.join(directory, p) for p in state.all_model_checkpoint_paths]
    state.all_model_checkpoint_paths[:] = joined
    return state


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The prefix of the latest checkpoint in a directory, or None when there is none or its files are gone."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if checkpoint_exists(state.model_checkpoint_path):
        return str(state.model_checkpoint_path)
    _log.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
    return None


def checkpoint_exists(checkpoint_prefix: Any) -> bool:
    """Whether a V1 or V2 checkpoint has this prefix."""
    prefix = os.fspath(checkpoint_prefix)
    return any(_matching(p) for p in (index_path(prefix), prefix))


def get_checkpoint_mtimes(checkpoint_prefixes: Iterable[Any]) -> list[float]:
    """The modification times of the checkpoints that exist."""
    times = []
    for prefix in map(os.fspath, checkpoint_prefixes):
        found = _matching(index_path(prefix)) or _matching(prefix)
        if found:
            times.append(os.stat(found[0]).st_mtime)
    return times


def remove_checkpoint(
    checkpoint_prefix: Any, checkpoint_format_version: int = 2, meta_graph_suffix: str = "meta"
) -> None:
    """Deletes the files of a checkpoint and its meta graph, those that exist."""
    prefix = os.fspath(checkpoint_prefix)
    patterns = [meta_graph_filename(prefix, meta_graph_suffix)]
    patterns += [prefix + ".index", prefix + ".data-?????-of-?????"] if checkpoint_format_version == 2 else [prefix]
    for pattern in patterns:
        for path in _matching(pattern):
            with atomic.os_errors(path), contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def meta_graph_filename(checkpoint_filename: str, meta_graph_suffix: str = "meta") -> str:
    """Where the meta graph of a checkpoint lies; the shard numbers of a sharded prefix are dropped."""
    return f"{re.sub(r'-[0-9?]+-of-[0-9]+$', '', checkpoint_filename)}.{meta_graph_suffix}"


def _matching(pattern: str) -> list[str]:
    return [pattern] if os.path.isfile(pattern) else sorted(p for p in glob.glob(pattern) if os.path.isfile(p))


def _state_path(directory: Any, latest_filename: str | None) -> str:
    return os.path.join(os.fspath(directory), latest_filename or "checkpoint")
