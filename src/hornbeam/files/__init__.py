"""TensorFlow's file formats, byte for byte: checkpoints (V1, V2), records, event files, graphs in text and binary."""
