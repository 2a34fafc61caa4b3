"""`tf.nn.dynamic_rnn` and its relatives: running RNN cells over sequences, in a loop or unrolled, in one direction or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.api import nest
from hornbeam.api.control_flow_ops import while_loop
from hornbeam.api.rnn_cell import _check_cell, _size, zeros_of
from hornbeam.api.tensor_array_ops import TensorArray
from hornbeam.api.variable_scope import variable_scope
from hornbeam.core import dtypes
from hornbeam.core.control import with_dependencies
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.tensor_shape import TensorShape, merge_or_raise


def _dim(t: Tensor, axis: int) -> Any:
    """A dimension as an int if known, else as a scalar tensor."""
    if t._shape is not None and t._shape[axis] is not None:
        return t._shape[axis]
    return raw.StridedSlice(raw.Shape(t), [axis], [axis + 1], [1], shrink_axis_mask=1)


def _swap_batch_time(x: Tensor) -> Tensor:
    """[batch, time, …] as [time, batch, …] and back."""
    if x._shape is not None and len(x._shape) < 2:
        raise ValueError(
            f"Expected input tensor {x.name} to have rank at least 2, but saw shape: {TensorShape(x._shape)}"
        )
    if x._shape is not None:
        return raw.Transpose(x, np.array([1, 0, *range(2, len(x._shape))], np.int32), name="transpose")  # type: ignore[no-any-return]
    perm = raw.ConcatV2([[1, 0], raw.Range(np.int32(2), raw.Rank(x), np.int32(1))], np.int32(0))
    return raw.Transpose(x, perm, name="transpose")  # type: ignore[no-any-return]


def _state_dtype(dtype: Any, state: Any) -> Any:
    if dtype is not None:
        return dtypes.as_dtype(dtype)
    kinds = [t.dtype.base_dtype for t in nest.flatten(state)]
    if not kinds:
        raise ValueError("Unable to infer dtype from empty state.")
    if any(k is not kinds[0] for k in kinds):
        raise ValueError(
            f"State has tensors of different inferred_dtypes. Unable to infer a single representative dtype: {kinds}"
        )
    return kinds[0]


def _lengths(sequence_length: Any, batch: Any) -> Any:
    """The sequence lengths as an int32 vector, checked against the batch size."""
    if sequence_length is None:
        return None
    t = convert_to_tensor(sequence_length, name="sequence_length")
    if t.dtype.base_dtype is not dtypes.int32:
        t = raw.Cast(t, DstT=dtypes.int32, name="ToInt32")
    if t._shape is not None and len(t._shape) != 1:
        raise ValueError(
            f"sequence_length must be a vector of length batch_size, but saw shape: {TensorShape(t._shape)}"
        )
    t = raw.Identity(t, name="sequence_length")
    if isinstance(batch, int) and t._shape is not None and t._shape[0] is not None:
        if t._shape[0] != batch:
            raise ValueError(
                f"sequence_length must be a vector of length batch_size {batch}, but saw shape: {TensorShape(t._shape)}"
            )
        return t
    shape = raw.Shape(t)
    wanted = raw.Pack([batch])
    ok = raw.Assert(
        raw.All(raw.Equal(shape, wanted), np.array([0], np.int32)),
        ["Expected shape for Tensor sequence_length:0 is ", wanted, " but saw shape: ", shape],
    )
    return with_dependencies([ok], t, name="CheckSeqLen")


def _copy_through(finished: Any, old: Any, new: Any) -> Any:
    """Per example: the old value where the sequence is over, the new one elsewhere. TensorArrays and scalars pass."""
    out = []
    for o, n in zip(nest.flatten(old), nest.flatten(new), strict=True):
        if not isinstance(n, Tensor) or n._shape == ():
            out.append(n)
            continue
        picked = raw.Select(finished, o, n)
        picked._shape = n._shape
        out.append(picked)
    return nest.pack_sequence_as(new, out)


def _zero_output(cell: Any, batch: Any, inputs: Any, dtype: Any) -> list[Tensor]:
    kinds = nest.flatten(dtype) if nest.is_nested(dtype) else None
    return [zeros_of(batch, s, kinds[i] if kinds else dtype) for i, s in enumerate(nest.flatten(cell.output_size))]


def _check_state(old: Any, new: Any) -> None:
    for o, n in zip(nest.flatten(old), nest.flatten(new), strict=True):
        if isinstance(o, Tensor) and isinstance(n, Tensor) and o._shape is not None and n._shape is not None:
            n._shape = merge_or_raise(n._shape, o._shape, "RNN state") if len(n._shape) == len(o._shape) else n._shape


# --- in a loop ----------------------------------------------------------------------------------------------------------------
def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> Any:
    """Runs `cell` over `inputs` [batch, time, …] (nested; [time, batch, …] if `time_major`): (outputs, last state).

    Beyond an example's `sequence_length` outputs are zero and the state is kept.
    """
    _check_cell("cell", cell)
    with variable_scope(scope or "rnn"):
        flat = [convert_to_tensor(x, name="input") for x in nest.flatten(inputs)]
        if not time_major:
            flat = [_swap_batch_time(x) for x in flat]
        batch = _batch_of(flat)
        state = _first_state(cell, initial_state, batch, dtype)
        lengths = _lengths(sequence_length, batch)
        packed = nest.pack_sequence_as(inputs, flat)
        outputs, final = _loop(cell, packed, state, lengths, batch, dtype, parallel_iterations or 32, swap_memory)
        if not time_major:
            outputs = nest.map_structure(_swap_batch_time, outputs)
        return outputs, final


def _batch_of(flat: list[Tensor]) -> Any:
    for x in flat:
        if x._shape is not None and len(x._shape) > 1 and x._shape[1] is not None:
            return x._shape[1]
    return _dim(flat[0], 1)


def _first_state(cell: Any, initial_state: Any, batch: Any, dtype: Any) -> Any:
    if initial_state is not None:
        return nest.map_structure(lambda s: s if hasattr(s, "_flow_parts") else convert_to_tensor(s), initial_state)
    if dtype is None:
        raise ValueError("If there is no initial_state, you must give a dtype.")
    if getattr(cell, "get_initial_state", None) is not None:
        return cell.get_initial_state(inputs=None, batch_size=batch, dtype=dtype)
    return cell.zero_state(batch, dtype)


def _loop(cell: Any, inputs: Any, state: Any, lengths: Any, batch: Any, dtype: Any, parallel: int, swap: bool) -> Any:
    flat = nest.flatten(inputs)
    for x in flat:
        if x._shape is not None and any(d is None for d in x._shape[2:]):
            raise ValueError(
                f"Input size (depth of inputs) must be accessible via shape inference, but saw value None: {TensorShape(x._shape)}"
            )
    steps: Any = next((x._shape[0] for x in flat if x._shape is not None and x._shape[0] is not None), None)
    known_steps = steps
    with name_scope("dynamic_rnn"):
        count = np.int32(steps) if steps is not None else _dim(flat[0], 0)
        sources = [
            TensorArray(
                x.dtype.base_dtype,
                size=count,
                element_shape=None if x._shape is None else x._shape[1:],
                tensor_array_name=f"input_{i}",
            ).unstack(x)
            for i, x in enumerate(flat)
        ]
        sizes = nest.flatten(cell.output_size)
        known_batch = batch if isinstance(batch, int) else None
        kinds = (
            nest.flatten(dtype)
            if dtype is not None and nest.is_nested(dtype)
            else [_state_dtype(dtype, state)] * len(sizes)
        )
        results = [
            TensorArray(k, size=count, element_shape=(known_batch, *_size(s)), tensor_array_name=f"output_{i}")
            for i, (s, k) in enumerate(zip(sizes, kinds, strict=True))
        ]
    zeros = _zero_output(cell, batch, flat, kinds if len(kinds) > 1 else kinds[0]) if lengths is not None else None

    def body(time: Tensor, arrays: Any, old: Any) -> Any:
        step_inputs = [s.read(time) for s in sources]
        for t, x in zip(step_inputs, flat, strict=True):
            t._shape = None if x._shape is None else x._shape[1:]
        output, new = cell(nest.pack_sequence_as(inputs, step_inputs), old)
        nest.assert_same_structure(old, new, check_types=False)
        new = nest.pack_sequence_as(old, nest.flatten(new))
        flat_out = [convert_to_tensor(o) for o in nest.flatten(output)]
        if lengths is not None:
            finished = raw.GreaterEqual(time, lengths)
            flat_out = nest.flatten(_copy_through(finished, zeros, flat_out))
            new = _copy_through(finished, old, new)
        _check_state(old, new)
        return time + 1, tuple(a.write(time, o) for a, o in zip(arrays, flat_out, strict=True)), new

    # every step runs: beyond the longest sequence it only writes zeros and keeps the state, and the number of turns stays known
    _, arrays, final = while_loop(
        lambda time, *_: time < count, body, (np.int32(0), tuple(results), state), parallel_iterations=parallel, swap_memory=swap,
        maximum_iterations=count,
    )  # fmt: skip
    stacked = []
    for a, s in zip(arrays, sizes, strict=True):
        t = a.stack()
        t._shape = (known_steps, known_batch, *_size(s))
        stacked.append(t)
    return nest.pack_sequence_as(cell.output_size, stacked), final


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> Any:
    """dynamic_rnn forwards and, with another cell, backwards: ((outputs forwards, backwards), (state forwards, backwards))."""
    _check_cell("cell_fw", cell_fw)
    _check_cell("cell_bw", cell_bw)
    options = {
        "dtype": dtype,
        "parallel_iterations": parallel_iterations,
        "swap_memory": swap_memory,
        "time_major": time_major,
    }
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)

    def reverse(x: Tensor) -> Tensor:
        if sequence_length is not None:
            return raw.ReverseSequence(x, sequence_length, seq_dim=time_axis, batch_dim=batch_axis)  # type: ignore[no-any-return]
        return raw.ReverseV2(x, np.array([time_axis], np.int32))  # type: ignore[no-any-return]

    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw:
            out_fw, state_fw = dynamic_rnn(cell_fw, inputs, sequence_length, initial_state_fw, scope=fw, **options)
        with variable_scope("bw") as bw:
            backwards = nest.map_structure(lambda x: reverse(convert_to_tensor(x)), inputs)
            reversed_out, state_bw = dynamic_rnn(
                cell_bw, backwards, sequence_length, initial_state_bw, scope=bw, **options
            )
    out_bw = nest.map_structure(reverse, reversed_out)
    return (out_fw, out_bw), (state_fw, state_bw)


def raw_rnn(
    cell: Any,
    loop_fn: Callable[..., Any],
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    scope: Any = None,
) -> Any:
    """A loop over a cell that `loop_fn(time, output, state, loop_state)` steers: (TensorArrays of what it emits, last state, last loop state).

    `loop_fn` returns (finished per example, next input, next state, what to emit, next loop state); the loop ends when all are finished.
    """
    _check_cell("cell", cell)
    if not callable(loop_fn):
        raise TypeError("loop_fn must be a callable")
    with variable_scope(scope or "rnn"):
        finished, first_input, state, emit, loop_state = loop_fn(
            np.int32(0) + convert_to_tensor(np.int32(0)), None, None, None
        )
        flat_input = [convert_to_tensor(x) for x in nest.flatten(first_input)]
        batch = next(
            (x._shape[0] for x in flat_input if x._shape is not None and x._shape and x._shape[0] is not None), None
        )
        if batch is None:
            batch = _dim(flat_input[0], 0)
        state = nest.map_structure(lambda s: s if hasattr(s, "_flow_parts") else convert_to_tensor(s), state)
        emit_structure = emit if emit is not None else cell.output_size
        if emit is not None:
            flat_emit = [convert_to_tensor(e) for e in nest.flatten(emit)]
            sizes: list[Any] = [e._shape for e in flat_emit]
            kinds = [e.dtype.base_dtype for e in flat_emit]
        else:
            sizes = [_size(s) for s in nest.flatten(cell.output_size)]
            kinds = [_state_dtype(None, state)] * len(sizes)
        results = [
            TensorArray(k, size=0, dynamic_size=True, tensor_array_name=f"rnn_output_{i}") for i, k in enumerate(kinds)
        ]
        zeros = nest.pack_sequence_as(
            emit_structure, [zeros_of(batch, s, k) for s, k in zip(sizes, kinds, strict=True)]
        )
        has_loop_state = loop_state is not None
        extra = (
            nest.map_structure(lambda v: v if hasattr(v, "_flow_parts") else convert_to_tensor(v), loop_state)
            if has_loop_state
            else np.int32(0)
        )

        def body(time: Tensor, done: Tensor, current: Any, arrays: Any, old: Any, extra: Any) -> Any:
            output, new = cell(current, old)
            next_time = time + 1
            next_done, next_input, new, emitted, next_extra = loop_fn(
                next_time, output, new, extra if has_loop_state else None
            )
            new = nest.pack_sequence_as(old, nest.flatten(new))
            nest.assert_same_structure(emit_structure, emitted, check_types=False)
            emitted = _copy_through(done, zeros, nest.map_structure(convert_to_tensor, emitted))
            new = _copy_through(done, old, new)
            written = [a.write(time, e) for a, e in zip(arrays, nest.flatten(emitted), strict=True)]
            return (
                next_time,
                raw.LogicalOr(done, next_done),
                next_input,
                written,
                new,
                next_extra if has_loop_state else extra,
            )

        _, _, _, arrays, final, final_extra = while_loop(
            lambda time, done, *_: raw.LogicalNot(raw.All(done, np.array([0], np.int32))), body,
            [np.int32(0), finished, first_input, results, state, extra], parallel_iterations=parallel_iterations or 32, swap_memory=swap_memory,
        )  # fmt: skip
        return nest.pack_sequence_as(emit_structure, arrays), final, final_extra if has_loop_state else None


# --- unrolled ---------------------------------------------------------------------------------------------------------------------
def static_rnn(
    cell: Any, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None
) -> Any:
    """Runs `cell` over a list of inputs [batch, …], one a step, unrolled: (list of outputs, last state)."""
    _check_cell("cell", cell)
    if not nest.is_nested(inputs):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")
    outputs = []
    with variable_scope(scope or "rnn") as varscope:
        first = nest.flatten(inputs[0])
        tensors = [convert_to_tensor(x) for x in first]
        batch: Any = next((x._shape[0] for x in tensors if x._shape is not None and x._shape[0] is not None), None)
        if batch is None:
            batch = _dim(tensors[0], 0)
        state = _first_state(cell, initial_state, batch, dtype)
        lengths = _lengths(sequence_length, batch)
        zeros = None
        for time, x in enumerate(inputs):
            if time > 0:
                varscope.reuse_variables()
            output, new = cell(x, state)
            if lengths is not None:
                if zeros is None:
                    kinds = [o.dtype.base_dtype for o in nest.flatten(output)]
                    zeros = nest.pack_sequence_as(
                        output,
                        [zeros_of(batch, s, k) for s, k in zip(nest.flatten(cell.output_size), kinds, strict=True)],
                    )
                finished = raw.LessEqual(lengths, np.int32(time))
                output = _copy_through(finished, zeros, output)
                new = _copy_through(finished, state, nest.pack_sequence_as(state, nest.flatten(new)))
            state = new
            outputs.append(output)
        return outputs, state


def static_state_saving_rnn(
    cell: Any, inputs: Any, state_saver: Any, state_name: Any, sequence_length: Any = None, scope: Any = None
) -> Any:
    """static_rnn that takes its first state from `state_saver.state(name)` and saves the last one with `save_state`."""
    names = nest.flatten(state_name)
    first = nest.pack_sequence_as(cell.state_size, [state_saver.state(n) for n in names])
    outputs, state = static_rnn(cell, inputs, initial_state=first, sequence_length=sequence_length, scope=scope)
    saves = [state_saver.save_state(n, s) for n, s in zip(names, nest.flatten(state), strict=True)]
    last = nest.flatten(outputs[-1])
    outputs[-1] = nest.pack_sequence_as(outputs[-1], [with_dependencies(saves, o) for o in last])
    return outputs, nest.pack_sequence_as(state, [with_dependencies(saves, s) for s in nest.flatten(state)])


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> Any:
    """static_rnn in both directions: (outputs joined per step, state forwards, state backwards)."""
    _check_cell("cell_fw", cell_fw)
    _check_cell("cell_bw", cell_bw)
    if not isinstance(inputs, (list, tuple)):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw:
            out_fw, state_fw = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=fw)
        with variable_scope("bw") as bw:
            out_bw, state_bw = static_rnn(
                cell_bw, _reverse_list(inputs, sequence_length), initial_state_bw, dtype, sequence_length, scope=bw
            )
    out_bw = _reverse_list(out_bw, sequence_length)
    outputs = [
        nest.pack_sequence_as(
            f, [raw.ConcatV2([a, b], np.int32(1)) for a, b in zip(nest.flatten(f), nest.flatten(b), strict=True)]
        )
        for f, b in zip(out_fw, out_bw, strict=True)
    ]
    return outputs, state_fw, state_bw


def _reverse_list(values: Any, lengths: Any) -> list[Any]:
    """A sequence backwards; with lengths, each example within its own length."""
    if lengths is None:
        return list(reversed(values))
    columns = list(zip(*(nest.flatten(v) for v in values), strict=True))
    flipped = []
    for column in columns:
        joined = raw.Pack(list(column), axis=0)
        back = raw.ReverseSequence(joined, lengths, seq_dim=0, batch_dim=1)
        parts = raw.Unpack(back, num=len(column), axis=0)
        for p, c in zip(parts, column, strict=True):
            p._shape = c._shape
        flipped.append(parts)
    return [nest.pack_sequence_as(values[0], list(step)) for step in zip(*flipped, strict=True)]


def stack_bidirectional_dynamic_rnn(
    cells_fw: Any,
    cells_bw: Any,
    inputs: Any,
    initial_states_fw: Any = None,
    initial_states_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    parallel_iterations: int | None = None,
    time_major: bool = False,
    scope: Any = None,
    swap_memory: bool = False,
) -> Any:
    """Bidirectional layers on top of one another: (outputs of the last, states forwards, states backwards)."""
    _check_stack(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw, states_bw = [], []
    layer = inputs
    with variable_scope(scope or "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw, strict=True)):
            first_fw = initial_states_fw[i] if initial_states_fw else None
            first_bw = initial_states_bw[i] if initial_states_bw else None
            with variable_scope(f"cell_{i}"):
                outputs, (state_fw, state_bw) = bidirectional_dynamic_rnn(
                    fw,
                    bw,
                    layer,
                    sequence_length,
                    first_fw,
                    first_bw,
                    dtype,
                    parallel_iterations,
                    swap_memory,
                    time_major,
                )
                layer = raw.ConcatV2(list(outputs), np.int32(2))
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return layer, tuple(states_fw), tuple(states_bw)


def _check_stack(cells_fw: Any, cells_bw: Any, states_fw: Any, states_bw: Any) -> None:
    for name, cells in (("cells_fw", cells_fw), ("cells_bw", cells_bw)):
        if not cells:
            raise ValueError(f"Must specify at least one {name[-2:]} cell for BidirectionalRNN.")
        if not isinstance(cells, list):
            raise ValueError(f"{name} must be a list of RNNCells (one per layer).")
    if len(cells_fw) != len(cells_bw):
        raise ValueError("Forward and Backward cells must have the same depth.")
    for name, states in (("initial_states_fw", states_fw), ("initial_states_bw", states_bw)):
        if states is not None and (not isinstance(states, list) or len(states) != len(cells_fw)):
            raise ValueError(f"{name} must be a list of state tensors (one per layer).")


_PUBLIC = [
    "dynamic_rnn",
    "bidirectional_dynamic_rnn",
    "raw_rnn",
    "static_rnn",
    "static_state_saving_rnn",
    "static_bidirectional_rnn",
]
__tf_exports__ = {
    **{f"nn.{n}": n for n in _PUBLIC},
    **{
        f"contrib.rnn.{n}": n
        for n in (
            "static_rnn",
            "static_state_saving_rnn",
            "static_bidirectional_rnn",
            "stack_bidirectional_dynamic_rnn",
        )
    },
}
