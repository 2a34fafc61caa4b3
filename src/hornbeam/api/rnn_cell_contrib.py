"""`tf.contrib.rnn`: cells beyond the core ones: layer-normalised LSTM, NAS, UGRNN, convolutional LSTM, block cells, projections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api.init_ops import constant_initializer, random_uniform_initializer, zeros_initializer
from hornbeam.api.rnn_cell import (
    GRUCell,
    LSTMStateTuple,
    RNNCell,
    _activation,
    _check_cell,
    _clip,
    _depth,
    _dropout,
    _join,
    _linear,
)  # fmt: skip
from hornbeam.api.variable_scope import get_variable, variable_scope
from hornbeam.core.graph import Tensor
from hornbeam.core.registry import raw


class _Units(RNNCell):
    """A cell whose state and output have `num_units` numbers."""

    def __init__(self, num_units: int, reuse: Any = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(_reuse=reuse, name=name, **kwargs)
        self._num_units = num_units

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units


class UGRNNCell(_Units):
    """Update gate RNN (Collins et al., 2016)."""

    def __init__(
        self,
        num_units: int,
        initializer: Any = None,
        forget_bias: float = 1.0,
        activation: Any = None,
        reuse: Any = None,
    ) -> None:
        super().__init__(num_units, reuse)
        self._initializer = initializer
        self._forget_bias = forget_bias
        self._activation = _activation(activation, "Tanh")

    def call(self, inputs: Any, state: Any) -> Any:
        both = _join([inputs, state])
        kernel = get_variable(
            "kernel", [_depth(both), 2 * self._num_units], dtype=both.dtype, initializer=self._initializer
        )
        bias = get_variable("bias", [2 * self._num_units], dtype=both.dtype, initializer=zeros_initializer())
        g, c = raw.Split(np.int32(1), _linear(both, kernel, bias), num_split=2)
        gate = raw.Sigmoid(g + self._forget_bias)
        new = gate * state + (1.0 - gate) * self._activation(c)
        return new, new


class LayerNormBasicLSTMCell(_Units):
    """LSTM with layer normalisation of gates and memory, and recurrent dropout."""

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, input_size: Any = None, activation: Any = None, layer_norm: bool = True,
        norm_gain: float = 1.0, norm_shift: float = 0.0, dropout_keep_prob: Any = 1.0, dropout_prob_seed: int | None = None, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_units, reuse)
        if input_size is not None:
            raise ValueError("The input_size parameter is deprecated: the size is taken from the inputs.")
        self._forget_bias = forget_bias
        self._activation = _activation(activation, "Tanh")
        self._layer_norm = layer_norm
        self._norm_gain = norm_gain
        self._norm_shift = norm_shift
        self._keep_prob = dropout_keep_prob
        self._seed = dropout_prob_seed

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    def _norm(self, x: Tensor, scope: str) -> Tensor:
        n = [_depth(x)]
        with variable_scope(scope):
            gamma = get_variable("gamma", n, dtype=x.dtype, initializer=constant_initializer(self._norm_gain))
            beta = get_variable("beta", n, dtype=x.dtype, initializer=constant_initializer(self._norm_shift))
        last = np.array([-1], np.int32)
        mean = raw.Mean(x, last, keep_dims=True)
        variance = raw.Mean(raw.SquaredDifference(x, raw.StopGradient(mean)), last, keep_dims=True)
        return (x - mean) * raw.Rsqrt(variance + 1e-12) * gamma + beta  # type: ignore[no-any-return]

    def call(self, inputs: Any, state: Any) -> Any:
        c, h = state
        both = _join([inputs, h])
        kernel = get_variable("kernel", [_depth(both), 4 * self._num_units], dtype=both.dtype)
        gates = raw.MatMul(both, kernel)
        if not self._layer_norm:
            gates = raw.BiasAdd(gates, get_variable("bias", [4 * self._num_units], dtype=both.dtype))
        i, j, f, o = raw.Split(np.int32(1), gates, num_split=4)
        if self._layer_norm:
            i, j, f, o = (self._norm(v, n) for v, n in ((i, "input"), (j, "transform"), (f, "forget"), (o, "output")))
        g = self._activation(j)
        if not isinstance(self._keep_prob, float) or self._keep_prob < 1:
            g = _dropout(g, self._keep_prob, self._seed)
        new_c = c * raw.Sigmoid(f + self._forget_bias) + raw.Sigmoid(i) * g
        if self._layer_norm:
            new_c = self._norm(new_c, "state")
        new_h = self._activation(new_c) * raw.Sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h)


class NASCell(_Units):
    """The cell found by neural architecture search (Zoph & Le, 2017)."""

    def __init__(
        self, num_units: int, num_proj: int | None = None, use_bias: bool = False, reuse: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(num_units, reuse, **kwargs)
        self._num_proj = num_proj
        self._use_bias = use_bias

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self.output_size)

    @property
    def output_size(self) -> Any:
        return self._num_proj or self._num_units

    def build(self, inputs_shape: Any) -> None:
        n = 8 * self._num_units
        self._recurrent = self.add_variable("recurrent_kernel", [self.output_size, n])
        self._kernel = self.add_variable("kernel", [_depth(inputs_shape), n])
        self._bias = self.add_variable("bias", [n], initializer=zeros_initializer()) if self._use_bias else None
        self._projection = (
            self.add_variable("projection_weights", [self._num_units, self._num_proj])
            if self._num_proj is not None
            else None
        )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        c, m = state
        mine = raw.MatMul(m, self._recurrent)
        theirs = raw.MatMul(inputs, self._kernel)
        if self._bias is not None:
            mine = raw.BiasAdd(mine, self._bias)
        m0, m1, m2, m3, m4, m5, m6, m7 = raw.Split(np.int32(1), mine, num_split=8)
        x0, x1, x2, x3, x4, x5, x6, x7 = raw.Split(np.int32(1), theirs, num_split=8)
        sigmoid, relu, tanh = raw.Sigmoid, raw.Relu, raw.Tanh
        a = tanh(sigmoid(x0 + m0) * relu(x1 + m1))
        b = tanh(sigmoid(x2 + m2) + relu(x3 * m3))
        d = tanh(tanh(x4 + m4) * sigmoid(x5 + m5))
        e = sigmoid(tanh(x6 + m6) + sigmoid(x7 + m7))
        new_c = tanh(a + c) * b
        new_m = tanh(new_c * tanh(d + e))
        if self._projection is not None:
            new_m = raw.MatMul(new_m, self._projection)
        return new_m, LSTMStateTuple(new_c, new_m)


class ConvLSTMCell(RNNCell):
    """LSTM whose products are convolutions (Shi et al., 2015) over 1, 2 or 3 spatial dimensions."""

    def __init__(
        self, conv_ndims: int, input_shape: Any, output_channels: int, kernel_shape: Any, use_bias: bool = True, skip_connection: bool = False,
        forget_bias: float = 1.0, initializers: Any = None, name: str = "conv_lstm_cell",
    ) -> None:  # fmt: skip
        super().__init__(name=name)
        if conv_ndims != len(input_shape) - 1:
            raise ValueError(f"Invalid input_shape {input_shape} for conv_ndims={conv_ndims}.")
        self._ndims = conv_ndims
        self._input_shape = [int(d) for d in input_shape]
        self._channels = output_channels
        self._kernel_shape = list(kernel_shape)
        self._use_bias = use_bias
        self._skip = skip_connection
        self._forget_bias = forget_bias
        self._initializers = initializers

    @property
    def output_size(self) -> Any:
        from hornbeam.core.tensor_shape import TensorShape

        channels = self._channels + (self._input_shape[-1] if self._skip else 0)
        return TensorShape([*self._input_shape[:-1], channels])

    @property
    def state_size(self) -> Any:
        from hornbeam.core.tensor_shape import TensorShape

        size = TensorShape([*self._input_shape[:-1], self._channels])
        return LSTMStateTuple(size, size)

    def call(self, inputs: Any, state: Any) -> Any:
        c, h = state
        both = raw.ConcatV2([inputs, h], np.int32(self._ndims + 1))
        initializer = self._initializers if callable(self._initializers) else None
        kernel = get_variable(
            "kernel", [*self._kernel_shape, _depth(both), 4 * self._channels], dtype=both.dtype, initializer=initializer
        )
        gates = _convolve(both, kernel, self._ndims)
        if self._use_bias:
            gates = gates + get_variable(
                "biases", [4 * self._channels], dtype=both.dtype, initializer=zeros_initializer()
            )
        i, j, f, o = raw.Split(np.int32(self._ndims + 1), gates, num_split=4)
        new_c = raw.Sigmoid(f + self._forget_bias) * c + raw.Sigmoid(i) * raw.Tanh(j)
        new_h = raw.Tanh(new_c) * raw.Sigmoid(o)
        output = raw.ConcatV2([new_h, inputs], np.int32(self._ndims + 1)) if self._skip else new_h
        return output, LSTMStateTuple(new_c, new_h)


def _convolve(x: Tensor, kernel: Any, n: int) -> Tensor:
    if n == 3:
        return raw.Conv3D(x, kernel, strides=[1] * 5, padding="SAME")  # type: ignore[no-any-return]
    if n == 2:
        return raw.Conv2D(x, kernel, strides=[1] * 4, padding="SAME")  # type: ignore[no-any-return]
    wide = raw.Conv2D(
        raw.ExpandDims(x, np.int32(1)), raw.ExpandDims(kernel, np.int32(0)), strides=[1] * 4, padding="SAME"
    )
    return raw.Squeeze(wide, squeeze_dims=[1])  # type: ignore[no-any-return]


class Conv1DLSTMCell(ConvLSTMCell):
    def __init__(self, name: str = "conv_1d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=1, name=name, **kwargs)


class Conv2DLSTMCell(ConvLSTMCell):
    def __init__(self, name: str = "conv_2d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=2, name=name, **kwargs)


class Conv3DLSTMCell(ConvLSTMCell):
    def __init__(self, name: str = "conv_3d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=3, name=name, **kwargs)


# --- block cells: the same mathematics as GRU and LSTM under their variable names ------------------------------------------------------
class GRUBlockCellV2(GRUCell):
    """GRU with GRUCell's variables; XLA fuses either."""

    def __init__(
        self,
        num_units: int | None = None,
        cell_size: int | None = None,
        reuse: Any = None,
        name: str = "gru_cell",
        **kwargs: Any,
    ) -> None:
        super().__init__(_units(num_units, cell_size), reuse=reuse, name=name, **kwargs)


class GRUBlockCell(GRUBlockCellV2):
    """GRU whose variables are called w_ru, b_ru, w_c and b_c."""

    def build(self, inputs_shape: Any) -> None:
        n = self._num_units
        rows = _depth(inputs_shape) + n
        self._gate_kernel = self.add_variable("w_ru", [rows, 2 * n])
        self._gate_bias = self.add_variable("b_ru", [2 * n], initializer=constant_initializer(1.0))
        self._candidate_kernel = self.add_variable("w_c", [rows, n])
        self._candidate_bias = self.add_variable("b_c", [n], initializer=zeros_initializer())
        self.built = True


def _units(num_units: int | None, cell_size: int | None) -> int:
    if (num_units is None) == (cell_size is None):
        raise ValueError("Exactly one of num_units or cell_size must be provided.")
    return int(num_units if num_units is not None else cell_size)  # type: ignore[arg-type]


class LSTMBlockCell(_Units):
    """LSTM with optional peepholes and clipping, LSTMCell's variables."""

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, cell_clip: float | None = None, use_peephole: bool = False, dtype: Any = None,
        reuse: Any = None, name: str = "lstm_cell",
    ) -> None:  # fmt: skip
        super().__init__(num_units, reuse, name, dtype=dtype)
        self._forget_bias = forget_bias
        self._cell_clip = cell_clip if cell_clip is not None and cell_clip > 0 else None
        self._use_peephole = use_peephole

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    def build(self, inputs_shape: Any) -> None:
        n = self._num_units
        self._kernel = self.add_variable("kernel", [_depth(inputs_shape) + n, 4 * n])
        self._bias = self.add_variable("bias", [4 * n], initializer=zeros_initializer())
        if self._use_peephole:
            self._w_i_diag, self._w_f_diag, self._w_o_diag = (self.add_variable(f"w_{g}_diag", [n]) for g in "ifo")
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        c_prev, h = state
        i, j, f, o = raw.Split(np.int32(1), _linear(_join([inputs, h]), self._kernel, self._bias), num_split=4)
        if self._use_peephole:
            i, f = i + self._w_i_diag * c_prev, f + self._w_f_diag * c_prev
        c = _clip(c_prev * raw.Sigmoid(f + self._forget_bias) + raw.Sigmoid(i) * raw.Tanh(j), self._cell_clip)
        if self._use_peephole:
            o = o + self._w_o_diag * c
        h = raw.Tanh(c) * raw.Sigmoid(o)
        return h, LSTMStateTuple(c, h)


# --- wrappers with variables ---------------------------------------------------------------------------------------------------------------
class _Around(RNNCell):
    def __init__(self, cell: Any, reuse: Any = None) -> None:
        super().__init__(_reuse=reuse)
        _check_cell("cell", cell)
        self._cell = cell

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        return self._cell.zero_state(batch_size, dtype)

    def _project(self, x: Any, size: int, activation: Callable[..., Any] | None) -> Any:
        kernel = get_variable("kernel", [_depth(x), size], dtype=x.dtype)
        out = _linear(x, kernel, get_variable("bias", [size], dtype=x.dtype, initializer=zeros_initializer()))
        return activation(out) if activation is not None else out


class EmbeddingWrapper(_Around):
    """Looks integer inputs up in a table (variable `embedding`) before a cell."""

    def __init__(
        self, cell: Any, embedding_classes: int, embedding_size: int, initializer: Any = None, reuse: Any = None
    ) -> None:
        super().__init__(cell, reuse)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(
                f"Both embedding_classes and embedding_size must be > 0: {embedding_classes}, {embedding_size}."
            )
        self._classes = embedding_classes
        self._embedding_size = embedding_size
        self._initializer = initializer

    def call(self, inputs: Any, state: Any) -> Any:
        bound = float(np.sqrt(3))
        initializer = self._initializer or random_uniform_initializer(-bound, bound)
        first = state[0] if isinstance(state, tuple) else state
        table = get_variable(
            "embedding",
            [self._classes, self._embedding_size],
            initializer=initializer,
            dtype=getattr(first, "dtype", None),
        )
        embedded = raw.GatherV2(table, raw.Reshape(inputs, np.array([-1], np.int32)), np.int32(0))
        return self._cell(embedded, state)


class InputProjectionWrapper(_Around):
    """A linear layer before a cell."""

    def __init__(
        self, cell: Any, num_proj: int, activation: Any = None, input_size: Any = None, reuse: Any = None
    ) -> None:
        super().__init__(cell, reuse)
        if input_size is not None:
            raise ValueError("The input_size parameter is deprecated: the size is taken from the inputs.")
        self._num_proj = num_proj
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:
        return self._cell(self._project(inputs, self._num_proj, self._activation), state)


class OutputProjectionWrapper(_Around):
    """A linear layer after a cell."""

    def __init__(self, cell: Any, output_size: int, activation: Any = None, reuse: Any = None) -> None:
        super().__init__(cell, reuse)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        self._projected_size = output_size
        self._activation = activation

    @property
    def output_size(self) -> Any:
        return self._projected_size

    def call(self, inputs: Any, state: Any) -> Any:
        output, new = self._cell(inputs, state)
        return self._project(output, self._projected_size, self._activation), new


__tf_exports__ = {
    f"contrib.rnn.{n}": n
    for n in (
        "UGRNNCell", "LayerNormBasicLSTMCell", "NASCell", "ConvLSTMCell", "Conv1DLSTMCell", "Conv2DLSTMCell", "Conv3DLSTMCell", "GRUBlockCell",
        "GRUBlockCellV2", "LSTMBlockCell", "EmbeddingWrapper", "InputProjectionWrapper", "OutputProjectionWrapper",
    )
}  # fmt: skip
