"""Every pipeline of `programs/data_pipelines.py` gives TensorFlow's elements, in its order, with its static shapes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .compare import needs_oracle

pytestmark = [pytest.mark.oracle, needs_oracle]
PROGRAM = Path(__file__).parent / "programs" / "data_pipelines.py"
# After a file that cannot be opened TensorFlow tries it again for ever (so that ignore_errors() never returns); we go on with the next one.
OTHERWISE = {"files_missing": "later", "fixed_fails": "end"}


def _run(python: str, which: str) -> dict[str, list]:
    done = subprocess.run([python, str(PROGRAM), which], capture_output=True, text=True, timeout=300, check=True)
    return {name: rest for name, *rest in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, list], dict[str, list]]:
    return _run(os.environ["HORNBEAM_ORACLE"], "tf"), _run(sys.executable, "hornbeam")


def test_pipelines_give_tensorflows_elements(both):
    theirs, ours = both
    assert set(ours) == set(theirs) and len(ours) > 50
    assert [n for n in theirs if ours[n] != theirs[n] and n not in OTHERWISE] == []
    for name, then in OTHERWISE.items():
        assert ours[name][0][0] == theirs[name][0][0] and ours[name][0][1] == then


_GRAPH = """
import sys
import numpy as np
if sys.argv[1] == "tf":
    import tensorflow.compat.v1 as tf
    tf.disable_v2_behavior()
else:
    import hornbeam as tf
if sys.argv[2] == "write":
    d = tf.data.Dataset.range(20).shuffle(5, seed=3).map(lambda x: (x, tf.sqrt(tf.cast(x, tf.float32))), num_parallel_calls=2)
    d = d.flat_map(lambda x, y: tf.data.Dataset.from_tensors((x, y)).repeat(2)).filter(lambda x, y: x > 3).batch(4).prefetch(2)
    one = tf.data.make_one_shot_iterator(d).get_next()
    it = tf.data.make_initializable_iterator(d)
    again = it.get_next()
    tf.identity(one[1], name="one"); tf.identity(again[0], name="again"); tf.group(it.initializer, name="init")
    tf.train.export_meta_graph(sys.argv[3])
else:
    tf.train.import_meta_graph(sys.argv[3])
    with tf.Session() as s:
        s.run("init")
        for _ in range(4):
            print(np.round(s.run("one:0"), 4).tolist(), s.run("again:0").tolist())
"""


@pytest.mark.parametrize(("writer", "reader"), [("tf", "hornbeam"), ("hornbeam", "tf")])
def test_a_pipeline_in_a_meta_graph_runs_on_the_other_side(tmp_path, writer, reader):
    pythons = {"tf": os.environ["HORNBEAM_ORACLE"], "hornbeam": sys.executable}
    (tmp_path / "p.py").write_text(_GRAPH)

    def call(who: str, what: str) -> str:
        command = [pythons[who], str(tmp_path / "p.py"), who, what, str(tmp_path / "m.meta")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    call(writer, "write")
    assert call(reader, "read") == call(writer, "read") != ""
