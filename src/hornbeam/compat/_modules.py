"""The map from TensorFlow's module paths to what serves them; adding a path is adding a row.

A row's value is either the name of a module of ours, which then *is* that module, or a tuple of sources that are asked in turn
for an attribute: 'tf:nn' (a namespace of the API), 'raw:' (raw ops under their snake-case names), 'hornbeam.core.graph' (the
names of a module). Public namespaces (`tensorflow.nn`, `tensorflow.contrib.layers`, `tensorflow.compat.v1.train`) need no row:
they come from the export table, and so does whatever an api module declares as `python.<path>.<name>`. Neither do
`tensorflow.core.*_pb2`, which `hornbeam.proto` lists. Where `hornbeam.api` has a module of a row's last name, that is asked first.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from typing import Any

from hornbeam import _lazy_api

Plan = str | tuple[str, ...]

_FRAMEWORK = ("hornbeam.core.graph", "tf:")

PYTHON: dict[str, Plan] = {
    # framework
    "framework.ops": _FRAMEWORK,
    "framework.dtypes": ("hornbeam.core.dtypes", "tf:dtypes", "tf:"),
    "framework.tensor_shape": ("hornbeam.core.tensor_shape", "tf:"),
    "framework.tensor_util": ("tf:contrib.util", "tf:"),
    "framework.constant_op": ("tf:",),
    "framework.common_shapes": ("tf:",),
    "framework.errors": ("tf:errors", "tf:"),
    "framework.errors_impl": ("tf:errors", "tf:"),
    "framework.function": ("tf:",),
    "framework.graph_util": ("tf:graph_util",),
    "framework.graph_util_impl": ("tf:graph_util",),
    "framework.graph_io": ("tf:train", "tf:io"),
    "framework.importer": ("tf:",),
    "framework.meta_graph": ("tf:train",),
    "framework.random_seed": ("tf:", "tf:random"),
    "framework.sparse_tensor": ("tf:", "tf:sparse"),
    "framework.tensor_spec": ("tf:",),
    "framework.test_util": ("tf:test",),
    "framework.device": ("tf:",),
    "framework.smart_cond": ("tf:contrib.framework", "tf:"),
    "framework.versions": ("tf:version", "tf:"),
    "framework.framework_lib": ("tf:",),
    # ops
    "ops.array_ops": ("tf:", "tf:manip", "raw:"),
    "ops.math_ops": ("tf:math", "tf:", "raw:"),
    "ops.nn": ("tf:nn",),
    "ops.nn_ops": ("tf:nn", "raw:"),
    "ops.nn_impl": ("tf:nn",),
    "ops.rnn": ("tf:nn",),
    "ops.rnn_cell": ("tf:nn.rnn_cell", "tf:contrib.rnn"),
    "ops.rnn_cell_impl": ("tf:nn.rnn_cell", "tf:contrib.rnn"),
    "ops.embedding_ops": ("tf:nn",),
    "ops.candidate_sampling_ops": ("tf:nn", "tf:random"),
    "ops.ctc_ops": ("tf:nn",),
    "ops.control_flow_ops": ("tf:",),
    "ops.control_flow_util": ("tf:",),
    "ops.cond_v2": ("tf:",),
    "ops.functional_ops": ("tf:",),
    "ops.map_fn": ("tf:",),
    "ops.clip_ops": ("tf:",),
    "ops.check_ops": ("tf:", "tf:debugging"),
    "ops.confusion_matrix": ("tf:", "tf:math"),
    "ops.custom_gradient": ("tf:",),
    "ops.data_flow_ops": ("tf:", "tf:queue"),
    "ops.gradients": ("tf:", "tf:test"),
    "ops.gradients_impl": ("tf:",),
    "ops.histogram_ops": ("tf:",),
    "ops.image_ops": ("tf:image",),
    "ops.image_ops_impl": ("tf:image",),
    "ops.init_ops": ("tf:initializers", "tf:"),
    "ops.io_ops": ("tf:", "tf:io"),
    "ops.parsing_ops": ("tf:", "tf:io"),
    "ops.linalg_ops": ("tf:linalg", "tf:"),
    "ops.linalg.linalg": ("tf:linalg",),
    "ops.logging_ops": ("tf:summary", "tf:", "raw:"),
    "ops.lookup_ops": ("tf:lookup", "tf:contrib.lookup", "tf:"),
    "ops.losses.losses": ("tf:losses",),
    "ops.losses.losses_impl": ("tf:losses",),
    "ops.losses.util": ("tf:losses",),
    "ops.metrics": ("tf:metrics",),
    "ops.metrics_impl": ("tf:metrics",),
    "ops.numerics": ("tf:", "tf:debugging"),
    "ops.partitioned_variables": ("tf:",),
    "ops.random_ops": ("tf:random", "tf:"),
    "ops.resource_variable_ops": ("tf:", "raw:"),
    "ops.script_ops": ("tf:",),
    "ops.session_ops": ("tf:",),
    "ops.sets": ("tf:sets",),
    "ops.signal.signal": ("tf:signal",),
    "ops.sparse_ops": ("tf:", "tf:sparse"),
    "ops.special_math_ops": ("tf:math", "tf:"),
    "ops.spectral_ops": ("tf:signal", "tf:"),
    "ops.standard_ops": ("tf:",),
    "ops.state_ops": ("tf:", "raw:"),
    "ops.string_ops": ("tf:strings", "tf:"),
    "ops.summary_ops": ("tf:summary",),
    "ops.template": ("tf:",),
    "ops.tensor_array_ops": ("tf:",),
    "ops.variable_scope": ("tf:",),
    "ops.variables": ("tf:",),
    "ops.distributions.distributions": ("tf:distributions",),
    "ops.weights_broadcast_ops": ("tf:losses",),
    "ops.inplace_ops": ("raw:",),
    # client, training, summaries
    "client.session": ("tf:",),
    "client.timeline": ("hornbeam.compat.internals.timeline",),
    "client.device_lib": ("hornbeam.compat.internals.device_lib",),
    "training.training": ("tf:train",),
    "training.training_util": ("tf:train",),
    "training.saver": ("tf:train",),
    "training.checkpoint_management": ("tf:train",),
    "training.checkpoint_utils": ("tf:train",),
    "training.checkpoint_ops": ("tf:train",),
    "training.checkpoint_state_pb2": "pb2:tensorflow.python.training.checkpoint_state_pb2",
    "training.optimizer": ("tf:train",),
    "training.gradient_descent": ("tf:train",),
    "training.momentum": ("tf:train",),
    "training.adam": ("tf:train",),
    "training.adagrad": ("tf:train",),
    "training.adagrad_da": ("tf:train",),
    "training.adadelta": ("tf:train",),
    "training.rmsprop": ("tf:train",),
    "training.ftrl": ("tf:train",),
    "training.proximal_adagrad": ("tf:train",),
    "training.proximal_gradient_descent": ("tf:train",),
    "training.sync_replicas_optimizer": ("tf:train",),
    "training.moving_averages": ("tf:train",),
    "training.learning_rate_decay": ("tf:train",),
    "training.slot_creator": ("tf:train",),
    "training.coordinator": ("tf:train",),
    "training.queue_runner": ("tf:train",),
    "training.queue_runner_impl": ("tf:train", "tf:train.queue_runner"),
    "training.input": ("tf:train",),
    "training.session_run_hook": ("tf:train",),
    "training.basic_session_run_hooks": ("tf:train",),
    "training.monitored_session": ("tf:train",),
    "training.session_manager": ("tf:train",),
    "training.supervisor": ("tf:train",),
    "training.evaluation": ("tf:contrib.training", "tf:train"),
    "training.server_lib": ("tf:train",),
    "training.device_setter": ("tf:train",),
    "training.warm_starting_util": ("tf:train",),
    "summary.summary": ("tf:summary",),
    "summary.summary_iterator": ("tf:train",),
    "summary.writer.writer": ("tf:summary",),
    "summary.writer.writer_cache": ("tf:summary",),
    "pywrap_tensorflow": ("tf:train",),
    "tools.inspect_checkpoint": ("hornbeam.compat.internals.inspect_checkpoint",),
    "tools.freeze_graph": ("hornbeam.compat.internals.freeze_graph",),
    # saved model
    "saved_model.builder": ("tf:saved_model.builder", "tf:saved_model"),
    "saved_model.builder_impl": ("tf:saved_model.builder", "tf:saved_model"),
    "saved_model.constants": ("tf:saved_model.constants", "tf:saved_model"),
    "saved_model.loader": ("tf:saved_model.loader", "tf:saved_model"),
    "saved_model.loader_impl": ("tf:saved_model.loader", "tf:saved_model"),
    "saved_model.main_op": ("tf:saved_model.main_op",),
    "saved_model.signature_constants": ("tf:saved_model.signature_constants",),
    "saved_model.signature_def_utils": ("tf:saved_model.signature_def_utils", "tf:saved_model"),
    "saved_model.signature_def_utils_impl": ("tf:saved_model.signature_def_utils", "tf:saved_model"),
    "saved_model.simple_save": ("tf:saved_model",),
    "saved_model.tag_constants": ("tf:saved_model.tag_constants",),
    "saved_model.utils": ("tf:saved_model.utils",),
    "saved_model.utils_impl": ("tf:saved_model.utils",),
    # data, layers, estimator, keras
    "data.ops.dataset_ops": ("tf:data",),
    "data.ops.iterator_ops": ("tf:data",),
    "data.ops.readers": ("tf:data",),
    "data.util.nest": ("tf:nest",),
    "data.experimental.ops.batching": ("tf:data.experimental",),
    "data.experimental.ops.grouping": ("tf:data.experimental",),
    "data.experimental.ops.interleave_ops": ("tf:data.experimental",),
    "layers.base": ("tf:layers",),
    "layers.core": ("tf:layers",),
    "layers.convolutional": ("tf:layers",),
    "layers.layers": ("tf:layers",),
    "layers.normalization": ("tf:layers",),
    "layers.pooling": ("tf:layers",),
    "feature_column.feature_column": ("tf:feature_column",),
    "estimator.estimator": ("tf:estimator",),
    # platform and util
    "platform.app": ("tf:app",),
    "platform.benchmark": ("tf:test",),
    "platform.flags": ("tf:flags",),
    "platform.gfile": ("tf:gfile",),
    "platform.googletest": ("tf:test",),
    "platform.resource_loader": ("tf:resource_loader",),
    "platform.sysconfig": ("tf:sysconfig",),
    "platform.test": ("tf:test",),
    "platform.tf_logging": ("tf:logging",),
    "lib.io.file_io": ("hornbeam.compat.internals.file_io",),
    "lib.io.tf_record": ("tf:python_io", "tf:io"),
    "lib.io.python_io": ("tf:python_io",),
    "util.compat": ("tf:compat",),
    "util.deprecation": ("hornbeam.compat.internals.decorators",),
    "util.tf_contextlib": ("contextlib",),
    "util.tf_decorator": ("hornbeam.compat.internals.decorators",),
    "util.tf_export": ("hornbeam.compat.internals.decorators",),
    "util.tf_inspect": ("hornbeam.compat.internals.decorators", "inspect"),
    "util.tf_should_use": ("hornbeam.compat.internals.decorators",),
    "util.nest": ("tf:nest", "tf:contrib.framework.nest"),
    "eager.context": ("tf:",),
    "eager.backprop": ("tf:",),
    "profiler.model_analyzer": ("tf:profiler",),
    "profiler.option_builder": ("tf:profiler",),
    "profiler.tfprof_logger": ("tf:profiler",),
}

GENERATED = (  # gen_*_ops: a family's raw ops under their snake-case names
    "array bitwise candidate_sampling control_flow ctc data_flow dataset functional image io linalg list logging lookup manip math nn "
    "parsing random resource_variable script sdca set sparse spectral state stateless_random string summary user"
).split()

PUBLIC: dict[str, Plan] = {
    "": ("tf:",),
    "compat": ("tf:compat",),
    "contrib": ("tf:contrib",),
    "examples.tutorials.mnist": ("hornbeam.compat.mnist",),
    "examples.tutorials.mnist.input_data": "hornbeam.compat.mnist",
    "contrib.learn.python.learn.datasets.mnist": "hornbeam.compat.mnist",
    "contrib.learn.python.learn.datasets.base": ("hornbeam.compat.mnist",),
    "python": ("tf:",),
    "python.ops": (),
    "python.framework": (),
}

CONTRIB: dict[str, Plan] = {  # deep paths of contrib that programs import
    "framework.python.framework.tensor_util": ("tf:contrib.framework",),
    "framework.python.framework.checkpoint_utils": ("tf:contrib.framework", "tf:train"),
    "framework.python.ops.variables": ("tf:contrib.framework",),
    "framework.python.ops.arg_scope": ("tf:contrib.framework",),
    "framework.python.ops": ("tf:contrib.framework",),
    "layers.python.layers": ("tf:contrib.layers",),
    "layers.python.layers.layers": ("tf:contrib.layers",),
    "layers.python.layers.initializers": ("tf:contrib.layers",),
    "layers.python.layers.regularizers": ("tf:contrib.layers",),
    "layers.python.layers.optimizers": ("tf:contrib.layers",),
    "layers.python.layers.summaries": ("tf:contrib.layers",),
    "layers.python.layers.utils": ("tf:contrib.layers.utils", "tf:contrib.layers"),
    "layers.python.layers.feature_column": ("tf:contrib.layers",),
    "layers.python.ops": ("tf:contrib.layers",),
    "rnn.python.ops.rnn_cell": ("tf:contrib.rnn",),
    "rnn.python.ops.core_rnn_cell": ("tf:contrib.rnn",),
    "rnn.python.ops.core_rnn_cell_impl": ("tf:contrib.rnn",),
    "rnn.python.ops.core_rnn": ("tf:contrib.rnn",),
    "rnn.python.ops.rnn": ("tf:contrib.rnn",),
    "seq2seq.python.ops.attention_wrapper": ("tf:contrib.seq2seq",),
    "seq2seq.python.ops.basic_decoder": ("tf:contrib.seq2seq",),
    "seq2seq.python.ops.beam_search_decoder": ("tf:contrib.seq2seq",),
    "seq2seq.python.ops.decoder": ("tf:contrib.seq2seq",),
    "seq2seq.python.ops.helper": ("tf:contrib.seq2seq",),
    "seq2seq.python.ops.loss": ("tf:contrib.seq2seq",),
    "legacy_seq2seq.python.ops.seq2seq": ("tf:contrib.legacy_seq2seq",),
    "crf.python.ops.crf": ("tf:contrib.crf",),
    "training.python.training.evaluation": ("tf:contrib.training",),
    "training.python.training.training": ("tf:contrib.training",),
    "training.python.training.hparam": ("tf:contrib.training",),
    "opt.python.training.external_optimizer": ("tf:contrib.opt",),
    "losses.python.losses": ("tf:contrib.losses",),
    "metrics.python.ops.metric_ops": ("tf:contrib.metrics",),
    "metrics.python.ops": ("tf:contrib.metrics",),
    "lookup.lookup_ops": ("tf:contrib.lookup",),
    "tensorboard.plugins.projector.projector_config_pb2": ("tf:contrib.tensorboard.plugins.projector",),
}

# Whole packages of ours under other names: everything below the left name is the same path below the right one.
TREES = {
    "tf_slim": "hornbeam.slim",
    "tensorflow.contrib.slim.python.slim": "hornbeam.slim",
    "tensorflow.contrib.slim": "hornbeam.slim",
}


@cache
def _table() -> dict[str, Plan]:
    """Full TensorFlow module name -> plan, for the rows above and the pb2 modules."""
    from hornbeam.proto import PB2_MODULES

    rows: dict[str, Plan] = {f"tensorflow.{k}".rstrip("."): v for k, v in PUBLIC.items()}
    rows.update({f"tensorflow.python.{k}": _with_api_module(k, v) for k, v in PYTHON.items()})
    rows.update({f"tensorflow.python.ops.gen_{k}_ops": ("raw:",) for k in GENERATED})
    rows.update({f"tensorflow.contrib.{k}": v for k, v in CONTRIB.items()})
    rows.update({name: f"pb2:{name}" for name in PB2_MODULES})
    return rows


def _with_api_module(path: str, row: Plan) -> Plan:
    """TensorFlow's `python.ops.init_ops` is also our `hornbeam.api.init_ops`, helpers that are no API included."""
    module = f"hornbeam.api.{path.rpartition('.')[2]}"
    return (module, *row) if isinstance(row, tuple) and _exists(module) else row


@cache
def _packages() -> frozenset[str]:
    """The parents of every row that has anything: packages that hold others, such as `tensorflow.python.framework`."""
    served = [n for n, row in _table().items() if isinstance(row, str) or any(_available(s) for s in row)]
    parents = {name.rsplit(".", i)[0] for name in served for i in range(1, name.count(".") + 1)}
    return frozenset(parents | {"tensorflow.compat", "tensorflow.contrib"})


def namespace_of(fullname: str) -> str | None:
    """The API namespace a public module path stands for ('nn' for tensorflow.compat.v1.nn); None for internals."""
    root, _, rest = fullname.partition(".")
    if root != "tensorflow":
        return None
    if rest == "compat.v1" or rest.startswith("compat.v1."):
        rest = rest[len("compat.v1.") :]
    return None if rest.split(".")[0] in ("python", "core", "examples") else rest


@cache
def plan(fullname: str) -> Plan | None:
    """What serves the module `fullname`: a module of ours, a tuple of sources, or None when nothing does."""
    for tree, ours in TREES.items():
        if fullname == tree or fullname.startswith(tree + "."):
            name = ours + fullname[len(tree) :]
            return name if _exists(name) else None
    row = _table().get(fullname)
    sources = () if row is None else row
    ns = namespace_of(fullname)
    inner = fullname.removeprefix("tensorflow.")
    if ns is None and not isinstance(sources, str) and _lazy_api.is_namespace(inner):
        sources = (f"tf:{inner}", *sources)
    if ns is not None:
        target = _lazy_api.EXPORTS.get(ns.rpartition(".")[0], {}).get(ns.rpartition(".")[2], "")
        if target.endswith(":"):
            return target[:-1]
        if row is None and _lazy_api.is_namespace(ns):
            return (f"tf:{ns}",)
    if isinstance(sources, str):
        return sources
    sources = tuple(s for s in sources if _available(s))
    if sources or fullname in _packages():
        return sources
    return None


def _available(source: str) -> bool:
    """Whether a source has anything: rows may name namespaces that no api module declares yet."""
    kind, _, where = source.rpartition(":")
    return _lazy_api.is_namespace(where) if kind == "tf" else kind == "raw" or _exists(where)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent is missing
        return False


@cache
def _raw_names() -> dict[str, str]:
    from hornbeam.core import registry

    return {snake(name): name for name in registry.names()}


def snake(name: str) -> str:
    """TensorFlow's Python name of an op: MatMul -> mat_mul, Conv2D -> conv2d, L2Loss -> l2_loss."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", name).lower()


def raw_op(name: str) -> Any:
    """The raw op whose snake-case name this is, or None."""
    from hornbeam.core.registry import raw

    op = _raw_names().get(name)
    return getattr(raw, op) if op else None


def modules() -> list[str]:
    """Every module path that is served (for `hornbeam coverage --modules`)."""
    found = {name for name in _table() if plan(name)} | {f"tensorflow.{ns}" for ns in _lazy_api.NAMESPACES if ns}
    return sorted(found | {"tensorflow.compat.v1"})
