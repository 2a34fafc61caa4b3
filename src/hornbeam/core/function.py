"""Functions: a graph with arguments and results, as `FunctionDef` stores it; the bodies of If, While and calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hornbeam.core.dtypes import DType
from hornbeam.core.graph import Graph, Operation, Tensor, convert_to_tensor, get_default_graph
from hornbeam.core.tensor_shape import Shape


class FuncGraph(Graph):
    """The graph of a function being built. Tensors of outer graphs that it uses become captured arguments."""

    building_function = True

    def __init__(self, name: str, outer_graph: Graph | None = None) -> None:
        super().__init__()
        self.name = name
        self.outer_graph = outer_graph if outer_graph is not None else get_default_graph()
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.captures: dict[Tensor, Tensor] = {}  # outer tensor → its argument here
        self.outer_control_inputs: list[Operation] = []
        # variables, losses, summaries made inside belong to the program, not to the function
        self._collections = self.outer_graph._collections
        self._seed = self.outer_graph._seed
        self._gradient_override_map = self.outer_graph._gradient_override_map
        self._device_stack = list(self.outer_graph._device_stack)
        self._producer = self.outer_graph._producer

    def add_argument(self, dtype: DType, shape: Shape = None, name: str = "arg") -> Tensor:
        """A new positional argument; captured ones come after."""
        from hornbeam.core.registry import get

        op = self.add_node(
            get("Placeholder"),
            self.unique_name(name),
            [],
            {"dtype": dtype, "shape": shape},
            control_inputs=[],
            infer_shapes=False,
        )
        t = op.outputs[0]
        t._dtype = dtype
        t._shape = shape
        self.inputs.append(t)
        return t

    def capture(self, tensor: Tensor) -> Tensor:
        """The argument that stands for an outer tensor; small constants are copied in, so that shapes stay known
        (not floating ones: they may be differentiated)."""
        if tensor.op.graph is self:
            return tensor
        known = self.captures.get(tensor)
        if known is not None:
            return known
        outer = self.outer_graph
        assert outer is not None
        if tensor.op.graph is not outer and outer.building_function:
            outer_tensor = outer.capture(tensor)  # type: ignore[attr-defined]
        else:
            outer_tensor = tensor
            _check_reachable(tensor, self)
        if tensor.op.type == "Const" and _small(tensor) and not (tensor.dtype.is_floating or tensor.dtype.is_complex):
            with self.control_dependencies(None):
                from hornbeam.core.constant import const_node

                old, self._name_stack = self._name_stack, ""
                inner = const_node(tensor.op._attrs["value"], tensor.dtype, tensor.op.name.split("/")[-1], graph=self)
                self._name_stack = old
            self.captures[tensor] = inner
            return inner
        old, self._name_stack = self._name_stack, ""
        inner = self.add_argument(tensor.dtype, tensor._shape, tensor.op.name.split("/")[-1])
        self._name_stack = old
        inner._extra = handle_extra(tensor)
        self.captures[tensor] = inner
        if outer_tensor is not tensor:
            self.captures[outer_tensor] = inner
        self._external.append((outer_tensor, inner))
        return inner

    @property
    def _external(self) -> list[tuple[Tensor, Tensor]]:
        """(outer tensor, argument) per capture that is really passed, in argument order."""
        return self._extra.setdefault("external", [])  # type: ignore[no-any-return]

    @property
    def external_captures(self) -> list[Tensor]:
        return [outer for outer, _ in self._external]

    @property
    def internal_captures(self) -> list[Tensor]:
        return [inner for _, inner in self._external]

    def _outer_control_input(self, op: Operation) -> None:
        if op not in self.outer_control_inputs:
            self.outer_control_inputs.append(op)


def handle_extra(tensor: Tensor) -> dict[str, Any] | None:
    """What is known of a tensor beyond dtype and shape; of a variable's handle its shape and dtype."""
    if tensor.op.type == "VarHandleOp":
        return {
            "handle_shape": tensor.op._attrs["shape"],
            "handle_dtype": tensor.op._attrs["dtype"],
            **(tensor._extra or {}),
        }
    return tensor._extra


def _small(tensor: Tensor) -> bool:
    return tensor.op._attrs["value"].size <= 1024


def _check_reachable(tensor: Tensor, graph: FuncGraph) -> None:
    g: Graph | None = graph.outer_graph
    while g is not None:
        if tensor.op.graph is g:
            return
        g = g.outer_graph
    raise ValueError(f"Tensor {tensor.name!r} is not in the graph of function {graph.name!r} nor in one around it.")


class Function:
    """A finished function: name, graph, and its argument and result tensors (captures included among the arguments)."""

    __slots__ = ("name", "graph", "inputs", "outputs", "attrs", "control_outputs", "gradient_name", "python_gradient", "cache", "arg_names",
                 "output_names")  # fmt: skip

    def __init__(
        self,
        name: str,
        graph: Graph,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        control_outputs: Sequence[Operation] = (),
        attrs: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.graph = graph
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.control_outputs = list(control_outputs)
        self.attrs = attrs or {}
        self.gradient_name: str | None = None
        self.python_gradient: Callable[..., Any] | None = None
        self.cache: dict[Any, Any] = {}
        self.arg_names: list[str] | None = None
        self.output_names: list[str] | None = None

    @property
    def input_types(self) -> list[DType]:
        return [t.dtype.base_dtype for t in self.inputs]

    @property
    def output_types(self) -> list[DType]:
        return [t.dtype.base_dtype for t in self.outputs]

    @property
    def output_shapes(self) -> list[Shape]:
        return [t._shape for t in self.outputs]

    def to_function_def(self) -> Any:
        from hornbeam.core.node_def import function_to_function_def

        return function_to_function_def(self)

    def __repr__(self) -> str:
        return f"<Function {self.name}: {len(self.inputs)} → {len(self.outputs)}>"


def build_function(
    name: str,
    fn: Callable[..., Any],
    arg_types: Sequence[DType],
    arg_shapes: Sequence[Shape] | None = None,
    arg_names: Sequence[str] | None = None,
    graph: FuncGraph | None = None,
) -> FuncGraph:
    """Runs `fn` on new arguments inside a FuncGraph; its results (a flat sequence of tensors) become `graph.outputs`."""
    graph = graph or FuncGraph(name)
    with graph.as_default():
        args = [
            graph.add_argument(
                t, None if arg_shapes is None else arg_shapes[i], arg_names[i] if arg_names else f"arg{i}"
            )
            for i, t in enumerate(arg_types)
        ]
        results = fn(*args)
        if results is None:
            results = []
        if not isinstance(results, (list, tuple)):
            results = [results]
        graph.outputs = [convert_to_tensor(r) for r in results]
        graph.outputs = [t if t.graph is graph else graph.capture(t) for t in graph.outputs]
    return graph


def unique_function_name(graph: Graph, base: str) -> str:
    """A name that no function of the outermost library has yet."""
    while graph.outer_graph is not None:
        graph = graph.outer_graph
    n = graph._extra.get("function_counter", 0)
    while True:
        name = f"{base}_{n}"
        n += 1
        if name not in graph._functions:
            graph._extra["function_counter"] = n
            return name
