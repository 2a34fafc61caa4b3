"""`tf.test`: TestCase with TensorFlow's assertions and sessions, main, temporary directories, gradient checking."""

from __future__ import annotations

import contextlib
import math
import os
import random
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl.testing import absltest, parameterized

from hornbeam.core import errors
from hornbeam.core.graph import Graph, Tensor, get_default_graph, reset_default_graph
from hornbeam.runtime.session import Session

_DEFAULT_GRAPH_SEED = 87654321


class ErrorLoggingSession(Session):
    """A session that lets errors pass (the name TensorFlow's tests use)."""


class TestCase(parameterized.TestCase):
    """unittest.TestCase with TensorFlow's array assertions, `self.session()`, `self.test_session()` and `get_temp_dir()`."""

    def __init__(self, methodName: str = "runTest") -> None:  # noqa: N803
        super().__init__(methodName)
        self._threads: list[Any] = []
        self._tempdir: str | None = None
        self._cached_session: Session | None = None

    def setUp(self) -> None:  # noqa: N802
        super().setUp()
        self._clear_cached_session()
        random.seed(1)
        np.random.seed(1)
        with contextlib.suppress(AssertionError):
            reset_default_graph()
        get_default_graph().seed = _DEFAULT_GRAPH_SEED

    def tearDown(self) -> None:  # noqa: N802
        for t in self._threads:
            t.check_termination()
        self._clear_cached_session()
        super().tearDown()

    def _clear_cached_session(self) -> None:
        if self._cached_session is not None:
            self._cached_session.close()
            self._cached_session = None

    def get_temp_dir(self) -> str:
        if self._tempdir is None:
            self._tempdir = tempfile.mkdtemp(dir=get_temp_dir())
        return self._tempdir

    # sessions --------------------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def session(
        self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False
    ) -> Iterator[Session]:
        """A new session on `graph` or the default graph, as the default session."""
        with Session(graph=graph, config=config) as sess:
            yield sess

    @contextlib.contextmanager
    def cached_session(
        self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False
    ) -> Iterator[Session]:
        """One session per test, kept between `with` blocks."""
        if self._cached_session is None:
            self._cached_session = Session(graph=graph, config=config)
        sess = self._cached_session
        with sess.graph.as_default(), sess.as_default():
            yield sess

    @contextlib.contextmanager
    def test_session(
        self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False
    ) -> Iterator[Session]:
        if graph is None:
            with self.cached_session(graph, config) as sess:
                yield sess
        else:
            with self.session(graph, config) as sess:
                yield sess

    def evaluate(self, tensors: Any) -> Any:
        from hornbeam.core.graph import get_default_session

        sess = get_default_session()
        if sess is None:
            with self.test_session() as s:
                return s.run(tensors)
        return sess.run(tensors)

    def _eval_tensor(self, t: Any) -> Any:
        return None if t is None else self.evaluate(t)

    # assertions --------------------------------------------------------------------------------------------------------------
    def _array(self, a: Any) -> Any:
        if isinstance(a, Tensor) or hasattr(a, "_as_graph_element"):
            a = self.evaluate(a)
        if isinstance(a, np.ndarray):
            return a
        return np.array(a)

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float, msg: Any = None) -> None:  # noqa: N802
        self.assertEqual(len(farray1), len(farray2), msg=msg)
        for a, b in zip(farray1, farray2, strict=True):
            self.assertNear(float(a), float(b), err, msg=msg)

    def assertNear(self, f1: float, f2: float, err: float, msg: Any = None) -> None:  # noqa: N802
        self.assertTrue(
            f1 == f2 or math.fabs(f1 - f2) <= err, f"{f1} != {f2} +/- {err}{' (' + msg + ')' if msg else ''}"
        )

    def assertNDArrayNear(self, ndarray1: Any, ndarray2: Any, err: float, msg: Any = None) -> None:  # noqa: N802
        self.assertTrue(np.linalg.norm(np.asarray(ndarray1) - np.asarray(ndarray2)) < err, msg=msg)

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: Any = None) -> None:  # noqa: N802
        if isinstance(a, Mapping) or isinstance(b, Mapping):
            self.assertEqual(set(a), set(b), msg)
            for k in a:
                self.assertAllClose(a[k], b[k], rtol, atol, f"{k}: {msg or ''}")
            return
        if isinstance(a, (list, tuple)) and not _numeric(a):
            self.assertEqual(len(a), len(b), msg)
            for x, y in zip(a, b, strict=True):
                self.assertAllClose(x, y, rtol, atol, msg)
            return
        x, y = self._array(a), self._array(b)
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: expected {x.shape}, got {y.shape}. {msg or ''}")
        np.testing.assert_allclose(_wide(x), _wide(y), rtol=rtol, atol=atol, err_msg=str(msg or ""), equal_nan=True)

    def assertAllCloseAccordingToType(  # noqa: N802
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, float_rtol: float = 1e-6, float_atol: float = 1e-6,
        half_rtol: float = 1e-3, half_atol: float = 1e-3, bfloat16_rtol: float = 1e-2, bfloat16_atol: float = 1e-2, msg: Any = None,
    ) -> None:  # fmt: skip
        x, y = self._array(a), self._array(b)
        for d in (x.dtype, y.dtype):
            name = d.name
            if name in ("float32", "complex64"):
                rtol, atol = max(rtol, float_rtol), max(atol, float_atol)
            elif name == "float16":
                rtol, atol = max(rtol, half_rtol), max(atol, half_atol)
            elif name == "bfloat16":
                rtol, atol = max(rtol, bfloat16_rtol), max(atol, bfloat16_atol)
        self.assertAllClose(x, y, rtol, atol, msg)

    def assertNotAllClose(self, a: Any, b: Any, **kwargs: Any) -> None:  # noqa: N802
        try:
            self.assertAllClose(a, b, **kwargs)
        except AssertionError:
            return
        raise AssertionError("The two values are close at all elements")

    def assertAllEqual(self, a: Any, b: Any, msg: Any = None) -> None:  # noqa: N802
        x, y = self._array(a), self._array(b)
        if x.dtype.kind in "SUO" or y.dtype.kind in "SUO":
            x, y = _bytes(x), _bytes(y)
        self.assertEqual(x.shape, y.shape, f"Shape mismatch: expected {x.shape}, got {y.shape}. {msg or ''}")
        same = x == y
        if x.dtype.kind in "fc" and y.dtype.kind in "fc":
            same = np.logical_or(same, np.logical_and(np.isnan(x), np.isnan(y)))
        if not np.all(same):
            bad = np.argwhere(~np.atleast_1d(same))[:5].tolist()
            raise AssertionError(f"Arrays differ{': ' + str(msg) if msg else ''}, first at {bad}:\n{x!r}\nvs\n{y!r}")

    def assertNotAllEqual(self, a: Any, b: Any, msg: Any = None) -> None:  # noqa: N802
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        raise AssertionError(f"The two values are equal at all elements. {msg or ''}")

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self.assertGreater(np.min(self._array(a)), comparison_target)

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self.assertLess(np.max(self._array(a)), comparison_target)

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self.assertGreaterEqual(np.min(self._array(a)), comparison_target)

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:  # noqa: N802
        self.assertLessEqual(np.max(self._array(a)), comparison_target)

    def assertAllInRange(  # noqa: N802
        self,
        target: Any,
        lower_bound: Any,
        upper_bound: Any,
        open_lower_bound: bool = False,
        open_upper_bound: bool = False,
    ) -> None:
        x = self._array(target)
        low = x > lower_bound if open_lower_bound else x >= lower_bound
        high = x < upper_bound if open_upper_bound else x <= upper_bound
        self.assertTrue(bool(np.all(low & high)), f"values outside [{lower_bound}, {upper_bound}]: {x}")

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:  # noqa: N802
        extra = set(self._array(target).ravel().tolist()) - set(expected_set)
        self.assertFalse(extra, f"{extra} not in {expected_set}")

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any, msg: Any = None) -> None:  # noqa: N802
        self.assertAllEqual(np_array.shape, tf_tensor.get_shape().as_list(), msg=msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:  # noqa: N802
        self.assertEqual(self._array(target).dtype, np.dtype(expected_dtype))

    def assertDeviceEqual(self, device1: Any, device2: Any, msg: Any = None) -> None:  # noqa: N802
        from hornbeam.core.device import to_string

        self.assertEqual(to_string(device1), to_string(device2), msg)

    def assertStartsWith(self, actual: Any, expected_start: Any, msg: Any = None) -> None:  # noqa: N802
        self.assertTrue(actual.startswith(expected_start), msg or f"{actual!r} does not start with {expected_start!r}")

    def assertProtoEquals(
        self, expected_message_maybe_ascii: Any, message: Any, msg: Any = None, relative_tolerance: Any = None
    ) -> None:  # noqa: N802
        expected = expected_message_maybe_ascii
        if isinstance(expected, (str, bytes)):
            from hornbeam.proto import text_format

            target = type(message)()
            text_format.from_text(expected if isinstance(expected, str) else expected.decode(), target)
            expected = target
        self.assertEqual(str(expected), str(message), msg)

    def assertProtoEqualsVersion(
        self, expected: str, actual: Any, producer: Any = None, min_consumer: Any = None, msg: Any = None
    ) -> None:  # noqa: N802
        stripped = type(actual)()
        stripped.CopyFrom(actual)
        stripped.ClearField("versions")
        self.assertProtoEquals(expected, stripped, msg)

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(self, exception_type: Any, expected_err_re_or_predicate: Any) -> Iterator[None]:  # noqa: N802
        def matches(e: BaseException) -> bool:
            if callable(expected_err_re_or_predicate):
                return bool(expected_err_re_or_predicate(e))
            text = e.message if isinstance(e, errors.OpError) else str(e)
            return re.search(expected_err_re_or_predicate, text) is not None

        try:
            yield
        except Exception as e:
            if not isinstance(e, exception_type) or not matches(e):
                raise AssertionError(f"Exception of type {type(e)}: {e}") from e
            return
        self.fail(f"{exception_type} not raised")

    def assertRaisesOpError(self, expected_err_re_or_predicate: Any) -> Any:  # noqa: N802
        return self.assertRaisesWithPredicateMatch(errors.OpError, expected_err_re_or_predicate)

    def checkedThread(self, target: Any, args: Any = None, kwargs: Any = None) -> Any:  # noqa: N802
        """A thread whose exception fails the test when it is joined."""
        t = _CheckedThread(self, target, args, kwargs)
        self._threads.append(t)
        return t


class _CheckedThread:
    def __init__(self, test: TestCase, target: Any, args: Any, kwargs: Any) -> None:
        self._test, self._target, self._args, self._kwargs = test, target, args or (), kwargs or {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._exception: BaseException | None = None
        self._joined = False

    def _run(self) -> None:
        try:
            self._target(*self._args, **self._kwargs)
        except BaseException as e:
            self._exception = e

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._joined = True
        self._thread.join()
        if self._exception is not None:
            self._test.fail(f"Error in checkedThread: {self._exception!r}")

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def check_termination(self) -> None:
        if not self._joined and self.is_alive():
            self._test.fail("A checked thread was not joined.")


def _numeric(a: Any) -> bool:
    try:
        return np.array(a).dtype.kind in "biufcV"
    except ValueError:
        return False


def _wide(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x.astype(np.float32) if x.dtype.name in ("bfloat16", "float16") else x


def _bytes(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = [v.encode() if isinstance(v, str) else v for v in x.reshape(-1).tolist()]
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(x.shape)


def main(argv: Any = None) -> None:
    """Runs the module's tests (`tf.test.main`)."""
    absltest.main(argv=argv) if argv is not None else absltest.main()


def get_temp_dir() -> str:
    path = os.environ.get("TEST_TMPDIR")
    if path:
        os.makedirs(path, exist_ok=True)
        return path
    if not _tempdir:
        _tempdir.append(tempfile.mkdtemp())
    return _tempdir[0]


_tempdir: list[str] = []


def test_src_dir_path(relative_path: str) -> str:
    return os.path.join(os.environ.get("TEST_SRCDIR", os.getcwd()), relative_path)


def assert_equal_graph_def(
    actual: Any, expected: Any, checkpoint_v2: bool = False, hash_table_shared_name: bool = False
) -> None:
    """AssertionError naming the first node that differs; node order does not matter."""
    a, b = ({n.name: n for n in g.node} for g in (actual, expected))
    missing, extra = sorted(set(b) - set(a)), sorted(set(a) - set(b))
    if missing or extra:
        raise AssertionError(f"Nodes differ. Missing: {missing[:5]}, unexpected: {extra[:5]}")
    for name, node in a.items():
        if node.SerializeToString(deterministic=True) != b[name].SerializeToString(deterministic=True):
            raise AssertionError(f"Node {name} differs:\n{node}\nexpected:\n{b[name]}")


def compute_gradient(
    x: Any,
    x_shape: Any,
    y: Any,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> Any:
    """(theoretical, numeric) Jacobians of y with respect to x, as TensorFlow's gradient checker computes them."""
    if isinstance(x, list):
        inits = x_init_value or [None] * len(x)
        return [
            compute_gradient(a, s, y, y_shape, i, delta, init_targets, extra_feed_dict)
            for a, s, i in zip(x, x_shape, inits, strict=True)
        ]
    from hornbeam.core.gradients import gradients
    from hornbeam.core.graph import get_default_session
    from hornbeam.core.registry import raw

    sess = get_default_session()
    if init_targets is not None:
        sess.run(init_targets)
    value = np.random.random_sample(tuple(x_shape)) if x_init_value is None else np.asarray(x_init_value)
    value = value.astype(x.dtype.as_numpy_dtype)
    weight = raw.Placeholder(dtype=y.dtype.base_dtype, shape=y._shape)
    (grad,) = gradients([y], [x], [weight])
    feeds = dict(extra_feed_dict or {})
    n_y = int(np.prod(y_shape, dtype=np.int64))
    n_x = value.size
    theoretical = np.zeros((n_x, n_y), dtype=np.float64)
    numeric = np.zeros((n_x, n_y), dtype=np.float64)
    for j in range(n_y):
        w = np.zeros(n_y, y.dtype.as_numpy_dtype)
        w[j] = 1
        g = sess.run(grad, {x: value, weight: w.reshape(tuple(y_shape)), **feeds})
        if hasattr(g, "indices"):
            dense = np.zeros(value.shape, value.dtype)
            np.add.at(dense, g.indices, g.values)
            g = dense
        theoretical[:, j] = np.asarray(g).reshape(-1)
    for i in range(n_x):
        up, down = value.copy().reshape(-1), value.copy().reshape(-1)
        up[i] += delta
        down[i] -= delta
        hi = sess.run(y, {x: up.reshape(value.shape), **feeds})
        lo = sess.run(y, {x: down.reshape(value.shape), **feeds})
        numeric[i] = ((np.asarray(hi, np.float64) - np.asarray(lo, np.float64)) / (2 * delta)).reshape(-1)
    return theoretical, numeric


def compute_gradient_error(
    x: Any,
    x_shape: Any,
    y: Any,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> float:
    """The largest difference between the theoretical and the numeric Jacobian."""
    result = compute_gradient(x, x_shape, y, y_shape, x_init_value, delta, init_targets, extra_feed_dict)
    pairs = result if isinstance(result, list) else [result]
    return max(float(np.max(np.abs(t - n))) if t.size else 0.0 for t, n in pairs)


class Benchmark(absltest.TestCase):
    """Base of TF benchmarks: `report_benchmark` prints one line per figure."""

    def report_benchmark(
        self,
        iters: Any = None,
        cpu_time: Any = None,
        wall_time: Any = None,
        throughput: Any = None,
        extras: Any = None,
        name: str | None = None,
        metrics: Any = None,
    ) -> None:
        given = {
            "iters": iters,
            "cpu_time": cpu_time,
            "wall_time": wall_time,
            "throughput": throughput,
            **(extras or {}),
        }
        label = name or sys._getframe(1).f_code.co_name
        sys.stdout.write(f"{label}: " + ", ".join(f"{k}={v}" for k, v in given.items() if v is not None) + "\n")


def skip_if_not_graph(fn: Any) -> Any:
    return fn


run_in_graph_and_eager_modes = run_deprecated_v1 = run_v1_only = skip_if_not_graph

__tf_exports__ = {
    "test.mock": "unittest.mock:",
    **{f"test.{n}": n for n in (
        "TestCase", "main", "get_temp_dir", "test_src_dir_path", "assert_equal_graph_def", "compute_gradient", "compute_gradient_error",
        "Benchmark",
    )},
}  # fmt: skip
