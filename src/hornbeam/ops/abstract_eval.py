"""Shape inference by abstract evaluation of the kernel: the fallback for ops without a hand-written rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext, group_inputs
from hornbeam.core.lazy import jax
from hornbeam.core.registry import set_fallback_shape_rule
from hornbeam.core.tensor_shape import Shape

_CACHE: dict[Any, list[Shape]] = {}


def infer(c: InferenceContext) -> list[Shape]:
    """Output shapes when every input shape is known; unknown otherwise (probing unknown dims with sizes would be wrong)."""
    op = c.op
    spec = op.spec
    unknown: list[Shape] = [None] * c.n_outputs
    attr_names = spec.kernel_attrs
    if spec.kernel is None or spec.host or spec.stateful or spec.takes_ctx:
        return unknown
    args: list[Any] = []
    key: list[Any] = [spec.name, repr([(k, op._attrs[k]) for k in sorted(op._attrs)])]
    for i, t in enumerate(op._inputs):
        value = c.value(i)
        if value is not None:
            args.append(value)
            key.append((value.dtype.str, value.shape, value.tobytes()) if value.dtype != object else repr(value))
        elif t._shape is None or None in t._shape or not t.dtype.is_numpy_compatible or t.dtype.np == np.dtype(object):
            return unknown
        else:
            args.append(jax.ShapeDtypeStruct(t._shape, t.dtype.np))
            key.append((t.dtype.name, t._shape))
    k = tuple(key)
    if k in _CACHE:
        return _CACHE[k]
    traced = [i for i, a in enumerate(args) if not isinstance(a, np.ndarray)]

    def run(values: list[Any]) -> Any:
        flat = list(args)
        for i, v in zip(traced, values, strict=True):
            flat[i] = v
        return spec.kernel(*group_inputs(spec, op._attrs, flat), **{n: op._attrs[n] for n in attr_names})  # type: ignore[misc]

    try:
        with jax.enable_x64(True):
            out = jax.eval_shape(run, [args[i] for i in traced])
    except Exception:  # the kernel cannot say before it has values: unknown is the honest answer
        _CACHE[k] = unknown
        return unknown
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    shapes: list[Shape] = []
    for o in outs:
        shapes += [tuple(x.shape) for x in o] if isinstance(o, (tuple, list)) else [tuple(o.shape)]
    _CACHE[k] = shapes
    return shapes


set_fallback_shape_rule(infer)
