"""What Matplotlib and Pillow removed, under its old names."""

from __future__ import annotations

from typing import Any

from hornbeam.compat import hooks
from hornbeam.compat.legacy import Lazy, add_method, note, restore, restore_in


def _pyplot(plt: Any) -> None:
    """`hold` has had no effect since 2.0: drawing always adds."""
    restore(plt, {"hold": lambda b=None: None, "ishold": lambda: True})


def _cm(cm: Any) -> None:
    import matplotlib

    def get_cmap(name: Any = None, lut: int | None = None) -> Any:
        cmap = name if hasattr(name, "resampled") else matplotlib.colormaps[name or matplotlib.rcParams["image.cmap"]]
        return cmap if lut is None else cmap.resampled(lut)

    restore(
        cm,
        {
            "get_cmap": get_cmap,
            "register_cmap": lambda name=None, cmap=None, **k: matplotlib.colormaps.register(cmap, name=name),
            "spectral": Lazy(lambda: matplotlib.colormaps["nipy_spectral"]),
        },
    )


def _axes(module: Any) -> None:
    add_method(module.Axes, "hold", lambda self, b=None: None)
    add_method(module.Axes, "ishold", lambda self: True)
    add_method(module.Axes, "set_axis_bgcolor", lambda self, color: self.set_facecolor(color))
    add_method(module.Axes, "get_axis_bgcolor", lambda self: self.get_facecolor())


def _figure(module: Any) -> None:
    """`fig.gca(projection='3d')` made the axes until 3.6."""
    gca = module.Figure.gca

    def gca_(self: Any, **kwargs: Any) -> Any:
        if not kwargs:
            return gca(self)
        note("matplotlib.figure.Figure.gca with arguments")
        return self.add_subplot(**kwargs)

    module.Figure.gca = gca_
    add_method(module.Figure, "hold", lambda self, b=None: None)


def _backends(module: Any) -> None:
    def set_window_title(self: Any, title: str) -> None:
        if self.manager is not None:
            self.manager.set_window_title(title)

    add_method(module.FigureCanvasBase, "set_window_title", set_window_title)


def _style(module: Any) -> None:
    """The seaborn styles carry the version of seaborn they were taken from since 3.6."""
    use = module.use

    def rename(name: Any) -> Any:
        if isinstance(name, str) and name.startswith("seaborn") and name not in module.library:
            new = name.replace("seaborn", "seaborn-v0_8", 1)
            if new in module.library:
                note(f"matplotlib style {name!r}")
                return new
        return name

    module.use = lambda style: use([rename(s) for s in style] if isinstance(style, (list, tuple)) else rename(style))


def _normpdf(x: Any, mu: Any, sigma: Any) -> Any:
    import numpy as np

    return np.exp(-0.5 * ((np.asarray(x) - mu) / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)


FILTERS = {"ANTIALIAS": "LANCZOS", "LINEAR": "BILINEAR", "CUBIC": "BICUBIC"}


def _image(image: Any) -> None:
    names: dict[str, Any] = {old: getattr(image.Resampling, new) for old, new in FILTERS.items()}
    names |= {name: getattr(kind, name) for kind in (image.Resampling, image.Transpose) for name in kind.__members__}
    names |= {"VERSION": image.__version__, "PILLOW_VERSION": image.__version__}
    names |= {"fromstring": image.frombytes}
    restore(image, names)
    add_method(image.Image, "tostring", lambda self, *args: self.tobytes(*args))


def _draw(module: Any) -> None:
    def textsize(self: Any, text: str, font: Any = None, spacing: int = 4, **kwargs: Any) -> tuple[int, int]:
        box = self.multiline_textbbox((0, 0), text, font=font or self.getfont(), spacing=spacing, **kwargs)
        return int(box[2]), int(box[3])

    add_method(module.ImageDraw, "textsize", textsize)


def _font(module: Any) -> None:
    def getsize(self: Any, text: str, *args: Any, **kwargs: Any) -> tuple[int, int]:
        box = self.getbbox(text, *args, **kwargs)
        return int(box[2]), int(box[3])

    for cls in (module.FreeTypeFont, module.ImageFont):
        add_method(cls, "getsize", getsize)
    add_method(module.FreeTypeFont, "getoffset", lambda self, text: tuple(int(v) for v in self.getbbox(text)[:2]))


def install() -> None:
    """Hooks on Matplotlib and Pillow."""
    hooks.after_import("matplotlib.pyplot", _pyplot)
    hooks.after_import("matplotlib.cm", _cm)
    hooks.after_import("matplotlib.axes", _axes)
    hooks.after_import("matplotlib.figure", _figure)
    hooks.after_import("matplotlib.backend_bases", _backends)
    hooks.after_import("matplotlib.style", _style)
    restore_in("matplotlib.mlab", {"normpdf": _normpdf})
    hooks.after_import("PIL.Image", _image)
    hooks.after_import("PIL.ImageDraw", _draw)
    hooks.after_import("PIL.ImageFont", _font)
    restore_in("PIL", {"PILLOW_VERSION": Lazy("PIL:__version__")})
