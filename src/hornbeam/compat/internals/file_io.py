"""`tensorflow.python.lib.io.file_io`: the file functions under their older names."""

from __future__ import annotations

from typing import Any

from hornbeam.api.platform import (  # noqa: F401 - the names of this module
    GFile,
    is_directory,
    list_directory,
    stat,
)
from hornbeam.api.platform import copy_v1 as copy  # noqa: F401
from hornbeam.api.platform import exists as file_exists
from hornbeam.api.platform import glob as get_matching_files  # noqa: F401
from hornbeam.api.platform import makedirs as recursive_create_dir  # noqa: F401
from hornbeam.api.platform import mkdir as create_dir  # noqa: F401
from hornbeam.api.platform import remove as delete_file  # noqa: F401
from hornbeam.api.platform import rename_v1 as rename  # noqa: F401
from hornbeam.api.platform import rmtree as delete_recursively  # noqa: F401
from hornbeam.api.platform import walk_v1 as walk  # noqa: F401

FileIO = GFile


def read_file_to_string(filename: Any, binary_mode: bool = False) -> Any:
    """A file's contents, as text or (`binary_mode`) bytes."""
    with GFile(filename, "rb" if binary_mode else "r") as f:
        return f.read()


def write_string_to_file(filename: Any, file_content: Any) -> None:
    """Writes text or bytes to a file."""
    with GFile(filename, "wb" if isinstance(file_content, bytes) else "w") as f:
        f.write(file_content)


def atomic_write_string_to_file(filename: Any, contents: Any, overwrite: bool = True) -> None:
    """Writes to a file beside it and renames: readers see the old contents or the new."""
    import os

    from hornbeam.core import errors
    from hornbeam.files.atomic import write_atomically

    if not overwrite and file_exists(filename):
        raise errors.AlreadyExistsError(None, None, f"file already exists: {filename}")
    write_atomically(os.fspath(filename), contents if isinstance(contents, bytes) else contents.encode())
