"""Python functions of elements as library functions of the graph, with the tensors they capture; datasets copied into functions by value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hornbeam.api.data import structure as st
from hornbeam.core import dtypes
from hornbeam.core.function import FuncGraph, Function, unique_function_name
from hornbeam.core.functional import make_function
from hornbeam.core.graph import Graph, Operation, Tensor, get_default_graph
from hornbeam.core.registry import raw


class DatasetFunction:
    """`func` traced on arguments of `input_structure`. `function` and `captured` are what a dataset node takes, `structure` what it gives."""

    def __init__(
        self,
        func: Callable[..., Any],
        transformation: str,
        input_structure: Any,
        *,
        convert: Callable[[Any], Any] | None = None,
    ) -> None:
        label = re.sub(r"\W", "", getattr(func, "__name__", None) or type(func).__name__)
        outer = get_default_graph()
        graph = FuncGraph(
            unique_function_name(outer, f"{transformation.replace('.', '_').rstrip('()')}_{label}"), outer
        )
        types, shapes = st.components(input_structure)
        with graph.as_default():
            args = [graph.add_argument(t, s, f"args_{i}") for i, (t, s) in enumerate(zip(types, shapes, strict=True))]
            nested = st.from_components(input_structure, args)
            if func is _identity_dataset:
                value = nested
            else:
                value = func(*nested) if type(nested) is tuple else func(nested)
            if isinstance(value, list):
                value = tuple(value)
            if convert is not None:
                value = convert(value)
            try:
                value = st.normalize(value, scope=None)
            except (TypeError, ValueError) as e:
                raise TypeError(
                    f"Unsupported return value from function passed to {transformation}: {value!r}. It must be a nested structure of tensors, "
                    f"sparse tensors or datasets. ({e})"
                ) from e
            self.structure = st.structure_of(value)
            outputs = []
            for leaf in st.flatten(value):
                t = st.to_component(leaf)
                t = t if t.graph is graph else graph.capture(t)
                outputs.append(
                    raw.Identity(t) if t.op.type == "Placeholder" or t.dtype._is_ref_dtype or t in outputs else t
                )
            graph.outputs = outputs
        self.function = make_function(graph.name, graph, graph.inputs, graph.outputs)
        self.function.control_outputs = [o for o in graph.get_operations() if _has_effect(o)]
        self.captured = graph.external_captures


def _identity_dataset(x: Any) -> Any:
    return x


def _has_effect(op: Operation) -> bool:
    """Runs though nothing uses its result (assignments, prints, assertions); random draws and datasets do not."""
    if not op.spec.stateful or "seed2" in op._attrs or op.type in ("Placeholder", "PyFunc", "EagerPyFunc"):
        return False
    return not any(t.dtype.base_dtype in (dtypes.variant, dtypes.resource) for t in op.outputs)


def by_value(variant: Tensor) -> Function:
    """A function without arguments that makes the dataset: its nodes are copied. ValueError for placeholders and stateful nodes."""
    from hornbeam.runtime.refs import reachable

    outer: Graph = variant.graph
    graph = FuncGraph(unique_function_name(outer, "_make_dataset"), outer)
    copies: dict[Tensor, Tensor] = {}
    ops: dict[Operation, Operation] = {}
    with graph.as_default():
        for op in reachable([variant.op], set()):
            if op.type in ("Placeholder", "PlaceholderV2"):
                raise ValueError(f"Cannot capture a placeholder (name:{op.name}, type:{op.type}) by value.")
            if (
                op.spec.stateful
                and not any(t.dtype.base_dtype is dtypes.variant for t in op.outputs)
                and "seed2" not in op._attrs
            ):
                raise ValueError(f"Cannot capture a stateful node (name:{op.name}, type:{op.type}) by value.")
            new = graph.add_node(
                op.spec, op.name, [copies[t] for t in op.inputs], dict(op._attrs), [ops[c] for c in op._control_inputs if c in ops], op._device,
                infer_shapes=False,
            )  # fmt: skip
            for a, b in zip(op.outputs, new.outputs, strict=True):
                b._shape = a._shape
                copies[a] = b
            ops[op] = new
        graph.outputs = [copies[variant]]
    return make_function(graph.name, graph, [], graph.outputs)
