"""What Python's standard library removed between 3.5 and now, under its old names."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

from hornbeam.compat import hooks
from hornbeam.compat.legacy import Lazy, add_method, note, restore_in, supply

ABCS = (
    "Awaitable Coroutine AsyncIterable AsyncIterator AsyncGenerator Hashable Iterable Iterator Generator Reversible Sized "
    "Container Callable Collection Set MutableSet Mapping MutableMapping MappingView KeysView ItemsView ValuesView Sequence "
    "MutableSequence ByteString"
).split()


def _getargspec(func: Any) -> Any:
    import collections
    import inspect

    ArgSpec: Any = collections.namedtuple("ArgSpec", "args varargs keywords defaults")

    spec = inspect.getfullargspec(func)
    if spec.kwonlyargs:  # annotations, which Python refused here too, are no reason: TensorFlow 1 had none, our API has
        raise ValueError("Function has keyword-only parameters, use inspect.signature() API which can support them")
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def _coroutine(func: Any) -> Any:
    """`@asyncio.coroutine`: a generator function becomes awaitable; another one gets a coroutine around its result."""
    import functools
    import inspect
    import types

    if inspect.iscoroutinefunction(func):
        return func
    if inspect.isgeneratorfunction(func):
        return types.coroutine(func)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result: Any = func(*args, **kwargs)
        if inspect.isawaitable(result) or inspect.isgenerator(result):
            result = yield from result
        return result

    return types.coroutine(wrapper)


def _escape(s: str, quote: bool = False) -> str:
    import html

    return html.escape(s, quote=quote)


def _find_executable(executable: str, path: str | None = None) -> str | None:
    import shutil

    return shutil.which(executable, path=path)


def _strtobool(value: str) -> int:
    if value.lower() in ("y", "yes", "t", "true", "on", "1"):
        return 1
    if value.lower() in ("n", "no", "f", "false", "off", "0"):
        return 0
    raise ValueError(f"invalid truth value {value!r}")


NAMES: dict[str, dict[str, Any]] = {
    "collections": {name: Lazy(f"collections.abc:{name}") for name in ABCS},
    "inspect": {"getargspec": _getargspec, "getmoduleinfo": lambda path: None},
    "time": {"clock": Lazy("time:perf_counter")},
    "fractions": {"gcd": Lazy("math:gcd")},
    "asyncio": {"coroutine": _coroutine},
    "cgi": {"escape": _escape},
    "base64": {"encodestring": Lazy("base64:encodebytes"), "decodestring": Lazy("base64:decodebytes")},
    "sys": {"setcheckinterval": lambda n: None, "getcheckinterval": lambda: 100},
    "platform": {
        "linux_distribution": lambda *a, **k: ("", "", ""),
        "dist": lambda *a, **k: ("", "", ""),
        "popen": Lazy("os:popen"),
    },
    "os": {"errno": Lazy("errno:"), "getcwdu": Lazy("os:getcwd")},
    "gettext": {"lgettext": Lazy("gettext:gettext")},
    "locale": {"format": Lazy("locale:format_string")},
    "typing": {"io": Lazy(lambda: sys.modules["typing"])},
    "html.parser": {"HTMLParseError": ValueError},
}

ASSERTIONS = {
    "assertEquals": "assertEqual", "assertNotEquals": "assertNotEqual", "assert_": "assertTrue", "failUnless": "assertTrue",
    "failIf": "assertFalse", "failUnlessEqual": "assertEqual", "failUnlessRaises": "assertRaises",
    "assertAlmostEquals": "assertAlmostEqual", "assertNotAlmostEquals": "assertNotAlmostEqual",
    "assertRegexpMatches": "assertRegex", "assertNotRegexpMatches": "assertNotRegex", "assertRaisesRegexp": "assertRaisesRegex",
    "assertItemsEqual": "assertCountEqual",
}  # fmt: skip


def _imp() -> dict[str, Any]:
    """The functions of `imp` that programs use, by importlib."""
    import importlib
    import types

    def load_source(name: str, pathname: str, file: Any = None) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, pathname)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load {name!r} from {pathname!r}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def find_module(name: str, path: Any = None) -> Any:
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.origin is None:
            raise ImportError(f"No module named {name!r}", name=name)
        if spec.submodule_search_locations:
            return None, list(spec.submodule_search_locations)[0], ("", "", 5)
        return open(spec.origin, encoding="utf-8"), spec.origin, (".py", "r", 1)

    def load_module(name: str, file: Any, filename: str, details: Any) -> ModuleType:
        if details[2] == 5:
            filename = f"{filename}/__init__.py"
        return load_source(name, filename)

    return {
        "load_source": load_source,
        "find_module": find_module,
        "load_module": load_module,
        "reload": importlib.reload,
        "new_module": types.ModuleType,
        "is_builtin": lambda name: int(name in sys.builtin_module_names),
        "acquire_lock": lambda: None,
        "release_lock": lambda: None,
        "lock_held": lambda: False,
        "get_suffixes": lambda: [(".py", "r", 1), (".pyc", "rb", 2)],
        "PY_SOURCE": 1,
        "PY_COMPILED": 2,
        "C_EXTENSION": 3,
        "PKG_DIRECTORY": 5,
        "C_BUILTIN": 6,
    }


def _version() -> dict[str, Any]:
    """`distutils.version`, for comparisons such as LooseVersion(tf.__version__) >= LooseVersion('1.4')."""
    import functools
    import re

    @functools.total_ordering
    class LooseVersion:
        def __init__(self, vstring: str | None = None) -> None:
            if vstring:
                self.parse(vstring)

        def parse(self, vstring: str) -> None:
            self.vstring = vstring
            parts = [p for p in re.split(r"(\d+ | [a-z]+ | \.)", vstring, flags=re.VERBOSE) if p and p != "."]
            self.version: list[int | str] = [int(p) if p.isdigit() else p for p in parts]

        def __eq__(self, other: object) -> bool:
            return self.version == self._of(other)

        def __lt__(self, other: object) -> bool:
            return self.version < self._of(other)  # type: ignore[operator]

        def _of(self, other: object) -> list[int | str]:
            return (LooseVersion(other) if isinstance(other, str) else other).version  # type: ignore[attr-defined,no-any-return]

        def __hash__(self) -> int:
            return hash(tuple(self.version))

        def __str__(self) -> str:
            return self.vstring

        def __repr__(self) -> str:
            return f"LooseVersion ('{self}')"

    return {"LooseVersion": LooseVersion, "StrictVersion": LooseVersion, "Version": LooseVersion}


MODULES: dict[str, Any] = {  # whole modules that newer Pythons dropped; one that is still there is never shadowed
    "imp": _imp,
    "xml.etree.cElementTree": lambda: vars(importlib.import_module("xml.etree.ElementTree")),
    "pipes": {"quote": Lazy("shlex:quote")},
    "cgi": {"escape": _escape, "parse_qs": Lazy("urllib.parse:parse_qs"), "parse_qsl": Lazy("urllib.parse:parse_qsl")},
    "distutils": {},
    "distutils.version": _version,
    "distutils.util": {"strtobool": _strtobool},
    "distutils.spawn": {"find_executable": _find_executable},
    "distutils.dir_util": {
        "mkpath": lambda name, mode=0o777, **k: __import__("os").makedirs(name, mode, exist_ok=True),
        "remove_tree": lambda directory, **k: __import__("shutil").rmtree(directory),
        "copy_tree": lambda src, dst, **k: __import__("shutil").copytree(src, dst, dirs_exist_ok=True),
    },
}


def _html_parser(module: Any) -> None:
    import html

    add_method(module.HTMLParser, "unescape", lambda self, s: html.unescape(s))


def _threading(module: Any) -> None:
    add_method(module.Thread, "isAlive", lambda self: self.is_alive())


def _unittest(module: Any) -> None:
    for old, new in ASSERTIONS.items():
        add_method(module.TestCase, old, lambda self, *args, new=new, **kwargs: getattr(self, new)(*args, **kwargs))


def _random(module: Any) -> None:
    """`random.sample` took sets until 3.11, and `random.shuffle` a function of random numbers."""
    sample, shuffle = module.sample, module.shuffle

    def sample_(population: Any, k: int, **kwargs: Any) -> Any:
        if isinstance(population, (set, frozenset)):
            note("random.sample of a set")
            population = tuple(population)
        return sample(population, k, **kwargs)

    def shuffle_(x: Any, random: Any = None) -> None:
        if random is None:
            return shuffle(x)
        note("random.shuffle's second argument")
        for i in reversed(range(1, len(x))):
            j = int(random() * (i + 1))
            x[i], x[j] = x[j], x[i]
        return None

    module.sample, module.shuffle = sample_, shuffle_


def _yaml(module: Any) -> None:
    """`yaml.load(stream)` had a default loader until PyYAML 6; the one that cannot run code stands in for it."""
    load = module.load

    def load_(stream: Any, Loader: Any = None) -> Any:
        if Loader is None:
            note("yaml.load without a Loader")
            Loader = module.FullLoader
        return load(stream, Loader)

    module.load = load_


def install() -> None:
    """Hooks on the standard library (and PyYAML)."""
    for module, names in NAMES.items():
        restore_in(module, names)
    for module, names in MODULES.items():
        supply(module, names)
    hooks.after_import("html.parser", _html_parser)
    hooks.after_import("threading", _threading)
    hooks.after_import("unittest", _unittest)
    hooks.after_import("random", _random)
    hooks.after_import("yaml", _yaml)
