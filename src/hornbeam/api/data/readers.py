"""`tf.data` sources that read files: TFRecordDataset, TextLineDataset, FixedLengthRecordDataset, CsvDataset, make_csv_dataset."""

from __future__ import annotations

import collections
import csv
import glob
import os
from collections.abc import Callable
from typing import Any

from hornbeam.api.data.dataset import AUTOTUNE, Dataset, int64
from hornbeam.api.framework import TensorSpec
from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, convert_to_tensor
from hornbeam.core.registry import raw

_STRING = TensorSpec((), dtypes.string)


def _names(filenames: Any) -> Dataset:
    """File names (a string, list, tensor or dataset of strings) as a dataset."""
    if isinstance(filenames, Dataset):
        if filenames.output_types != dtypes.string:
            raise TypeError(
                f"The `filenames` argument must contain `tf.string` elements. Got elements of type {filenames.output_types}."
            )
        if filenames.output_shapes.ndims not in (0, None):
            raise TypeError(
                f"The `filenames` argument must contain `tf.string` elements of shape [] (i.e. scalars), got {filenames.output_shapes}."
            )
        return filenames
    names = convert_to_tensor(filenames, dtypes.string, name="filenames")
    return Dataset.from_tensor_slices(raw.Reshape(names, [-1], name="flat_filenames"))


def _read(filenames: Any, one: Callable[[Tensor], Dataset], parallel: Any) -> Dataset:
    if parallel is None:
        if not isinstance(filenames, Dataset):
            return one(convert_to_tensor(filenames, dtypes.string, name="filenames"))
        return _names(filenames).flat_map(one)
    return _names(filenames).interleave(one, cycle_length=parallel, block_length=1, num_parallel_calls=parallel)


class _FileDataset(Dataset):
    def _init(self, made: Dataset) -> None:
        super().__init__(made._variant_tensor, made._structure, made._dependencies)


def _source(op: Any, *inputs: Any, name: str | None = None) -> Dataset:
    return Dataset(op(*inputs, name=name), _STRING)


def _kind(compression_type: Any) -> Tensor:
    return convert_to_tensor(
        "" if compression_type is None else compression_type, dtypes.string, name="compression_type"
    )


class TFRecordDataset(_FileDataset):
    """The records of TFRecord files as scalar strings; `num_parallel_reads` files are read at a time, in turn."""

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        def one(files: Tensor) -> Dataset:
            return _source(
                raw.TFRecordDataset,
                files,
                _kind(compression_type),
                int64(262144 if buffer_size is None else buffer_size, "buffer_size"),
                name=name,
            )

        self._init(_read(filenames, one, num_parallel_reads))


class TextLineDataset(_FileDataset):
    """The lines of text files, without their ends."""

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        def one(files: Tensor) -> Dataset:
            return _source(
                raw.TextLineDataset,
                files,
                _kind(compression_type),
                int64(262144 if buffer_size is None else buffer_size, "buffer_size"),
                name=name,
            )

        self._init(_read(filenames, one, num_parallel_reads))


class FixedLengthRecordDataset(_FileDataset):
    """Records of `record_bytes` bytes, between a header and a footer to be skipped."""

    def __init__(
        self, filenames: Any, record_bytes: Any, header_bytes: Any = None, footer_bytes: Any = None, buffer_size: Any = None, compression_type: Any = None,
        num_parallel_reads: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        def one(files: Tensor) -> Dataset:
            return _source(
                raw.FixedLengthRecordDatasetV2, files, int64(0 if header_bytes is None else header_bytes, "header_bytes"),
                int64(record_bytes, "record_bytes"), int64(0 if footer_bytes is None else footer_bytes, "footer_bytes"),
                int64(262144 if buffer_size is None else buffer_size, "buffer_size"), _kind(compression_type), name=name,
            )  # fmt: skip

        self._init(_read(filenames, one, num_parallel_reads))


class CsvDataset(_FileDataset):
    """Rows of CSV files as tuples of scalars. `record_defaults`: a dtype for a required column, a value (or [value]) for one that may be empty."""

    def __init__(
        self, filenames: Any, record_defaults: Any, compression_type: Any = None, buffer_size: Any = None, header: bool = False, field_delim: str = ",",
        use_quote_delim: bool = True, na_value: str = "", select_cols: Any = None,
    ) -> None:  # fmt: skip
        defaults = []
        for d in record_defaults:
            required = isinstance(d, dtypes.DType) or isinstance(d, type)
            defaults.append(
                raw.Reshape(_empty(dtypes.as_dtype(d)), [0]) if required else convert_to_tensor(d, name="default")
            )
        structure = tuple(TensorSpec((), d.dtype) for d in defaults)
        node = raw.CSVDataset(
            convert_to_tensor(filenames, dtypes.string, name="filenames"), _kind(compression_type), int64(4 << 20 if buffer_size is None else buffer_size, "buffer_size"),
            convert_to_tensor(header, dtypes.bool, name="header"), convert_to_tensor(field_delim, dtypes.string, name="field_delim"),
            convert_to_tensor(use_quote_delim, dtypes.bool, name="use_quote_delim"), convert_to_tensor(na_value, dtypes.string, name="na_value"),
            convert_to_tensor([] if select_cols is None else select_cols, dtypes.int64, name="select_cols"), defaults, output_types=[d.dtype for d in defaults],
            output_shapes=[()] * len(defaults),
        )  # fmt: skip
        self._init(Dataset(node, structure))


def _empty(dtype: Any) -> Tensor:
    import numpy as np

    return convert_to_tensor(np.zeros((0,), dtype.np), dtype)


# --- whole CSV files -------------------------------------------------------------------------------------------------------------------
def _files(pattern: Any) -> list[str]:
    patterns = pattern if isinstance(pattern, (list, tuple)) else [pattern]
    names = sorted(n for p in patterns for n in (glob.glob(os.fspath(p)) or [os.fspath(p)]))
    if not names:
        raise ValueError(f"No files match `file_pattern` {pattern}.")
    return names


def _infer(values: list[str], na: str) -> Any:
    """The narrowest of int32, int64, float32, string that all values fit."""
    given = [v for v in values if v not in ("", na)]
    for dtype, convert, fits in (
        (dtypes.int32, int, lambda v: -(2**31) <= v < 2**31), (dtypes.int64, int, lambda v: -(2**63) <= v < 2**63),
        (dtypes.float32, float, lambda v: abs(v) <= 3.4028235e38 or v != v or v in (float("inf"), float("-inf"))),
    ):  # fmt: skip
        try:
            if given and all(fits(convert(v)) for v in given):
                return dtype
        except ValueError:
            continue
    return dtypes.string if given else dtypes.float32


def make_csv_dataset(
    file_pattern: Any, batch_size: int, column_names: Any = None, column_defaults: Any = None, label_name: str | None = None, select_columns: Any = None,
    field_delim: str = ",", use_quote_delim: bool = True, na_value: str = "", header: bool = True, num_epochs: int | None = None, shuffle: bool = True,
    shuffle_buffer_size: int = 10000, shuffle_seed: Any = None, prefetch_buffer_size: Any = None, num_parallel_reads: int | None = None, sloppy: bool = False,
    num_rows_for_inference: int | None = 100, compression_type: str | None = None, ignore_errors: bool = False, encoding: str = "utf-8",
) -> Dataset:  # fmt: skip
    """Batches of CSV rows as ordered dicts by column name, or pairs (features, label). Types not given are inferred from the first rows."""
    names = _files(file_pattern)
    quoting = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE
    if column_names is None:
        if not header:
            raise ValueError("Cannot infer column names without a header line.")
        with open(names[0], encoding=encoding, newline="") as f:
            column_names = next(csv.reader(f, delimiter=field_delim, quoting=quoting))
    if len(column_names) != len(set(column_names)):
        raise ValueError("Cannot have duplicate column names.")
    selected = None
    if select_columns is not None:
        selected = sorted(column_names.index(c) if isinstance(c, str) else c for c in select_columns)
    if column_defaults is None:
        rows: list[list[str]] = []
        for n in names:
            with open(n, encoding=encoding, newline="") as f:
                reader = csv.reader(f, delimiter=field_delim, quoting=quoting)
                if header:
                    next(reader, None)
                for r in reader:
                    if num_rows_for_inference is not None and len(rows) >= num_rows_for_inference:
                        break
                    rows.append(r)
        picked = range(len(column_names)) if selected is None else selected
        types = [_infer([r[c] for r in rows if c < len(r)], na_value) for c in picked]
        column_defaults = [[b""] if t is dtypes.string else convert_to_tensor([0], t) for t in types]
    if selected is not None:
        column_names = [column_names[i] for i in selected]
    if label_name is not None and label_name not in column_names:
        raise ValueError(f"`label_name` provided must be one of the columns: {label_name} is not in {column_names}.")

    def one(name: Tensor) -> Dataset:
        made: Dataset = CsvDataset(
            name,
            column_defaults,
            compression_type,
            header=header,
            field_delim=field_delim,
            use_quote_delim=use_quote_delim,
            na_value=na_value,
            select_cols=selected,
        )
        return made.ignore_errors() if ignore_errors else made

    def by_name(*columns: Any) -> Any:
        features = collections.OrderedDict(zip(column_names, columns, strict=True))
        if label_name is not None:
            label = features.pop(label_name)
            return features, label
        return features

    files = Dataset.from_tensor_slices(names)
    if shuffle:
        files = files.shuffle(len(names), shuffle_seed)
    parallel = num_parallel_reads or 1
    data = files.interleave(one, cycle_length=parallel, num_parallel_calls=parallel if parallel > 1 else None)
    if num_epochs != 1 and shuffle:
        data = data.shuffle(shuffle_buffer_size, shuffle_seed).repeat(num_epochs)
    elif shuffle:
        data = data.shuffle(shuffle_buffer_size, shuffle_seed)
    elif num_epochs != 1:
        data = data.repeat(num_epochs)
    data = data.batch(batch_size, drop_remainder=num_epochs is None).map(by_name)
    return data.prefetch(1 if prefetch_buffer_size is None else prefetch_buffer_size)


def make_batched_features_dataset(
    file_pattern: Any, batch_size: int, features: Any, reader: Any = None, label_key: Any = None, reader_args: Any = None, num_epochs: int | None = None,
    shuffle: bool = True, shuffle_buffer_size: int = 10000, shuffle_seed: Any = None, prefetch_buffer_size: Any = None, reader_num_threads: int | None = None,
    parser_num_threads: int | None = None, sloppy_ordering: bool = False, drop_final_batch: bool = False,
) -> Dataset:  # fmt: skip
    """Batches of parsed `tf.Example` records of the files that match, as a dict of features (or a pair with the label)."""
    from hornbeam import parse_example

    make = TFRecordDataset if reader is None else reader
    files = Dataset.list_files(file_pattern, shuffle=shuffle, seed=shuffle_seed)
    data = files.interleave(lambda f: make(f, *(reader_args or [])), cycle_length=reader_num_threads or 1)
    if shuffle:
        data = data.shuffle(shuffle_buffer_size, shuffle_seed)
    if num_epochs != 1:
        data = data.repeat(num_epochs)
    data = data.batch(batch_size, drop_remainder=drop_final_batch or num_epochs is None)
    data = data.map(lambda records: parse_example(records, features), num_parallel_calls=parser_num_threads or 2)
    if label_key:
        if label_key not in features:
            raise ValueError(f"The `label_key` provided ({label_key!r}) must be one of the `features` keys.")
        data = data.map(lambda d: (d, d.pop(label_key)))
    return data.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)


__tf_exports__ = {
    "data.TFRecordDataset": "TFRecordDataset",
    "data.TextLineDataset": "TextLineDataset",
    "data.FixedLengthRecordDataset": "FixedLengthRecordDataset",
    **{
        f"{p}.{n}": n
        for p in ("data.experimental", "contrib.data")
        for n in ("CsvDataset", "make_csv_dataset", "make_batched_features_dataset")
    },
}
