"""Connectionist temporal classification: the loss with its gradient, greedy and beam-search decoding. These run on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from hornbeam.core.graph import InferenceContext
from hornbeam.core.registry import no_gradient, op, raw
from hornbeam.core.tensor_shape import Shape
from hornbeam.ops import shapes

_ZERO = -np.inf  # log 0


def _log_sum(*terms: Any) -> Any:
    """log(Σ exp), with log 0 among the terms allowed."""
    top = np.maximum.reduce(terms)
    safe = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        return np.log(sum(np.exp(t - safe) for t in terms)) + safe


def _log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


# --- loss ---
def _check_inputs(inputs: Any, sequence_length: Any, ctx: Any) -> None:
    if inputs.ndim != 3:
        raise ctx.fail("inputs is not a 3-Tensor")
    if sequence_length.ndim != 1:
        raise ctx.fail("sequence_length is not a vector")
    steps, batch, _ = inputs.shape
    if len(sequence_length) != batch:
        raise ctx.fail(
            f"len(sequence_length) != batch_size. len(sequence_length): {len(sequence_length)} batch_size: {batch}"
        )
    for b, n in enumerate(sequence_length):
        if not 0 <= n <= steps:
            raise ctx.fail(f"sequence_length({b}) <= {steps}, got {n}")


def _target(b: int, label: np.ndarray, classes: int, collapse: bool, ctx: Any) -> list[int]:
    """The labels of one example, without what follows a null label."""
    out: list[int] = []
    finished = False
    for i, v in enumerate(label.tolist()):
        if i and collapse and v == label[i - 1]:
            continue
        if v >= classes - 1:
            finished = True
            continue
        if finished:
            raise ctx.fail(
                f"Saw a non-null label (index >= num_classes - 1) following a null label, batch: {b} num_classes: {classes} "
                f"labels: {','.join(map(str, label.tolist()))}"
            )
        if v < 0:
            raise ctx.fail(
                f"All labels must be nonnegative integers, batch: {b} labels: {','.join(map(str, label.tolist()))}"
            )
        out.append(v)
    return out


def _loss_of_one(log_y: np.ndarray, target: list[int], merge: bool) -> tuple[float, np.ndarray]:
    """(loss, gradient [steps, classes]) by the forward-backward algorithm over the target with blanks in between."""
    steps, classes = log_y.shape
    blank = classes - 1
    path = np.full(2 * len(target) + 1, blank)
    path[1::2] = target
    u = len(path)
    stay = np.where(merge | (path == blank), 0.0, _ZERO)  # may a symbol last more than one step
    skip = np.full(u, _ZERO)  # may the blank before a symbol be left out
    skip[2:] = np.where((path[2:] != blank) & ~(merge & (path[2:] == path[:-2])), 0.0, _ZERO)
    emit = log_y[:, path]
    alpha = np.full((steps, u), _ZERO)
    alpha[0, :2] = emit[0, :2]
    for t in range(1, steps):
        last = alpha[t - 1]
        one = np.concatenate([[_ZERO], last[:-1]])
        two = np.concatenate([[_ZERO, _ZERO], last[:-2]])[:u]
        alpha[t] = emit[t] + _log_sum(last + stay, one, two + skip)
    beta = np.full((steps, u), _ZERO)
    beta[-1, -2:] = 0.0
    skip_ahead = np.concatenate([skip[2:], [_ZERO, _ZERO]])[:u]
    for t in range(steps - 2, -1, -1):
        after = beta[t + 1] + emit[t + 1]
        one = np.concatenate([after[1:], [_ZERO]])
        two = np.concatenate([after[2:], [_ZERO, _ZERO]])[:u]
        beta[t] = _log_sum(after + stay, one, two + skip_ahead)
    joint = alpha + beta
    log_p = float(_log_sum(*joint[0]))
    y = np.exp(log_y)
    if np.isneginf(log_p):
        return np.inf, y
    share = np.zeros((steps, classes))
    np.add.at(share.T, path, np.exp(joint - log_p).T)
    return -log_p, y - share


def _loss_shape(c: InferenceContext) -> list[Shape]:
    inputs = shapes.with_rank(c, 0, 3)
    shapes.with_rank(c, 1, 2)
    values, lengths = shapes.with_rank(c, 2, 1), shapes.with_rank(c, 3, 1)
    assert inputs is not None and values is not None and lengths is not None
    n = shapes.merge_dim(c, inputs[1], lengths[0])
    return [(n,), (inputs[0], n, inputs[2])]


_LOSS = (
    "labels_indices: int64, labels_values: int32, sequence_length: int32) -> (loss: {0}, gradient: {0}); "
    "preprocess_collapse_repeated: bool = false; ctc_merge_repeated: bool = true; "
    "ignore_longer_outputs_than_inputs: bool = false"
)


def _loss(
    inputs: Any, indices: Any, values: Any, lengths: Any, collapse: bool, merge: bool, ignore: bool, ctx: Any
) -> Any:
    _check_inputs(inputs, lengths, ctx)
    steps, batch, classes = inputs.shape
    if indices.ndim != 2 or values.ndim != 1 or len(indices) != len(values):
        raise ctx.fail("labels_indices and labels_values must contain the same number of rows")
    if len(indices) and not (indices[:, 0].min() >= 0 and indices[:, 0].max() < batch):
        raise ctx.fail(f"labels batch index must be between 0 and {batch}")
    loss, gradient = np.zeros(batch, inputs.dtype), np.zeros(inputs.shape, inputs.dtype)
    for b in range(batch):
        label = values[indices[:, 0] == b]
        target = _target(b, label, classes, collapse, ctx)
        n = int(lengths[b])
        if len(target) > n:
            if not ignore:
                raise ctx.fail(
                    f"Not enough time for target transition sequence (required: {len(target)}, available: {n}){b}You can turn "
                    "this error into a warning by using the flag ignore_longer_outputs_than_inputs"
                )
            continue
        if n:
            loss[b], gradient[:n, b] = _loss_of_one(_log_softmax(inputs[:n, b].astype(np.float64)), target, merge)
    return loss, gradient


@op("CTCLoss(inputs: T, " + _LOSS.format("T") + "; T: {float, double} = float", shape=_loss_shape, host=True)
def CTCLoss(
    inputs, labels_indices, labels_values, sequence_length, preprocess_collapse_repeated, ctc_merge_repeated,
    ignore_longer_outputs_than_inputs, ctx,
):  # fmt: skip
    return _loss(
        inputs, labels_indices, labels_values, sequence_length, preprocess_collapse_repeated, ctc_merge_repeated,
        ignore_longer_outputs_than_inputs, ctx,
    )  # fmt: skip


def _loss_gradient(op: Any, grad_loss: Any, _: Any) -> list[Any]:
    fixed = raw.PreventGradient(
        op.outputs[1], message="The second derivative of ctc_loss is not available: its kernel is fused."
    )
    return [raw.ExpandDims(grad_loss, -1) * fixed, None, None, None]


CTCLoss.gradient(_loss_gradient)


# --- decoding ---
def _sparse(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sequences as (indices, values, dense shape)."""
    indices = np.array([(b, i) for b, row in enumerate(rows) for i in range(len(row))], np.int64).reshape(-1, 2)
    values = np.array([v for row in rows for v in row], np.int64)
    return indices, values, np.array([len(rows), max(map(len, rows), default=0)], np.int64)


def _batch(c: InferenceContext) -> int | None:
    inputs, lengths = shapes.with_rank(c, 0, 3), shapes.with_rank(c, 1, 1)
    assert inputs is not None and lengths is not None
    return shapes.merge_dim(c, inputs[1], lengths[0])


@op(
    "CTCGreedyDecoder(inputs: T, sequence_length: int32) -> (decoded_indices: int64, decoded_values: int64, "
    "decoded_shape: int64, log_probability: T); merge_repeated: bool = false; blank_index: int = -1; "
    "T: {float, double} = float",
    shape=lambda c: [(None, 2), (None,), (2,), (_batch(c), 1)],
    host=True,
)
def CTCGreedyDecoder(inputs, sequence_length, merge_repeated, blank_index, ctx):
    """The likeliest class of each step, blanks dropped; log_probability is minus the sum of their logits."""
    _check_inputs(inputs, sequence_length, ctx)
    _, batch, classes = inputs.shape
    blank = blank_index + classes if blank_index < 0 else blank_index
    if not 0 <= blank < classes:
        raise ctx.fail(f"blank_index expected to be between {-classes} and {classes - 1}, got {blank_index}")
    rows = []
    score = np.zeros((batch, 1), inputs.dtype)
    for b, n in enumerate(sequence_length):
        best = inputs[:n, b].argmax(-1)
        score[b, 0] = -inputs[:n, b].max(-1).sum(dtype=inputs.dtype) if n else 0
        previous = np.concatenate([[-1], best[:-1]]) if n else best
        keep = (best != blank) & ~(merge_repeated & (best == previous))
        rows.append(best[keep].tolist())
    return (*_sparse(rows), score)


class _Beam:
    """A prefix: its last label, and the log probabilities of it ending in that label, in a blank, or either; now and a step ago."""

    __slots__ = (
        "parent",
        "label",
        "children",
        "new_total",
        "new_blank",
        "new_label",
        "old_total",
        "old_blank",
        "old_label",
    )

    def __init__(self, parent: _Beam | None, label: int) -> None:
        self.parent = parent
        self.label = label
        self.children: dict[int, _Beam] = {}
        self.clear_new()
        self.clear_old()

    def clear_new(self) -> None:
        self.new_total = self.new_blank = self.new_label = _ZERO

    def clear_old(self) -> None:
        self.old_total = self.old_blank = self.old_label = _ZERO

    def labels(self, merge: bool) -> list[int]:
        out, previous = [], -1
        node: _Beam = self
        while node.parent is not None:
            if not merge or node.label != previous:
                out.append(node.label)
            previous = node.label
            node = node.parent
        return out[::-1]


def _search(log_y: np.ndarray, width: int) -> list[_Beam]:
    """The `width` likeliest prefixes, best first."""
    blank = log_y.shape[1] - 1
    root = _Beam(None, -1)
    root.new_total = root.new_blank = 0.0
    leaves = [root]

    def by_new(beam: _Beam) -> float:
        return beam.new_total

    for step in log_y:
        branches = sorted(leaves, key=by_new, reverse=True)
        for b in branches:
            b.old_total, b.old_blank, b.old_label = b.new_total, b.new_blank, b.new_label
        for b in branches:
            if b.parent is not None:
                if b.parent.new_total != _ZERO:
                    before = b.parent.old_blank if b.label == b.parent.label else b.parent.old_total
                    b.new_label = float(np.logaddexp(b.new_label, before))
                b.new_label += float(step[b.label])
            b.new_blank = b.old_total + float(step[blank])
            b.new_total = float(np.logaddexp(b.new_blank, b.new_label))
        leaves = list(branches)

        def wanted(total: float) -> bool:
            return total > _ZERO and (len(leaves) < width or total > min(map(by_new, leaves)))  # noqa: B023

        for b in branches:
            if not wanted(b.old_total):
                continue
            for label in range(blank):
                child = b.children.get(label)
                if child is None:
                    child = b.children[label] = _Beam(b, label)
                if child.new_total != _ZERO:
                    continue
                before = b.old_blank if label == b.label else b.old_total
                child.new_blank = _ZERO
                child.new_label = child.new_total = float(step[label]) + before
                if not wanted(child.new_total):
                    child.clear_old()
                    child.clear_new()
                    continue
                if len(leaves) == width:
                    bottom = min(leaves, key=by_new)
                    bottom.clear_new()
                    leaves.remove(bottom)
                leaves.append(child)
    return sorted(leaves, key=by_new, reverse=True)


def _decoder_shape(c: InferenceContext) -> list[Shape]:
    n, k = _batch(c), c.attr("top_paths")
    return [*[(None, 2)] * k, *[(None,)] * k, *[(2,)] * k, (n, k)]


@op(
    "CTCBeamSearchDecoder(inputs: T, sequence_length: int32) -> (decoded_indices: top_paths * int64, "
    "decoded_values: top_paths * int64, decoded_shape: top_paths * int64, log_probability: T); beam_width: int >= 1; "
    "top_paths: int >= 1; merge_repeated: bool = true; T: {float, double} = float",
    shape=_decoder_shape,
    host=True,
)
def CTCBeamSearchDecoder(inputs, sequence_length, beam_width, top_paths, merge_repeated, ctx):
    """The `top_paths` likeliest label sequences of each example."""
    _check_inputs(inputs, sequence_length, ctx)
    if top_paths > beam_width:
        raise ctx.fail("Number of requested paths is larger than the beam width")
    batch = inputs.shape[1]
    paths: list[list[list[int]]] = [[] for _ in range(top_paths)]
    scores = np.zeros((batch, top_paths), inputs.dtype)
    for b, n in enumerate(sequence_length):
        found = _search(_log_softmax(inputs[:n, b].astype(np.float64)), beam_width)
        if len(found) < top_paths:
            raise ctx.fail("Less leaves in the beam search than requested.")
        for k in range(top_paths):
            paths[k].append(found[k].labels(merge_repeated))
            scores[b, k] = found[k].new_total
    triples = [_sparse(rows) for rows in paths]
    return ([t[0] for t in triples], [t[1] for t in triples], [t[2] for t in triples], scores)


no_gradient("CTCGreedyDecoder", "CTCBeamSearchDecoder")
