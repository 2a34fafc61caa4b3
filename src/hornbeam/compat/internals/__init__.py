"""Parts of `tensorflow.python` that programs import although they are not API; `compat/_modules.py` says under which names."""
