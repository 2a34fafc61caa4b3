"""Compiles `src/hornbeam/proto/schema` with protoc into `descriptors.bin` and its table of contents `_index.py`.

Run after a change of the schema: `python tools/proto/compile_schema.py` (needs grpcio-tools). `--check` only says
whether the two files are up to date.
"""

from __future__ import annotations

import importlib.resources
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOM = Path(__file__).resolve().parents[2] / "src" / "hornbeam" / "proto"
SCHEMA = ROOM / "schema"


def compiled() -> descriptor_pb2.FileDescriptorSet:
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    sources = sorted(str(p.relative_to(SCHEMA)) for p in SCHEMA.rglob("*.proto"))
    with tempfile.NamedTemporaryFile() as out:
        arguments = ["protoc", f"-I{SCHEMA}", f"-I{well_known}", "--include_imports"]
        if protoc.main([*arguments, f"--descriptor_set_out={out.name}", *sources]) != 0:
            raise SystemExit("protoc failed")
        result = descriptor_pb2.FileDescriptorSet()
        result.ParseFromString(Path(out.name).read_bytes())
    for file in result.file:
        file.ClearField("options")
    return result


def outputs() -> dict[str, bytes]:
    """Both generated files: the concatenated FileDescriptorProtos, and where each lies and what it defines."""
    blob = bytearray()
    lines = [
        '"""Where each schema file lies in descriptors.bin. Made by tools/proto/compile_schema.py."""',
        "# ruff: noqa: E501",
        "",
        "from __future__ import annotations",
        "",
        "# file: (offset, length, package, imports, public imports, messages, {enum: its values})",
        "Names = tuple[str, ...]",
        "FILES: dict[str, tuple[int, int, str, Names, Names, Names, dict[str, dict[str, int]]]] = {",
    ]
    for file in sorted(compiled().file, key=lambda f: f.name):
        data = file.SerializeToString(deterministic=True)
        public = tuple(file.dependency[i] for i in file.public_dependency)
        messages = tuple(m.name for m in file.message_type)
        enums = {e.name: {v.name: v.number for v in e.value} for e in file.enum_type}
        entry = (len(blob), len(data), file.package, tuple(file.dependency), public, messages, enums)
        lines.append(f"    {file.name!r}: {entry!r},")
        blob += data
    lines += ["}", ""]
    return {"descriptors.bin": bytes(blob), "_index.py": "\n".join(lines).encode()}


def main(arguments: list[str]) -> int:
    stale = []
    for name, data in outputs().items():
        target = ROOM / name
        if target.exists() and target.read_bytes() == data:
            continue
        stale.append(name)
        if "--check" not in arguments:
            target.write_bytes(data)
    print("up to date" if not stale else f"{'stale' if '--check' in arguments else 'written'}: {', '.join(stale)}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
