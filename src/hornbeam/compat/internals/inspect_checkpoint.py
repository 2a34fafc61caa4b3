"""`tensorflow.python.tools.inspect_checkpoint`."""

from __future__ import annotations

import re
from typing import Any


def print_tensors_in_checkpoint_file(
    file_name: str,
    tensor_name: str | None,
    all_tensors: bool,
    all_tensor_names: bool = False,
    count_exclude_pattern: str = "",
) -> None:
    """Prints a checkpoint's tensors: one, all with their values, all names, or (none asked for) names with shapes."""
    import numpy as np

    from hornbeam.files.checkpoint_reader import CheckpointReader

    with CheckpointReader(file_name) as reader:
        if all_tensors or all_tensor_names:
            for name in sorted(reader.keys()):
                print("tensor_name: ", name)
                if all_tensors:
                    print(reader.get_tensor(name))
        elif not tensor_name:
            print(reader.debug_string().decode("utf-8", errors="ignore"))
        else:
            if not reader.has_tensor(tensor_name):
                print(f"Tensor {tensor_name} not found in checkpoint")
                return
            print("tensor_name: ", tensor_name)
            print(reader.get_tensor(tensor_name))
        shapes: dict[str, Any] = reader.get_variable_to_shape_map()
        counted = [s for n, s in shapes.items() if not count_exclude_pattern or not re.search(count_exclude_pattern, n)]
        print(f"# Total number of params: {sum(int(np.prod(s, dtype=np.int64)) for s in counted)}")


def main() -> None:
    """The command line of `python -m tensorflow.python.tools.inspect_checkpoint`."""
    import argparse

    parser = argparse.ArgumentParser(description="Prints the tensors of a checkpoint.")
    parser.add_argument("--file_name", required=True)
    parser.add_argument("--tensor_name", default="")
    parser.add_argument("--count_exclude_pattern", default="")
    for name in ("all_tensors", "all_tensor_names"):
        parser.add_argument(
            f"--{name}", nargs="?", const=True, default=False, type=lambda t: t.lower() in ("true", "t", "1")
        )
    options = parser.parse_args()
    print_tensors_in_checkpoint_file(
        options.file_name,
        options.tensor_name,
        options.all_tensors,
        options.all_tensor_names,
        options.count_exclude_pattern,
    )


if __name__ == "__main__":
    main()
