"""`tf.nn.ctc_*`: the connectionist temporal classification loss and its decoders."""

from __future__ import annotations

from typing import Any

from hornbeam.api import array_ops
from hornbeam.api._nodes import cast
from hornbeam.api.reduction_ops import one_of
from hornbeam.core import dtypes
from hornbeam.core.graph import Tensor, convert_to_tensor, name_scope
from hornbeam.core.registry import raw
from hornbeam.core.sparse_tensor import SparseTensor


def ctc_loss(
    labels: Any, inputs: Any = None, sequence_length: Any = None, preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True, ignore_longer_outputs_than_inputs: bool = False, time_major: bool = True, logits: Any = None,
) -> Tensor:  # fmt: skip
    """-log p(labels) per example; inputs [time, batch, classes] are logits, the last class the blank. CTCLoss."""
    if not isinstance(labels, SparseTensor):
        raise TypeError("Expected labels (first argument) to be a SparseTensor")
    inputs = convert_to_tensor(one_of("logits", logits, "inputs", inputs), name="logits")
    if not time_major:
        inputs = array_ops.transpose(inputs, [1, 0, 2])
    dtype = inputs.dtype
    half = dtype in (dtypes.float16, dtypes.bfloat16)
    loss, _ = raw.CTCLoss(
        cast(inputs, dtypes.float32) if half else inputs, labels.indices, labels.values, sequence_length,
        preprocess_collapse_repeated=preprocess_collapse_repeated, ctc_merge_repeated=ctc_merge_repeated,
        ignore_longer_outputs_than_inputs=ignore_longer_outputs_than_inputs,
    )  # fmt: skip
    return cast(loss, dtype) if half else loss


def _as_sparse(labels: Tensor, lengths: Any) -> SparseTensor:
    """Dense labels [batch, longest], of which the first `lengths` count, as a SparseTensor."""
    longest = array_ops.shape(labels)[1]
    at = raw.Where(array_ops.sequence_mask(lengths, longest))
    values = cast(raw.GatherNd(labels, at), dtypes.int32)
    return SparseTensor(at, values, array_ops.shape(labels, out_type=dtypes.int64))


def ctc_loss_v2(
    labels: Any, logits: Any, label_length: Any, logit_length: Any, logits_time_major: bool = True, unique: Any = None,
    blank_index: int | None = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """ctc_loss with any class as the blank (0 by default for dense labels [batch, longest], which `label_length` cuts).

    `unique` (what `ctc_unique_labels` gives) speeds nothing up here.
    """
    del unique
    with name_scope(name, "ctc_loss", [logits]):
        logits = convert_to_tensor(logits, name="logits")
        if isinstance(labels, SparseTensor):
            if blank_index is None:
                raise ValueError("blank_index must be given when using SparseTensor labels.")
        else:
            labels = _as_sparse(convert_to_tensor(labels, name="labels"), label_length)
            blank_index = 0 if blank_index is None else blank_index
        classes = logits._shape[2] if logits._shape is not None else None
        if classes is None:
            raise ValueError("The number of classes (the last dimension of logits) must be known")
        blank = blank_index % classes
        if blank != classes - 1:
            order = [*range(blank), *range(blank + 1, classes), blank]
            logits = raw.GatherV2(logits, order, 2)
            after = labels.values - array_ops.ones_like(labels.values)
            limit = convert_to_tensor(blank, labels.values.dtype.base_dtype)
            values = raw.Select(raw.Less(labels.values, limit), labels.values, after)
            labels = SparseTensor(labels.indices, values, labels.dense_shape)
        return ctc_loss(labels, logits, logit_length, time_major=logits_time_major)


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[SparseTensor], Tensor]:
    """([decoded], minus the sum of the chosen logits [batch, 1]): the likeliest class at each step. CTCGreedyDecoder."""
    indices, values, shape, score = raw.CTCGreedyDecoder(
        inputs, sequence_length, merge_repeated=merge_repeated, blank_index=-1 if blank_index is None else blank_index
    )
    return [SparseTensor(indices, values, shape)], score


def ctc_beam_search_decoder(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1, merge_repeated: bool = True
) -> tuple[list[SparseTensor], Tensor]:
    """(`top_paths` decoded sequences, their log probabilities [batch, top_paths]). CTCBeamSearchDecoder."""
    indices, values, shapes, scores = raw.CTCBeamSearchDecoder(
        inputs, sequence_length, beam_width=beam_width, top_paths=top_paths, merge_repeated=merge_repeated
    )
    return [SparseTensor(*parts) for parts in zip(indices, values, shapes, strict=True)], scores


def ctc_beam_search_decoder_v2(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[SparseTensor], Tensor]:
    """ctc_beam_search_decoder that keeps repeated labels."""
    return ctc_beam_search_decoder(inputs, sequence_length, beam_width, top_paths, merge_repeated=False)


def collapse_repeated(labels: Any, seq_length: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """(labels [batch, longest] without repetitions, moved together; how many remain of each row)."""
    with name_scope(name, "collapse_repeated_labels", [labels, seq_length]):
        labels = convert_to_tensor(labels, name="labels")
        lengths = convert_to_tensor(seq_length, name="seq_length")
        first = array_ops.ones_like(labels[:, :1], dtypes.bool)  # type: ignore[index]
        changes = raw.NotEqual(labels[:, 1:], labels[:, :-1])  # type: ignore[index]
        keep = array_ops.concat([first, changes], 1)
        keep = raw.LogicalAnd(keep, array_ops.sequence_mask(lengths, array_ops.shape(labels)[1]))
        counts = raw.Sum(cast(keep, dtypes.int32), [1])
        longest = raw.Max(counts, [0])
        at = raw.Where(array_ops.sequence_mask(counts, longest))
        kept = raw.GatherNd(labels, raw.Where(keep))
        shape = raw.Pack([array_ops.shape(labels)[0], longest])
        return raw.ScatterNd(cast(at, dtypes.int32), kept, shape), cast(counts, lengths.dtype)


__tf_exports__ = {
    f"nn.{n}": n
    for n in (
        "ctc_loss", "ctc_loss_v2", "ctc_greedy_decoder", "ctc_beam_search_decoder", "ctc_beam_search_decoder_v2", "collapse_repeated",
    )
}  # fmt: skip
