"""Calls of the math, reduction, linear algebra, clipping, check and FFT functions."""

# fmt: off
from __future__ import annotations

CALLS = [
    *[f"tf.{f}(y)" for f in "abs acosh asinh atan ceil cos cosh digamma erf erfc exp expm1 floor is_finite is_inf is_nan lgamma log log1p negative "
      "reciprocal rint rsqrt sign sin sinh sqrt square tan tanh sigmoid log_sigmoid round".split()],
    *[f"tf.{f}(x * 0.1, name='n')" for f in "acos asin atanh exp abs sigmoid square".split()],
    *[f"tf.math.{f}(x * 0.3)" for f in "bessel_i0 bessel_i0e bessel_i1 bessel_i1e erfinv".split()], "tf.math.ndtri(tf.sigmoid(x))",
    "tf.nn.sigmoid(x)", "tf.nn.tanh(x)", "tf.abs(-3)", "tf.exp(1.0)", "tf.math.abs(c)", "tf.math.special.dawsn(x)", "tf.math.erfcinv(tf.sigmoid(x))",
    *[f"tf.{f}(x, y)" for f in "subtract multiply divide div truediv maximum minimum squared_difference equal not_equal less less_equal greater greater_equal "
      "floordiv floormod mod realdiv div_no_nan atan2 pow".split()],
    *[f"tf.{f}(x, y, name='n')" for f in "multiply divide pow maximum".split()], "tf.add(x, 1.0)", "tf.multiply(x, 2)", "tf.pow(x, 2)", "tf.maximum(x, 0.0)",
    "tf.divide(i, 2)", "tf.divide(1, y)", "tf.div(i, 2)", "tf.truediv(i, 2)", "tf.floordiv(i, 2)", "tf.mod(i, 3)", "tf.truncatediv(i, 2)", "tf.truncatemod(i, 2)", "tf.floor_div(i, 2)",
    "tf.truediv(i, l)", "tf.div(x, 2.0)", "tf.zeta(y + 1.0, y)", "tf.polygamma(1.0, y)", "tf.igamma(y, y)", "tf.igammac(y, y)", "tf.betainc(y, y, tf.sigmoid(x))",
    "tf.math.multiply_no_nan(x, y)", "tf.math.xlogy(x, y)", "tf.math.xlog1py(x, y)", "tf.math.xdivy(x, y)", "tf.math.reciprocal_no_nan(x)", "tf.math.divide_no_nan(x, 0.0)",
    "tf.logical_and(b, b)", "tf.logical_or(b, False)", "tf.logical_not(b)", "tf.logical_xor(b, True)", "tf.scalar_mul(2.0, x)", "tf.scalar_mul(x, x)",
    "tf.add_n([x, y, x])", "tf.add_n([x])", "tf.add_n([x], name='n')", "tf.add_n([])", "tf.accumulate_n([x, y])", "tf.accumulate_n([x])", "tf.math.polyval([1.0, 2.0, 3.0], x)",
    "tf.cast(x, tf.int32)", "tf.cast(x, tf.float32)", "tf.cast(i, tf.float32, name='n')", "tf.cast(3, tf.float32)", "tf.to_float(i)", "tf.to_int32(x)", "tf.to_int64(x)", "tf.to_double(x)",
    "tf.to_bfloat16(x)", "tf.to_complex64(x)", "tf.saturate_cast(x * 300.0, tf.uint8)", "tf.saturate_cast(x * 1e12, tf.int32)", "tf.saturate_cast(i, tf.int8)", "tf.saturate_cast(i, tf.float32)",
    "tf.complex(x, y)", "tf.complex(d, d)", "tf.real(c)", "tf.imag(c)", "tf.angle(c)", "tf.conj(c)", "tf.conj(x)", "tf.real(x)", "tf.complex(x, d)",
    "tf.range(5)", "tf.range(2, 10, 3)", "tf.range(0.0, 1.0, 0.25)", "tf.range(3, dtype=tf.int64)", "tf.range(10, 2, -3, name='n')", "tf.range(0, 4.0)", "tf.lbeta(y)",
    "tf.bitwise.bitwise_and(i, 3)", "tf.bitwise.left_shift(i, 2)", "tf.bitwise.invert(i)",
    *[f"tf.reduce_{r}({v})" for r in "sum mean max min prod logsumexp".split() for v in "xu"],
    *[f"tf.reduce_{r}({v}, {a})" for r in "sum mean max min prod logsumexp".split() for v, a in (("x", "1"), ("p", "axis=0"), ("x", "[0, 1], keepdims=True"), ("u", "axis=-1, keep_dims=True"))],
    "tf.reduce_sum(x, reduction_indices=[1])", "tf.reduce_sum(x, axis=1, reduction_indices=1)", "tf.reduce_sum(i, 1)", "tf.reduce_mean(i)", "tf.reduce_sum([1.0, 2.0])", "tf.reduce_sum(x, 1, name='n')",
    "tf.reduce_all(b, 1)", "tf.reduce_any(b)", "tf.reduce_all([True, False])", "tf.math.reduce_std(x, 1)", "tf.math.reduce_variance(x)", "tf.math.reduce_euclidean_norm(x, 1)", "tf.math.reduce_variance(i)",
    "tf.count_nonzero(i)", "tf.count_nonzero(x, 1, keepdims=True)", "tf.count_nonzero(b, dtype=tf.int32)", "tf.count_nonzero(['', 'a'])",
    "tf.argmax(x)", "tf.argmax(x, 1)", "tf.argmin(x, axis=1, output_type=tf.int32)", "tf.argmax(x, dimension=1)", "tf.arg_max(x, 0)", "tf.arg_min(x, 1)", "tf.argmax(u, 1, name='n')", "tf.argmax([1, 3, 2])",
    "tf.cumsum(x)", "tf.cumsum(x, 1, exclusive=True)", "tf.cumprod(x, 1, reverse=True)", "tf.math.cumulative_logsumexp(x, 1)", "tf.cumsum([1, 2, 3])",
    *[f"tf.segment_{k}(tf.transpose(x), ids)" for k in "sum mean max min prod".split()], *[f"tf.unsorted_segment_{k}(tf.transpose(x), ids, 4)" for k in "sum mean max min prod sqrt_n".split()],
    *[f"tf.sparse_segment_{k}(x, [0, 1, 1], ids)" for k in "sum mean sqrt_n".split()], "tf.sparse_segment_sum(x, [0, 1, 1], ids, num_segments=5)",
    "tf.histogram_fixed_width(x, [-1.0, 1.0], nbins=4)", "tf.histogram_fixed_width_bins(x, [-1.0, 1.0], nbins=4)", "tf.confusion_matrix([1, 2, 0], [1, 0, 0])", "tf.confusion_matrix(ids, ids, 3, weights=[0.5, 1.0, 2.0], dtype=tf.float32)",
    "tf.confusion_matrix(ids, ids, 2)", "tf.bincount(tf.abs(i))", "tf.bincount(ids, minlength=5)", "tf.bincount(ids, weights=[1.0, 2.0, 3.0])", "tf.bincount(ids, maxlength=2)",
    "tf.matmul(x, y, transpose_b=True)", "tf.matmul(x, y, adjoint_a=True)", "tf.matmul(t, t, transpose_b=True)", "tf.matmul(u, y, transpose_b=True)", "tf.matmul(c, c, adjoint_b=True)", "tf.matmul(x, m, name='n')",
    "tf.matmul(x, m, a_is_sparse=True)", "tf.matmul(x, x)", "tf.matmul(x, m, transpose_a=True, adjoint_a=True)", "x @ m", "tf.linalg.matvec(m, [1.0, 2.0, 3.0])", "tf.sparse_matmul(x, m)",
    "tf.tensordot(x, y, [[1], [1]])", "tf.tensordot(t, x, [[0, 1], [0, 1]])", "tf.tensordot(x, m, 1)", "tf.tensordot(t, m, [[1], [0]])", "tf.tensordot(p, m, 1)", "tf.tensordot(u, y, [[0, 1], [0, 1]])", "tf.tensordot(x, y, 0)",
    "tf.tensordot(x, y, [[0], [0, 1]])", "tf.einsum('ij,kj->ik', x, y)", "tf.einsum('ij,jk', x, m)", "tf.einsum('ij,jk,kl->il', x, m, m)", "tf.einsum('...j->...', t)", "tf.einsum('ij->ji', x, name='n')",
    "tf.eye(3)", "tf.eye(2, 3)", "tf.eye(2, batch_shape=[2])", "tf.eye(2, dtype=tf.int32)", "tf.eye(tf.shape(x)[0])", "tf.trace(m)", "tf.norm(x)", "tf.norm(x, axis=1)", "tf.norm(x, 1, axis=1, keepdims=True)",
    "tf.norm(x, np.inf)", "tf.norm(x, 3.0, axis=0)", "tf.norm(m, 'fro', axis=[0, 1])", "tf.norm(m, 2, axis=[0, 1])", "tf.norm(m, 1, axis=(0, 1))", "tf.norm(x, 'foo')", "tf.linalg.normalize(x, axis=1)",
    "tf.cholesky(m)", "tf.matrix_determinant(m)", "tf.matrix_inverse(m)", "tf.matrix_solve(m, tf.transpose(x))", "tf.matrix_triangular_solve(m, tf.transpose(x))", "tf.matrix_solve_ls(m, tf.transpose(x))",
    "tf.cholesky_solve(tf.cholesky(m), tf.transpose(x))", "tf.linalg.logdet(m)", "tf.linalg.slogdet(m)", "tf.svd(x, compute_uv=False)", "tf.self_adjoint_eigvals(m)", "tf.linalg.adjoint(c)", "tf.cross(x, y)", "tf.linalg.expm(x @ m @ tf.transpose(x) * 0.1)",
    "tf.fft(c)", "tf.ifft(c)", "tf.fft2d(c)", "tf.spectral.rfft(x)", "tf.signal.rfft(x, [5])", "tf.signal.irfft(c)", "tf.signal.irfft(c, [4])", "tf.signal.irfft2d(c)", "tf.signal.rfft2d(x)",
    "tf.signal.frame(t, 3, 1)", "tf.signal.frame(t, 3, 2, pad_end=True)", "tf.signal.frame(p, 2, 1, axis=0)", "tf.signal.frame(p, 2, 1, axis=0, pad_end=True, pad_value=1)", "tf.signal.overlap_and_add(t, 2)",
    "tf.signal.hann_window(6)", "tf.signal.hann_window(7, periodic=False)", "tf.signal.hamming_window(1)", "tf.signal.hamming_window(tf.shape(x)[0] + 4)", "tf.signal.stft(tf.reshape(t, [2, 12]), 5, 2)",
    "tf.signal.stft(tf.reshape(t, [24]), 8, 4, fft_length=10, pad_end=True)", "tf.signal.inverse_stft(tf.signal.stft(tf.reshape(t, [2, 12]), 4, 2), 4, 2)",
    "tf.signal.inverse_stft(tf.signal.stft(tf.reshape(t, [2, 12]), 4, 2), 4, 2, window_fn=tf.signal.inverse_stft_window_fn(2))",
    *[f"tf.signal.{f}(t, type={k}, norm={n})" for f in ("dct", "idct") for k, n in ((1, None), (2, None), (2, "'ortho'"), (3, None), (3, "'ortho'"), (4, None), (4, "'ortho'"))], "tf.spectral.dct(t, n=6)", "tf.spectral.dct(d, n=2)",
    "tf.signal.linear_to_mel_weight_matrix(5, 33)", "tf.signal.mfccs_from_log_mel_spectrograms(t)", "tf.signal.fftshift(t)", "tf.signal.ifftshift(x, axes=1)",
    "tf.linalg.lu_reconstruct(*tf.linalg.lu(m))", "tf.linalg.lu_solve(*tf.linalg.lu(m), tf.transpose(x))", "tf.linalg.lu_matrix_inverse(*tf.linalg.lu(m))", "tf.linalg.pinv(x)", "tf.linalg.pinv(t)", "tf.linalg.matrix_rank(m)",
    "tf.clip_by_value(x, -0.5, 0.5)", "tf.clip_by_value(i, 0, 3, name='n')", "tf.clip_by_norm(x, 1.0)", "tf.clip_by_norm(x, 1.0, axes=[1])", "tf.clip_by_global_norm([x, y], 1.0)[0]", "tf.clip_by_global_norm([x, y], 1.0)[1]",
    "tf.clip_by_global_norm([x, None], 1.0, use_norm=tf.constant(2.0))[0]", "tf.clip_by_average_norm(x, 0.1)", "tf.global_norm([x, y])", "tf.clip_by_global_norm(x, 1.0)",
    "tf.assert_equal(x, x)", "tf.assert_equal(x, y)", "tf.assert_equal(1, 2)", "tf.assert_less([1, 2], [1, 3], message='m')", "tf.assert_positive(y)", "tf.assert_positive(x)", "tf.assert_positive([-1])",
    "tf.assert_non_negative(y)", "tf.assert_near(x, x)", "tf.assert_near(x, y)", "tf.assert_rank(x, 2)", "tf.assert_rank(x, 3, message='m')", "tf.assert_rank(u, 2)", "tf.assert_rank(u, 3)", "tf.assert_rank_in(x, [2, 3])", "tf.assert_rank_in(x, [3, 4])",
    "tf.assert_rank_at_least(x, 3)", "tf.assert_rank_at_least(u, 1)", "tf.assert_type(x, tf.float32)", "tf.assert_type(x, tf.int32)", "tf.assert_integer(x)", "tf.assert_integer(i)", "tf.assert_scalar(s)", "tf.assert_scalar(x)",
    "tf.assert_none_equal(x, y)", "tf.assert_greater(y, 0.0)", "tf.assert_greater_equal(x, y)", "tf.is_non_decreasing([1, 1, 3])", "tf.is_strictly_increasing([1, 1, 3])", "tf.is_non_decreasing(s)", "tf.is_numeric_tensor(x)",
    "tf.assert_same_float_dtype([x, d])", "tf.assert_same_float_dtype([x, y])", "tf.assert_same_float_dtype([i])", "tf.assert_proper_iterable(x)", "tf.assert_proper_iterable([x])",
    "tf.debugging.assert_shapes([(x, ('N', 3)), (y, ('N', 'D'))])", "tf.debugging.assert_shapes([(x, ('N', 'N'))])",
    "x + y", "1.0 - x", "x * 2.0", "x / y", "x // y", "x % y", "x ** 2.0", "-x", "abs(x)", "x < y", "x >= 0.0", "b & b", "b | True", "~b", "i // 2", "i / 2", "i % 3", "2 - i", "l + 1",
]

# Only values are compared where TensorFlow 1.15 makes another node here than 2.15 does, or we use one node for TensorFlow's several
# (an Assert without the cond around it that spares TensorFlow the copy of the data).
OTHER_NAMES = {
    *[c for c in CALLS if c.startswith(("tf.assert_", "tf.debugging.assert_"))], "tf.linalg.adjoint(c)",
    *[c for c in CALLS if c.startswith(("tf.signal.", "tf.spectral.dct", "tf.linalg.lu_", "tf.linalg.pinv", "tf.linalg.matrix_rank"))],
    "tf.accumulate_n([x, y])", "tf.bincount(tf.abs(i))", "tf.bincount(ids, minlength=5)", "tf.bincount(ids, weights=[1.0, 2.0, 3.0])",
    "tf.bincount(ids, maxlength=2)", "tf.matrix_solve_ls(m, tf.transpose(x))", "tf.svd(x, compute_uv=False)", "tf.linalg.expm(x @ m @ tf.transpose(x) * 0.1)",
}
