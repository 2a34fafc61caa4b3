"""`tf.keras.initializers`: Keras's defaults for TensorFlow's initializers, and their look-up by name or configuration."""

from __future__ import annotations

import inspect
from typing import Any

from hornbeam.api import init_ops
from hornbeam.core import dtypes


class RandomNormal(init_ops.RandomNormal):
    """Normal with deviation 0.05 unless given."""

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        super().__init__(mean, stddev, seed, dtype)


class TruncatedNormal(init_ops.TruncatedNormal):
    """Truncated normal with deviation 0.05 unless given."""

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        super().__init__(mean, stddev, seed, dtype)


class RandomUniform(init_ops.RandomUniform):
    """Uniform in ±0.05 unless given."""

    def __init__(
        self, minval: Any = -0.05, maxval: Any = 0.05, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        super().__init__(minval, maxval, seed, dtype)


_BY_NAME: dict[str, Any] = {
    "Zeros": init_ops.Zeros,
    "zeros": init_ops.Zeros,
    "zero": init_ops.Zeros,
    "Ones": init_ops.Ones,
    "ones": init_ops.Ones,
    "one": init_ops.Ones,
    "Constant": init_ops.Constant,
    "constant": init_ops.Constant,
    "Identity": init_ops.Identity,
    "identity": init_ops.Identity,
    "Orthogonal": init_ops.Orthogonal,
    "orthogonal": init_ops.Orthogonal,
    "VarianceScaling": init_ops.VarianceScaling,
    "variance_scaling": init_ops.VarianceScaling,
    "RandomNormal": RandomNormal,
    "random_normal": RandomNormal,
    "normal": RandomNormal,
    "RandomUniform": RandomUniform,
    "random_uniform": RandomUniform,
    "uniform": RandomUniform,
    "TruncatedNormal": TruncatedNormal,
    "truncated_normal": TruncatedNormal,
    "GlorotUniform": init_ops.GlorotUniform,
    "glorot_uniform": init_ops.GlorotUniform,
    "GlorotNormal": init_ops.GlorotNormal,
    "glorot_normal": init_ops.GlorotNormal,
    "lecun_normal": init_ops.lecun_normal,
    "lecun_uniform": init_ops.lecun_uniform,
    "he_normal": init_ops.he_normal,
    "he_uniform": init_ops.he_uniform,
}


def serialize(initializer: init_ops.Initializer) -> dict[str, Any]:
    """The initializer's class name and configuration."""
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


def deserialize(config: dict[str, Any] | str, custom_objects: dict[str, Any] | None = None) -> init_ops.Initializer:
    """The initializer of a name or of what `serialize` gave; ValueError for a name that is not known."""
    name, settings = (config, {}) if isinstance(config, str) else (config["class_name"], config.get("config", {}))
    maker = (custom_objects or {}).get(name) or _BY_NAME.get(name)
    if maker is None:
        raise ValueError(f"Unknown initializer: {name}")
    return maker.from_config(settings) if hasattr(maker, "from_config") else maker(**settings)


def get(identifier: Any) -> Any:
    """An initializer from a name, a configuration, a class or a callable; None stays None. ValueError for anything else."""
    if identifier is None:
        return None
    if isinstance(identifier, (str, dict)):
        return deserialize(identifier)
    if inspect.isclass(identifier):
        return identifier()
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret initializer identifier: {identifier}")


_CLASSES = {
    "RandomNormal": "RandomNormal random_normal normal",
    "RandomUniform": "RandomUniform random_uniform uniform",
    "TruncatedNormal": "TruncatedNormal truncated_normal",
    "get": "get",
    "serialize": "serialize",
    "deserialize": "deserialize",
}
__tf_exports__ = {f"keras.initializers.{name}": target for target, names in _CLASSES.items() for name in names.split()}
