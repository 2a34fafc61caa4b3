"""`hornbeam run` behaves as plain python: argv, path, `__main__`, tracebacks, exit codes; `tensorflow` is Hornbeam's."""

from __future__ import annotations

import signal
import sys
import zipfile
from pathlib import Path

import pytest

from tests.compat.programs import call, hornbeam, python, write

PROBE = """
import os, sys
print(sys.argv)
print(sys.path[0])
print(__name__, __package__, __doc__, type(__loader__).__name__, getattr(__spec__, "name", None))
print(globals().get("__file__"), sorted(globals()))
print(sys.modules["__main__"].__dict__ is globals(), os.getcwd())
"""


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    return write(tmp_path / "probe.py", PROBE)


def test_script_sees_what_python_shows_it(probe, tmp_path):
    ours = hornbeam("run", "probe.py", "a", "--help", "-m", cwd=tmp_path)
    theirs = python("probe.py", "a", "--help", "-m", cwd=tmp_path)
    assert ours.out == theirs.out
    assert ours.code == 0


def test_script_in_another_directory_finds_its_neighbours(probe, tmp_path):
    sub = tmp_path / "sub"
    sub.mkdir()
    write(tmp_path / "neighbour.py", "X = 7")
    write(tmp_path / "uses.py", "import neighbour; print(neighbour.X, open('data.txt').read())")
    (sub / "data.txt").write_text("relative")
    assert hornbeam("run", "../uses.py", cwd=sub).out == "7 relative\n"
    assert hornbeam("run", "../probe.py", cwd=sub).out == python("../probe.py", cwd=sub).out


def test_symlinked_script_gets_the_directory_of_its_target(tmp_path):
    (tmp_path / "real").mkdir()
    write(tmp_path / "real" / "probe.py", PROBE)
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "probe.py")
    assert hornbeam("run", "link.py", cwd=tmp_path).out == python("link.py", cwd=tmp_path).out


def test_module_and_package_run_as_with_python_m(probe, tmp_path):
    assert hornbeam("run", "-m", "probe", "x", cwd=tmp_path).out == python("-m", "probe", "x", cwd=tmp_path).out
    package = tmp_path / "pkg"
    package.mkdir()
    write(package / "__init__.py", "")
    write(package / "other.py", "NAME = 'other'")
    write(package / "__main__.py", PROBE + "from .other import NAME; print(NAME)")
    ours = hornbeam("run", "-m", "pkg", "x", cwd=tmp_path)
    assert ours.out == python("-m", "pkg", "x", cwd=tmp_path).out
    assert ours.out.endswith("other\n")


def test_directory_and_zip_with_main_run(tmp_path):
    (tmp_path / "app").mkdir()
    write(tmp_path / "app" / "__main__.py", PROBE)
    assert hornbeam("run", "app", "x", cwd=tmp_path).out == python("app", "x", cwd=tmp_path).out
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as z:
        z.writestr("__main__.py", "import sys; print('zipped', sys.argv[1:])")
    assert hornbeam("run", "app.zip", "x", cwd=tmp_path).out == "zipped ['x']\n"


def test_program_on_standard_input(tmp_path):
    ours = hornbeam("run", "-", "x", cwd=tmp_path, stdin=PROBE)
    assert ours.out == python("-", "x", cwd=tmp_path, stdin=PROBE).out


def test_python_m_hornbeam_runs_a_script(probe, tmp_path):
    assert python("-m", "hornbeam", "probe.py", "x", cwd=tmp_path).out == python("probe.py", "x", cwd=tmp_path).out
    assert python("-m", "hornbeam", "run", "probe.py", cwd=tmp_path).out == python("probe.py", cwd=tmp_path).out


@pytest.mark.parametrize(
    "ending, code",
    [
        ("sys.exit(3)", 3),
        ("sys.exit('bad luck')", 1),
        ("raise SystemExit", 0),
        ("pass", 0),
        ("import os; os._exit(9)", 9),
    ],
)
def test_exit_code_is_the_programs(tmp_path, ending, code):
    write(tmp_path / "p.py", f"import sys\n{ending}\n")
    ours, theirs = hornbeam("run", "p.py", cwd=tmp_path), python("p.py", cwd=tmp_path)
    assert (ours.code, ours.out, ours.err) == (theirs.code, theirs.out, theirs.err)
    assert ours.code == code


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    return 1 / 0\nf()\n",
        "x = (\n",
        "import nowhere_to_be_found\n",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('second') from e\n",
        "import sys\nsys.excepthook = lambda kind, value, tb: print('hook', kind.__name__, tb.tb_lineno)\nraise KeyError(1)\n",
        "import atexit\natexit.register(print, 'at exit')\nraise OSError('x')\n",
    ],
)
def test_uncaught_exception_prints_the_traceback_python_prints(tmp_path, source):
    write(tmp_path / "p.py", source)
    ours, theirs = hornbeam("run", "p.py", cwd=tmp_path), python("p.py", cwd=tmp_path)
    assert (ours.code, ours.out, ours.err) == (theirs.code, theirs.out, theirs.err)
    assert ours.code == 1


def test_interrupt_ends_as_python_ends(tmp_path):
    write(tmp_path / "p.py", "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n")
    ours, theirs = hornbeam("run", "p.py", cwd=tmp_path), python("p.py", cwd=tmp_path)
    assert ours.code == theirs.code == -signal.SIGINT  # 130 to a shell
    assert ours.err.splitlines()[-1] == "KeyboardInterrupt"
    assert "hornbeam" not in ours.err


def test_missing_script_and_wrong_usage_exit_2(tmp_path):
    missing = hornbeam("run", "nothing.py", cwd=tmp_path)
    assert (missing.code, missing.err) == (
        2,
        f"hornbeam: can't open file '{tmp_path}/nothing.py': [Errno 2] No such file or directory\n",
    )
    assert hornbeam("run", cwd=tmp_path).code == 2
    assert hornbeam("run", "--nonsense", "x.py", cwd=tmp_path).code == 2
    assert hornbeam("run", "-m", "no.such.module", cwd=tmp_path).code == 1


def test_main_pickles_and_children_keep_the_mapping(tmp_path):
    write(
        tmp_path / "p.py",
        """
        import multiprocessing, pickle, sys

        class Thing:
            pass

        def work(x):
            import tensorflow as tf
            return x + 1, tf.VERSION, type(Thing()).__module__

        if __name__ == "__main__":
            assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
            for method in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    print(method, pool.map(work, [1]))
        """,
    )
    result = hornbeam("run", "p.py", cwd=tmp_path)
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        "fork [(2, '1.15.5', '__main__')]",
        "spawn [(2, '1.15.5', '__mp_main__')]",
        "forkserver [(2, '1.15.5', '__mp_main__')]",
    ]


def test_a_real_tensorflow_beside_is_never_imported(tmp_path):
    for name in ("tensorflow", "tf_slim"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "__init__.py", "raise RuntimeError('the real one was imported')")
        write(tmp_path / name / "inner.py", "raise RuntimeError('the real one was imported')")
    write(
        tmp_path / "p.py",
        """
        import tensorflow as tf
        print(tf.__version__)
        try:
            import tensorflow.inner
        except ModuleNotFoundError as e:
            print(e.name)
        """,
    )
    assert hornbeam("run", "p.py", cwd=tmp_path).out == "1.15.5\ntensorflow.inner\n"
    assert "the real one" in python("p.py", cwd=tmp_path).err


def test_hornbeam_itself_leaves_the_name_alone(tmp_path):
    code = "import hornbeam, importlib.util, sys; print('tensorflow' in sys.modules, hornbeam.__version__)"
    assert python("-c", code, cwd=tmp_path).out == "False 1.15.5\n"


def test_importing_the_face_imports_neither_jax_nor_numpy(tmp_path):
    code = "import sys, hornbeam; print([m for m in ('jax', 'numpy', 'google.protobuf', 'click', 'absl') if m in sys.modules])"
    assert call(sys.executable, "-c", code, cwd=tmp_path).out == "[]\n"
