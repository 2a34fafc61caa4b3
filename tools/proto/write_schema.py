"""Writes `src/hornbeam/proto/schema/**/*.proto` from the descriptors of an installed TensorFlow.

Run with an interpreter that has TensorFlow 2.15.1: `python tools/proto/write_schema.py`. Only the facts of the wire
format are taken over: names, numbers, types, labels, packing, enums, oneofs, maps.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from google.protobuf import descriptor_pb2

SCHEMA = Path(__file__).resolve().parents[2] / "src" / "hornbeam" / "proto" / "schema"

WANTED = """
core/framework: types tensor tensor_shape tensor_slice attr_value node_def op_def function graph graph_debug_info
 versions full_type variable resource_handle cost_graph step_stats allocation_description tensor_description
 device_attributes
 summary kernel_def api_def log_memory reader_base
core/protobuf: config rewriter_config cluster tensorflow_server device_filters meta_graph saver saved_model
 saved_object_graph struct trackable_object_graph tensor_bundle queue_runner named_tensor debug error_codes control_flow
 verifier_config device_properties fingerprint composite_tensor_variant rpc_options status
core/lib/core: error_codes
core/example: example feature example_parser_configuration
core/util: event saved_tensor_slice memmapped_file_system
core/profiler: tfprof_log tfprof_options tfprof_output
"""

# The state file of a checkpoint directory; TensorFlow's Python package has it outside tensorflow/core.
EXTRA = ["tensorflow.python.checkpoint.checkpoint_state_pb2", "tensorflow.python.training.checkpoint_state_pb2"]

FD = descriptor_pb2.FieldDescriptorProto
SCALAR_NAMES = (
    "double float int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 sfixed32 sfixed64 sint32 sint64"
)
SCALARS = {getattr(FD, f"TYPE_{n.upper()}"): n for n in SCALAR_NAMES.split()}


def field_type(field: FD) -> str:
    return SCALARS.get(field.type) or field.type_name


def field_options(field: FD) -> str:
    options = []
    if field.HasField("default_value"):
        value = field.default_value
        options.append(f"default = {value!r}" if field.type == FD.TYPE_STRING else f"default = {value}")
    if field.options.HasField("packed"):
        options.append(f"packed = {str(field.options.packed).lower()}")
    if field.options.deprecated:
        options.append("deprecated = true")
    return f" [{', '.join(options)}]" if options else ""


def field_line(field: FD, message: descriptor_pb2.DescriptorProto, proto3: bool, pad: str) -> str:
    maps = {n.name: n for n in message.nested_type if n.options.map_entry}
    entry = maps.get(field.type_name.rsplit(".", 1)[-1]) if field.type == FD.TYPE_MESSAGE else None
    if entry is not None:
        key, value = entry.field
        return f"{pad}map<{field_type(key)}, {field_type(value)}> {field.name} = {field.number}{field_options(field)};"
    label = ""
    if field.label == FD.LABEL_REPEATED:
        label = "repeated "
    elif field.label == FD.LABEL_REQUIRED:
        label = "required "
    elif field.proto3_optional or (not proto3 and not field.HasField("oneof_index")):
        label = "optional "
    return f"{pad}{label}{field_type(field)} {field.name} = {field.number}{field_options(field)};"


def message_lines(message: descriptor_pb2.DescriptorProto, proto3: bool, pad: str) -> list[str]:
    inner = pad + "  "
    lines = [f"{pad}message {message.name} {{"]
    for enum in message.enum_type:
        lines += enum_lines(enum, inner)
    for nested in message.nested_type:
        if not nested.options.map_entry:
            lines += message_lines(nested, proto3, inner)
    for r in message.reserved_range:
        lines.append(f"{inner}reserved {r.start}{'' if r.end == r.start + 1 else f' to {r.end - 1}'};")
    if message.reserved_name:
        lines.append(inner + "reserved " + ", ".join('"' + n + '"' for n in message.reserved_name) + ";")
    opened: set[int] = set()
    for field in message.field:
        if field.HasField("oneof_index") and not field.proto3_optional:
            if field.oneof_index in opened:
                continue
            opened.add(field.oneof_index)
            lines.append(f"{inner}oneof {message.oneof_decl[field.oneof_index].name} {{")
            for member in message.field:
                if member.HasField("oneof_index") and member.oneof_index == field.oneof_index:
                    lines.append(field_line(member, message, proto3, inner + "  "))
            lines.append(f"{inner}}}")
        else:
            lines.append(field_line(field, message, proto3, inner))
    return [*lines, f"{pad}}}"]


def enum_lines(enum: descriptor_pb2.EnumDescriptorProto, pad: str) -> list[str]:
    lines = [f"{pad}enum {enum.name} {{"]
    if enum.options.allow_alias:
        lines.append(f"{pad}  option allow_alias = true;")
    for r in enum.reserved_range:
        lines.append(f"{pad}  reserved {r.start}{'' if r.end == r.start else f' to {r.end}'};")
    if enum.reserved_name:
        lines.append(f"{pad}  reserved " + ", ".join('"' + n + '"' for n in enum.reserved_name) + ";")
    lines += [f"{pad}  {v.name} = {v.number};" for v in enum.value]
    return [*lines, f"{pad}}}"]


def file_text(file: descriptor_pb2.FileDescriptorProto) -> str:
    syntax = file.syntax or "proto2"
    public = set(file.public_dependency)
    lines = [f'syntax = "{syntax}";', ""]
    if file.package:
        lines += [f"package {file.package};", ""]
    for i, dependency in enumerate(file.dependency):
        lines.append(f'import {"public " if i in public else ""}"{dependency}";')
    for enum in file.enum_type:
        lines += ["", *enum_lines(enum, "")]
    for message in file.message_type:
        lines += ["", *message_lines(message, syntax == "proto3", "")]
    return "\n".join(lines) + "\n"


def main() -> int:
    modules = []
    folder = ""
    for word in WANTED.split():
        if word.endswith(":"):
            folder = word[:-1].replace("/", ".")
        else:
            modules.append(f"tensorflow.{folder}.{word}_pb2")
    todo = []
    for name in modules + EXTRA:
        try:
            todo.append(importlib.import_module(name).DESCRIPTOR)
        except ModuleNotFoundError:
            if name not in EXTRA:
                raise
    done: set[str] = set()
    while todo:
        descriptor = todo.pop()
        if descriptor.name in done or descriptor.name.startswith("google/protobuf/"):
            continue
        done.add(descriptor.name)
        todo.extend(descriptor.dependencies)
        proto = descriptor_pb2.FileDescriptorProto()
        descriptor.CopyToProto(proto)
        target = SCHEMA / descriptor.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file_text(proto))
    print(f"{len(done)} files under {SCHEMA}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
