"""API calls that are made here and in TensorFlow alike: the values, dtypes, static shapes and names of what they return must agree.

A module `cases_api_<family>.py` holds `CALLS`, a list of Python expressions. They see `tf`, `np` and the placeholders of `FEEDS`.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np

from . import golden
from .wire import np_dtype

tf: Any = None  # what `main` sees: each side gives its own
session: Any = None

_RNG = np.random.default_rng(3)
FEEDS: dict[str, tuple[Any, Any]] = {  # name: (value, static shape)
    "x": (_RNG.standard_normal((2, 3)).astype(np.float32), (2, 3)),
    "y": (_RNG.uniform(0.5, 2, (2, 3)).astype(np.float32), (2, 3)),
    "u": (_RNG.standard_normal((2, 3)).astype(np.float32), None),
    "p": (_RNG.standard_normal((2, 3)).astype(np.float32), (None, 3)),
    "d": (_RNG.standard_normal((2, 3)), (2, 3)),
    "t": (_RNG.standard_normal((2, 3, 4)).astype(np.float32), (2, 3, 4)),
    "m": ((lambda a: (a @ a.T + 3 * np.eye(3)).astype(np.float32))(_RNG.standard_normal((3, 3))), (3, 3)),
    "i": (np.array([[3, -2, 7], [1, 0, 5]], np.int32), (2, 3)),
    "l": (np.array([[3, -2, 7], [1, 0, 5]], np.int64), (2, 3)),
    "b": (np.array([[True, False, True], [False, False, True]]), (2, 3)),
    "c": ((_RNG.standard_normal((2, 3)) + 1j * _RNG.standard_normal((2, 3))).astype(np.complex64), (2, 3)),
    "ids": (np.array([0, 0, 2], np.int32), (3,)),
    "s": (np.float32(2.5), ()),
}


def main(expressions: list[str], feeds: dict[str, Any], shapes: dict[str, Any]) -> list[Any]:
    """Runs here and in the oracle: evaluates the expressions, each in a graph of its own; one answer or error per expression."""
    answers: list[Any] = []
    for expression in expressions:
        graph = tf.Graph()
        try:
            with graph.as_default():
                space = {k: tf.placeholder(v.dtype.name, shapes[k], name=k) for k, v in feeds.items()}
                given = {space[k]: v for k, v in feeds.items()}
                result = eval(expression, {"tf": tf, "np": np, **space})
                flat = list(result) if isinstance(result, (list, tuple)) else [result]
                tensors = [t if hasattr(t, "value_index") else None for t in flat]
            with session(graph) as sess:
                fetched = sess.run(
                    [
                        t if t is not None else (r if hasattr(r, "outputs") else tf.no_op())
                        for t, r in zip(tensors, flat)
                    ],
                    given,
                )
            answers.append(
                {
                    "names": [str(getattr(r, "name", repr(r))) for r in flat],
                    "shapes": [
                        None
                        if t is None or t.shape.ndims is None
                        else [None if n is None else int(n) for n in t.shape.as_list()]
                        for t in tensors
                    ],
                    "values": [
                        None if t is None else np.array(v, object) if isinstance(v, bytes) else np.asarray(v)
                        for t, v in zip(tensors, fetched)
                    ],
                }
            )
        except Exception as e:
            answers.append({"error": type(e).__name__, "message": str(e)[:300]})
    return answers


def call_here(expressions: list[str]) -> list[Any]:
    import hornbeam

    space = {"tf": hornbeam, "np": np, "session": lambda graph: hornbeam.Session(graph=graph)}
    exec(inspect.getsource(main), {**globals(), **space}, space)
    return space["main"](expressions, {k: v for k, (v, _) in FEEDS.items()}, {k: s for k, (_, s) in FEEDS.items()})  # type: ignore[no-any-return,operator]


def call_oracle(expressions: list[str]) -> list[Any]:
    from .compare import oracle

    source = "from __future__ import annotations\nfrom typing import Any\n" + inspect.getsource(main)
    return oracle().call(  # type: ignore[no-any-return]
        source,
        expressions=expressions,
        feeds={k: v for k, (v, _) in FEEDS.items()},
        shapes={k: s for k, (_, s) in FEEDS.items()},
    )


def families() -> list[str]:
    return sorted(p.stem.removeprefix("cases_api_") for p in Path(__file__).parent.glob("cases_api_*.py"))


def load(family: str) -> tuple[list[str], set[str]]:
    """The expressions, and those of them whose names TensorFlow 2.15 changed since 1.15 (`OTHER_NAMES`)."""
    module = importlib.import_module(f"{__package__}.cases_api_{family}")
    return module.CALLS, set(getattr(module, "OTHER_NAMES", ()))


def save(family: str, answers: dict[str, Any]) -> int:
    """Writes `tests/golden/ops/api_<family>.npz`."""
    data = bytearray()

    def put(v: Any) -> Any:
        if v is None:
            return None
        if v.dtype.kind in "OSU":
            return ["strings", list(v.shape), [bytes(x).hex() for x in v.reshape(-1)]]
        data.extend(np.ascontiguousarray(v).tobytes())
        return [v.dtype.name, list(v.shape), len(data) - v.nbytes]

    manifest = {e: {**a, "values": [put(v) for v in a["values"]]} if "values" in a else a for e, a in answers.items()}
    path = golden.FOLDER / f"api_{family}.npz"
    text = np.frombuffer(json.dumps(manifest, separators=(",", ":")).encode(), np.uint8)
    np.savez_compressed(path, manifest=text, data=np.frombuffer(bytes(data), np.uint8))
    return path.stat().st_size


def saved(family: str) -> dict[str, Any]:
    with np.load(golden.FOLDER / f"api_{family}.npz") as file:
        manifest, data = json.loads(file["manifest"].tobytes()), file["data"].tobytes()

    def get(v: Any) -> Any:
        if v is None:
            return None
        if v[0] == "strings":
            out = np.empty(len(v[2]), object)
            out[:] = [bytes.fromhex(x) for x in v[2]]
            return out.reshape(v[1])
        return np.frombuffer(data, np_dtype(v[0]), int(np.prod(v[1], dtype=np.int64)), v[2]).reshape(v[1])

    return {e: {**a, "values": [get(v) for v in a["values"]]} if "values" in a else a for e, a in manifest.items()}
