"""Protobuf text form of our messages; what needs the private pool (an `Any` inside a MetaGraphDef) gets it here."""

from __future__ import annotations

from typing import Any

from hornbeam import proto


def to_text(message: Any) -> str:
    """The message in text form, as TensorFlow writes `.pbtxt` files."""
    from google.protobuf import text_format

    return text_format.MessageToString(message, descriptor_pool=proto.pool())


def from_text(text: str | bytes, message: Any) -> Any:
    """Merges `text` into `message` and returns it. Raises google.protobuf.text_format.ParseError."""
    from google.protobuf import text_format

    return text_format.Merge(text, message, descriptor_pool=proto.pool())
