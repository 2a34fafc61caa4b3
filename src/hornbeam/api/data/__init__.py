"""`tf.data`: datasets as graph nodes, iterators over them, and the experimental transformations."""

from __future__ import annotations
