"""Names that NumPy, SciPy, Matplotlib, Pillow and the standard library removed are there again under `hornbeam run`."""

from __future__ import annotations

import pytest

from tests.compat.programs import hornbeam, write

PROGRAMS = {
    "numpy names": """
        import numpy as np
        assert np.int is int and np.float is float and np.object is object and np.str is str and np.complex is complex
        assert np.unicode is str and issubclass(np.bool, (bool, np.bool_)) and np.dtype(np.long).kind == "i"
        assert np.zeros(2, np.float).dtype == np.float64 and np.float_ is np.float64 and np.Inf == np.inf and np.isnan(np.NaN)
        assert np.asscalar(np.array([3])) == 3 and np.product([2, 3]) == 6 and np.cumproduct([2, 3]).tolist() == [2, 6]
        assert np.alltrue([1, 1]) and np.sometrue([0, 1]) and np.in1d([1, 2], [2]).tolist() == [False, True]
        assert isinstance(np.mat([[1, 2]]), np.matrix) and np.rank(np.zeros((2, 3))) == 2
        assert np.trapz([1, 2, 3]) == 4 and np.asfarray([1, 2]).dtype == np.float64 and np.msort([2, 1]).tolist() == [1, 2]
        assert np.find_common_type([np.float32], [np.int64]) == np.float32 and np.cast[np.int32](1.5) == 1
        from numpy import int as also
        assert also is int
    """,
    "ndarray methods": """
        import numpy as np
        assert np.arange(2, dtype=np.uint8).tostring() == b"\\0\\1" and np.float32(1).tostring() == b"\\0\\0\\x80?"
        assert np.array([1, 5]).ptp() == 4
        a = np.zeros((2, 2)); a.itemset((0, 1), 7); a.itemset(3, 9)
        assert a.tolist() == [[0, 7], [0, 9]]
        assert np.array([1], "<i2").newbyteorder().tolist() == [256]
        assert np.fromstring(b"\\1\\2", np.uint8).tolist() == [1, 2] and np.fromstring("1 2", sep=" ").tolist() == [1, 2]
        assert np.reshape(np.arange(4), newshape=(2, 2)).tolist() == [[0, 1], [2, 3]] == np.reshape(np.arange(4), [2, 2]).tolist()
    """,
    "numpy load": """
        import numpy as np
        np.save("a.npy", np.array([{"k": 1}, None], dtype=object), allow_pickle=True)
        assert np.load("a.npy")[0] == {"k": 1}
        try:
            np.load("a.npy", allow_pickle=False)
        except ValueError:
            print("refused")
    """,
    "old pickles": """
        import pickle, numpy as np
        old = pickle.dumps(np.arange(3), 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        assert b"numpy.core.multiarray" in old
        assert pickle.loads(old).tolist() == [0, 1, 2]
    """,
    "collections": """
        import collections
        from collections import Iterable, Mapping, MutableMapping, Sequence, Callable, OrderedDict
        assert isinstance({}, Mapping) and isinstance([], collections.Sequence) and isinstance([], Iterable)
    """,
    "inspect": """
        import inspect
        spec = inspect.getargspec(lambda a, b=2, *c, **d: 0)
        assert spec.args == ["a", "b"] and spec.varargs == "c" and spec.keywords == "d" and spec.defaults == (2,)
        assert tuple(spec) == (["a", "b"], "c", "d", (2,))
    """,
    "time and fractions": """
        import time, fractions
        assert time.clock() <= time.clock()
        assert fractions.gcd(12, 18) == 6
    """,
    "imp": """
        import warnings; warnings.simplefilter("ignore")
        import imp
        open("plug.py", "w").write("V = 5")
        assert imp.load_source("plug", "plug.py").V == 5
        assert imp.new_module("m").__name__ == "m" and imp.reload
    """,
    "asyncio": """
        import asyncio
        @asyncio.coroutine
        def f():
            yield from asyncio.sleep(0)
            return 4
        assert asyncio.run(f()) == 4
    """,
    "html, base64, threads, platform, sys": """
        import base64, html.parser, threading, platform, sys, os
        assert html.parser.HTMLParser().unescape("&lt;") == "<"
        assert base64.encodestring(b"a") == b"YQ==\\n" and base64.decodestring(b"YQ==\\n") == b"a"
        assert not threading.Thread().isAlive() and platform.linux_distribution() == ("", "", "")
        sys.setcheckinterval(10)
        assert os.errno.ENOENT == 2
        import cgi
        assert cgi.escape("<a>") == "&lt;a&gt;"
    """,
    "distutils and cElementTree": """
        import warnings; warnings.simplefilter("ignore")
        from distutils.version import LooseVersion
        from distutils.util import strtobool
        import xml.etree.cElementTree as ET
        assert LooseVersion("1.15.5") >= LooseVersion("1.4") and strtobool("yes") == 1
        assert ET.fromstring("<a><b/></a>").find("b").tag == "b"
    """,
    "random": """
        import random
        assert sorted(random.sample({1, 2, 3}, 3)) == [1, 2, 3]
        x = [1, 2, 3]; random.shuffle(x, lambda: 0.0); assert sorted(x) == [1, 2, 3] and x == [2, 3, 1]
    """,
    "unittest": """
        import unittest
        class T(unittest.TestCase):
            def test(self):
                self.assertEquals(1, 1); self.assertItemsEqual([1, 2], [2, 1]); self.assertRaisesRegexp(ValueError, "x", self.f)
            def f(self):
                raise ValueError("x")
        result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(T))
        assert result.testsRun == 1 and result.wasSuccessful()
    """,
    "scipy.misc": """
        import scipy.misc
        import numpy as np
        from scipy.misc import imread, imresize, imsave, toimage, imrotate, logsumexp
        grey = np.arange(100.0).reshape(10, 10)
        small = imresize(grey, (5, 4))
        assert small.shape == (5, 4) and small.dtype == np.uint8
        assert imresize(grey, 0.5).shape == (5, 5) and imresize(grey, 50).shape == (5, 5)
        imsave("g.png", grey)
        back = imread("g.png")
        assert back.min() == 0 and back.max() == 255 and back.shape == (10, 10)
        rgb = np.zeros((4, 6, 3), np.uint8); rgb[..., 0] = 200
        imsave("c.png", rgb)
        assert (scipy.misc.imread("c.png") == rgb).all() and scipy.misc.imread("c.png", flatten=True).dtype == np.float32
        assert toimage(rgb).size == (6, 4) and imrotate(rgb, 90).shape == rgb.shape
        assert toimage(np.moveaxis(rgb, 2, 0)).size == (6, 4)
        assert abs(logsumexp([0.0, 0.0]) - np.log(2)) < 1e-12
        assert (scipy.misc.bytescale(np.array([0.0, 1.0])) == [0, 255]).all()
    """,
    "scipy.misc without an import": """
        import scipy
        import numpy as np
        assert scipy.misc.imresize(np.zeros((4, 4)), (2, 2)).shape == (2, 2)
        assert scipy.array([1]).tolist() == [1] and scipy.sqrt(4.0) == 2
    """,
    "scipy moved": """
        from scipy.sparse.linalg.eigen.arpack import eigsh
        from scipy.sparse.linalg.eigen import arpack
        import scipy.signal, scipy.integrate, scipy.linalg, scipy.stats
        from scipy.ndimage.interpolation import zoom, map_coordinates
        from scipy.ndimage.filters import gaussian_filter
        assert scipy.signal.hann(3).tolist() == [0, 1, 0]
        assert abs(scipy.integrate.simps([1, 2, 3]) - 4) < 1e-12 and scipy.integrate.cumtrapz([1, 1, 1]).tolist() == [1, 2]
        assert scipy.linalg.pinv2([[2.0]]).tolist() == [[0.5]] and 0 < scipy.stats.binom_test(3, 10, 0.5) < 1
    """,
    "pillow": """
        from PIL import Image, ImageDraw, ImageFont
        assert Image.ANTIALIAS == Image.LANCZOS == 1 and Image.CUBIC == Image.BICUBIC and Image.FLIP_LEFT_RIGHT == 0
        image = Image.new("RGB", (40, 20))
        assert image.resize((4, 2), Image.ANTIALIAS).size == (4, 2)
        assert ImageDraw.Draw(image).textsize("abc")[0] > 0 and ImageFont.load_default().getsize("abc")[0] > 0
    """,
    "matplotlib": """
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt, matplotlib.cm as cm, matplotlib.mlab as mlab
        plt.style.use("seaborn-whitegrid")
        figure = plt.figure()
        axes = figure.gca(projection="3d")
        assert axes.name == "3d"
        plt.hold(True); axes.hold(False); axes.set_axis_bgcolor("red"); figure.canvas.set_window_title("t")
        assert cm.get_cmap("viridis", 4).N == 4 and plt.cm.spectral.name == "nipy_spectral"
        assert abs(mlab.normpdf(0, 0, 1) - 0.3989422804) < 1e-9
    """,
    "pandas": """
        import pandas as pd
        frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
        assert frame.as_matrix().tolist() == [[1, 3], [2, 4]] and frame.as_matrix(["b"]).tolist() == [[3], [4]]
        assert frame.append({"a": 5, "b": 6}, ignore_index=True)["a"].tolist() == [1, 2, 5]
        assert frame.append(frame).shape == (4, 2) and frame.get_value(1, "b") == 4
        assert [name for name, _ in frame.iteritems()] == ["a", "b"] and len(frame["a"].append(frame["b"])) == 4
    """,
    "sklearn": """
        from sklearn.cross_validation import train_test_split
        from sklearn.externals import joblib
        assert callable(train_test_split) and joblib.dump
    """,
}
NEEDS = {"pandas": "pandas", "scipy": "scipy", "matplotlib": "matplotlib", "sklearn": "sklearn"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_removed_names_are_there(tmp_path, name):
    for word, library in NEEDS.items():
        if name.startswith(word):
            pytest.importorskip(library)
    write(tmp_path / "p.py", PROGRAMS[name])
    result = hornbeam("run", "p.py", cwd=tmp_path)
    assert result.code == 0, result.err


def test_what_was_restored_is_said_once(tmp_path):
    write(tmp_path / "p.py", "import numpy as np\nprint(np.int, np.int, np.float)\nfrom collections import Mapping\n")
    result = hornbeam("run", "p.py", cwd=tmp_path)
    assert result.out == "<class 'int'> <class 'int'> <class 'float'>\n"
    assert result.err.count("\n") == 1 and "numpy.int, numpy.float, collections.Mapping" in result.err


def test_a_program_that_needs_none_of_it_hears_nothing(tmp_path):
    write(
        tmp_path / "p.py", "import numpy as np, collections.abc, random\nnp.load, np.fromstring\nrandom.shuffle([1])\n"
    )
    assert hornbeam("run", "p.py", cwd=tmp_path).err == ""


def test_no_legacy_turns_it_off(tmp_path):
    write(tmp_path / "p.py", "import numpy as np\nnp.int")
    result = hornbeam("run", "--no-legacy", "p.py", cwd=tmp_path)
    assert result.code == 1 and "AttributeError" in result.err


def test_names_that_never_were_still_fail(tmp_path):
    write(
        tmp_path / "p.py", "import numpy as np, collections\nassert not hasattr(collections, 'Nonsense')\nnp.nonsense"
    )
    result = hornbeam("run", "p.py", cwd=tmp_path)
    assert result.code == 1 and "module 'numpy' has no attribute 'nonsense'" in result.err
