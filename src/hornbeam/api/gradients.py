"""`tf.gradients`, `tf.hessians`, `tf.custom_gradient` and the registration of gradients."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api import nest
from hornbeam.api.control_flow_ops import while_loop
from hornbeam.api.tensor_array_ops import TensorArray
from hornbeam.core import registry
from hornbeam.core.gradients import gradients
from hornbeam.core.graph import GraphKeys, Tensor, convert_to_tensor, get_collection, get_default_graph, name_scope
from hornbeam.core.registry import raw

_serial = itertools.count()


def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
) -> list[Any]:
    """Per x, the second derivatives of sum(ys): a tensor of shape [*x.shape, *x.shape]."""
    xs = list(xs) if isinstance(xs, (list, tuple)) else [xs]
    options = (colocate_gradients_with_ops, gate_gradients, aggregation_method)
    out = []
    firsts = gradients(ys, xs, None, "gradients", *options)
    for i, (first, x) in enumerate(zip(firsts, xs, strict=True)):
        with name_scope(f"{name}_{i}" if name else None):
            value = convert_to_tensor(x)
            gradient = raw.Reshape(first, np.array([-1], np.int32))
            n = raw.Size(value)

            def row(j: Any, rows: Any, gradient: Any = gradient, x: Any = x) -> Any:
                return j + 1, rows.write(j, gradients(gradient[j], x)[0])

            _, rows = while_loop(lambda j, _, n=n: j < n, row, [np.int32(0), TensorArray(value.dtype.base_dtype, n)])
            shape = raw.Shape(value)
            hessian = raw.Reshape(rows.stack(), raw.ConcatV2([shape, shape], np.int32(0)))
            if value._shape is not None:
                hessian.set_shape([*value._shape, *value._shape])
            out.append(hessian)
    return out


def custom_gradient(f: Callable[..., Any] | None = None) -> Any:
    """Decorator: `f(*args)` returns (results, grad_fn) and `grad_fn(*dresults)` gives the gradients of the tensor arguments.

    If `f` uses variables, grad_fn takes a keyword `variables` (a list) and returns (gradients, [gradient per variable]).
    """
    if f is None:
        return custom_gradient

    def decorated(*args: Any, **kwargs: Any) -> Any:
        return _with_custom_gradient(f, args, kwargs)

    decorated.__name__ = getattr(f, "__name__", "custom_gradient")
    decorated.__doc__ = f.__doc__
    decorated.__wrapped__ = f  # type: ignore[attr-defined]
    return decorated


def _with_custom_gradient(f: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    graph = get_default_graph()
    given = [raw.Identity(convert_to_tensor(a)) for a in nest.flatten(list(args))]
    packed = nest.pack_sequence_as(list(args), given)
    result, grad_fn = f(*packed, **kwargs)
    results = [convert_to_tensor(r) for r in nest.flatten(result)]
    variables = _variables_between(results, given)
    accepts = "variables" in inspect.signature(grad_fn).parameters or any(
        p.kind is p.VAR_KEYWORD for p in inspect.signature(grad_fn).parameters.values()
    )
    if variables and not accepts:
        raise TypeError(
            "If using @custom_gradient with a function that uses variables, then grad_fn must accept a 'variables' keyword argument."
        )
    sources = [_source_of(v) for v in variables]
    name = f"CustomGradient-{next(_serial)}"

    @registry.RegisterGradient(name)
    def backward(_: Any, *dresults: Any) -> list[Any]:
        dresults = dresults[: len(results)]
        if variables:
            dargs, dvariables = grad_fn(*dresults, variables=list(variables))
            dvariables = list(dvariables)
            if len(dvariables) != len(variables):
                raise ValueError("Must return gradient for each variable from @custom_gradient grad_fn.")
        else:
            dargs, dvariables = grad_fn(*dresults), []
        dargs = nest.flatten(dargs)
        if len(dargs) != len(given):
            raise ValueError(
                f"custom_gradient function expected to return {len(given)} gradients but returned {len(dargs)} instead."
            )
        return [None] * len(results) + list(dargs) + dvariables

    with graph.gradient_override_map({"IdentityN": name}):
        tensors = raw.IdentityN([*results, *given, *sources])
    for t, r in zip(tensors, results, strict=False):
        t._shape = r._shape
    return nest.pack_sequence_as(result, tensors[: len(results)])


def _source_of(variable: Any) -> Tensor:
    handle = getattr(variable, "handle", None)
    return handle if isinstance(handle, Tensor) else convert_to_tensor(variable, as_ref=True)


def _variables_between(results: list[Tensor], given: list[Tensor]) -> list[Any]:
    """Trainable variables that the results depend on other than through the arguments."""
    stop = {t.op for t in given}
    seen = set()
    stack = [r.op for r in results]
    found = set()
    while stack:
        op = stack.pop()
        if op in seen or op in stop:
            continue
        seen.add(op)
        if op.type in ("VariableV2", "Variable", "VarHandleOp"):
            found.add(op)
        stack += [t.op for t in op.inputs]
    if not found:
        return []
    known = get_collection(GraphKeys.TRAINABLE_VARIABLES)
    return [
        v for v in known if getattr(v, "op", None) in found or getattr(getattr(v, "handle", None), "op", None) in found
    ]


def NotDifferentiable(op_type: str) -> None:
    """Says that operations of a type pass no gradient."""
    if not isinstance(op_type, str):
        raise TypeError("op_type must be a string")
    registry.no_gradient(op_type)


NoGradient = no_gradient = NotDifferentiable

__tf_exports__ = {
    "gradients": "hornbeam.core.gradients:gradients", "hessians": "hessians", "custom_gradient": "custom_gradient",
    "AggregationMethod": "hornbeam.core.gradients:AggregationMethod",
    "UnconnectedGradients": "hornbeam.core.gradients:UnconnectedGradients", "RegisterGradient": "hornbeam.core.registry:RegisterGradient",
    "NotDifferentiable": "NotDifferentiable", "NoGradient": "NoGradient", "no_gradient": "no_gradient",
}  # fmt: skip
