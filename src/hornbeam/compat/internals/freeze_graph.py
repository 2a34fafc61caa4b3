"""`tensorflow.python.tools.freeze_graph`: the function behind TensorFlow's tool of that name."""

from __future__ import annotations

from typing import Any


def freeze_graph(
    input_graph: str,
    input_saver: str,
    input_binary: bool,
    input_checkpoint: str,
    output_node_names: str,
    restore_op_name: str | None,
    filename_tensor_name: str | None,
    output_graph: str,
    clear_devices: bool,
    initializer_nodes: str,
    variable_names_whitelist: str = "",
    variable_names_blacklist: str = "",
    input_meta_graph: str | None = None,
    input_saved_model_dir: str | None = None,
    saved_model_tags: str = "serve",
    checkpoint_version: int = 2,
) -> Any:
    """Writes `output_graph` with the checkpoint's values as constants, and returns its GraphDef.

    The graph comes from `input_graph` or `input_meta_graph`; whether it is binary or text shows from the file itself, and
    the checkpoint is read directly, so `input_saver`, `input_binary`, `restore_op_name`, `filename_tensor_name` and
    `checkpoint_version` have nothing left to decide. Raises ValueError for arguments that ask for what is not done here.
    """
    from hornbeam.cli.freeze import frozen_graph
    from hornbeam.files.graph_io import read_graph, write_message
    from hornbeam.surgery.graph_util import node_name

    for name, value in (
        ("input_saved_model_dir", input_saved_model_dir),
        ("initializer_nodes", initializer_nodes),
        ("variable_names_whitelist", variable_names_whitelist),
        ("variable_names_blacklist", variable_names_blacklist),
    ):
        if value:
            raise ValueError(
                f"freeze_graph: {name}={value!r} is not covered; use tf.graph_util.convert_variables_to_constants"
            )
    if not output_node_names:
        raise ValueError("You need to supply the name of a node to --output_node_names.")
    graph_def = read_graph(input_meta_graph or input_graph).graph_def
    names = [node_name(n.strip()) for n in output_node_names.split(",")]
    frozen, _ = frozen_graph(graph_def, input_checkpoint, names, clear_devices)
    if output_graph:
        write_message(frozen, output_graph)
    print(f"{len(frozen.node)} ops in the final graph.")
    return frozen


def main() -> int:
    """The command line of `python -m tensorflow.python.tools.freeze_graph`."""
    import argparse

    def boolean(text: str) -> bool:
        return text.lower() in ("true", "t", "1", "yes")

    parser = argparse.ArgumentParser(description="Writes a graph with a checkpoint's values as constants.")
    for name in (
        "input_graph",
        "input_saver",
        "input_checkpoint",
        "output_graph",
        "output_node_names",
        "initializer_nodes",
    ):
        parser.add_argument(f"--{name}", default="")
    for name in ("variable_names_whitelist", "variable_names_blacklist", "input_meta_graph", "input_saved_model_dir"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--restore_op_name", default="save/restore_all")
    parser.add_argument("--filename_tensor_name", default="save/Const:0")
    parser.add_argument("--saved_model_tags", default="serve")
    parser.add_argument("--checkpoint_version", type=int, default=2)
    for name, default in (("input_binary", False), ("clear_devices", True)):
        parser.add_argument(f"--{name}", nargs="?", const=True, default=default, type=boolean)
    freeze_graph(**vars(parser.parse_args()))
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main())
