"""`tensorflow.python.client.timeline`: a run's step stats as a trace that chrome://tracing and Perfetto read."""

from __future__ import annotations

import json
from typing import Any


class Timeline:
    """The trace of one `Session.run`: `Timeline(run_metadata.step_stats).generate_chrome_trace_format()`."""

    def __init__(self, step_stats: Any, graph: Any = None) -> None:
        self._step_stats = step_stats
        self._graph = graph

    def generate_chrome_trace_format(self, show_dataflow: bool = True, show_memory: bool = False) -> str:
        """The trace as JSON: a process for each device, an event for each op.

        Args:
          show_dataflow: draw arrows from an op to those that took its results.
          show_memory: add each device's allocated bytes as a counter.
        """
        events: list[dict[str, Any]] = []
        ends: dict[str, tuple[int, int, int]] = {}  # node -> (process, thread, end): where an arrow starts
        arrows = 0
        for pid, device in enumerate(self._step_stats.dev_stats):
            events.append({"name": "process_name", "ph": "M", "pid": pid, "args": {"name": f"{device.device} Compute"}})
            for stats in sorted(device.node_stats, key=lambda s: s.all_start_micros):
                op, inputs = self._op_and_inputs(stats)
                start, duration = stats.all_start_micros, max(stats.all_end_rel_micros, 1)
                arguments: dict[str, Any] = {"name": stats.node_name, "op": op}
                arguments |= {f"input{i}": name for i, name in enumerate(inputs)}
                events.append(
                    {"name": op, "cat": "Op", "ph": "X", "pid": pid, "tid": stats.thread_id, "ts": start, "dur": duration,
                     "args": arguments}
                )  # fmt: skip
                for name in inputs if show_dataflow else ():
                    if name in ends:
                        from_pid, from_tid, at = ends[name]
                        flow = {"name": name, "cat": "DataFlow", "id": arrows}
                        events.append(flow | {"ph": "s", "pid": from_pid, "tid": from_tid, "ts": at})
                        events.append(flow | {"ph": "t", "pid": pid, "tid": stats.thread_id, "ts": start})
                        arrows += 1
                ends[stats.node_name] = (pid, stats.thread_id, start + duration)
                if show_memory:
                    for used in stats.memory:
                        counter = {
                            "name": used.allocator_name,
                            "cat": "Memory",
                            "ph": "C",
                            "pid": pid,
                            "ts": start + duration,
                        }
                        events.append(counter | {"args": {used.allocator_name: used.live_bytes or used.total_bytes}})
        return json.dumps({"traceEvents": events}, indent=4, separators=(",", ": "))

    def _op_and_inputs(self, stats: Any) -> tuple[str, list[str]]:
        """What a label such as 'layer/add = Add(a, b)' says."""
        _, _, call = stats.timeline_label.partition(" = ")
        op, bracket, arguments = call.partition("(")
        if bracket:
            return op, [a for a in arguments.rstrip(")").split(", ") if a]
        return stats.node_name.rpartition("/")[2].rstrip("0123456789").rstrip("_") or stats.node_name, []
