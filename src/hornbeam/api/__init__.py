"""The TF-1 namespaces (floor 5): thin functions with TF-1.15's signatures and defaults over the ops, runtime and files below.

How a name gets into `tf`: each module `hornbeam/api/<anything>.py` declares

    __tf_exports__ = {
        "placeholder": "placeholder",              # tf.placeholder -> this module's placeholder
        "nn.relu": "relu",                         # tf.nn.relu -> this module's relu
        "nn.sigmoid": "sigmoid",                   # one object may have several TF names
        "sigmoid": "sigmoid",
        "Graph": "hornbeam.core.graph:Graph",      # an object that lives elsewhere: 'module:attribute' (not imported here)
        "contrib.slim": "hornbeam.slim:",          # a whole real module: 'module:'
        "app.flags": "@flags",                     # another name for a whole namespace: '@namespace'
    }

TF names are written without the leading `tf.`; namespaces (`nn`, `nn.rnn_cell`) come into being by being mentioned. Then run

    python tools/gen_exports.py

which imports every api module, checks each name, and writes the static table `hornbeam/api/_exports.py` (commit it with your
module; never edit it). `tf.X` is resolved from that table on first use, so `import hornbeam` stays fast. A module that fails to
import keeps its previous entries, and the tool says so. A TF name may be declared by one module only. Names that TensorFlow
exposes under several paths (`tf.nn.relu` and `tf.contrib.…`, `tf.math.add` and `tf.add`) are all listed.

Modules under `tensorflow.python.*` are mapped in `hornbeam/compat/_modules.py`, from the table above and from any module below.
"""
