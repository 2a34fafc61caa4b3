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
