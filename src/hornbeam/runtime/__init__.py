"""Plan, compile, run: what turns a pruned graph into a few XLA programs between host ops, and the session's state."""
