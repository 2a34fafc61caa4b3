"""`make bench`: the spine's figures on TensorFlow and on Hornbeam, alternately in one go, with medians and ratios.

    python benchmarks/spine.py --peer PYTHON_WITH_TF_2.15 [--rounds 3] [--only FIGURE ...] [--json FILE] [--markdown FILE]

Every round runs the same program first on the peer, then under `hornbeam run`, each in a process of its own. A ratio below 1
says that Hornbeam takes less. HORNBEAM_ORACLE names the peer's interpreter when --peer does not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPINE, MLP = HERE / "programs" / "spine.py", HERE / "programs" / "mlp.py"

TARGETS = {  # figure -> the ratio it should reach (None: shown, no target)
    "import_s": 0.12,
    "run_overhead_us": 0.8,
    "mlp_step_ms": 1.0,
    "mlp_first_s": None,
    "lenet_step_ms": 1.3,
    "lstm_step_ms": None,
    "word2vec_step_ms": 1.0,
    "graph_build_s": 1.0,
    "ckpt_save_s": 1.0,
    "ckpt_restore_s": 1.0,
    "ckpt_peak_x": None,
    "mlp_program_s": 1.0,
    "mlp_program_again_s": None,
}
MEANING = {
    "import_s": "`import tensorflow`",
    "run_overhead_us": "a trivial `Session.run`",
    "mlp_step_ms": "training step, 784-256-256-10, Adam, batch 128",
    "mlp_first_s": "its initialisation and first step",
    "lenet_step_ms": "training step, LeNet, Adam, batch 128",
    "lstm_step_ms": "training step, LSTM of 128 over 28 steps",
    "word2vec_step_ms": "training step, NCE word2vec, 100,000 x 128",
    "graph_build_s": "building 48 batch-normalised layers with gradients",
    "ckpt_save_s": "saving 400 MB",
    "ckpt_restore_s": "restoring 400 MB",
    "ckpt_peak_x": "memory while doing so, in multiples of the data",
    "mlp_program_s": "a whole MLP program, first run (nothing cached)",
    "mlp_program_again_s": "the same program, second run",
}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two contestants: a name and how it runs a program."""

    name: str
    command: tuple[str, ...]

    def run(self, program: Path, *args: str, env: dict[str, str]) -> str:
        """The program's standard output. Raises RuntimeError with its standard error when it fails."""
        done = subprocess.run(
            [*self.command, str(program), *args], capture_output=True, text=True, env={**os.environ, **env}
        )
        if done.returncode:
            raise RuntimeError(f"{program.name} failed on {self.name}:\n{done.stderr[-2000:]}")
        return done.stdout


def measure(side: Side, only: list[str]) -> dict[str, float | str]:
    """All figures of one side, once; the whole program starts with an empty compilation cache."""
    with tempfile.TemporaryDirectory() as cache:
        env = {"TF_CPP_MIN_LOG_LEVEL": "3", "HORNBEAM_CACHE_DIR": cache}
        figures: dict[str, float | str] = {}
        for name in ("mlp_program_s", "mlp_program_again_s"):
            if not only or name in only:
                start = time.perf_counter()
                side.run(MLP, env=env)
                figures[name] = time.perf_counter() - start
        wanted = [n for n in only if not n.startswith("mlp_program")]
        if not only or wanted:
            figures |= json.loads(side.run(SPINE, *wanted, env=env).splitlines()[-1])
        return figures


def table(results: dict[str, list[dict[str, float | str]]]) -> list[dict[str, object]]:
    """A row for each figure: both medians, the ratio of medians, the target and whether it is reached."""
    rows: list[dict[str, object]] = []
    for name, target in TARGETS.items():
        peer, ours = (
            [r[name] for r in results[side] if isinstance(r.get(name), float)] for side in ("tensorflow", "hornbeam")
        )
        errors = {r[f"{name}_error"] for side in results for r in results[side] if f"{name}_error" in r}
        if not peer and not ours and not errors:
            continue
        row: dict[str, object] = {
            "figure": name,
            "what": MEANING[name],
            "target": target,
            "errors": sorted(map(str, errors)),
        }
        row["tensorflow"] = statistics.median(peer) if peer else None  # type: ignore[type-var]
        row["hornbeam"] = statistics.median(ours) if ours else None  # type: ignore[type-var]
        row["ratio"] = row["hornbeam"] / row["tensorflow"] if peer and ours else None  # type: ignore[operator]
        row["reached"] = None if target is None or row["ratio"] is None else row["ratio"] <= target  # type: ignore[operator]
        rows.append(row)
    return rows


def number(value: object) -> str:
    return "-" if value is None else f"{value:.3g}"


def as_text(rows: list[dict[str, object]]) -> str:
    lines = [f"{'figure':<20} {'TensorFlow':>11} {'Hornbeam':>11} {'ratio':>7} {'target':>7}"]
    for row in rows:
        verdict = {True: "", False: "  missed", None: ""}[row["reached"]]  # type: ignore[index]
        cells = [number(row[k]) for k in ("tensorflow", "hornbeam", "ratio", "target")]
        lines.append(f"{row['figure']:<20} {cells[0]:>11} {cells[1]:>11} {cells[2]:>7} {cells[3]:>7}{verdict}")
        lines += [f"    {error}" for error in row["errors"]]  # type: ignore[attr-defined]
    return "\n".join(lines)


def as_markdown(rows: list[dict[str, object]], about: dict[str, object]) -> str:
    lines = [
        f"Made by `make bench` on {about['machine']}, Python {about['python']}: medians of {about['rounds']} rounds, "
        "TensorFlow 2.15.1 and Hornbeam alternately. A ratio below 1 says that Hornbeam takes less.",
        "",
        "| figure | | TensorFlow | Hornbeam | ratio |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for r in rows:
        lines.append(
            f"| `{r['figure']}` | {r['what']} | {number(r['tensorflow'])} | {number(r['hornbeam'])} | {number(r['ratio'])} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peer", default=os.environ.get("HORNBEAM_ORACLE"), help="python of an environment with TensorFlow 2.15"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], choices=[*TARGETS], metavar="FIGURE")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    if not options.peer:
        parser.error("which TensorFlow? give --peer PYTHON, or set HORNBEAM_ORACLE")
    sides = [Side("tensorflow", (options.peer,)), Side("hornbeam", (sys.executable, "-m", "hornbeam", "run"))]
    results: dict[str, list[dict[str, float | str]]] = {side.name: [] for side in sides}
    for round_ in range(options.rounds):
        for side in sides:
            print(f"round {round_ + 1} of {options.rounds}: {side.name}", file=sys.stderr, flush=True)
            results[side.name].append(measure(side, options.only))
    rows = table(results)
    about: dict[str, object] = {
        "machine": f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()})",
        "python": platform.python_version(),
        "rounds": options.rounds,
    }
    print(as_text(rows))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(
            json.dumps({**about, "figures": rows, "rounds_measured": results}, indent=2) + "\n", "utf-8"
        )
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(as_markdown(rows, about), "utf-8")
    return 1 if any(row["errors"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
