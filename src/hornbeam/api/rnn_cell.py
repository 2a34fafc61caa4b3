"""`tf.nn.rnn_cell`: one step of a recurrent network as an object; BasicRNN, GRU and LSTM cells and wrappers around cells."""

from __future__ import annotations

import collections
import hashlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api import nest
from hornbeam.api.init_ops import constant_initializer, zeros_initializer
from hornbeam.api.partitioned_variables import fixed_size_partitioner
from hornbeam.api.variable_scope import VariableScope, get_variable, variable_scope
from hornbeam.core import dtypes
from hornbeam.core.constant import constant_value
from hornbeam.core.graph import Tensor, convert_to_tensor, get_default_graph, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape, to_tuple

_KERNEL, _BIAS = "kernel", "bias"


class LSTMStateTuple(collections.namedtuple("LSTMStateTuple", ("c", "h"))):
    """The state of an LSTM: memory `c` and output `h`."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        if self.c.dtype != self.h.dtype:
            raise TypeError(f"Inconsistent internal state: {self.c.dtype} vs {self.h.dtype}")
        return self.c.dtype


# --- states ------------------------------------------------------------------------------------------------------------------
def _size(size: Any) -> tuple[int | None, ...]:
    if isinstance(size, TensorShape):
        return to_tuple(size) or ()
    return tuple(size) if isinstance(size, (list, tuple)) else (int(size),)


def zeros_of(batch_size: Any, size: Any, dtype: Any) -> Tensor:
    """Zeros [batch_size, *size]; the batch size may be a tensor."""
    dtype = dtypes.as_dtype(dtype).base_dtype
    rest = _size(size)
    known = constant_value(batch_size) if isinstance(batch_size, Tensor) else getattr(batch_size, "value", batch_size)
    zero = np.zeros((), dtype.np)
    if known is not None:
        return raw.Fill(np.array([int(known), *rest], np.int32), zero, name="zeros")  # type: ignore[no-any-return]
    batch = batch_size if batch_size.dtype.base_dtype is dtypes.int32 else raw.Cast(batch_size, DstT=dtypes.int32)
    dims = raw.ConcatV2([raw.ExpandDims(batch, np.int32(0)), np.array(rest, np.int32)], np.int32(0))
    out: Tensor = raw.Fill(dims, zero, name="zeros")
    out._shape = (None, *rest)
    return out


def zero_state_of(state_size: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros for every part of a nested state size."""
    sizes = _flat_sizes(state_size)
    kinds = nest.flatten(dtype) if nest.is_nested(dtype) else [dtype] * len(sizes)
    return _pack_sizes(state_size, [zeros_of(batch_size, s, d) for s, d in zip(sizes, kinds, strict=True)])


def _flat_sizes(size: Any) -> list[Any]:
    return nest.flatten(size)


def _pack_sizes(size: Any, flat: list[Any]) -> Any:
    return nest.pack_sequence_as(size, flat)


def _linear(inputs: Any, kernel: Any, bias: Any) -> Tensor:
    return raw.BiasAdd(raw.MatMul(inputs, kernel), bias)  # type: ignore[no-any-return]


def _join(tensors: list[Any]) -> Tensor:
    return raw.ConcatV2(tensors, np.int32(1), name="concat")  # type: ignore[no-any-return]


def _activation(given: Any, default: str) -> Callable[[Any], Any]:
    if given is None:
        return getattr(raw, default)  # type: ignore[no-any-return]
    if callable(given):
        return given  # type: ignore[no-any-return]
    return {"tanh": raw.Tanh, "relu": raw.Relu, "sigmoid": raw.Sigmoid, "linear": lambda x: x}[given]


def _depth(inputs: Any) -> int:
    shape = inputs._shape if isinstance(inputs, Tensor) else to_tuple(inputs)
    if shape is None or shape[-1] is None:
        raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {TensorShape(shape)}")
    return int(shape[-1])


# --- the base ---------------------------------------------------------------------------------------------------------------------
class RNNCell:
    """A cell: `output, new_state = cell(inputs, state)`, with `state_size`, `output_size` and `zero_state`.

    Subclasses give `call(inputs, state)` and, for variables, `build(inputs_shape)` with `add_variable`. Calls share variables.
    """

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None, _reuse: Any = None, **kwargs: Any
    ) -> None:
        unknown = set(kwargs) - {"reuse", "input_shape", "activity_regularizer"}
        if unknown:
            raise TypeError(f"Keyword argument not understood: {sorted(unknown)[0]}")
        self.trainable = trainable
        self._base_name = name or _snake(type(self).__name__)
        self._name = name
        self._reuse = kwargs.get("reuse", _reuse)
        self._dtype = None if dtype is None else dtypes.as_dtype(dtype)
        self._ensure_base()

    def _ensure_base(self) -> None:
        """Fields that a subclass's own __init__ may have left out."""
        d = self.__dict__
        d.setdefault("built", False)
        d.setdefault("_scope", None)
        d.setdefault("_weights", [])
        d.setdefault("_reuse", None)
        d.setdefault("_dtype", None)
        d.setdefault("trainable", True)
        d.setdefault("_name", None)
        d.setdefault("_base_name", _snake(type(self).__name__))

    # what subclasses define ---------------------------------------------------------------------------------------------------
    @property
    def state_size(self) -> Any:
        """Size (int, TensorShape or nested) of the state."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """Size of the outputs."""
        raise NotImplementedError("Abstract method")

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables; most old cells do that in `call`."""
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines neither call nor __call__")

    # calling ----------------------------------------------------------------------------------------------------------------------
    def __call__(self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._ensure_base()
        if self._scope is None:
            self._set_scope(scope)
        first = nest.flatten(inputs)[0]
        if self._dtype is None and first is not None:
            self._dtype = convert_to_tensor(first).dtype.base_dtype
        reuse = True if self.built else self._reuse
        with variable_scope(
            self._scope, reuse=reuse, auxiliary_name_scope=False, custom_getter=self._remember
        ) as entered:
            original = entered.original_name_scope
            with name_scope(original or None) if original else get_default_graph().name_scope(None):
                if not self.built:
                    shapes = [TensorShape(convert_to_tensor(t)._shape) for t in nest.flatten(inputs)]
                    self.build(nest.pack_sequence_as(inputs, shapes) if nest.is_nested(inputs) else shapes[0])
                result = self.call(inputs, state, *args, **kwargs)
                self.built = True
                return result

    def _set_scope(self, scope: Any) -> None:
        if isinstance(scope, VariableScope):
            self._scope = scope
            return
        if self._reuse:
            with variable_scope(scope if scope is not None else self._base_name) as captured:
                self._scope = captured
        else:
            with variable_scope(scope, default_name=self._base_name) as captured:
                self._scope = captured

    def _remember(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A custom getter that notes the variables of the cell."""
        v = getter(*args, **kwargs)
        if not any(v is w for w in self._weights):
            self._weights.append(v)
        return v

    def add_variable(
        self, name: str, shape: Any, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool = True,
        constraint: Any = None, use_resource: bool | None = None, partitioner: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """A variable of the cell, under its scope."""
        if kwargs:
            raise TypeError(f"Unknown keyword argument: {sorted(kwargs)[0]}")
        return get_variable(
            name, shape=shape, dtype=dtypes.as_dtype(dtype or self._dtype or dtypes.float32), initializer=initializer, regularizer=regularizer,
            trainable=trainable and self.trainable, constraint=constraint, use_resource=use_resource, partitioner=partitioner,
        )  # fmt: skip

    add_weight = add_variable

    # states -------------------------------------------------------------------------------------------------------------------------
    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros for a batch."""
        with name_scope(type(self).__name__ + "ZeroState", None, [batch_size]):
            return zero_state_of(self.state_size, batch_size, dtype)

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        if inputs is not None:
            inputs = convert_to_tensor(inputs)
            known = inputs._shape[0] if inputs._shape else None
            batch_size = (
                known if known is not None else raw.StridedSlice(raw.Shape(inputs), [0], [1], [1], shrink_axis_mask=1)
            )
            dtype = inputs.dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: batch_size={batch_size}, dtype={dtype}"
            )
        return self.zero_state(batch_size, dtype)

    # what it holds --------------------------------------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        self._ensure_base()
        return self._name or self._base_name

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def scope_name(self) -> str:
        if self.__dict__.get("_scope") is None:
            raise ValueError(
                f'No name available for layer scope because the layer "{self.name}" has not been used yet.'
            )
        return self._scope.name  # type: ignore[no-any-return]

    @property
    def variables(self) -> list[Any]:
        self._ensure_base()
        return list(self._weights)

    weights = variables

    @property
    def trainable_variables(self) -> list[Any]:
        return [v for v in self.variables if getattr(v, "trainable", True)] if self.trainable else []

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        trainable = self.trainable_variables
        return [v for v in self.variables if not any(v is t for t in trainable)]

    non_trainable_weights = non_trainable_variables

    @property
    def losses(self) -> list[Any]:
        return []

    @property
    def updates(self) -> list[Any]:
        return []


LayerRNNCell = RNNCell


def _snake(name: str) -> str:
    inside = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", inside).lower()


# --- cells ------------------------------------------------------------------------------------------------------------------------------
class BasicRNNCell(RNNCell):
    """output = new state = activation(W [inputs, state] + b)."""

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._activation = _activation(activation, "Tanh")

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        self._kernel = self.add_variable(_KERNEL, shape=[_depth(inputs_shape) + self._num_units, self._num_units])
        self._bias = self.add_variable(_BIAS, shape=[self._num_units], initializer=zeros_initializer(dtype=self._dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        output = self._activation(_linear(_join([inputs, state]), self._kernel, self._bias))
        return output, output


class GRUCell(RNNCell):
    """Gated recurrent unit (Cho et al., 2014)."""

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, kernel_initializer: Any = None, bias_initializer: Any = None,
        name: str | None = None, dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._activation = _activation(activation, "Tanh")
        self._kernel_initializer = kernel_initializer
        self._bias_initializer = bias_initializer

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        n = self._num_units
        rows = _depth(inputs_shape) + n
        bias = self._bias_initializer
        self._gate_kernel = self.add_variable("gates/kernel", shape=[rows, 2 * n], initializer=self._kernel_initializer)
        self._gate_bias = self.add_variable(
            "gates/bias",
            shape=[2 * n],
            initializer=bias if bias is not None else constant_initializer(1.0, dtype=self._dtype),
        )
        self._candidate_kernel = self.add_variable(
            "candidate/kernel", shape=[rows, n], initializer=self._kernel_initializer
        )
        self._candidate_bias = self.add_variable(
            "candidate/bias", shape=[n], initializer=bias if bias is not None else zeros_initializer(dtype=self._dtype)
        )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        gates = raw.Sigmoid(_linear(_join([inputs, state]), self._gate_kernel, self._gate_bias))
        r, u = raw.Split(np.int32(1), gates, num_split=2)
        c = self._activation(_linear(_join([inputs, r * state]), self._candidate_kernel, self._candidate_bias))
        new = u * state + (1 - u) * c
        return new, new


class BasicLSTMCell(RNNCell):
    """LSTM without peepholes, clipping or projection."""

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, state_is_tuple: bool = True, activation: Any = None, reuse: Any = None,
        name: str | None = None, dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = _activation(activation, "Tanh")

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units) if self._state_is_tuple else 2 * self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        n = self._num_units
        self._kernel = self.add_variable(_KERNEL, shape=[_depth(inputs_shape) + n, 4 * n])
        self._bias = self.add_variable(_BIAS, shape=[4 * n], initializer=zeros_initializer(dtype=self._dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        c, h = state if self._state_is_tuple else raw.Split(np.int32(1), state, num_split=2)
        gates = _linear(_join([inputs, h]), self._kernel, self._bias)
        i, j, f, o = raw.Split(np.int32(1), gates, num_split=4)
        new_c = c * raw.Sigmoid(f + self._forget_bias) + raw.Sigmoid(i) * self._activation(j)
        new_h = self._activation(new_c) * raw.Sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h) if self._state_is_tuple else _join([new_c, new_h])


class LSTMCell(RNNCell):
    """LSTM with optional peepholes, cell clipping and projection of the output."""

    def __init__(
        self, num_units: int, use_peepholes: bool = False, cell_clip: float | None = None, initializer: Any = None, num_proj: int | None = None,
        proj_clip: float | None = None, num_unit_shards: int | None = None, num_proj_shards: int | None = None, forget_bias: float = 1.0,
        state_is_tuple: bool = True, activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self._num_units = num_units
        self._use_peepholes = use_peepholes
        self._cell_clip = cell_clip
        self._initializer = initializer
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._num_unit_shards = num_unit_shards
        self._num_proj_shards = num_proj_shards
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = _activation(activation, "Tanh")
        self._output_size = num_proj or num_units

    @property
    def state_size(self) -> Any:
        n, out = self._num_units, self._output_size
        return LSTMStateTuple(n, out) if self._state_is_tuple else n + out

    @property
    def output_size(self) -> Any:
        return self._output_size

    def build(self, inputs_shape: Any) -> None:
        n = self._num_units
        shards = None if self._num_unit_shards is None else fixed_size_partitioner(self._num_unit_shards)
        self._kernel = self.add_variable(
            _KERNEL,
            shape=[_depth(inputs_shape) + self._output_size, 4 * n],
            initializer=self._initializer,
            partitioner=shards,
        )
        self._bias = self.add_variable(
            _BIAS,
            shape=[4 * n],
            initializer=zeros_initializer(dtype=self._dtype) if self._initializer is None else zeros_initializer(),
        )
        if self._use_peepholes:
            self._w_f_diag, self._w_i_diag, self._w_o_diag = (
                self.add_variable(f"w_{g}_diag", shape=[n], initializer=self._initializer) for g in "fio"
            )
        if self._num_proj is not None:
            shards = None if self._num_proj_shards is None else fixed_size_partitioner(self._num_proj_shards)
            self._proj_kernel = self.add_variable(
                f"projection/{_KERNEL}", shape=[n, self._num_proj], initializer=self._initializer, partitioner=shards
            )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        if self._state_is_tuple:
            c_prev, m_prev = state
        else:
            c_prev, m_prev = (
                state[:, : self._num_units],
                state[:, self._num_units : self._num_units + self._output_size],
            )
        gates = _linear(_join([inputs, m_prev]), self._kernel, self._bias)
        i, j, f, o = raw.Split(np.int32(1), gates, num_split=4)
        if self._use_peepholes:
            forget = raw.Sigmoid(f + self._forget_bias + self._w_f_diag * c_prev)
            c = forget * c_prev + raw.Sigmoid(i + self._w_i_diag * c_prev) * self._activation(j)
        else:
            c = raw.Sigmoid(f + self._forget_bias) * c_prev + raw.Sigmoid(i) * self._activation(j)
        c = _clip(c, self._cell_clip)
        gate = o + self._w_o_diag * c if self._use_peepholes else o
        m = raw.Sigmoid(gate) * self._activation(c)
        if self._num_proj is not None:
            m = _clip(raw.MatMul(m, self._proj_kernel), self._proj_clip)
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else _join([c, m])


def _clip(x: Any, limit: float | None) -> Any:
    if limit is None:
        return x
    bound = np.asarray(limit, x.dtype.base_dtype.np)
    return raw.Maximum(raw.Minimum(x, bound), -bound)


# --- wrappers -------------------------------------------------------------------------------------------------------------------------------
class MultiRNNCell(RNNCell):
    """Cells on top of one another; the state is the tuple of their states."""

    def __init__(self, cells: Any, state_is_tuple: bool = True) -> None:
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not nest.is_nested(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        self._cells = cells
        self._state_is_tuple = state_is_tuple
        if not state_is_tuple and any(nest.is_nested(c.state_size) for c in cells):
            raise ValueError(
                f"Some cells return tuples of states, but the flag state_is_tuple is not set.  State sizes are: {[c.state_size for c in cells]}"
            )

    @property
    def state_size(self) -> Any:
        sizes = tuple(c.state_size for c in self._cells)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState", None, [batch_size]):
            if self._state_is_tuple:
                return tuple(c.zero_state(batch_size, dtype) for c in self._cells)
            return zero_state_of(self.state_size, batch_size, dtype)

    @property
    def variables(self) -> list[Any]:
        return [v for c in self._cells for v in c.variables]

    weights = variables

    def call(self, inputs: Any, state: Any) -> Any:
        start = 0
        states = []
        for i, cell in enumerate(self._cells):
            with variable_scope(f"cell_{i}"):
                if self._state_is_tuple:
                    if not nest.is_nested(state):
                        raise ValueError(
                            f"Expected state to be a tuple of length {len(self.state_size)}, but received: {state}"
                        )
                    mine = state[i]
                else:
                    mine = state[:, start : start + cell.state_size]
                    start += cell.state_size
                inputs, new = cell(inputs, mine)
                states.append(new)
        return inputs, tuple(states) if self._state_is_tuple else _join(states)


class _Wrapper(RNNCell):
    """A cell around a cell; variables and names are the inner cell's."""

    def __init__(self, cell: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _check_cell("cell", cell)
        self.cell = self._cell = cell

    @property
    def wrapped_cell(self) -> Any:
        return self.cell

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        return self.cell.output_size

    @property
    def variables(self) -> list[Any]:
        return self.cell.variables  # type: ignore[no-any-return]

    weights = variables

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState", None, [batch_size]):
            return self.cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        return self._around(
            inputs,
            state,
            lambda i, s: self.cell(i, s, scope=scope, **kwargs) if scope is not None else self.cell(i, s, **kwargs),
        )

    def _around(self, inputs: Any, state: Any, call: Callable[[Any, Any], Any]) -> Any:
        raise NotImplementedError


def _check_cell(name: str, cell: Any) -> None:
    if not all(hasattr(cell, a) for a in ("output_size", "state_size")) or not callable(cell):
        raise TypeError(
            f"The argument {name!r} ({cell}) is not an RNNCell: 'output_size' property is missing or it is not callable."
        )


class DropoutWrapper(_Wrapper):
    """Dropout on a cell's inputs, state and outputs; the same mask at every step with `variational_recurrent`."""

    def __init__(
        self, cell: Any, input_keep_prob: Any = 1.0, output_keep_prob: Any = 1.0, state_keep_prob: Any = 1.0, variational_recurrent: bool = False,
        input_size: Any = None, dtype: Any = None, seed: int | None = None, dropout_state_filter_visitor: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(cell, dtype=dtype, **kwargs)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._state_filter = dropout_state_filter_visitor or _not_memory
        self._keep = {}
        for name, p in (("input", input_keep_prob), ("state", state_keep_prob), ("output", output_keep_prob)):
            value = convert_to_tensor(p, name=f"{name}_keep_prob")
            known = constant_value(value)
            if known is not None:
                if not 0 < float(known) <= 1:
                    raise ValueError(f"Parameter {name}_keep_prob must be between 0 and 1: {float(known)}")
                self._keep[name] = float(known)
            else:
                self._keep[name] = value
        self._variational = variational_recurrent
        self._seed = seed
        self._noise: dict[str, Any] = {}
        if variational_recurrent:
            if dtype is None:
                raise ValueError("When variational_recurrent=True, dtype must be provided")
            self._make_noise(input_size, dtype)

    def _make_noise(self, input_size: Any, dtype: Any) -> None:
        from hornbeam.api.random_ops import random_uniform

        def noise(what: str, sizes: Any) -> list[Tensor]:
            return [
                random_uniform([1, *_size(s)], seed=self._seed_of(what, i), dtype=dtypes.as_dtype(dtype)) for i, s in enumerate(nest.flatten(sizes))
            ]  # fmt: skip

        if self._drops("input"):
            if input_size is None:
                raise ValueError(
                    "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, input_size must be provided"
                )
            self._noise["input"] = noise("input", input_size)
        self._noise["state"] = noise("state", self.cell.state_size)
        self._noise["output"] = noise("output", self.cell.output_size)

    def _drops(self, what: str) -> bool:
        p = self._keep[what]
        return not isinstance(p, float) or p < 1

    def _seed_of(self, what: str, index: int) -> int | None:
        if self._seed is None:
            return None
        text = f"{self._seed}{what}_{index}".encode()
        return int(hashlib.md5(text).hexdigest()[:8], 16) & 0x7FFFFFFF

    def _drop(self, value: Any, what: str, filtered: Any = True) -> Any:
        flat = nest.flatten(value)
        chosen = nest.flatten(filtered) if nest.is_nested(filtered) else [filtered] * len(flat)
        out = []
        for i, (v, yes) in enumerate(zip(flat, chosen, strict=True)):
            if not yes or not self._drops(what):
                out.append(v)
            elif self._variational:
                keep = convert_to_tensor(self._keep[what], v.dtype.base_dtype)
                mask = raw.Floor(keep + self._noise[what][i])
                out.append(v / keep * mask)
            else:
                out.append(_dropout(v, self._keep[what], self._seed_of(what, i)))
        return nest.pack_sequence_as(value, out)

    def _around(self, inputs: Any, state: Any, call: Callable[[Any, Any], Any]) -> Any:
        output, new = call(self._drop(inputs, "input"), state)
        if self._drops("state"):
            new = self._drop(new, "state", _filter_like(self._state_filter, new))
        return self._drop(output, "output"), new


def _not_memory(substate: Any) -> Any:
    """By default the memory `c` of an LSTM is not dropped, nor what a TensorArray holds."""
    if isinstance(substate, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    return not hasattr(substate, "_flow_parts")


def _filter_like(visitor: Callable[[Any], Any], state: Any) -> Any:
    verdict = visitor(state)
    if nest.is_nested(verdict):
        return verdict
    if nest.is_nested(state) and not isinstance(state, LSTMStateTuple):
        children = [_filter_like(visitor, s) for s in (state.values() if isinstance(state, dict) else state)]
        return (
            type(state)(*children)
            if hasattr(state, "_fields")
            else type(state)(children)
            if not isinstance(state, dict)
            else dict(zip(state, children, strict=True))
        )
    if nest.is_nested(state):
        return nest.pack_sequence_as(state, [verdict] * len(nest.flatten(state)))
    return verdict


def _dropout(x: Tensor, keep: Any, seed: int | None) -> Tensor:
    from hornbeam.api.random_ops import random_uniform

    with name_scope("dropout"):
        shape = np.array(x._shape, np.int32) if x._shape is not None and None not in x._shape else raw.Shape(x)
        dtype = x.dtype.base_dtype
        rate = np.asarray(1 - keep, dtype.np) if isinstance(keep, float) else 1 - raw.Cast(keep, DstT=dtype)
        kept = raw.GreaterEqual(random_uniform(shape, seed=seed, dtype=dtype), rate)
        scale = np.asarray(1 / keep, dtype.np) if isinstance(keep, float) else 1 / raw.Cast(keep, DstT=dtype)
        out: Tensor = x * scale * raw.Cast(kept, DstT=dtype)
        out._shape = x._shape
        return out


class ResidualWrapper(_Wrapper):
    """Adds the inputs to a cell's outputs, or what `residual_fn(inputs, outputs)` says."""

    def __init__(self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def _around(self, inputs: Any, state: Any, call: Callable[[Any, Any], Any]) -> Any:
        outputs, new = call(inputs, state)
        if self._residual_fn is not None:
            return self._residual_fn(inputs, outputs), new
        nest.assert_same_structure(inputs, outputs)

        def add(i: Tensor, o: Tensor) -> Tensor:
            if i._shape is not None and o._shape is not None and not TensorShape(i._shape).is_compatible_with(o._shape):
                raise ValueError(
                    f"ResidualWrapper: inputs of shape {TensorShape(i._shape)} cannot be added to outputs of {TensorShape(o._shape)}"
                )
            return i + o  # type: ignore[no-any-return]

        return nest.map_structure(add, inputs, outputs), new


class HighwayWrapper(_Wrapper):
    """A cell whose outputs are mixed with its inputs by a learned gate (variables `carry_w`, `carry_b`)."""

    def __init__(self, cell: Any, couple_carry_transform_gates: bool = True, carry_bias_init: float = 1.0) -> None:
        super().__init__(cell)
        self._couple = couple_carry_transform_gates
        self._carry_bias = carry_bias_init

    def _around(self, inputs: Any, state: Any, call: Callable[[Any, Any], Any]) -> Any:
        outputs, new = call(inputs, state)

        def gate(name: str, x: Tensor, bias: float) -> Tensor:
            n = _depth(x)
            w = get_variable(f"{name}_w", [n, n], dtype=x.dtype.base_dtype)
            b = get_variable(f"{name}_b", [n], dtype=x.dtype.base_dtype, initializer=constant_initializer(bias))
            return raw.Sigmoid(raw.BiasAdd(raw.MatMul(x, w), b))  # type: ignore[no-any-return]

        def mix(i: Tensor, o: Tensor) -> Tensor:
            carry = gate("carry", i, self._carry_bias)
            transform = 1 - carry if self._couple else gate("transform", i, -self._carry_bias)
            return i * carry + o * transform  # type: ignore[no-any-return]

        return nest.map_structure(mix, inputs, outputs), new


class DeviceWrapper(_Wrapper):
    """Runs a cell with its nodes placed on a device."""

    def __init__(self, cell: Any, device: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._device = device

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with (
            name_scope(type(self).__name__ + "ZeroState", None, [batch_size]),
            get_default_graph().device(self._device),
        ):
            return self.cell.zero_state(batch_size, dtype)

    def _around(self, inputs: Any, state: Any, call: Callable[[Any, Any], Any]) -> Any:
        with get_default_graph().device(self._device):
            return call(inputs, state)


_CORE = ["RNNCell", "BasicRNNCell", "GRUCell", "BasicLSTMCell", "LSTMCell", "LSTMStateTuple", "MultiRNNCell", "DropoutWrapper", "ResidualWrapper",
         "DeviceWrapper"]  # fmt: skip
__tf_exports__ = {
    **{f"nn.rnn_cell.{n}": n for n in _CORE},
    **{f"contrib.rnn.{n}": n for n in [*_CORE, "LayerRNNCell", "HighwayWrapper"]},
}
