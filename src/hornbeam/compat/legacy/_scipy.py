"""What SciPy removed since 1.0, under its old names: `scipy.misc`'s pictures, renamed functions, moved modules."""

from __future__ import annotations

import importlib
from typing import Any

from hornbeam.compat import hooks
from hornbeam.compat.legacy import Lazy, restore, restore_in, supply

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}


def bytescale(data: Any, cmin: Any = None, cmax: Any = None, high: int = 255, low: int = 0) -> Any:
    """Scales to bytes so that the smallest value becomes `low` and the largest `high`; uint8 stays as it is."""
    import numpy as np

    if data.dtype == np.uint8:
        return data
    if not 0 <= low <= high <= 255:
        raise ValueError("`low` and `high` must satisfy 0 <= low <= high <= 255")
    cmin = data.min() if cmin is None else cmin
    cmax = data.max() if cmax is None else cmax
    if cmax < cmin:
        raise ValueError("`cmax` should be larger than `cmin`.")
    scaled = (data - cmin) * (float(high - low) / (cmax - cmin or 1)) + low
    return (scaled.clip(low, high) + 0.5).astype(np.uint8)


def toimage(
    arr: Any, high: int = 255, low: int = 0, cmin: Any = None, cmax: Any = None, pal: Any = None, mode: Any = None,
    channel_axis: int | None = None,
) -> Any:  # fmt: skip
    """A 2-D array as a grey picture, a 3-D one with an axis of 3 or 4 as RGB(A); values are scaled as `bytescale` does."""
    import numpy as np
    from PIL import Image

    data = np.asarray(arr)
    if np.iscomplexobj(data):
        raise ValueError("Cannot convert a complex-valued array.")
    if data.ndim == 2:
        return _grey(data, high, low, cmin, cmax, pal, mode)
    if data.ndim != 3 or not {3, 4} & set(data.shape):
        raise ValueError("'arr' does not have a suitable array shape for any mode.")
    if channel_axis is None:
        channel_axis = data.shape.index(3 if 3 in data.shape else 4)
    if data.shape[channel_axis] not in (3, 4):
        raise ValueError("Channel axis dimension is not valid.")
    pixels = np.moveaxis(bytescale(data, cmin, cmax, high, low), channel_axis, 2)
    mode = mode or {3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())


def _grey(data: Any, high: int, low: int, cmin: Any, cmax: Any, pal: Any, mode: Any) -> Any:
    import numpy as np
    from PIL import Image

    size = (data.shape[1], data.shape[0])
    if mode == "F":
        return Image.frombytes("F", size, data.astype(np.float32).tobytes())
    if mode in (None, "L", "P"):
        image = Image.frombytes("L", size, bytescale(data, cmin, cmax, high, low).tobytes())
        if pal is not None:
            image.putpalette(np.asarray(pal, np.uint8).tobytes())
        elif mode == "P":
            image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
        return image
    if mode == "1":
        return Image.fromarray(data > high)
    if mode == "I":
        cmin = data.min() if cmin is None else cmin
        cmax = data.max() if cmax is None else cmax
        scaled = (data * 1.0 - cmin) * (high - low) / (cmax - cmin) + low
        return Image.frombytes("I", size, scaled.astype(np.uint32).tobytes())
    raise ValueError(f"mode {mode!r} is not one of None, L, P, 1, I, F")


def fromimage(im: Any, flatten: bool = False, mode: Any = None) -> Any:
    """A picture as an array: (height, width) or (height, width, channels)."""
    import numpy as np

    if mode is not None:
        im = im.convert(mode) if mode != im.mode else im
    elif im.mode == "P":
        im = im.convert("RGBA" if "transparency" in im.info else "RGB")
    if flatten:
        im = im.convert("F")
    elif im.mode == "1":
        im = im.convert("L")
    return np.array(im)


def imread(name: Any, flatten: bool = False, mode: Any = None) -> Any:
    """Reads a picture file into an array."""
    from PIL import Image

    with Image.open(name) as im:
        return fromimage(im, flatten=flatten, mode=mode)


def imsave(name: Any, arr: Any, format: str | None = None) -> None:
    """Writes an array as a picture file; its values are scaled to bytes unless they are bytes."""
    toimage(arr, channel_axis=2).save(name, format=format)


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: Any = None) -> Any:
    """Resizes to `size`: an int is a percentage, a float a fraction, a tuple (height, width). Returns bytes, as SciPy did."""
    import numpy as np

    im = toimage(arr, mode=mode)
    if isinstance(size, (int, np.integer)):
        size = tuple((np.array(im.size) * (size / 100.0)).astype(int))
    elif isinstance(size, (float, np.floating)):
        size = tuple((np.array(im.size) * size).astype(int))
    else:
        size = (size[1], size[0])
    return fromimage(im.resize(tuple(int(s) for s in size), resample=FILTERS[interp]))


def imrotate(arr: Any, angle: float, interp: str = "bilinear") -> Any:
    """Rotates counter-clockwise by `angle` degrees."""
    return fromimage(toimage(arr).rotate(angle, resample=FILTERS[interp]))


def imshow(arr: Any) -> None:
    """Shows an array in the system's picture viewer."""
    toimage(arr).show()


MISC = {
    "bytescale": bytescale, "toimage": toimage, "fromimage": fromimage, "imread": imread, "imsave": imsave,
    "imresize": imresize, "imrotate": imrotate, "imshow": imshow,
    "face": Lazy("scipy.datasets:face"), "ascent": Lazy("scipy.datasets:ascent"),
    "electrocardiogram": Lazy("scipy.datasets:electrocardiogram"),
    "logsumexp": Lazy("scipy.special:logsumexp"), "comb": Lazy("scipy.special:comb"),
    "factorial": Lazy("scipy.special:factorial"), "factorial2": Lazy("scipy.special:factorial2"),
    "factorialk": Lazy("scipy.special:factorialk"), "pade": Lazy("scipy.interpolate:pade"),
    "derivative": Lazy(lambda: _derivative), "who": Lazy("numpy:info"), "info": Lazy("numpy:info"),
}  # fmt: skip


def _derivative(func: Any, x0: Any, dx: float = 1.0, n: int = 1, args: tuple[Any, ...] = (), order: int = 3) -> Any:
    """The n-th central difference of `func` at `x0` over `order` points."""
    import math

    import numpy as np

    if order < n + 1 or order % 2 == 0:
        raise ValueError("'order' (the number of points used) must be odd and at least the derivative order 'n' + 1.")
    half = order // 2
    offsets = np.arange(-half, half + 1.0)
    weights = np.linalg.inv(np.vander(offsets, increasing=True).T)[:, n] * math.factorial(n)
    return sum(w * func(x0 + k * dx, *args) for w, k in zip(weights, offsets)) / dx**n


WINDOWS = (
    "barthann bartlett blackman blackmanharris bohman boxcar chebwin cosine exponential flattop gaussian general_gaussian "
    "hamming hann kaiser nuttall parzen triang tukey"
).split()

NAMES: dict[str, dict[str, Any]] = {
    "scipy.misc": MISC,
    "scipy.signal": {name: Lazy(f"scipy.signal.windows:{name}") for name in WINDOWS}
    | {"hanning": Lazy("scipy.signal.windows:hann")},
    "scipy.integrate": {
        "simps": Lazy("scipy.integrate:simpson"),
        "trapz": Lazy("scipy.integrate:trapezoid"),
        "cumtrapz": Lazy("scipy.integrate:cumulative_trapezoid"),
    },
    "scipy.linalg": {
        "pinv2": Lazy("scipy.linalg:pinv"),
        "tril": Lazy("numpy:tril"),
        "triu": Lazy("numpy:triu"),
        "tri": Lazy("numpy:tri"),
    },
    "scipy.stats": {
        "binom_test": lambda *a, **k: importlib.import_module("scipy.stats").binomtest(*a, **k).pvalue,
        "median_absolute_deviation": Lazy("scipy.stats:median_abs_deviation"),
        "chisqprob": Lazy("scipy.special:chdtrc"),
    },
    "scipy.special": {
        "sph_harm": lambda m, n, theta, phi: importlib.import_module("scipy.special").sph_harm_y(n, m, phi, theta)
    },
    "scipy.sparse.linalg": {"eigen": Lazy("scipy.sparse.linalg.eigen:")},
    "scipy.spatial.distance": {
        "wminkowski": lambda u, v, p, w: importlib.import_module("scipy.spatial.distance").minkowski(
            u, v, p, _power(w, p)
        )
    },
}


def _power(w: Any, p: float) -> Any:
    import numpy as np

    return np.asarray(w) ** p  # minkowski's weights multiply |u-v|**p, wminkowski's multiplied |u-v|


def _mirror(module: str) -> Any:
    return lambda: vars(importlib.import_module(module))


MODULES: dict[str, Any] = {  # moved modules
    "scipy.misc": MISC,
    "scipy.misc.pilutil": MISC,
    "scipy.misc.common": MISC,
    "scipy.sparse.linalg.eigen": _mirror("scipy.sparse.linalg"),
    "scipy.sparse.linalg.eigen.arpack": _mirror("scipy.sparse.linalg"),
    "scipy.sparse.linalg.eigen.arpack.arpack": _mirror("scipy.sparse.linalg"),
    "scipy.sparse.linalg.isolve": _mirror("scipy.sparse.linalg"),
    "scipy.sparse.linalg.interface": _mirror("scipy.sparse.linalg"),
    "scipy.ndimage.filters": _mirror("scipy.ndimage"),
    "scipy.ndimage.interpolation": _mirror("scipy.ndimage"),
    "scipy.ndimage.measurements": _mirror("scipy.ndimage"),
    "scipy.ndimage.morphology": _mirror("scipy.ndimage"),
    "scipy.stats.stats": _mirror("scipy.stats"),
    "scipy.signal.signaltools": _mirror("scipy.signal"),
    "scipy.sparse.csr": _mirror("scipy.sparse"),
    "scipy.sparse.csc": _mirror("scipy.sparse"),
    "scipy.sparse.coo": _mirror("scipy.sparse"),
    "scipy.sparse.sputils": _mirror("scipy.sparse"),
    "scipy.linalg.basic": _mirror("scipy.linalg"),
    "sklearn.cross_validation": _mirror("sklearn.model_selection"),
    "sklearn.grid_search": _mirror("sklearn.model_selection"),
    "sklearn.externals": {"joblib": Lazy("joblib:"), "six": Lazy("six:")},
    "sklearn.externals.joblib": _mirror("joblib"),
    "sklearn.datasets.samples_generator": _mirror("sklearn.datasets"),
    "sklearn.metrics.classification": _mirror("sklearn.metrics"),
}


def _top(scipy: Any) -> None:
    """Until 1.12 `scipy` carried NumPy's functions, and `scipy.misc` came with it."""
    import numpy as np

    restore(scipy, {"misc": Lazy("scipy.misc:"), **{n: Lazy(f"numpy:{n}") for n in dir(np) if not n.startswith("_")}})


def install() -> None:
    """Hooks on SciPy's packages, and its removed modules."""
    hooks.after_import("scipy", _top)
    for module, names in NAMES.items():
        restore_in(module, names)
    for module, names in MODULES.items():
        supply(module, names)
