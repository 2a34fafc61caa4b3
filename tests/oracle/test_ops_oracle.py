"""Every row of every case table, live against TensorFlow: shaped, partly known, unknown and empty inputs, and gradients."""

from __future__ import annotations

import pytest

from .cases import Case, families, load
from .compare import check_case, needs_oracle

pytestmark = [pytest.mark.oracle, needs_oracle]
ROWS = [pytest.param(c, id=f"{family}-{c.id}") for family in families() for c in load(family)]


@pytest.mark.parametrize("row", ROWS)
def test_op_is_tensorflows(row: Case) -> None:
    check_case(row)
