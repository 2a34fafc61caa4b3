"""`hornbeam run`: runs a program as plain `python` would (argv, path, `__main__`, traceback, exit code), `tensorflow` being Hornbeam."""

from __future__ import annotations

import builtins
import io
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any, NoReturn

USAGE = """Usage: hornbeam run [--no-legacy] [-m MODULE | SCRIPT | -] [ARGS]...

Runs a TensorFlow 1 program as python would, with `tensorflow` served by Hornbeam.

  -m MODULE     run a module, as python -m does
  -             read the program from standard input
  --no-legacy   do not restore names that NumPy, SciPy and the standard library removed
  --help        show this message"""

_kept: list[Any] = []  # the former __main__: its globals must outlive the program


def main(args: Sequence[str]) -> NoReturn:
    """Runs what `args` ask for in this process, and exits as the program does."""
    rest = list(args)
    legacy = True
    module = False
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--no-legacy":
            legacy = False
        elif option in ("-h", "--help"):
            print(USAGE)
            sys.exit(0)
        elif option == "-m":
            module = True
            break
        elif option.startswith("-m") and not option.startswith("--"):
            rest.insert(0, option[2:])
            module = True
            break
        else:
            _usage(f"unknown option {option}; options of the program come after its name")
    if not rest:
        _usage("which program? give a script, -m MODULE, or - for standard input")

    from hornbeam import compat

    compat.install(legacy)
    if module:
        code, main_module = _module(rest)
    elif rest[0] == "-":
        code, main_module = _stdin(rest)
    else:
        code, main_module = _script(rest)
    _execute(code, main_module)


def _usage(problem: str) -> NoReturn:
    print(f"hornbeam run: {problem}\n{USAGE.splitlines()[0]}", file=sys.stderr)
    sys.exit(2)


Code = Callable[[], CodeType]


def _script(argv: list[str]) -> tuple[Code, ModuleType]:
    path = argv[0]
    sys.argv = argv
    if os.path.isdir(path) or _is_archive(path):
        _set_path0(os.path.abspath(path))
        _, spec, code = runpy._get_main_module_details()  # type: ignore[attr-defined]
        main = _new_main(code.co_filename, spec.loader, spec)
        main.__package__ = ""
        main.__dict__["__cached__"] = spec.cached
        return lambda: code, main
    full = os.path.join(os.getcwd(), path)  # not normalised: python leaves it so too
    try:
        with io.open_code(full) as f:
            source = f.read()
    except OSError as e:
        print(f"hornbeam: can't open file {full!r}: [Errno {e.errno}] {e.strerror}", file=sys.stderr)
        sys.exit(2)
    _set_path0(os.path.dirname(os.path.realpath(path)))
    main = _new_main(full, SourceFileLoader("__main__", full), None)
    return lambda: compile(source, full, "exec", dont_inherit=True), main


def _is_archive(path: str) -> bool:
    """Whether the import system takes the file for a place to import from (a zip with a `__main__.py`)."""
    import pkgutil

    return os.path.isfile(path) and pkgutil.get_importer(path) is not None


def _stdin(argv: list[str]) -> tuple[Code, ModuleType]:
    sys.argv = argv
    _set_path0("")
    source = sys.stdin.buffer.read()
    main = _new_main("<stdin>", None, None)
    return lambda: compile(source, "<stdin>", "exec", dont_inherit=True), main


def _module(argv: list[str]) -> tuple[Code, ModuleType]:
    sys.argv = ["-m", *argv[1:]]
    _set_path0(os.getcwd())
    try:
        _, spec, code = runpy._get_module_details(argv[0])  # type: ignore[attr-defined]
    except runpy._Error as e:  # type: ignore[attr-defined]
        print(f"hornbeam: {e}", file=sys.stderr)
        sys.exit(1)
    sys.argv[0] = spec.origin
    main = _new_main(spec.origin, spec.loader, spec)
    main.__package__ = spec.parent
    main.__dict__["__cached__"] = spec.cached
    return lambda: code, main


def _set_path0(entry: str) -> None:
    """Puts the program's directory where `python` puts it; our own launcher's entry goes."""
    if sys.flags.safe_path:
        return
    launcher = os.path.dirname(os.path.abspath(sys.orig_argv[1])) if len(sys.orig_argv) > 1 else None
    if sys.path and sys.path[0] in ("", os.getcwd(), launcher, os.path.dirname(sys.executable)):
        sys.path[0] = entry
    else:
        sys.path.insert(0, entry)


def _new_main(file: str, loader: Any, spec: Any) -> ModuleType:
    """A fresh `__main__`, in sys.modules, with the attributes `python` gives it."""
    main = ModuleType("__main__")
    _kept.append(sys.modules.get("__main__"))
    main.__dict__.update(__builtins__=builtins, __spec__=spec, __loader__=loader)
    if loader is None:
        import _frozen_importlib

        main.__loader__ = _frozen_importlib.BuiltinImporter
    main.__file__ = file
    if spec is None:
        main.__dict__["__cached__"] = None
    main.__dict__["__annotations__"] = {}
    sys.modules["__main__"] = main
    return main


def _execute(code: Code, main: ModuleType) -> NoReturn:
    """Runs the program. An uncaught exception is reported without our frames, then ends the process as it would under python."""
    try:
        exec(code(), main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        report = sys.excepthook
        try:
            error.__traceback__ = _without_ours(error.__traceback__)
            report(type(error), error, error.__traceback__)
        finally:
            sys.excepthook = lambda *_: (
                None
            )  # reported already; what python then does (exit 1, or die of SIGINT) stays its own
        raise
    sys.exit(0)


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback
