"""What pandas removed, under its old names."""

from __future__ import annotations

from typing import Any

from hornbeam.compat import hooks
from hornbeam.compat.legacy import add_method


def _pandas(pd: Any) -> None:
    def append(
        self: Any, other: Any, ignore_index: bool = False, verify_integrity: bool = False, sort: bool = False
    ) -> Any:
        if isinstance(other, dict):
            other = pd.Series(other)
        if isinstance(self, pd.DataFrame) and isinstance(other, pd.Series):
            if other.name is None and not ignore_index:
                raise TypeError("Can only append a Series if ignore_index=True or if the Series has a name")
            other = other.to_frame().T
        others = list(other) if isinstance(other, (list, tuple)) else [other]
        return pd.concat([self, *others], ignore_index=ignore_index, verify_integrity=verify_integrity, sort=sort)

    def as_matrix(self: Any, columns: Any = None) -> Any:
        return (self if columns is None else self[columns]).values

    for cls in (pd.DataFrame, pd.Series):
        add_method(cls, "append", append)
        add_method(cls, "as_matrix", as_matrix)
        add_method(cls, "iteritems", lambda self: self.items())
        add_method(cls, "get_value", lambda self, *key, takeable=False: (self.iat if takeable else self.at)[key])


def install() -> None:
    """Hooks on pandas."""
    hooks.after_import("pandas", _pandas)
