"""Graphs, dtypes, shapes, errors and sessions under their TF names, and the small framework functions over them."""

from __future__ import annotations

from typing import Any

from hornbeam.core import constant as _constant
from hornbeam.core import dtypes, errors, registry, tensor_shape
from hornbeam.core.graph import Tensor, name_scope
from hornbeam.core.importer import import_graph_def as _import_graph_def


def import_graph_def(
    graph_def: Any,
    input_map: Any = None,
    return_elements: Any = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> Any:
    """Adds a GraphDef's nodes to the default graph under `name` ("import" by default)."""
    return _import_graph_def(graph_def, input_map, return_elements, name, op_dict, producer_op_list)


def constant(
    value: Any, dtype: Any = None, shape: Any = None, name: str = "Const", verify_shape: bool = False
) -> Tensor:
    """A constant tensor; with `shape`, the last element is repeated to fill it."""
    return _constant.constant(value, dtype, shape, name, verify_shape)


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """What a tensor is known to hold while the graph is being built, as NumPy; None when it is not known."""
    if not isinstance(tensor, Tensor):
        return tensor
    return _constant.constant_value(tensor)


def op_scope(values: Any, name: str | None, default_name: str | None = None) -> Any:
    """Deprecated order of `name_scope`'s arguments."""
    return name_scope(name, default_name, values)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a Tensor, SparseTensor, IndexedSlices or Variable."""
    from hornbeam.core.graph import IndexedSlices

    return (
        isinstance(x, (Tensor, IndexedSlices))
        or hasattr(x, "_dense_var_to_tensor")
        or type(x).__name__ in ("SparseTensor", "RaggedTensor")
    )


def load_op_library(library_filename: str) -> Any:
    raise errors.NotFoundError(
        None,
        None,
        f"{library_filename}: native op libraries are built for TensorFlow's C++ runtime. Register the op in Python instead: see CONTRIBUTING.md.",
    )


load_library = load_file_system_library = load_op_library


def executing_eagerly() -> bool:
    """False: programs build graphs and run them in a Session."""
    return False


def enable_eager_execution(config: Any = None, device_policy: Any = None, execution_mode: Any = None) -> None:
    raise errors.UnimplementedError(
        None, None, "Hornbeam runs TensorFlow 1 graphs, not eager code: build a graph and run it in a tf.Session."
    )


def disable_eager_execution() -> None:
    """Graphs are the only mode; nothing to switch."""


def disable_v2_behavior() -> None:
    """TensorFlow 1 behaviour is the only one; nothing to switch."""


def disable_v2_tensorshape() -> None:
    """Shapes give Dimension objects already; nothing to switch."""


def disable_control_flow_v2() -> None:
    """Control flow is functional inside in any case."""


enable_control_flow_v2 = disable_control_flow_v2
disable_tensor_equality = disable_control_flow_v2


def control_flow_v2_enabled() -> bool:
    return True


def is_built_with_cuda() -> bool:
    """Whether JAX sees a CUDA device (Hornbeam itself holds no CUDA code)."""
    return is_gpu_available()


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    from hornbeam.runtime.devices import session_devices

    return any(d.device_type == "GPU" for d in session_devices())


def gpu_device_name() -> str:
    """`/device:GPU:0` when there is one, else an empty string."""
    return "/device:GPU:0" if is_gpu_available() else ""


class TensorSpec:
    """Shape, dtype and name of a tensor."""

    __slots__ = ("_shape", "_dtype", "_name")

    def __init__(self, shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> None:
        self._shape = tensor_shape.TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._name = name

    @classmethod
    def from_tensor(cls, tensor: Tensor, name: str | None = None) -> TensorSpec:
        return cls(tensor.shape, tensor.dtype, name or tensor.op.name)

    @property
    def shape(self) -> tensor_shape.TensorShape:
        return self._shape

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype

    @property
    def name(self) -> str | None:
        return self._name

    def is_compatible_with(self, other: Any) -> bool:
        return self._dtype.is_compatible_with(other.dtype) and self._shape.is_compatible_with(other.shape)

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self._shape}, dtype={self._dtype!r}, name={self._name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self._shape, self._dtype, self._name) == (
            other._shape,
            other._dtype,
            other._name,
        )

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))


raw_ops = registry.raw

_CORE = "hornbeam.core.graph:"
_DTYPES = [
    "float16", "half", "float32", "float64", "double", "bfloat16", "complex64", "complex128", "int8", "uint8", "uint16", "uint32", "uint64",
    "int16", "int32", "int64", "bool", "string", "qint8", "qint16", "qint32", "quint8", "quint16", "resource", "variant",
]  # fmt: skip
_PROTOS = [
    "GraphDef", "NodeDef", "AttrValue", "ConfigProto", "GPUOptions", "GraphOptions", "OptimizerOptions", "RunOptions", "RunMetadata",
    "HistogramProto", "Event", "LogMessage", "SessionLog", "Summary", "SummaryMetadata", "MetaGraphDef", "NameAttrList", "TensorInfo",
]  # fmt: skip
_TRAIN_PROTOS = [
    "Example", "Features", "Feature", "FeatureList", "FeatureLists", "SequenceExample", "BytesList", "FloatList", "Int64List", "ServerDef",
    "ClusterDef", "JobDef", "SaverDef",
]  # fmt: skip
_ERRORS = [n for n in dir(errors) if n.endswith("Error") or n.isupper() and not n.startswith("_")]

__tf_exports__ = {
    **{n: _CORE + n for n in (
        "Graph", "Operation", "Tensor", "IndexedSlices", "GraphKeys", "control_dependencies", "device", "colocate_with", "container",
        "name_scope", "get_default_graph", "reset_default_graph", "get_default_session", "add_to_collection", "add_to_collections",
        "get_collection", "get_collection_ref", "convert_to_tensor", "convert_to_tensor_or_indexed_slices", "init_scope",
        "register_tensor_conversion_function",
    )},
    **{n: "hornbeam.core.dtypes:" + n for n in _DTYPES},
    **{f"dtypes.{n}": "hornbeam.core.dtypes:" + n for n in _DTYPES},
    "DType": "hornbeam.core.dtypes:DType",
    "dtypes.DType": "hornbeam.core.dtypes:DType",
    "as_dtype": "hornbeam.core.dtypes:as_dtype",
    "dtypes.as_dtype": "hornbeam.core.dtypes:as_dtype",
    "QUANTIZED_DTYPES": "hornbeam.core.dtypes:QUANTIZED_DTYPES",
    "dtypes.QUANTIZED_DTYPES": "hornbeam.core.dtypes:QUANTIZED_DTYPES",
    "TensorShape": "hornbeam.core.tensor_shape:TensorShape",
    "Dimension": "hornbeam.core.tensor_shape:Dimension",
    "dimension_value": "hornbeam.core.tensor_shape:dimension_value",
    "dimension_at_index": "hornbeam.core.tensor_shape:dimension_at_index",
    "compat.dimension_value": "hornbeam.core.tensor_shape:dimension_value",
    "compat.dimension_at_index": "hornbeam.core.tensor_shape:dimension_at_index",
    "unknown_shape": "hornbeam.core.tensor_shape:unknown_shape",
    "DeviceSpec": "hornbeam.core.device:DeviceSpec",
    "OpError": "hornbeam.core.errors:OpError",
    **{f"errors.{n}": "hornbeam.core.errors:" + n for n in _ERRORS},
    "errors.exception_type_from_error_code": "hornbeam.core.errors:exception_type_from_error_code",
    "errors.error_code_from_exception_type": "hornbeam.core.errors:error_code_from_exception_type",
    **{n: f"hornbeam.proto:{n}" for n in _PROTOS},
    **{f"train.{n}": f"hornbeam.proto:{n}" for n in _TRAIN_PROTOS},
    "summary.Event": "hornbeam.proto:Event",
    "summary.SessionLog": "hornbeam.proto:SessionLog",
    "summary.Summary": "hornbeam.proto:Summary",
    "summary.SummaryDescription": "hornbeam.proto:SummaryDescription",
    "summary.TaggedRunMetadata": "hornbeam.proto:TaggedRunMetadata",
    "Session": "hornbeam.runtime.session:Session",
    "InteractiveSession": "hornbeam.runtime.session:InteractiveSession",
    "make_tensor_proto": "hornbeam.core.tensor_proto:make_tensor_proto",
    "make_ndarray": "hornbeam.core.tensor_proto:MakeNdarray",
    "contrib.util.make_tensor_proto": "hornbeam.core.tensor_proto:make_tensor_proto",
    "contrib.util.make_ndarray": "hornbeam.core.tensor_proto:MakeNdarray",
    "contrib.util.constant_value": "get_static_value",
    "get_static_value": "get_static_value",
    "import_graph_def": "import_graph_def",
    "graph_util.import_graph_def": "import_graph_def",
    "constant": "constant",
    "op_scope": "op_scope",
    "is_tensor": "is_tensor",
    "contrib.framework.is_tensor": "is_tensor",
    "load_op_library": "load_op_library",
    "load_library": "load_library",
    "load_file_system_library": "load_file_system_library",
    "executing_eagerly": "executing_eagerly",
    "enable_eager_execution": "enable_eager_execution",
    "compat.v1.enable_eager_execution": "enable_eager_execution",
    "disable_eager_execution": "disable_eager_execution",
    "disable_v2_behavior": "disable_v2_behavior",
    "disable_v2_tensorshape": "disable_v2_tensorshape",
    "disable_tensor_equality": "disable_tensor_equality",
    "enable_control_flow_v2": "enable_control_flow_v2",
    "disable_control_flow_v2": "disable_control_flow_v2",
    "control_flow_v2_enabled": "control_flow_v2_enabled",
    "test.is_built_with_cuda": "is_built_with_cuda",
    "test.is_gpu_available": "is_gpu_available",
    "test.gpu_device_name": "gpu_device_name",
    "TensorSpec": "TensorSpec",
    "to_jax": "hornbeam.runtime.to_jax:to_jax",
    "raw_ops": "raw_ops",
}  # fmt: skip
