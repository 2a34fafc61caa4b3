"""Control flow: If, While, Case and calls (run by the runtime), their gradients, assertions, printing, Python functions, and the
primitives of TensorFlow 1's own control flow, which exist to be read and are raised to functions on import."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.function_gradient import branch_gradient, call_gradient
from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jax
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import Shape
from hornbeam.core.while_gradient import while_gradient
from hornbeam.ops import shapes
from hornbeam.ops.printing import summarize as summary
from hornbeam.ops.xp import known


# --- functions as bodies ------------------------------------------------------------------------------------------------------
def _declared_shapes(c: InferenceContext) -> list[Shape]:
    given = c.attr("output_shapes")
    return list(given) if given and len(given) == c.n_outputs else [None] * c.n_outputs


_BRANCHES = (
    "cond: Tcond, input: Tin) -> (output: Tout); Tcond: type; Tin: list(type) >= 0; Tout: list(type) >= 0; then_branch: func; "
    "else_branch: func; output_shapes: list(shape) = []"
)
_CASE = (
    "branch_index: int32, input: Tin) -> (output: Tout); Tin: list(type) >= 0; Tout: list(type) >= 0; branches: list(func) >= 1; "
    "output_shapes: list(shape) = []"
)
_WHILE = "input: T) -> (output: T); T: list(type) >= 0; cond: func; body: func; output_shapes: list(shape) = []; parallel_iterations: int = 10"
_CALL = (
    "args: Tin) -> (output: Tout); Tin: list(type) >= 0; Tout: list(type) >= 0; f: func; config: string = ''; config_proto: string = ''; "
    "executor_type: string = ''"
)

If = op(f"If({_BRANCHES}", shape=_declared_shapes, stateful=True)(None)
StatelessIf = op(f"StatelessIf({_BRANCHES}", shape=_declared_shapes)(None)
Case = op(f"Case({_CASE}", shape=_declared_shapes, stateful=True)(None)
StatelessCase = op(f"StatelessCase({_CASE}", shape=_declared_shapes)(None)
While = op(f"While({_WHILE}", shape=_declared_shapes, stateful=True)(None)
StatelessWhile = op(f"StatelessWhile({_WHILE}", shape=_declared_shapes)(None)
PartitionedCall = op(f"PartitionedCall({_CALL}", shape=shapes.unknown)(None)
StatefulPartitionedCall = op(f"StatefulPartitionedCall({_CALL}", shape=shapes.unknown, stateful=True)(None)
RemoteCall = op(
    "RemoteCall(target: string, args: Tin) -> (output: Tout); Tin: list(type) >= 1; Tout: list(type) >= 1; f: func",
    shape=shapes.unknown, stateful=True,
)(None)  # fmt: skip
SymbolicGradient = op(
    "SymbolicGradient(input: Tin) -> (output: Tout); Tin: list(type) >= 1; Tout: list(type) >= 1; f: func",
    shape=shapes.unknown,
)(None)

for _spec in (If, StatelessIf, Case, StatelessCase):
    _spec.gradient(branch_gradient)
for _spec in (While, StatelessWhile):
    _spec.gradient(while_gradient)
for _spec in (PartitionedCall, StatefulPartitionedCall):
    _spec.gradient(lambda op, *grads: call_gradient(op._attrs["f"])(op, *grads))


class Fake:
    """The value of FakeParam: an output of the branch not taken, which nobody reads. It becomes zeros of the other branch's type."""

    __slots__ = ("dtype", "shape")
    _registered = False

    def __init__(self, dtype: Any, shape: Any) -> None:
        if not Fake._registered:
            Fake._registered = True
            jax.tree_util.register_pytree_node(Fake, lambda f: ((), (f.dtype, f.shape)), lambda aux, _: Fake(*aux))
        self.dtype = dtype
        self.shape = shape


@op("FakeParam() -> (output: dtype); dtype: type; shape: shape", shape=shapes.from_attr())
def FakeParam(dtype, shape):
    return Fake(dtype, shape)


no_gradient("FakeParam")


# --- assertions and printing -----------------------------------------------------------------------------------------------------
def _in_loop(op: Any, fetched: Any = None) -> bool:
    """Is a node part of a loop's body (or of a loaded function, which may be one)? Branches built here are not."""
    graph = op.graph
    while graph.building_function:
        if not graph._extra.get("branch"):
            return True
        graph = graph.outer_graph
    return False


@op("Assert(condition: bool, data: T) -> (); T: list(type) >= 1; summarize: int = 3", shape=lambda c: [], stateful=True, host=True,
    device_if=_in_loop)  # fmt: skip
def Assert(condition, data, summarize, ctx):
    if not np.all(condition):
        raise ctx.fail("assertion failed: " + " ".join(f"[{summary(d, summarize)}]" for d in data))


def _assert_in_loop(condition: Any, data: list[Any], summarize: int, ctx: Any) -> None:
    """In a compiled loop an assertion can only be checked when its condition is known; XLA drops the others, as TensorFlow's does."""
    if known(condition) and not np.all(condition):
        raise ctx.fail("assertion failed: " + " ".join(f"[{summary(d, summarize) if known(d) else '?'}]" for d in data))


Assert.bounded_kernel = _assert_in_loop  # type: ignore[attr-defined]


@op("Print(input: T, data: U) -> (output: T); T: type; U: list(type) >= 0; message: string = ''; first_n: int = -1; summarize: int = 3",
    shape=shapes.unchanged, stateful=True, host=True)  # fmt: skip
def Print(input, data, message, first_n, summarize, ctx):
    if first_n >= 0:
        count = ctx.resource(f"print/{ctx.scope}{ctx.node}", lambda: [0])
        if count[0] >= first_n:
            return input
        count[0] += 1
    sys.stderr.write(message.decode() + "".join(f"[{summary(d, summarize)}]" for d in data) + "\n")
    sys.stderr.flush()
    return input


@Print.gradient
def _(op, *grad):
    return [*grad, *[None] * (len(op.inputs) - 1)]


_STREAMS = {"log(info)": "INFO", "log(warning)": "WARNING", "log(error)": "ERROR"}


@op(
    "PrintV2(input: string) -> (); output_stream: string = 'stderr'; end: string = '\\n'",
    shape=lambda c: [],
    stateful=True,
    host=True,
)
def PrintV2(input, output_stream, end, ctx):
    text = np.asarray(input).reshape(-1)[0].decode("utf-8", "replace") + end.decode()
    where = output_stream.decode()
    if where == "stdout":
        sys.stdout.write(text)
        sys.stdout.flush()
    elif where == "stderr":
        sys.stderr.write(text)
        sys.stderr.flush()
    elif where in _STREAMS:
        sys.stderr.write(f"{_STREAMS[where]}:{text}")
    elif where.startswith("file://"):
        with open(where[7:], "a", encoding="utf-8") as f:
            f.write(text)
    else:
        raise ctx.fail(
            f"Unknown output stream: {where}, Valid streams are: stdout, stderr, log(info), log(warning), log(error), file://<path>"
        )


@op(
    "Abort() -> (); error_msg: string = ''; exit_without_error: bool = false",
    shape=lambda c: [],
    host=True,
    stateful=True,
)
def Abort(error_msg, exit_without_error, ctx):
    if exit_without_error:
        raise SystemExit(0)
    raise ctx.error(errors.AbortedError, error_msg.decode() or "Abort_op intentional failure")


# --- Python functions -------------------------------------------------------------------------------------------------------------
PYTHON_FUNCTIONS: dict[bytes, Any] = {}  # token → the function that `py_func` wrapped


def _call_python(input: list[Any], token: bytes, Tout: list[Any], ctx: Any) -> list[Any]:
    function = PYTHON_FUNCTIONS.get(token)
    if function is None:
        raise ctx.fail(f"callback {token.decode()} is not found: a py_func runs only in the process that made it")
    arguments = [v.copy() if isinstance(v, np.ndarray) else v for v in map(_argument, input)]
    try:
        result = function(*arguments)
    except Exception as e:
        raise _as_op_error(e, ctx) from e
    values: list[Any] = [] if result is None else list(result) if isinstance(result, (tuple, list)) else [result]
    if len(values) != len(Tout):
        raise ctx.fail(f"{token.decode()} returns {len(values)} values, but expects to see {len(Tout)} values.")
    return [_result(v, t, i, token, ctx) for i, (v, t) in enumerate(zip(values, Tout, strict=True))]


def _as_op_error(e: Exception, ctx: Any) -> errors.OpError:
    """The error of the run that an exception in a Python function becomes."""
    kinds: list[tuple[Any, type[errors.OpError]]] = [
        ((TypeError, ValueError), errors.InvalidArgumentError), (StopIteration, errors.OutOfRangeError), (MemoryError, errors.ResourceExhaustedError),
        (NotImplementedError, errors.UnimplementedError),
    ]  # fmt: skip
    cls = next((c for k, c in kinds if isinstance(e, k)), errors.UnknownError)
    trace = "".join(traceback.format_exception(e))
    return ctx.error(cls, f"{type(e).__name__}: {e}\n{trace}")  # type: ignore[no-any-return]


def _argument(v: Any) -> Any:
    v = np.asarray(v)
    return v[()] if v.ndim == 0 else v


def _result(value: Any, dtype: Any, i: int, token: bytes, ctx: Any) -> Any:
    from hornbeam.core.constant import as_array
    from hornbeam.core.dtypes import as_dtype, string

    if dtype is string:
        return as_array(value, string)
    array = np.asarray(value)
    if array.dtype == object or as_dtype(array.dtype) is not dtype:
        if array.size == 0 and not hasattr(value, "dtype"):
            return array.astype(dtype.np)
        given = "object" if array.dtype == object else as_dtype(array.dtype).name
        raise ctx.fail(
            f"{i}-th value returned by {token.decode()} is {_C_NAMES.get(given, given)}, but expects {_C_NAMES.get(dtype.name, dtype.name)}"
        )
    return array


_C_NAMES = {"float32": "float", "float64": "double", "float16": "half"}
_PY = "(input: Tin) -> (output: Tout); token: string; Tin: list(type) >= 0; Tout: list(type) >= 0"
PyFunc = op(f"PyFunc{_PY}", shape=shapes.unknown, stateful=True, host=True)(_call_python)
PyFuncStateless = op(f"PyFuncStateless{_PY}", shape=shapes.unknown, host=True)(_call_python)
EagerPyFunc = op(
    "EagerPyFunc(input: Tin) -> (output: Tout); token: string; is_async: bool = false; Tin: list(type) >= 0; Tout: list(type) >= 0",
    shape=shapes.unknown, stateful=True, host=True,
)(lambda input, token, Tout, ctx: _call_python(input, token, Tout, ctx))  # fmt: skip
no_gradient("PyFunc", "PyFuncStateless")


# --- TensorFlow 1's control flow primitives, stacks and tensor arrays: declared, raised on import -----------------------------------
def _merge_shape(c: InferenceContext) -> list[Shape]:
    first = c.shape(0)
    same = all(c.shape(i) == first for i in range(c.n_inputs))
    return [first if same else None, ()]


def _enter_shape(c: InferenceContext) -> list[Shape]:
    return [c.shape(0) if c.attr("is_constant") else None]


for _ref in ("", "Ref"):
    _t = "Ref(T)" if _ref else "T"
    op(
        f"{_ref}Switch(data: {_t}, pred: bool) -> (output_false: {_t}, output_true: {_t}); T: type",
        shape=shapes.unchanged,
    )(None)
    _n = "Ref(N * T)" if _ref else "N * T"
    op(
        f"{_ref}Merge(inputs: {_n if not _ref else 'N * T'}) -> (output: {_t}, value_index: int32); T: type; N: int >= 1",
        shape=_merge_shape,
    )(None)
    op(f"{_ref}Enter(data: {_t}) -> (output: {_t}); T: type; frame_name: string; is_constant: bool = false; parallel_iterations: int = 10",
       shape=_enter_shape)(None)  # fmt: skip
    op(f"{_ref}Exit(data: {_t}) -> (output: {_t}); T: type", shape=shapes.unchanged)(None)
    op(f"{_ref}NextIteration(data: {_t}) -> (output: {_t}); T: type", shape=shapes.unchanged)(None)
op("RefSelect(index: int32, inputs: N * T) -> (output: Ref(T)); T: type; N: int >= 1", shape=shapes.unknown)(None)
op("LoopCond(input: bool) -> (output: bool)", shape=shapes.scalar)(None)
ControlTrigger = op("ControlTrigger() -> ()", shape=lambda c: [])(lambda: None)
