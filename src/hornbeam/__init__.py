"""Hornbeam: TensorFlow 1 without TensorFlow."""
