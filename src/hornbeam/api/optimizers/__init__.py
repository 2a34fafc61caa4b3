"""`tf.train.*Optimizer`: the base class, the rules that are one op each, Adam and its relatives, and wrappers."""

from __future__ import annotations
