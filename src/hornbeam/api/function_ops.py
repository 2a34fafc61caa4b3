"""`tf.py_func` and its kin (Python inside a graph), `tf.function` and `Defun` (graphs as functions)."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbeam.api import _composite, nest
from hornbeam.core import dtypes
from hornbeam.core.function import FuncGraph, Function, unique_function_name
from hornbeam.core.functional import add_call, is_stateful, root_of
from hornbeam.core.graph import Operation, Tensor, convert_to_tensor, get_default_graph, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import to_tuple
from hornbeam.ops.control_flow import PYTHON_FUNCTIONS

_serial = itertools.count()


# --- Python functions as nodes ----------------------------------------------------------------------------------------------
def py_func(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """`func` as a node: called with NumPy arrays (scalars as NumPy scalars, strings as bytes), it returns arrays of dtypes `Tout`.

    One dtype gives one tensor, a list of dtypes a list. The graph runs only in this process. Exceptions come out of `run`.
    """
    return _python_node("PyFunc" if stateful else "PyFuncStateless", func, inp, Tout, name)


def numpy_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None) -> Any:
    """`py_func` that may have side effects."""
    return _python_node("PyFunc", func, inp, Tout, name)


class _ArrayWithNumpy(np.ndarray):
    """What `py_function` hands to Python: an array that also answers `.numpy()`."""

    def numpy(self) -> Any:
        return np.asarray(self)[()]


def py_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None) -> Any:
    """`py_func` whose arguments have `.numpy()`. It passes no gradient."""

    def call(*args: Any) -> Any:
        result = func(*(np.asarray(a).view(_ArrayWithNumpy) if not isinstance(a, bytes) else a for a in args))
        return (
            [_plain(r, t) for r, t in zip(result, Tout, strict=True)]
            if isinstance(Tout, (list, tuple))
            else _plain(result, Tout)
        )

    return _python_node("EagerPyFunc", call, inp, Tout, name)


def _plain(value: Any, dtype: Any) -> Any:
    t = dtypes.as_dtype(dtype)
    return value if t is dtypes.string else np.asarray(value).astype(t.np)


def _python_node(op_type: str, func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None) -> Any:
    if not callable(func):
        raise ValueError(f"Expected func to be callable, got func of type {type(func)}")
    token = f"pyfunc_{next(_serial)}".encode()
    PYTHON_FUNCTIONS[token] = func
    single = not isinstance(Tout, (list, tuple))
    types = [dtypes.as_dtype(t) for t in ([Tout] if single else Tout)]
    graph = root_of(get_default_graph())
    graph._extra.setdefault("python functions", []).append(func)
    result = getattr(raw, op_type)(list(inp), token=token, Tout=types, name=name)
    if isinstance(result, Operation):
        return result
    return result[0] if single else result


# --- tf.function ---------------------------------------------------------------------------------------------------------------
class PolymorphicFunction:
    """What `tf.function` returns: traces the Python function once per signature and adds a call to the default graph."""

    def __init__(
        self, python_function: Callable[..., Any], input_signature: Any = None, name: str | None = None
    ) -> None:
        self.python_function = python_function
        self._signature = input_signature
        self._name = name or getattr(python_function, "__name__", "function").strip("<>")
        self._traces: dict[Any, _Trace] = {}
        self._bound: dict[int, PolymorphicFunction] = {}
        functools.update_wrapper(self, python_function)

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        bound = self._bound.get(id(instance))
        if bound is None:
            bound = self._bound[id(instance)] = PolymorphicFunction(
                self.python_function.__get__(instance, owner), self._signature, self._name
            )
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace, tensors = self._trace(args, kwargs)
        return trace.call(tensors)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Any:
        """The traced function for a signature (tensors or TensorSpecs)."""
        return self._trace(args, kwargs)[0]

    def _trace(self, args: Any, kwargs: Any) -> tuple[_Trace, list[Tensor]]:
        leaves = nest.flatten([list(args), kwargs])
        if self._signature is not None:
            specs = nest.flatten(list(self._signature))
            if len(specs) != len(leaves):
                raise ValueError(
                    f"Structure of Python function inputs does not match input_signature: {len(leaves)} inputs, {len(specs)} in the signature"
                )
            leaves = [
                convert_to_tensor(v, s.dtype) if not isinstance(v, Tensor) else v
                for v, s in zip(leaves, specs, strict=True)
            ]
        leaves = [convert_to_tensor(v) if isinstance(v, (np.ndarray, np.generic)) else v for v in leaves]
        shapes = (
            [to_tuple(s.shape) for s in nest.flatten(list(self._signature))] if self._signature is not None else None
        )
        graph = get_default_graph()
        key: list[Any] = [
            id(root_of(graph)) if not graph.building_function else id(graph),
            str(nest.map_structure(lambda _: ".", [list(args), kwargs])),
        ]
        tensors: list[Tensor] = []
        for i, v in enumerate(leaves):
            if isinstance(v, Tensor) or _is_spec(v):
                shape = shapes[i] if shapes is not None else to_tuple(v.shape)
                key.append((dtypes.as_dtype(v.dtype).base_dtype, shape))
                tensors.append(v)
            else:
                key.append(("value", v) if _hashable(v) else ("object", id(v)))
        found = self._traces.get(tuple(key))
        if found is None:
            found = self._traces[tuple(key)] = _Trace(
                self.python_function, self._name, [list(args), kwargs], leaves, shapes
            )
        return found, tensors


def _is_spec(v: Any) -> bool:
    return type(v).__name__ == "TensorSpec"


def _hashable(v: Any) -> bool:
    try:
        hash(v)
    except TypeError:
        return False
    return True


class _Trace:
    """One signature of a function: its library entry and how to call it."""

    def __init__(self, fn: Callable[..., Any], name: str, structure: Any, leaves: list[Any], shapes: Any) -> None:
        outer = get_default_graph()
        self.graph = FuncGraph(unique_function_name(outer, f"__inference_{name}"), outer)
        with self.graph.as_default():
            given = [
                self.graph.add_argument(dtypes.as_dtype(v.dtype).base_dtype, shapes[i] if shapes is not None else to_tuple(v.shape), f"arg{i}")
                if isinstance(v, Tensor) or _is_spec(v)
                else v
                for i, v in enumerate(leaves)
            ]  # fmt: skip
            args, kwargs = nest.pack_sequence_as(structure, given)
            result = fn(*args, **kwargs)
            self.result = nest.map_structure(self._leaf, result)
            kept = [t for t in nest.flatten(self.result) if t is not None]
            outputs = [convert_to_tensor(t) for v in kept for t in _composite.parts(v)]
            self.graph.outputs = [
                t if t.graph is self.graph and not t.dtype._is_ref_dtype else raw.Identity(t) for t in outputs
            ]
        effects = _in_order(self.graph)
        self.function = Function(self.graph.name, self.graph, self.graph.inputs, self.graph.outputs, effects)
        root_of(outer)._add_function(self.function)

    @staticmethod
    def _leaf(v: Any) -> Any:
        if v is None or isinstance(v, Operation):
            return None
        return v if _composite.is_composite(v) else convert_to_tensor(v)

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def inputs(self) -> list[Tensor]:
        return self.graph.inputs

    @property
    def outputs(self) -> list[Tensor]:
        return self.graph.outputs

    def __call__(self, *args: Any) -> Any:
        return self.call([convert_to_tensor(a) for a in args])

    def call(self, tensors: list[Tensor]) -> Any:
        op = add_call(
            self.function,
            [*tensors, *self.graph.external_captures],
            "StatefulPartitionedCall" if is_stateful(self.graph) else "PartitionedCall",
        )
        if not op.outputs:
            return op if self.result is None else self.result
        flat = nest.flatten(self.result)
        outputs = iter([raw.Identity(t) for t in op.outputs])
        leaves = [
            None if v is None else _composite.rebuild(v, [next(outputs) for _ in _composite.parts(v)]) for v in flat
        ]
        return nest.pack_sequence_as(self.result, leaves)


_READS = frozenset(
    [
        "ReadVariableOp",
        "VarHandleOp",
        "VariableV2",
        "Variable",
        "ResourceGather",
        "VariableShape",
        "VarIsInitializedOp",
        "Placeholder",
    ]
)


def _in_order(graph: FuncGraph) -> list[Operation]:
    """Operations with effects, each made to wait for the one before, reads of variables for the last write."""
    effects: list[Operation] = []
    for op in graph.get_operations():
        if not op.spec.stateful or op.type in ("VarHandleOp", "VariableV2", "Variable"):
            continue
        if effects:
            op._add_control_input(effects[-1])
        if op.type not in _READS and "seed2" not in op._attrs:
            effects.append(op)
    return effects


def function(
    func: Callable[..., Any] | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    experimental_autograph_options: Any = None,
    experimental_relax_shapes: bool = False,
    experimental_compile: bool | None = None,
) -> Any:
    """Decorator: a function of tensors that is traced once per signature and called as one node.

    Python `if` and `while` on tensors are not rewritten (write tf.cond and tf.while_loop); everything is compiled anyway.
    """
    del autograph, experimental_autograph_options, experimental_relax_shapes, experimental_compile
    if func is None:
        return lambda f: PolymorphicFunction(f, input_signature)
    return PolymorphicFunction(func, input_signature)


# --- Defun -------------------------------------------------------------------------------------------------------------------------
class Defun:
    """Decorator `@Defun(tf.float32, …)`: the function becomes a library function, and calls nodes of its name.

    `grad_func` (another Defun of inputs and output gradients) or `python_grad_func(op, *grads)` replaces the derived gradient.
    """

    def __init__(self, *input_types: Any, **kwargs: Any) -> None:
        self._types = [dtypes.as_dtype(t) for t in input_types]
        self._name = kwargs.pop("func_name", None)
        self._grad_func = kwargs.pop("grad_func", None)
        self._python_grad_func = kwargs.pop("python_grad_func", None)
        self._out_names = kwargs.pop("out_names", None)
        self._shape_func = kwargs.pop("shape_func", None)
        self._attrs = {
            k: v
            for k, v in kwargs.items()
            if k.startswith("_") or k in ("noinline", "capture_by_value", "compiled", "separate_compiled_gradients")
        }
        unknown = set(kwargs) - set(self._attrs)
        if unknown:
            raise TypeError(f"Defun got an unexpected keyword argument '{sorted(unknown)[0]}'")

    def __call__(self, func: Callable[..., Any]) -> DefinedFunction:
        if not callable(func):
            raise ValueError(f"function {func} must be callable")
        parameters = [
            p
            for p in inspect.signature(func).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        variable = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(func).parameters.values())
        required = [p for p in parameters if p.default is p.empty]
        if self._types and not variable and not len(required) <= len(self._types) <= len(parameters):
            raise ValueError(
                f"The function has {len(required)} required arguments, but {len(self._types)} input types were given."
            )
        return DefinedFunction(func, self, inferred=bool(parameters or variable) and not self._types)


class DefinedFunction:
    """A Defun: built when first used, once per graph (and per argument types if it declares none)."""

    def __init__(self, func: Callable[..., Any], options: Defun, inferred: bool) -> None:
        self._func = func
        self._options = options
        self._inferred = inferred
        self._built: dict[Any, Function] = {}
        self._graphs: list[Any] = []
        functools.update_wrapper(self, func)

    def _function(self, types: Sequence[dtypes.DType], shapes: Sequence[Any] | None = None) -> Function:
        root = root_of(get_default_graph())
        key = (id(root), tuple(types))
        found = self._built.get(key)
        if found is not None:
            return found
        o = self._options
        name = o._name or unique_function_name(root, self._func.__name__.strip("<>"))
        if o._name and root._is_function(name):
            name = unique_function_name(root, o._name)
        graph = FuncGraph(name, root)
        with graph.as_default():
            args = [
                graph.add_argument(t, None, n) for t, n in zip(types, self._argument_names(len(types)), strict=True)
            ]
            result = self._func(*args)
            results = (
                []
                if result is None or isinstance(result, Operation)
                else list(result)
                if isinstance(result, (list, tuple))
                else [result]
            )
            graph.outputs = [convert_to_tensor(r) for r in results]
            graph.outputs = [
                t if t.graph is graph and not t.dtype._is_ref_dtype else raw.Identity(t) for t in graph.outputs
            ]
        f = Function(name, graph, graph.inputs, graph.outputs, _in_order(graph))
        f.python_gradient = o._python_grad_func
        if o._out_names is not None:
            if len(o._out_names) != len(graph.outputs):
                raise ValueError(
                    f"Length of out_names ({len(o._out_names)}) does not match number of outputs ({len(graph.outputs)}): {', '.join(o._out_names)}"
                )
            f.output_names = list(o._out_names)
        self._built[key] = f
        self._graphs.append(root)  # keeps the id in the key its own
        root._add_function(f)
        if o._grad_func is not None:
            backward = o._grad_func._function([*types, *f.output_types])
            f.gradient_name = backward.name
        return f

    def _argument_names(self, n: int) -> list[str]:
        names = [
            p.name
            for p in inspect.signature(self._func).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        return [names[i] if i < len(names) else f"arg{i}" for i in range(n)]

    @property
    def name(self) -> str:
        return self._function(self._options._types).name

    @property
    def definition(self) -> Any:
        """The FunctionDef."""
        return self._function(self._options._types).to_function_def()

    @property
    def declared_input_types(self) -> list[Any]:
        return list(self._options._types)

    @property
    def captured_inputs(self) -> list[Tensor]:
        return list(self._function(self._options._types).graph.external_captures)  # type: ignore[attr-defined]

    @property
    def python_grad_func(self) -> Any:
        return self._options._python_grad_func

    @property
    def grad_func_name(self) -> str | None:
        return self._options._grad_func.name if self._options._grad_func is not None else None

    def add_to_graph(self, g: Any) -> None:
        """Puts the function into a graph's library."""
        with g.as_default():
            self._function(self._options._types)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a node that calls the function; `name` names it."""
        name = kwargs.pop("name", None)
        if kwargs:
            raise ValueError(f"Unknown keyword arguments: {sorted(kwargs)}")
        types = self._options._types
        if self._inferred:
            tensors = [convert_to_tensor(a) for a in args]
            types = [t.dtype.base_dtype for t in tensors]
        else:
            if len(args) != len(types):
                raise ValueError(f"Expected number of arguments: {len(types)}, received: {len(args)}")
            with name_scope(name, self._func.__name__.strip("<>")):
                tensors = [convert_to_tensor(a, t) for a, t in zip(args, types, strict=True)]
        f = self._function(types)
        inputs = [*tensors, *f.graph.external_captures]  # type: ignore[attr-defined]
        op = _call_by_name(f, inputs, name or f.name)
        shapes = (
            self._options._shape_func(op) if self._options._shape_func is not None else [t._shape for t in f.outputs]
        )
        for t, s in zip(op.outputs, shapes, strict=True):
            t._shape = to_tuple(s) if s is not None else None
        if not op.outputs:
            return op
        return op.outputs[0] if len(op.outputs) == 1 else list(op.outputs)


def _call_by_name(f: Function, inputs: list[Tensor], name: str) -> Operation:
    """A node whose type is the function's name, as TensorFlow 1 writes calls."""
    from hornbeam.core.importer import function_call_spec

    graph = get_default_graph()
    spec = f.cache.get("spec")
    if spec is None:
        spec = f.cache["spec"] = function_call_spec(f)
        spec.stateful = is_stateful(f.graph)
    return graph.add_node(spec, graph.unique_name(name), inputs, {}, infer_shapes=False)


class Declare:
    """A function declared before it is defined: `Declare("name", [(arg, dtype)…], [(result, dtype)…])`; calls add nodes of its name."""

    def __init__(self, func_name: str, inputs: Sequence[tuple[str, Any]], outputs: Sequence[tuple[str, Any]]) -> None:
        self._name = func_name
        self._inputs = [(n, dtypes.as_dtype(t)) for n, t in inputs]
        self._outputs = [(n, dtypes.as_dtype(t)) for n, t in outputs]

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        name = kwargs.pop("name", None)
        if kwargs:
            raise TypeError(f"Unknown keyword arguments: {sorted(kwargs)}")
        from hornbeam.core.node_def import op_def_to_spec
        from hornbeam.proto import OpDef

        signature = OpDef(name=self._name)
        for n, t in self._inputs:
            signature.input_arg.add(name=n, type=t.as_datatype_enum)
        for n, t in self._outputs:
            signature.output_arg.add(name=n, type=t.as_datatype_enum)
        spec = op_def_to_spec(signature)
        spec.shape = lambda c: [None] * c.n_outputs
        graph = get_default_graph()
        tensors = [convert_to_tensor(v, t) for v, (_, t) in zip(inputs, self._inputs, strict=True)]
        op = graph.add_node(spec, graph.unique_name(name or self._name), tensors, {})
        return op if not op.outputs else op.outputs[0] if len(op.outputs) == 1 else list(op.outputs)


__tf_exports__ = {
    "py_func": "py_func", "numpy_function": "numpy_function", "py_function": "py_function", "function": "function",
    "contrib.eager.py_func": "py_function", "python.framework.function.Defun": "Defun", "python.framework.function.Declare": "Declare",
    "contrib.framework.Defun": "Defun",
}  # fmt: skip
