"""The `checkpoint` file: TensorFlow's paths and text, relative and absolute, and what happens when it is damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hornbeam.files import checkpoint_state as cs

from .support import full_disk


def text(directory: Path, name: str = "checkpoint") -> str:
    return (directory / name).read_text()


def test_absolute_paths_stay(tmp_path: Path) -> None:
    d = str(tmp_path)
    cs.update_checkpoint_state(d, d + "/a", [d + "/b", d + "/a"])
    assert text(tmp_path) == (
        f'model_checkpoint_path: "{d}/a"\nall_model_checkpoint_paths: "{d}/b"\nall_model_checkpoint_paths: "{d}/a"\n'
    )


def test_relative_paths_are_seen_from_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("run")
    cs.update_checkpoint_state("run", "run/a", ["run/b"])
    assert text(tmp_path / "run") == (
        'model_checkpoint_path: "a"\nall_model_checkpoint_paths: "b"\nall_model_checkpoint_paths: "a"\n'
    )
    state = cs.get_checkpoint_state("run")
    assert state.model_checkpoint_path == "run/a" and list(state.all_model_checkpoint_paths) == ["run/b", "run/a"]


def test_save_relative_paths_lets_the_directory_move(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "sub").mkdir(parents=True)
    cs.update_checkpoint_state_internal(
        str(old), str(old / "sub" / "a"), [str(old / "b"), str(old / "sub" / "a")], save_relative_paths=True,
        all_model_checkpoint_timestamps=[1.0, 2.5], last_preserved_timestamp=0.5,
    )  # fmt: skip
    assert text(old) == (
        'model_checkpoint_path: "sub/a"\nall_model_checkpoint_paths: "b"\nall_model_checkpoint_paths: "sub/a"\n'
        "all_model_checkpoint_timestamps: 1.0\nall_model_checkpoint_timestamps: 2.5\nlast_preserved_timestamp: 0.5\n"
    )
    old.rename(new)
    (new / "sub" / "a.index").write_bytes(b"")
    assert cs.latest_checkpoint(str(new)) == str(new / "sub" / "a")


def test_timestamps_must_match() -> None:
    with pytest.raises(ValueError, match="must match checkpoint paths"):
        cs.generate_checkpoint_state_proto("/d", "/d/a", ["/d/b"], [1.0])


def test_a_checkpoint_may_not_take_the_state_files_place(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="conflicts with path used for checkpoint state"):
        cs.update_checkpoint_state(str(tmp_path), str(tmp_path / "checkpoint"))


def test_latest_needs_its_files(tmp_path: Path) -> None:
    prefix = str(tmp_path / "m-1")
    assert cs.latest_checkpoint(str(tmp_path)) is None
    cs.update_checkpoint_state(str(tmp_path), prefix)
    assert cs.latest_checkpoint(str(tmp_path)) is None and not cs.checkpoint_exists(prefix)
    Path(prefix + ".index").write_bytes(b"")
    assert cs.latest_checkpoint(str(tmp_path)) == prefix and cs.checkpoint_exists(prefix)
    assert cs.get_checkpoint_mtimes([prefix, "none"]) == [os.stat(prefix + ".index").st_mtime]


def test_sharded_v1_exists_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "v-00000-of-00002").write_bytes(b"")
    assert cs.checkpoint_exists(str(tmp_path / "v-?????-of-00002"))
    assert not cs.checkpoint_exists(str(tmp_path / "v"))


@pytest.mark.parametrize("content", ["garbage {", 'model_checkpoint_path: "x"\nunknown: 3', "\xff"])
def test_a_damaged_state_file_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "checkpoint").write_bytes(content.encode("latin-1"))
    assert cs.get_checkpoint_state(str(tmp_path)) is None
    assert cs.latest_checkpoint(str(tmp_path)) is None


def test_an_empty_state_file_is_an_error_as_in_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"")
    with pytest.raises(ValueError, match="Invalid checkpoint state loaded from"):
        cs.get_checkpoint_state(str(tmp_path))


def test_a_full_disk_keeps_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cs.update_checkpoint_state(str(tmp_path), str(tmp_path / "a"))
    before = text(tmp_path)
    with pytest.raises(Exception, match="No space left"), full_disk(monkeypatch, 5):
        cs.update_checkpoint_state(str(tmp_path), str(tmp_path / "b"))
    assert text(tmp_path) == before and os.listdir(tmp_path) == ["checkpoint"]


def test_remove_checkpoint(tmp_path: Path) -> None:
    for name in ("m.index", "m.data-00000-of-00001", "m.meta", "m2.index", "v1", "v1.meta"):
        (tmp_path / name).write_bytes(b"")
    cs.remove_checkpoint(str(tmp_path / "m"))
    cs.remove_checkpoint(str(tmp_path / "v1"), 1)
    assert sorted(os.listdir(tmp_path)) == ["m2.index"]


def test_meta_graph_filename() -> None:
    assert cs.meta_graph_filename("d/model-7") == "d/model-7.meta"
    assert cs.meta_graph_filename("d/model-?????-of-00002", "x") == "d/model.x"
