"""Graphs and what they are made of: dtypes, shapes, operations, tensors, scopes, functions, the op registry, errors."""

from hornbeam.core import operators as _operators  # noqa: F401  puts the Python operators on Tensor
