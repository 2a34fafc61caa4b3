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


class _Coded(OpError):
    """An error whose class says its status code."""

    def __init__(self, node_def: Any = None, op: Any = None, message: str = "", *args: Any) -> None:
        super().__init__(node_def, op, message, type(self).code, *args)


class CancelledError(_Coded):
    """An operation or step was cancelled."""

    code = CANCELLED


class UnknownError(_Coded):
    """An error of no known kind."""

    code = UNKNOWN


class InvalidArgumentError(_Coded):
    """An operation received an invalid argument."""

    code = INVALID_ARGUMENT


class DeadlineExceededError(_Coded):
    """A deadline passed before completion."""

    code = DEADLINE_EXCEEDED


class NotFoundError(_Coded):
    """A file, key or other entity was not found."""

    code = NOT_FOUND


class AlreadyExistsError(_Coded):
    """An entity to be created exists already."""

    code = ALREADY_EXISTS


class PermissionDeniedError(_Coded):
    """The caller may not do this."""

    code = PERMISSION_DENIED


class UnauthenticatedError(_Coded):
    """The request lacks valid credentials."""

    code = UNAUTHENTICATED


class ResourceExhaustedError(_Coded):
    """A resource (memory, disk) ran out."""

    code = RESOURCE_EXHAUSTED


class FailedPreconditionError(_Coded):
    """The system's state forbids this."""

    code = FAILED_PRECONDITION


class AbortedError(_Coded):
    """An operation was aborted."""

    code = ABORTED


class OutOfRangeError(_Coded):
    """An operation went past the end of its input."""

    code = OUT_OF_RANGE


class UnimplementedError(_Coded):
    """The operation is not implemented."""

    code = UNIMPLEMENTED


class InternalError(_Coded):
    """An invariant of the runtime is broken."""

    code = INTERNAL


class UnavailableError(_Coded):
    """The runtime is unavailable."""

    code = UNAVAILABLE


class DataLossError(_Coded):
    """Unrecoverable data loss or corruption."""

    code = DATA_LOSS


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
