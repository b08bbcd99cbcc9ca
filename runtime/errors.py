"""The errors that a Session raises: tf.errors, by table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class OpError(Exception):
    """An error that a run raised. `error_code` is TensorFlow's (and gRPC's) number; `op` the op object, where there is one."""

    code = 2
    suspects: Sequence[str] = ()  # the names of the nodes one of which failed, where it is not known which

    def __init__(self, node_def: Any, op: Any, message: str, error_code: int | None = None) -> None:
        super().__init__(message)
        self.node_def = node_def
        self.op = op
        self.message = message
        self.error_code = self.code if error_code is None else error_code

    def __str__(self) -> str:
        return self.message


class _CodedError(OpError):
    def __init__(self, node_def: Any, op: Any, message: str) -> None:
        super().__init__(node_def, op, message)


class CancelledError(_CodedError):
    code = 1


class UnknownError(OpError):
    code = 2


class InvalidArgumentError(_CodedError):
    code = 3


class DeadlineExceededError(_CodedError):
    code = 4


class NotFoundError(_CodedError):
    code = 5


class AlreadyExistsError(_CodedError):
    code = 6


class PermissionDeniedError(_CodedError):
    code = 7


class ResourceExhaustedError(_CodedError):
    code = 8


class FailedPreconditionError(_CodedError):
    code = 9


class AbortedError(_CodedError):
    code = 10


class OutOfRangeError(_CodedError):
    code = 11


class UnimplementedError(_CodedError):
    code = 12


class InternalError(_CodedError):
    code = 13


class UnavailableError(_CodedError):
    code = 14


class DataLossError(_CodedError):
    code = 15


class UnauthenticatedError(_CodedError):
    code = 16


_CLASSES: list[type[OpError]] = [UnknownError, *_CodedError.__subclasses__()]
BY_CODE: dict[int, type[OpError]] = {c.code: c for c in _CLASSES}
