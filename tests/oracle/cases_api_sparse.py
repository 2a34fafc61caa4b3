"""Calls of the sparse functions."""

# fmt: off
from __future__ import annotations

_S = "tf.SparseTensor([[0, 1], [1, 0], [1, 2]], [1.0, -2.0, 3.0], [2, 3])"
_R = "tf.SparseTensor([[0, 1], [1, 1]], [5.0, 7.0], [2, 3])"
_I = "tf.SparseTensor([[0, 0], [1, 0]], [1, 2], [2, 2])"


def p(expression: str) -> str:
    """The three tensors of a sparse result."""
    return f"(lambda v: [v.indices, v.values, v.dense_shape])({expression})"


CALLS = [
    p(_S), p("tf.SparseTensor(indices=[[0]], values=['a'], dense_shape=[3])"), "tf.SparseTensor([[0, 1]], [1.0, 2.0], [2, 2])", "tf.SparseTensor([[0, 1]], [1.0], [2])", "tf.SparseTensor([[0]], [1.0], [2]).shape.as_list()",
    p("tf.SparseTensor.from_value(tf.SparseTensorValue([[0, 0]], [1.0], [1, 1]))"), f"tf.sparse_tensor_to_dense({_S})", f"tf.sparse.to_dense({_S}, 9.0, name='n')", "tf.sparse_tensor_to_dense(tf.SparseTensor([[1], [0]], [1.0, 2.0], [2]))", "tf.sparse_tensor_to_dense(tf.SparseTensor([[1], [0]], [1.0, 2.0], [2]), validate_indices=False)",
    "tf.sparse_to_dense([1, 3], [5], 1.0)", "tf.sparse_to_dense([[0, 1]], [2, 2], [7], -1, name='n')", "tf.sparse_to_dense(2, [4], 1)", "tf.sparse_to_dense([3, 1], [5], 1.0)", "tf.sparse_to_dense(ids[1:], [4], [1.0, 2.0])",
    f"tf.sparse_tensor_dense_matmul({_S}, tf.transpose(x))", f"tf.sparse_tensor_dense_matmul({_S}, x, adjoint_a=True)", f"tf.sparse.matmul({_S}, y, adjoint_b=True)", f"tf.sparse_tensor_dense_matmul({_S}, x)", f"tf.sparse_tensor_dense_matmul(x, {_S})",
    p(f"tf.sparse_add({_S}, {_R})"), p(f"tf.sparse_add({_S}, {_R}, threshold=10.0)"), f"tf.sparse_add({_S}, x)", f"tf.sparse_add(x, {_S})", "tf.sparse_add(x, y)", p(f"tf.sparse_maximum({_S}, {_R})"), p(f"tf.sparse_minimum({_S}, {_R})"),
    p(f"{_S} * y"), p(f"{_S} / y"), p(f"{_S} * 2.0"), p(f"tf.sparse.softmax({_S})"), p("tf.sparse_reorder(tf.SparseTensor([[1, 0], [0, 1]], [1, 2], [2, 2]))"), p(f"tf.sparse_reshape({_S}, [3, 2])"), p(f"tf.sparse_reshape({_S}, [-1])"), p(f"tf.sparse_reshape({_S}, [7])"),
    p(f"tf.sparse_transpose({_S})"), p(f"tf.sparse.transpose({_S}, [1, 0])"), p(f"tf.sparse_concat(0, [{_S}, {_R}])"), p(f"tf.sparse_concat(axis=1, sp_inputs=[{_S}, {_R}])"), p(f"tf.sparse_concat(0, [{_S}, tf.SparseTensor([[0, 4]], [1.0], [1, 5])], expand_nonconcat_dim=True)"), p(f"tf.sparse_concat(0, [{_S}])"), p(f"tf.sparse_concat(0, [{_S}, tf.SparseTensor([[0, 4]], [1.0], [1, 5])])"),
    p(f"tf.sparse_split(sp_input={_S}, num_split=2, axis=1)[0]"), p(f"tf.sparse_split(sp_input={_S}, num_split=2, axis=1)[1]"), p(f"tf.sparse_slice({_S}, [0, 1], [2, 2])"), p(f"tf.sparse_retain({_S}, [True, False, True])"), p(f"tf.sparse_reset_shape({_S})"), p(f"tf.sparse_reset_shape({_S}, [4, 4])"), p(f"tf.sparse_reset_shape({_S}, [1, 4])"),
    f"tf.sparse_reduce_sum({_S})", f"tf.sparse_reduce_sum({_S}, 1)", f"tf.sparse_reduce_sum({_S}, axis=[0], keepdims=True)", f"tf.sparse_reduce_max({_S}, 1)", f"tf.sparse_reduce_sum({_S}, reduction_axes=-1, keep_dims=True)", p(f"tf.sparse_reduce_sum_sparse({_S}, 1)"), p(f"tf.sparse_reduce_max_sparse({_S}, 0)"),
    p("tf.sparse_fill_empty_rows(tf.SparseTensor([[1, 0]], [1.0], [3, 2]), 9.0)[0]"), "tf.sparse_fill_empty_rows(tf.SparseTensor([[1, 0]], [1.0], [3, 2]), 9.0)[1]", f"tf.sparse_to_indicator({_I}, 4)", p(f"tf.sparse_merge({_I}, tf.SparseTensor([[0, 0], [1, 0]], [1.0, 2.0], [2, 2]), 5)"),
    p("tf.sparse.from_dense([[0, 1], [2, 0]])"), p("tf.sparse.from_dense(['', 'a'])"), p("tf.sparse.eye(2, 3)"), p(f"tf.sparse.expand_dims({_S}, 0)"), p(f"tf.sparse.expand_dims({_S})"), f"tf.serialize_sparse({_S})", f"tf.serialize_many_sparse({_S})", p(f"tf.deserialize_many_sparse(tf.serialize_many_sparse({_S}), tf.float32)"), p(f"tf.identity({_S})"), f"tf.shape({_S})", f"tf.size({_S})", f"tf.rank({_S})",
    "tf.sparse_mask(tf.IndexedSlices(tf.transpose(x), [0, 1, 2]), [1]).values",
    p("tf.sparse.cross([tf.SparseTensor([[0, 0], [1, 0], [1, 1]], ['a', 'b', 'c'], [2, 2]), tf.constant([['x', 'y'], ['z', 'w']])])"), p("tf.sparse.cross([tf.constant([[1], [2]]), tf.constant([['x'], ['y']])])"), p("tf.sparse.cross_hashed([tf.SparseTensor([[0, 0], [1, 0], [1, 1]], ['a', 'b', 'c'], [2, 2]), tf.constant([['x', 'y'], ['z', 'w']])], 100)"), p("tf.sparse.cross_hashed([tf.constant([[1, -5], [2, 7]]), tf.constant([['x'], ['y']])], hash_key=42)"),
    p("tf.sets.intersection([[1, 2, 2], [3, 4, 5]], [[2, 1, 9], [7, 7, 7]])"), p("tf.sets.union([['a', 'b']], [['b', 'c']])"), p("tf.sets.difference([[1, 2, 3]], [[2, 2, 5]])"), p("tf.sets.difference([[1, 2, 3]], [[2, 2, 5]], aminusb=False)"), p("tf.sets.difference(tf.SparseTensor([[0, 0], [0, 1]], [1, 2], [1, 3]), [[2, 5, 5]])"), p(f"tf.sets.union({_I}, {_I})"), p(f"tf.sets.intersection([[1, 9], [2, 2]], {_I})"), "tf.sets.size(tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [4, 4, 5], [2, 2]))", "tf.sets.union([[1.0]], [[2.0]])",
    "tf.gradients(tf.sparse_tensor_dense_matmul(tf.SparseTensor([[0, 1], [1, 0]], s * [1.0, 2.0], [2, 2]), x) ** 2.0, [s, x])", "tf.gradients(tf.sparse_tensor_to_dense(tf.SparseTensor([[0, 1], [1, 0]], s * [1.0, 2.0], [2, 2])) ** 2.0, s)", "tf.gradients(tf.sparse_reduce_sum(tf.SparseTensor([[0, 1], [1, 0]], s * [1.0, 2.0], [2, 2]), 1) ** 2.0, s)",
    "tf.gradients(tf.sparse_add(tf.SparseTensor([[0, 1], [1, 0]], s * [1.0, 2.0], [2, 2]), tf.SparseTensor([[0, 1], [1, 1]], s * [3.0, 2.0], [2, 2])).values ** 2.0, s)", "tf.gradients((tf.SparseTensor([[0, 1], [1, 0]], s * [1.0, 2.0], [2, 3]) * x).values ** 2.0, [s, x])", "tf.gradients(tf.sparse.softmax(tf.SparseTensor([[0, 0], [0, 1]], s * [1.0, 2.0], [1, 2])).values ** 2.0, s)",
]
# TensorFlow 2.15 keeps shapes that it knows as constants, where 1.15 and we have the op's output; gradients of Mul have fewer nodes here
OTHER_NAMES: set[str] = {
    c for c in CALLS if any(n in c for n in ("tf.gradients", "sparse_add(", "sparse_reorder", "sparse_reshape", "transpose(", "sparse_concat", "sparse_retain",
                                            "sparse_merge", "sparse.eye", "sparse_reset_shape", "sparse_slice", "sparse_split"))
}
