"""RunOptions and RunMetadata: a full trace runs node by node and records times and shapes as TensorFlow's StepStats."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbeam.core import dtypes
from hornbeam.core.graph import Operation
from hornbeam.core.lazy import jax

FULL_TRACE = 3


def run_with_options(plan: Any, values: Sequence[Any], options: Any, run_metadata: Any) -> list[Any]:
    """`plan.run`, filling `run_metadata` when a trace was asked for: step stats, and the pruned graph as partition graph."""
    level = getattr(options, "trace_level", 0) if options is not None else 0
    if run_metadata is None or not level:
        return plan.run(values)  # type: ignore[no-any-return]
    recorder = Recorder()
    plan.timer = recorder
    try:
        results = plan.run(values)
    finally:
        plan.timer = None
    recorder.fill(run_metadata.step_stats)
    if getattr(options, "output_partition_graphs", False):
        graph = run_metadata.partition_graphs.add()
        graph.versions.producer = plan.ops[0].graph._producer if plan.ops else 0
        for o in plan.ops:
            graph.node.append(o.node_def)
    return results  # type: ignore[no-any-return]


class Recorder:
    """Called before (outputs None) and after each node."""

    def __init__(self) -> None:
        self.rows: list[tuple[Operation, int, int, list[Any]]] = []
        self._start = 0

    def __call__(self, op: Operation, outputs: list[Any] | None) -> None:
        if outputs is None:
            self._start = time.time_ns()
            return
        jax.block_until_ready([v for v in outputs if hasattr(v, "aval")])
        self.rows.append((op, self._start, time.time_ns(), outputs))

    def fill(self, step_stats: Any) -> None:
        device = step_stats.dev_stats.add(device="/job:localhost/replica:0/task:0/device:CPU:0")
        for op, start, end, outputs in self.rows:
            node = device.node_stats.add(
                node_name=op.name, all_start_micros=start // 1000, op_start_rel_micros=0,
                op_end_rel_micros=max(1, (end - start) // 1000), all_end_rel_micros=max(1, (end - start) // 1000),
                timeline_label=f"{op.name} = {op.type}({', '.join(t.op.name for t in op.inputs)})", scheduled_micros=start // 1000,
                all_start_nanos=start, op_end_rel_nanos=end - start, all_end_rel_nanos=end - start, scheduled_nanos=start,
            )  # fmt: skip
            for i, v in enumerate(outputs):
                if not hasattr(v, "shape") or not hasattr(v, "dtype"):
                    continue
                description = node.output.add(slot=i).tensor_description
                description.dtype = op.outputs[i].dtype.base_dtype.as_datatype_enum
                for d in v.shape:
                    description.shape.dim.add(size=int(d))
                size = int(np.prod(v.shape, dtype=np.int64)) * (
                    op.outputs[i].dtype.size if op.outputs[i].dtype is not dtypes.string else 8
                )
                description.allocation_description.requested_bytes = size
                description.allocation_description.allocator_name = "cpu"
