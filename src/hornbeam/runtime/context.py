"""What a kernel sees while it runs: the session's state, its node, typed errors. One class serves tracing, interpreting and host ops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from hornbeam.core import errors
from hornbeam.core.graph import Operation
from hornbeam.core.lazy import jax, jnp
from hornbeam.core.state import ResourceRef, VarRef


class State:
    """A session's variables (`values`), host resources (queues, tables, iterators) and the lock that orders runs."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.resources: dict[str, Any] = {}
        self.lock = threading.RLock()
        self.entropy = np.random.SeedSequence()
        self.plans: dict[Any, Any] = {}
        self.closing = threading.Event()
        self.session: Any = None

    def random_key(self, key: str) -> np.ndarray[Any, Any]:
        """The (seed, seed2) drawn once per session for an op without seeds."""
        value = self.values.get(key)
        if value is None:
            value = self.entropy.spawn(1)[0].generate_state(2, np.uint64)
            self.values[key] = value
        return value  # type: ignore[no-any-return]


class Context:
    """Handed to kernels that ask for `ctx`. `values` maps state keys to arrays; `interpreting` says that NumPy must come out."""

    __slots__ = ("values", "interpreting", "op", "state", "scope", "inputs", "deleted", "timer", "host")

    def __init__(
        self, values: dict[str, Any], state: State, interpreting: bool = False, scope: str = "", host: bool = False
    ) -> None:
        self.values = values
        self.state = state
        self.interpreting = interpreting
        self.op: Operation = None  # type: ignore[assignment]
        self.scope = scope
        self.inputs: set[int] = set()  # ids of values that belong to somebody else: written only as copies
        self.deleted: set[str] = set()
        self.timer: Callable[..., None] | None = None
        self.host = host

    @property
    def node(self) -> str:
        return self.op.name

    # variables ------------------------------------------------------------------------------------------------------------
    def initialized(self, ref: VarRef) -> bool:
        return self.values.get(ref.key) is not None

    def read(self, ref: VarRef) -> Any:
        value = self.values.get(ref.key)
        if value is None:
            if ref.resource:
                raise errors.FailedPreconditionError(
                    None, self.op,
                    f"Error while reading resource variable {ref.name} from Container: localhost. This could mean that the variable was "
                    f"uninitialized. Run its initializer (tf.global_variables_initializer()) or restore a checkpoint first.\n\t [[node {self.node}]]",
                )  # fmt: skip
            raise errors.FailedPreconditionError(
                None, self.op,
                f"Attempting to use uninitialized value {ref.name}. Run tf.global_variables_initializer() or restore a checkpoint first.\n\t "
                f"[[node {self.node}]]",
            )  # fmt: skip
        if self.host:  # another thread may donate the buffer: take a copy while nobody can
            with self.state.lock:
                return np.array(self.values[ref.key])
        if self.interpreting and not isinstance(value, np.ndarray):
            return np.asarray(value)
        return value

    def write(self, ref: VarRef, value: Any) -> None:
        """Stores a value; what belongs to a feed or to another variable is copied, since state buffers are donated."""
        if isinstance(value, (np.ndarray, np.generic)):
            if id(value) in self.inputs or getattr(value, "base", None) is not None and value.flags.writeable:
                value = np.array(value)
            value = np.asarray(value)
            if value.flags.owndata:
                value.setflags(write=False)  # a fetch of the same array must be a copy
        elif id(value) in self.inputs:
            value = jnp.copy(value)
        self.values[ref.key] = value
        self.deleted.discard(ref.key)
        if self.host:
            self.state.values[ref.key] = value

    def delete(self, ref: VarRef) -> None:
        self.values.pop(ref.key, None)
        self.deleted.add(ref.key)
        if self.host:
            self.state.values.pop(ref.key, None)

    # random numbers ---------------------------------------------------------------------------------------------------------
    def random_counter(self, n: Any) -> Any:
        """The op's 64-bit Philox counter for this run; it advances by `n` groups."""
        key = f"rng/{self.scope}{self.node}"
        base = self.values.get(key)
        if base is None:
            base = np.uint64(0)
        if isinstance(base, (np.ndarray, np.generic)):
            step: Any = np.uint64(int(n) & 0xFFFFFFFFFFFFFFFF)
            with np.errstate(over="ignore"):
                self.values[key] = np.asarray(np.uint64(base) + step)
        else:
            self.values[key] = base + jnp.asarray(n, dtype=np.uint64)
        if self.host:
            self.state.values[key] = self.values[key]
        return np.uint64(base) if isinstance(base, np.ndarray) else base

    def random_key(self, seed: int, seed2: int) -> tuple[Any, Any]:
        """The two 64-bit seeds really used: given ones as they are, (0, 0) replaced by what this session drew for the op."""
        if seed or seed2:
            return np.uint64(seed & 0xFFFFFFFFFFFFFFFF), np.uint64(seed2 & 0xFFFFFFFFFFFFFFFF)
        key = f"rngkey/{self.scope}{self.node}"
        value = self.values.get(key)
        if value is None:
            value = self.state.random_key(key)
        if not self.interpreting and not isinstance(value, np.ndarray):
            return value[0], value[1]
        value = np.asarray(value)
        return np.uint64(value[0]), np.uint64(value[1])

    # host resources -----------------------------------------------------------------------------------------------------------
    def resource(self, key: str, make: Callable[[], Any] | None = None) -> Any:
        """A host resource of the session by key, made when absent; NotFoundError when absent and there is no maker."""
        with self.state.lock:
            found = self.state.resources.get(key)
            if found is None:
                if make is None:
                    raise self.not_found(f"Resource {key} does not exist in this session.")
                found = self.state.resources[key] = make()
            return found

    def destroy_resource(self, ref: Any) -> bool:
        return self.state.resources.pop(ref.key, None) is not None

    def call(self, function: Any, args: list[Any]) -> list[Any]:
        """Runs a library function from a host kernel (tf.data map functions, host control flow)."""
        from hornbeam.runtime.plan import run_function

        return run_function(function, args, self.state)

    def bind(self, function: Any, captured: list[Any]) -> Any:
        """A library function with the values of its captured tensors, to be called many times from host code (tf.data)."""
        from hornbeam.runtime.host_function import HostFunction
        from hornbeam.runtime.refs import resolve_function

        return HostFunction(resolve_function(self.op, function), captured, self.state)

    def random_state(self) -> Any:
        """New counters for the random ops of functions bound with `bind`."""
        from hornbeam.runtime.host_function import RandomState

        return RandomState()

    # errors -------------------------------------------------------------------------------------------------------------------
    def error(self, cls: type[errors.OpError], message: str) -> errors.OpError:
        return cls(None, self.op, f"{message}\n\t [[node {self.node} (op: {self.op.type})]]")

    def fail(self, message: str) -> errors.OpError:
        """An InvalidArgumentError to raise, with the node's name."""
        return self.error(errors.InvalidArgumentError, message)

    def not_found(self, message: str) -> errors.OpError:
        return self.error(errors.NotFoundError, message)

    def out_of_range(self, message: str) -> errors.OpError:
        return self.error(errors.OutOfRangeError, message)

    def precondition(self, message: str) -> errors.OpError:
        return self.error(errors.FailedPreconditionError, message)

    def child(self, values: dict[str, Any], scope: str) -> Context:
        """A context for a function body, with its own view of the state."""
        c = Context(values, self.state, self.interpreting, scope, self.host)
        c.op = self.op
        c.inputs = self.inputs
        return c


_registered = False


def register_references() -> None:
    """Lets references pass in and out of compiled programs as structure: they have no data, and a program is made per reference."""
    global _registered
    if _registered:
        return
    _registered = True
    from hornbeam.ops.tensor_array import ArrayHandle

    for cls in (VarRef, ResourceRef, ArrayHandle):
        jax.tree_util.register_pytree_node(cls, lambda ref: ((), ref), lambda ref, _: ref)


def x64() -> Any:
    """JAX's 64-bit mode for this thread; the user's own setting is untouched."""
    return jax.enable_x64(True)
