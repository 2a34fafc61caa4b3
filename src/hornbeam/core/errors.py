"""TensorFlow's error classes (`tf.errors`), with the canonical status codes of `tensorflow/core/protobuf/error_codes.proto`."""

from __future__ import annotations

from typing import Any

OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


class OpError(Exception):
    """Base of all errors of a run; `node_def` and `op` say where it happened (either may be None)."""

    code = UNKNOWN

    def __init__(self, node_def: Any, op: Any, message: str, error_code: int | None = None, *args: Any) -> None:
        super().__init__(node_def, op, message, *args)
        self._node_def = node_def
        self._op = op
        self._message = message
        self._error_code = type(self).code if error_code is None else error_code

    @property
    def message(self) -> str:
        return self._message

    @property
    def op(self) -> Any:
        return self._op

    @property
    def node_def(self) -> Any:
        return self._node_def

    @property
    def error_code(self) -> int:
        return self._error_code

    @property
    def experimental_payloads(self) -> dict[str, bytes]:
        return {}

    def __reduce__(self) -> Any:
        return (type(self), (None, None, self._message))

    def __str__(self) -> str:
        if self._op is None:
            return self._message
        lines = [self._message, "", f"Original stack trace for {self._op.name!r}:"]
        traceback = getattr(self._op, "traceback", None) or []
        lines += [f'  File "{f}", line {n}, in {where}' for f, n, where, _ in traceback]
        return "\n".join(lines) if traceback else self._message


def _make(name: str, error_code: int, doc: str) -> type[OpError]:
    def __init__(self: OpError, node_def: Any = None, op: Any = None, message: str = "", *args: Any) -> None:
        OpError.__init__(self, node_def, op, message, error_code, *args)

    return type(name, (OpError,), {"__init__": __init__, "__doc__": doc, "code": error_code, "__module__": __name__})


CancelledError = _make("CancelledError", CANCELLED, "An operation or step was cancelled.")
UnknownError = _make("UnknownError", UNKNOWN, "An error of no known kind.")
InvalidArgumentError = _make("InvalidArgumentError", INVALID_ARGUMENT, "An operation received an invalid argument.")
DeadlineExceededError = _make("DeadlineExceededError", DEADLINE_EXCEEDED, "A deadline passed before completion.")
NotFoundError = _make("NotFoundError", NOT_FOUND, "A file, key or other entity was not found.")
AlreadyExistsError = _make("AlreadyExistsError", ALREADY_EXISTS, "An entity to be created exists already.")
PermissionDeniedError = _make("PermissionDeniedError", PERMISSION_DENIED, "The caller may not do this.")
UnauthenticatedError = _make("UnauthenticatedError", UNAUTHENTICATED, "The request lacks valid credentials.")
ResourceExhaustedError = _make("ResourceExhaustedError", RESOURCE_EXHAUSTED, "A resource (memory, disk) ran out.")
FailedPreconditionError = _make("FailedPreconditionError", FAILED_PRECONDITION, "The system's state forbids this.")
AbortedError = _make("AbortedError", ABORTED, "An operation was aborted.")
OutOfRangeError = _make("OutOfRangeError", OUT_OF_RANGE, "An operation went past the end of its input.")
UnimplementedError = _make("UnimplementedError", UNIMPLEMENTED, "The operation is not implemented.")
InternalError = _make("InternalError", INTERNAL, "An invariant of the runtime is broken.")
UnavailableError = _make("UnavailableError", UNAVAILABLE, "The runtime is unavailable.")
DataLossError = _make("DataLossError", DATA_LOSS, "Unrecoverable data loss or corruption.")

_BY_CODE: dict[int, type[OpError]] = {
    c.code: c
    for c in (
        CancelledError, UnknownError, InvalidArgumentError, DeadlineExceededError, NotFoundError, AlreadyExistsError,
        PermissionDeniedError, UnauthenticatedError, ResourceExhaustedError, FailedPreconditionError, AbortedError,
        OutOfRangeError, UnimplementedError, InternalError, UnavailableError, DataLossError,
    )
}  # fmt: skip


def exception_type_from_error_code(error_code: int) -> type[OpError]:
    return _BY_CODE[error_code]


def error_code_from_exception_type(cls: type[OpError]) -> int:
    return cls.code
