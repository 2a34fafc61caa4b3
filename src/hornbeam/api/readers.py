"""`tf.ReaderBase` and its readers: key and value of the next record of the files a queue names."""

from __future__ import annotations

from typing import Any

from hornbeam.core import dtypes
from hornbeam.core.graph import Operation, Tensor, convert_to_tensor
from hornbeam.core.registry import raw
from hornbeam.files.records import TFRecordOptions


class ReaderBase:
    """A handle of a reader in the session. `read(queue)` dequeues a file name whenever the current file is read to its end."""

    def __init__(self, reader_ref: Tensor, supports_serialize: bool = False) -> None:
        self._reader_ref = reader_ref
        self._supports_serialize = supports_serialize

    @property
    def reader_ref(self) -> Tensor:
        return self._reader_ref

    @property
    def supports_serialize(self) -> bool:
        """Whether `serialize_state` and `restore_state` work."""
        return self._supports_serialize

    def _op(self, name: str) -> Any:
        return getattr(raw, name + "V2" if self._reader_ref.dtype == dtypes.resource else name)

    @staticmethod
    def _queue_ref(queue: Any) -> Tensor:
        return queue if isinstance(queue, Tensor) else queue.queue_ref  # type: ignore[no-any-return]

    def read(self, queue: Any, name: str | None = None) -> Any:
        """(key, value) string scalars of the next record."""
        return _pair(self._op("ReaderRead")(self._reader_ref, self._queue_ref(queue), name=name))

    def read_up_to(self, queue: Any, num_records: Any, name: str | None = None) -> Any:
        """(keys, values) string vectors of up to `num_records` records of one file."""
        return _pair(self._op("ReaderReadUpTo")(self._reader_ref, self._queue_ref(queue), num_records, name=name))

    def num_records_produced(self, name: str | None = None) -> Tensor:
        return self._op("ReaderNumRecordsProduced")(self._reader_ref, name=name)  # type: ignore[no-any-return]

    def num_work_units_completed(self, name: str | None = None) -> Tensor:
        return self._op("ReaderNumWorkUnitsCompleted")(self._reader_ref, name=name)  # type: ignore[no-any-return]

    def serialize_state(self, name: str | None = None) -> Tensor:
        """The reader's state as a string scalar; only `IdentityReader` can."""
        return self._op("ReaderSerializeState")(self._reader_ref, name=name)  # type: ignore[no-any-return]

    def restore_state(self, state: Any, name: str | None = None) -> Operation:
        return self._op("ReaderRestoreState")(self._reader_ref, convert_to_tensor(state, dtypes.string), name=name)  # type: ignore[no-any-return]

    def reset(self, name: str | None = None) -> Operation:
        """The reader as it was when new."""
        return self._op("ReaderReset")(self._reader_ref, name=name)  # type: ignore[no-any-return]


class _Pair(tuple):
    """What a read gives: a (key, value) pair that also has these names."""

    __slots__ = ()
    key = property(lambda self: self[0])
    value = property(lambda self: self[1])
    keys = property(lambda self: self[0])
    values = property(lambda self: self[1])


def _pair(tensors: Any) -> _Pair:
    return _Pair(tensors)


class WholeFileReader(ReaderBase):
    """A whole file is one record; its key is the file's name."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(raw.WholeFileReaderV2(name=name), supports_serialize=True)


class TextLineReader(ReaderBase):
    """Lines without their line ends; keys are `file:line`. The first `skip_header_lines` of each file are left out."""

    def __init__(self, skip_header_lines: int | None = None, name: str | None = None) -> None:
        super().__init__(raw.TextLineReaderV2(skip_header_lines=skip_header_lines, name=name))


class FixedLengthRecordReader(ReaderBase):
    """Records of `record_bytes` bytes, `hop_bytes` apart (0: without gaps), between a header and a footer."""

    def __init__(
        self, record_bytes: int, header_bytes: int | None = None, footer_bytes: int | None = None, hop_bytes: int | None = None,
        name: str | None = None, encoding: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            raw.FixedLengthRecordReaderV2(
                record_bytes=record_bytes, header_bytes=header_bytes, footer_bytes=footer_bytes, hop_bytes=hop_bytes, encoding=encoding, name=name
            )
        )  # fmt: skip


class TFRecordReader(ReaderBase):
    """The records of TFRecord files; `options` says how they are compressed."""

    def __init__(self, name: str | None = None, options: Any = None) -> None:
        compression = TFRecordOptions.get_compression_type_string(options)
        super().__init__(raw.TFRecordReaderV2(name=name, compression_type=compression))


class IdentityReader(ReaderBase):
    """What the queue gives is both key and value."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(raw.IdentityReaderV2(name=name), supports_serialize=True)


__tf_exports__ = {
    n: n for n in ("ReaderBase", "WholeFileReader", "TextLineReader", "FixedLengthRecordReader", "TFRecordReader", "IdentityReader")
}  # fmt: skip
