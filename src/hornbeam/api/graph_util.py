"""`tf.graph_util` under its TF names."""

from __future__ import annotations

_UTIL = "hornbeam.surgery.graph_util:"
__tf_exports__ = {
    f"{ns}.{n}": _UTIL + n
    for ns in ("graph_util",)
    for n in (
        "convert_variables_to_constants",
        "extract_sub_graph",
        "remove_training_nodes",
        "must_run_on_cpu",
        "tensor_shape_from_node_def_name",
    )
}
