"""`tf.Print` and `tf.print`: showing tensors while a graph runs."""

from __future__ import annotations

import pprint
import sys
from typing import Any

from hornbeam.api._composite import is_sparse
from hornbeam.core.graph import Operation, Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw


def Print(
    input_: Any,
    data: Any,
    message: str | None = None,
    first_n: int | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`input_` passed on; when it is computed, `message` and the first `summarize` elements of each of `data` go to stderr.

    Only the first `first_n` times, if given.
    """
    return raw.Print(  # type: ignore[no-any-return]
        input_, list(data), message=message or "", first_n=-1 if first_n is None else first_n, summarize=3 if summarize is None else summarize,
        name=name,
    )  # fmt: skip


class _Hole:
    """A tensor within a printed structure."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def print_v2(*inputs: Any, **kwargs: Any) -> Operation:
    """An operation that prints `inputs` (strings, tensors, structures of them) when it runs.

    Keywords as TensorFlow's: output_stream (sys.stderr, sys.stdout, a logging function or "file://path"), summarize=3, sep=" ",
    end="\\n", name.
    """
    stream = kwargs.pop("output_stream", sys.stderr)
    summarize = kwargs.pop("summarize", 3)
    sep = kwargs.pop("sep", " ")
    end = kwargs.pop("end", "\n")
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {kwargs}")
    with name_scope(name, "print"):
        tensors: list[Tensor] = []
        placeholder = "{}"
        while any(isinstance(x, str) and placeholder in x for x in inputs):
            placeholder += "_"
        parts = []
        for x in inputs:
            if isinstance(x, str):
                parts.append(x)
            else:
                parts.append(pprint.pformat(_with_holes(x, placeholder, tensors)))
        text = raw.StringFormat(
            tensors,
            template=sep.join(parts),
            placeholder=placeholder,
            summarize=-1 if summarize is None else int(summarize),
        )
        return raw.PrintV2(text, output_stream=_stream_name(stream), end=end)  # type: ignore[no-any-return]


def _with_holes(x: Any, placeholder: str, tensors: list[Tensor]) -> Any:
    if is_sparse(x):
        tensors += [x.indices, x.values, x.dense_shape]
        return f"SparseTensor(indices={placeholder}, values={placeholder}, shape={placeholder})"
    if isinstance(x, Tensor) or hasattr(x, "_dense_var_to_tensor"):
        tensors.append(convert_to_tensor(x))
        return _Hole(placeholder)
    if isinstance(x, dict):
        return {k: _with_holes(x[k], placeholder, tensors) for k in sorted(x, key=str)}
    if hasattr(x, "_fields"):
        return type(x)(*(_with_holes(v, placeholder, tensors) for v in x))
    if isinstance(x, (list, tuple)):
        return type(x)(_with_holes(v, placeholder, tensors) for v in x)
    return x


def _stream_name(stream: Any) -> str:
    if stream is sys.stdout or stream == "sys.stdout":
        return "stdout"
    if stream is sys.stderr or stream == "sys.stderr":
        return "stderr"
    if isinstance(stream, str) and stream.startswith("file://"):
        return stream
    level = getattr(stream, "__name__", "")
    if level in ("info", "warning", "error", "warn"):
        return f"log({'warning' if level == 'warn' else level})"
    if getattr(stream, "name", None) in ("<stdout>", "<stderr>"):  # a notebook's or a test's replacement
        return str(stream.name).strip("<>")
    raise ValueError(
        f"Unsupported output stream, logging level, or file: {stream!r}. Use sys.stdout, sys.stderr, tf.logging.info or 'file://path'."
    )


__tf_exports__ = {"Print": "Print", "print": "print_v2"}
