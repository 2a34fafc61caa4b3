"""`tf.app`, `tf.flags`, `tf.logging`, `tf.gfile`, `tf.resource_loader`, `tf.compat`: what programs lean on besides graphs."""

from __future__ import annotations

import glob as _glob
import logging as _logging
import numbers as _numbers
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from hornbeam.core import errors


# --- app ---------------------------------------------------------------------------------------------------------------
def run(main: Any = None, argv: Any = None) -> None:
    """Parses flags, calls `main(argv)` and exits with its result (`tf.app.run`)."""
    from absl.app import run as absl_run

    main = main or sys.modules["__main__"].main  # type: ignore[attr-defined]

    def parse(args: list[str]) -> Any:
        from absl import flags

        try:
            return flags.FLAGS(args, known_only=True)
        except flags.Error as e:
            sys.stderr.write(f"FATAL Flags parsing error: {e}\n")
            sys.stderr.write("Pass --help or --helpfull to see help on flags.\n")
            sys.exit(1)

    absl_run(main=main, argv=argv, flags_parser=parse)


# --- logging ---------------------------------------------------------------------------------------------------------------
DEBUG, INFO, WARN, ERROR, FATAL = _logging.DEBUG, _logging.INFO, _logging.WARNING, _logging.ERROR, _logging.CRITICAL
WARNING = WARN
_LETTERS = {DEBUG: "D", INFO: "I", WARN: "W", ERROR: "E", FATAL: "F"}
_NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARN: "WARNING", ERROR: "ERROR", FATAL: "FATAL"}
_logger: _logging.Logger | None = None


class _CurrentStderr(_logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever sys.stderr is now, so that redirections work."""

    def __init__(self) -> None:
        _logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:  # type: ignore[override]
        return sys.stderr


def get_logger() -> _logging.Logger:
    """The "tensorflow" logger; it prints `INFO:tensorflow:…` to stderr unless the program configured logging itself."""
    global _logger
    if _logger is None:
        _logger = _logging.getLogger("tensorflow")
        _logger.setLevel(WARN)
        if not _logging.getLogger().handlers:
            handler = _CurrentStderr()
            handler.setFormatter(_logging.Formatter(_logging.BASIC_FORMAT))
            _logger.addHandler(handler)
            _logger.propagate = False
    return _logger


def log(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    get_logger().log(level, msg, *args, **kwargs)


def debug(msg: str, *args: Any, **kwargs: Any) -> None:
    get_logger().debug(msg, *args, **kwargs)


def info(msg: str, *args: Any, **kwargs: Any) -> None:
    get_logger().info(msg, *args, **kwargs)


def warning(msg: str, *args: Any, **kwargs: Any) -> None:
    get_logger().warning(msg, *args, **kwargs)


warn = warning


def error(msg: str, *args: Any, **kwargs: Any) -> None:
    get_logger().error(msg, *args, **kwargs)


def fatal(msg: str, *args: Any, **kwargs: Any) -> None:
    get_logger().fatal(msg, *args, **kwargs)


def vlog(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    get_logger().log(level, msg, *args, **kwargs)


def get_verbosity() -> int:
    return get_logger().getEffectiveLevel()


def set_verbosity(v: int) -> None:
    get_logger().setLevel(v)


def flush() -> None:
    for h in get_logger().handlers:
        h.flush()


def TaskLevelStatusMessage(msg: str) -> None:  # noqa: N802
    error(msg)


def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Logs the 1st, (n+1)th, (2n+1)th … call with this message."""
    log_if(level, msg, _seen(msg) % n == 0, *args)


def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    log_if(level, msg, _seen(msg) < n, *args)


def log_if(level: int, msg: str, condition: Any, *args: Any) -> None:
    if condition:
        log(level, msg, *args)


_counts: dict[str, int] = {}


def _seen(msg: str) -> int:
    _counts[msg] = _counts.get(msg, -1) + 1
    return _counts[msg]


# --- gfile ------------------------------------------------------------------------------------------------------------------
def _typed(path: Any, e: OSError) -> errors.OpError:
    kinds: dict[type, type[errors.OpError]] = {
        FileNotFoundError: errors.NotFoundError, FileExistsError: errors.AlreadyExistsError, PermissionError: errors.PermissionDeniedError,
        IsADirectoryError: errors.FailedPreconditionError, NotADirectoryError: errors.FailedPreconditionError,
    }  # fmt: skip
    cls = next((v for k, v in kinds.items() if isinstance(e, k)), errors.UnknownError)
    if e.errno == 28:
        cls = errors.ResourceExhaustedError
    return cls(None, None, f"{path}; {e.strerror}")


def _path(p: Any) -> str:
    p = os.fspath(p)
    return p.decode() if isinstance(p, bytes) else p


class GFile:
    """A file with TensorFlow's interface (`tf.gfile.GFile`): text or binary by mode, opened at first use."""

    def __init__(self, name: Any, mode: str = "r") -> None:
        self._name = _path(name)
        self._mode = mode
        self._file: Any = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def mode(self) -> str:
        return self._mode

    @property
    def _open(self) -> Any:
        if self._file is None:
            try:
                text = "b" not in self._mode
                self._file = open(
                    self._name, self._mode, encoding="utf-8" if text else None, newline="" if text else None
                )  # noqa: SIM115
            except OSError as e:
                raise _typed(self._name, e) from None
        return self._file

    def size(self) -> int:
        return stat(self._name).length

    def read(self, n: int = -1) -> Any:
        if "r" not in self._mode and "+" not in self._mode:
            raise errors.PermissionDeniedError(None, None, "File isn't open for reading")
        return self._open.read() if n is None or n < 0 else self._open.read(n)

    def readline(self) -> Any:
        return self._open.readline()

    def readlines(self) -> list[Any]:
        return list(self._open)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._open)

    def __next__(self) -> Any:
        return next(self._open)

    next = __next__

    def write(self, file_content: Any) -> None:
        if not any(c in self._mode for c in "wa+"):
            raise errors.PermissionDeniedError(None, None, "File isn't open for writing")
        if "b" in self._mode and isinstance(file_content, str):
            file_content = file_content.encode()
        elif "b" not in self._mode and isinstance(file_content, bytes):
            file_content = file_content.decode()
        try:
            self._open.write(file_content)
        except OSError as e:
            raise _typed(self._name, e) from None

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        at = position if offset is None else offset
        if at is None:
            raise TypeError("seek(): offset argument required")
        self._open.seek(at, whence)

    def tell(self) -> int:
        return self._open.tell()  # type: ignore[no-any-return]

    def seekable(self) -> bool:
        return True

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if any(c in self._mode for c in "wa"):
            self._open  # noqa: B018  an opened and unwritten file exists, as in TensorFlow
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> GFile:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._file.close()


FastGFile = Open = GFile


def exists(path: Any) -> bool:
    return os.path.exists(_path(path))


def is_directory(path: Any) -> bool:
    return os.path.isdir(_path(path))


def list_directory(path: Any) -> list[str]:
    try:
        return os.listdir(_path(path))
    except OSError as e:
        raise _typed(path, e) from None


def glob(pattern: Any) -> list[str]:
    """Sorted paths matching a pattern or any of a list of patterns."""
    patterns = [pattern] if isinstance(pattern, (str, bytes, os.PathLike)) else pattern
    return sorted({m for p in patterns for m in _glob.glob(_path(p))})


def mkdir(path: Any) -> None:
    try:
        os.mkdir(_path(path))
    except OSError as e:
        raise _typed(path, e) from None


def makedirs(path: Any) -> None:
    try:
        os.makedirs(_path(path), exist_ok=True)
    except OSError as e:
        raise _typed(path, e) from None


def remove(path: Any) -> None:
    try:
        os.remove(_path(path))
    except OSError as e:
        raise _typed(path, e) from None


def rmtree(path: Any) -> None:
    try:
        shutil.rmtree(_path(path))
    except OSError as e:
        raise _typed(path, e) from None


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    if not overwrite and os.path.exists(_path(dst)):
        raise errors.AlreadyExistsError(None, None, f"file already exists: {dst}")
    try:
        os.replace(_path(src), _path(dst))
    except OSError as e:
        raise _typed(src, e) from None


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    if not overwrite and os.path.exists(_path(dst)):
        raise errors.AlreadyExistsError(None, None, f"file already exists: {dst}")
    try:
        shutil.copyfile(_path(src), _path(dst))
    except OSError as e:
        raise _typed(src, e) from None


class FileStatistics:
    """`length` in bytes, `mtime_nsec`, `is_directory`."""

    __slots__ = ("length", "mtime_nsec", "is_directory")

    def __init__(self, length: int, mtime_nsec: int, is_directory: bool) -> None:
        self.length, self.mtime_nsec, self.is_directory = length, mtime_nsec, is_directory


def stat(path: Any) -> FileStatistics:
    try:
        s = os.stat(_path(path))
    except OSError as e:
        raise _typed(path, e) from None
    return FileStatistics(s.st_size, s.st_mtime_ns, os.path.isdir(_path(path)))


def walk(top: Any, topdown: bool = True, onerror: Any = None) -> Iterator[tuple[str, list[str], list[str]]]:
    return os.walk(_path(top), topdown, onerror)


def walk_v1(top: Any, in_order: bool = True) -> Iterator[tuple[str, list[str], list[str]]]:
    return os.walk(_path(top), in_order)


def rename_v1(oldname: Any, newname: Any, overwrite: bool = False) -> None:
    rename(oldname, newname, overwrite)


def copy_v1(oldpath: Any, newpath: Any, overwrite: bool = False) -> None:
    copy(oldpath, newpath, overwrite)


# --- compat, resource_loader ---------------------------------------------------------------------------------------------------
def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    if isinstance(bytes_or_text, bytearray):
        return bytes(bytes_or_text)
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_text(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


as_str = as_text


def as_str_any(value: Any) -> str:
    return as_text(value) if isinstance(value, bytes) else str(value)


def path_to_str(path: Any) -> Any:
    return as_str_any(path.__fspath__()) if hasattr(path, "__fspath__") else path


def _caller_dir(depth: int = 2) -> str:
    return os.path.dirname(os.path.abspath(sys._getframe(depth).f_code.co_filename))


def get_data_files_path() -> str:
    return _caller_dir()


def get_path_to_datafile(path: str) -> str:
    return os.path.join(_caller_dir(), path)


def load_resource(path: str) -> bytes:
    with open(os.path.join(_caller_dir(), path), "rb") as f:
        return f.read()


def readahead_file_path(path: str, readahead: str = "128M") -> str:
    return path


def get_root_dir_with_all_resources() -> str:
    return _caller_dir()


complex_types = (_numbers.Complex,)
integral_types = (_numbers.Integral,)
real_types = (_numbers.Real,)
bytes_or_text_types = (bytes, str)


def forward_compatible(year: int, month: int, day: int) -> bool:
    """Whether graphs may use ops introduced up to a date: all of 1.15's are here."""
    return (year, month, day) <= (2019, 10, 1)


__tf_exports__ = {
    "app.run": "run",
    "app.flags": "@flags",
    **{f"flags.{n}": f"absl.flags:{n}" for n in (
        "FLAGS", "DEFINE", "DEFINE_string", "DEFINE_boolean", "DEFINE_bool", "DEFINE_integer", "DEFINE_float", "DEFINE_enum", "DEFINE_list",
        "DEFINE_multi_string", "DEFINE_multi_integer", "DEFINE_multi_float", "DEFINE_multi_enum", "DEFINE_spaceseplist", "DEFINE_flag", "DEFINE_alias",
        "DEFINE_enum_class", "DEFINE_multi", "Flag", "BooleanFlag", "EnumFlag", "EnumClassFlag", "MultiFlag", "MultiEnumClassFlag", "FlagHolder",
        "FlagValues", "ArgumentParser", "ArgumentSerializer", "BaseListParser", "BooleanParser", "CsvListSerializer", "EnumParser",
        "EnumClassParser", "FloatParser", "IntegerParser", "ListParser", "ListSerializer", "WhitespaceSeparatedListParser", "mark_flag_as_required",
        "mark_flags_as_required", "mark_flags_as_mutual_exclusive", "mark_bool_flags_as_mutual_exclusive", "register_validator",
        "register_multi_flags_validator", "validator", "multi_flags_validator", "adopt_module_key_flags", "declare_key_flag", "disclaim_key_flags",
        "get_help_width", "text_wrap", "flag_dict_to_args", "doc_to_help", "Error", "CantOpenFlagFileError",
        "DuplicateFlagError", "IllegalFlagValueError", "UnparsedFlagAccessError", "UnrecognizedFlagError", "ValidationError",
    )},
    **{f"logging.{n}": n for n in (
        "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "log", "debug", "info", "warning", "warn", "error", "fatal", "vlog", "get_verbosity",
        "set_verbosity", "flush", "TaskLevelStatusMessage", "log_every_n", "log_first_n", "log_if",
    )},
    "get_logger": "get_logger",
    "python.platform.tf_logging.get_logger": "get_logger",
    "gfile.GFile": "GFile", "gfile.FastGFile": "FastGFile", "gfile.Open": "Open", "gfile.Exists": "exists", "gfile.IsDirectory": "is_directory",
    "gfile.ListDirectory": "list_directory", "gfile.Glob": "glob", "gfile.MkDir": "mkdir", "gfile.MakeDirs": "makedirs", "gfile.Remove": "remove",
    "gfile.DeleteRecursively": "rmtree", "gfile.Rename": "rename_v1", "gfile.Copy": "copy_v1", "gfile.Stat": "stat", "gfile.Walk": "walk_v1",
    "io.gfile.GFile": "GFile", "io.gfile.exists": "exists", "io.gfile.isdir": "is_directory", "io.gfile.listdir": "list_directory",
    "io.gfile.glob": "glob", "io.gfile.mkdir": "mkdir", "io.gfile.makedirs": "makedirs", "io.gfile.remove": "remove", "io.gfile.rmtree": "rmtree",
    "io.gfile.rename": "rename", "io.gfile.copy": "copy", "io.gfile.stat": "stat", "io.gfile.walk": "walk",
    **{f"compat.{n}": n for n in (
        "as_bytes", "as_text", "as_str", "as_str_any", "path_to_str", "complex_types", "real_types", "bytes_or_text_types",
        "forward_compatible",
    )},
    "compat.integral_types": "integral_types",
    **{f"resource_loader.{n}": n for n in (
        "get_data_files_path", "get_path_to_datafile", "load_resource", "readahead_file_path", "get_root_dir_with_all_resources",
    )},
}  # fmt: skip
