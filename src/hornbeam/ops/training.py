"""Optimizer updates: `ApplyAdam` and its kin. Each rule's formula stands once; from it come the op on a reference or resource
variable, with a dense gradient or with rows of one (`Sparse…`).

Sparse forms gather the rows that change, compute on them and scatter them back, so that a step costs what its rows cost. Rows
out of range are padding and are dropped; an index may occur once only (optimizers add up repeated rows before).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.lazy import jnp
from hornbeam.core.registry import no_gradient, op
from hornbeam.core.tensor_shape import _CONFLICT, Shape, merge
from hornbeam.ops.state import NUMBER, handle_shape
from hornbeam.ops.xp import known, xp


@dataclass(frozen=True, slots=True)
class Rule:
    """One update rule: `formula(state..., inputs..., attrs...)` returns the new state, in the order of `state`."""

    name: str
    state: str  # variable and slots
    inputs: str  # the rest, in TensorFlow's order
    formula: Callable[..., Any]
    attrs: str = ""
    forms: str = "ref resource sparse"  # `sparse` adds the sparse form of each other
    additive: bool = False  # the formula is `var + …`: rows can be added to the variable without being read


def _shrink(x: Any, threshold: Any) -> Any:
    """Soft threshold: what an l1 term leaves of `x`."""
    return xp.sign(x) * xp.maximum(xp.abs(x) - threshold, xp.zeros_like(x))


def _gradient_descent(var, alpha, delta):
    return var - alpha * delta


def _momentum(var, accum, lr, grad, momentum, use_nesterov):
    accum = accum * momentum + grad
    step = grad * lr + accum * momentum * lr if use_nesterov else accum * lr
    return var - step, accum


def _keras_momentum(var, accum, lr, grad, momentum, use_nesterov):
    accum = accum * momentum - grad * lr
    return var + (accum * momentum - grad * lr if use_nesterov else accum), accum


def _moments(m, v, beta1, beta2, grad):
    return m + (grad - m) * (1 - beta1), v + (grad * grad - v) * (1 - beta2)


def _adam(var, m, v, beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad, use_nesterov):
    alpha = lr * xp.sqrt(1 - beta2_power) / (1 - beta1_power)
    m, v = _moments(m, v, beta1, beta2, grad)
    numerator = grad * (1 - beta1) + beta1 * m if use_nesterov else m
    return var - numerator * alpha / (xp.sqrt(v) + epsilon), m, v


def _amsgrad(var, m, v, vhat, beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad):
    alpha = lr * xp.sqrt(1 - beta2_power) / (1 - beta1_power)
    m, v = _moments(m, v, beta1, beta2, grad)
    vhat = xp.maximum(vhat, v)
    return var - m * alpha / (xp.sqrt(vhat) + epsilon), m, v, vhat


def _adamax(var, m, v, beta1_power, lr, beta1, beta2, epsilon, grad):
    m = m + (grad - m) * (1 - beta1)
    v = xp.maximum(beta2 * v, xp.abs(grad))
    return var - lr / (1 - beta1_power) * (m / (v + epsilon)), m, v


def _adagrad(var, accum, lr, grad, update_slots):
    accum = accum + grad * grad if update_slots else accum
    return var - grad * lr / xp.sqrt(accum), accum


def _adagrad_v2(var, accum, lr, epsilon, grad, update_slots):
    accum = accum + grad * grad if update_slots else accum
    return var - grad * lr / (xp.sqrt(accum) + epsilon), accum


def _adagrad_da(var, gradient_accumulator, gradient_squared_accumulator, grad, lr, l1, l2, global_step):
    steps = global_step.astype(var.dtype)
    g = gradient_accumulator + grad
    gg = gradient_squared_accumulator + grad * grad
    return -lr * _shrink(g, l1 * steps) / (l2 * steps * lr + xp.sqrt(gg)), g, gg


def _adadelta(var, accum, accum_update, lr, rho, epsilon, grad):
    accum = accum * rho + grad * grad * (1 - rho)
    update = xp.sqrt(accum_update + epsilon) / xp.sqrt(accum + epsilon) * grad
    return var - update * lr, accum, accum_update * rho + update * update * (1 - rho)


def _rms_prop(var, ms, mom, lr, rho, momentum, epsilon, grad):
    ms = ms + (grad * grad - ms) * (1 - rho)
    mom = mom * momentum + grad * lr / xp.sqrt(ms + epsilon)
    return var - mom, ms, mom


def _centered_rms_prop(var, mg, ms, mom, lr, rho, momentum, epsilon, grad):
    ms = ms + (grad * grad - ms) * (1 - rho)
    mg = mg + (grad - mg) * (1 - rho)
    mom = mom * momentum + grad * lr / xp.sqrt(ms - mg * mg + epsilon)
    return var - mom, mg, ms, mom


def _ftrl(var, accum, linear, grad, lr, l1, l2, lr_power, multiply_linear_by_lr):
    return _ftrl_step(var, accum, linear, grad, grad, lr, l1, l2, lr_power, multiply_linear_by_lr)


def _ftrl_v2(var, accum, linear, grad, lr, l1, l2, l2_shrinkage, lr_power, multiply_linear_by_lr):
    return _ftrl_step(
        var, accum, linear, grad, grad + 2 * l2_shrinkage * var, lr, l1, l2, lr_power, multiply_linear_by_lr
    )


def _ftrl_step(var, accum, linear, grad, pulled, lr, l1, l2, lr_power, multiply_linear_by_lr):
    new_accum = accum + grad * grad
    old_rate, new_rate = (_power(a, lr_power) for a in (accum, new_accum))
    if multiply_linear_by_lr:
        linear = linear + pulled * lr - (new_rate - old_rate) * var
        l1, quadratic = l1 * lr, new_rate + 2 * l2 * lr
    else:
        linear = linear + pulled - (new_rate - old_rate) / lr * var
        quadratic = new_rate / lr + 2 * l2
    # pre-shrunk: linear within the l1 ball means a zero weight
    var = xp.where(xp.abs(linear) > l1, (l1 * xp.sign(linear) - linear) / quadratic, xp.zeros_like(linear))
    return var, new_accum, linear


def _power(accum, lr_power):
    """accum^-lr_power; a square root for the usual -0.5, where `pow` would be slower and less exact."""
    if known(lr_power):
        return xp.sqrt(accum) if float(lr_power) == -0.5 else xp.power(accum, -lr_power)
    return xp.where(lr_power == -0.5, xp.sqrt(accum), xp.power(accum, -lr_power))


def _proximal_gradient_descent(var, alpha, l1, l2, delta):
    return _shrink(var - delta * alpha, alpha * l1) / (1 + l2 * alpha)


def _proximal_adagrad(var, accum, lr, l1, l2, grad):
    accum = accum + grad * grad
    rate = lr / xp.sqrt(accum)
    return _shrink(var - grad * rate, rate * l1) / (1 + l2 * rate), accum


def _add_sign(var, m, lr, alpha, sign_decay, beta, grad):
    m = m * beta + grad * (1 - beta)
    return var - lr * (alpha + sign_decay * xp.sign(grad) * xp.sign(m)) * grad, m


def _power_sign(var, m, lr, logbase, sign_decay, beta, grad):
    m = m * beta + grad * (1 - beta)
    return var - lr * xp.exp(logbase * sign_decay * xp.sign(grad) * xp.sign(m)) * grad, m


_NESTEROV = "use_nesterov: bool = false"
_SLOTS = "update_slots: bool = true"
_BY_LR = "multiply_linear_by_lr: bool = false"
_ADAM = "lr beta1 beta2 epsilon grad"
_RMS = "lr rho momentum epsilon grad"
_DENSE = "ref resource"

RULES = (
    Rule("GradientDescent", "var", "alpha delta", _gradient_descent, forms=_DENSE),
    Rule("Momentum", "var accum", "lr grad momentum", _momentum, _NESTEROV, additive=True),
    Rule(
        "KerasMomentum", "var accum", "lr grad momentum", _keras_momentum, _NESTEROV, "resource sparse", additive=True
    ),
    Rule("Adam", "var m v", f"beta1_power beta2_power {_ADAM}", _adam, _NESTEROV, _DENSE),
    Rule("AdamWithAmsgrad", "var m v vhat", f"beta1_power beta2_power {_ADAM}", _amsgrad, forms="resource"),
    Rule("AdaMax", "var m v", f"beta1_power {_ADAM}", _adamax, forms=_DENSE),
    Rule("Adagrad", "var accum", "lr grad", _adagrad, _SLOTS, additive=True),
    Rule("AdagradV2", "var accum", "lr epsilon grad", _adagrad_v2, _SLOTS, additive=True),
    Rule(
        "AdagradDA", "var gradient_accumulator gradient_squared_accumulator", "grad lr l1 l2 global_step", _adagrad_da
    ),
    Rule("Adadelta", "var accum accum_update", "lr rho epsilon grad", _adadelta, additive=True),
    Rule("RMSProp", "var ms mom", _RMS, _rms_prop, additive=True),
    Rule("CenteredRMSProp", "var mg ms mom", _RMS, _centered_rms_prop, additive=True),
    Rule("Ftrl", "var accum linear", "grad lr l1 l2 lr_power", _ftrl, _BY_LR),
    Rule("FtrlV2", "var accum linear", "grad lr l1 l2 l2_shrinkage lr_power", _ftrl_v2, _BY_LR),
    Rule("ProximalGradientDescent", "var", "alpha l1 l2 delta", _proximal_gradient_descent),
    Rule("ProximalAdagrad", "var accum", "lr l1 l2 grad", _proximal_adagrad),
    Rule("AddSign", "var m", "lr alpha sign_decay beta grad", _add_sign, forms=_DENSE),
    Rule("PowerSign", "var m", "lr logbase sign_decay beta grad", _power_sign, forms=_DENSE),
)


# --- from a rule to its ops ---------------------------------------------------------------------------------------------
def _declare(rule: Rule, resource: bool, sparse: bool) -> None:
    state = rule.state.split()
    inputs = rule.inputs.split()
    if sparse:  # the gradient's rows are `grad` in every sparse form, and their indices come next
        inputs = ["grad" if i == "delta" else i for i in inputs]
        inputs.insert(inputs.index("grad") + 1, "indices")
    types = {"global_step": "int64", "indices": "Tindices"}
    args = [f"{s}: {'resource' if resource else 'Ref(T)'}" for s in state] + [
        f"{i}: {types.get(i, 'T')}" for i in inputs
    ]
    name = f"{'Resource' if resource else ''}{'Sparse' if sparse else ''}Apply{rule.name}"
    attrs = [f"T: {NUMBER}", *(["Tindices: {int32, int64}"] if sparse else []), "use_locking: bool = false"]
    attrs += [rule.attrs] if rule.attrs else []
    op(
        f"{name}({', '.join(args)}) -> ({'' if resource else 'out: Ref(T)'}); {'; '.join(attrs)}",
        shape=_shape_rule(
            len(state), inputs.index("grad" if "grad" in inputs else "delta") + len(state), resource, sparse
        ),
        stateful=True,
    )(_kernel(rule, state, inputs, resource, sparse))
    no_gradient(name)


def _kernel(rule: Rule, state: list[str], inputs: list[str], resource: bool, sparse: bool) -> Callable[..., Any]:
    n = len(state)
    grad = inputs.index("grad" if "grad" in inputs else "delta")

    def dense(*values: Any, ctx: Any, **attrs: Any) -> Any:
        refs, rest = values[:n], values[n:]
        arrays = [ctx.read(r) for r in refs]
        _check_shapes(rest[grad], refs, arrays, ctx)
        new = rule.formula(*arrays, *rest, **attrs)
        for ref, old, value in zip(refs, arrays, new if n > 1 else (new,), strict=True):
            if value is not old:
                ctx.write(ref, value.astype(old.dtype))
        return None if resource else refs[0]

    def by_rows(*values: Any, ctx: Any, **attrs: Any) -> Any:
        refs, rest = values[:n], list(values[n:])
        arrays = [jnp.asarray(ctx.read(r)) for r in refs]
        indices = rest.pop(inputs.index("indices"))
        _check_rows(indices, rest[grad], arrays, ctx)
        rows = [a.at[indices].get(mode="clip") for a in arrays[1:]]  # what padding reads is dropped below
        var = jnp.zeros((), arrays[0].dtype) if rule.additive else arrays[0].at[indices].get(mode="clip")
        new = rule.formula(var, *rows, *rest, **attrs)
        for i, (ref, old, value) in enumerate(zip(refs, arrays, new if n > 1 else (new,), strict=True)):
            if i and value is rows[i - 1]:
                continue
            at = old.at[indices]
            put = at.add if rule.additive and i == 0 else at.set
            ctx.write(ref, put(value.astype(old.dtype), mode="drop", wrap_negative_indices=False))
        return None if resource else refs[0]

    kernel = by_rows if sparse else dense
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [*state, *inputs, *([rule.attrs.partition(":")[0]] if rule.attrs else []), "ctx"]
    kernel.__signature__ = inspect.Signature([inspect.Parameter(p, positional) for p in names])  # type: ignore[attr-defined]
    kernel.__name__ = rule.name
    kernel.__doc__ = f"The {rule.name} rule; see its formula."
    return kernel


def _check_shapes(grad: Any, refs: Any, arrays: list[Any], ctx: Any) -> None:
    for ref, a in zip(refs, arrays, strict=True):
        if tuple(a.shape) != tuple(grad.shape):
            raise ctx.fail(
                f"var and grad do not have the same shape: {ref.name} {_text(a.shape)} grad {_text(grad.shape)}"
            )


def _check_rows(indices: Any, grad: Any, arrays: list[Any], ctx: Any) -> None:
    var = arrays[0]
    if not var.shape:
        raise ctx.fail("var must be at least 1 dimensional")
    if len(indices.shape) != 1:
        raise ctx.fail("indices must be one-dimensional")
    if grad.shape[0] != indices.shape[0]:
        raise ctx.fail("grad must be the same size as indices in the first dimension.")
    if tuple(grad.shape[1:]) != tuple(var.shape[1:]):
        raise ctx.fail(
            f"var and grad must match in all dimensions but the first: {_text(var.shape)} and {_text(grad.shape)}"
        )
    if known(indices):
        bad = np.flatnonzero((np.asarray(indices) < 0) | (np.asarray(indices) >= var.shape[0]))
        if bad.size:
            raise ctx.fail(f"Index {int(indices[bad[0]])} at offset {int(bad[0])} in indices is out of range")


def _text(shape: Any) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _shape_rule(n: int, grad: int, resource: bool, sparse: bool) -> Callable[[InferenceContext], list[Shape]]:
    def rule(c: InferenceContext) -> list[Shape]:
        merged: Any = handle_shape(c.op.inputs[0]) if resource else c.shape(0)
        for i in range(1, n):
            merged = _same(c, merged, handle_shape(c.op.inputs[i]) if resource else c.shape(i))
        g = c.shape(grad)
        if not sparse:
            merged = _same(c, merged, g)
        elif g is not None and merged is not None:
            _same(c, merged[1:], g[1:])
        return [] if resource else [merged]

    return rule


def _same(c: InferenceContext, a: Shape, b: Shape) -> Shape:
    m = merge(a, b)
    if m is _CONFLICT:
        raise c.fail(f"Shapes must be equal: a variable's slots and gradient have its shape, got {a} and {b}")
    return m


for _rule in RULES:
    for _form in ("ref", "resource"):
        if _form in _rule.forms.split():
            _declare(_rule, _form == "resource", sparse=False)
            if "sparse" in _rule.forms:
                _declare(_rule, _form == "resource", sparse=True)
