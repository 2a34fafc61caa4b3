"""The click commands of `hornbeam`. Each imports what it needs when it runs: `--help` must be fast."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="Show the whole trace of an error.")
@click.version_option(package_name="hornbeam", message="hornbeam %(version)s (TensorFlow 1.15 API)")
def app(debug: bool) -> None:  # --debug is taken out by `run_app`; it is declared for --help
    """TensorFlow 1 programs and files, without TensorFlow."""


@app.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="[--no-legacy] [-m MODULE | SCRIPT | -]",
)
def run_command() -> None:  # `hornbeam.cli.main` runs programs before click is imported; this is the line in --help
    """Run a TensorFlow 1 program as python would, `tensorflow` being Hornbeam."""
    from hornbeam.compat import run

    run.main(sys.argv[sys.argv.index("run") + 1 :])


@app.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--all", "everything", is_flag=True, help="Print every row of long tables.")
def show(file: str, as_json: bool, everything: bool) -> None:
    """Show what is in a model file.

    FILE is a checkpoint (prefix, .index, .data or directory), a .meta, a .pb or .pbtxt graph, a SavedModel, a TFRecord or an
    event file; its content decides, not its name.
    """
    from hornbeam.cli import inspect, render

    report = inspect.inspect(file)
    click.echo(render.as_json(report)) if as_json else render.as_tables(report, everything)


@app.command()
@click.argument("checkpoint")
@click.option("--graph", help="The graph: a .meta, .pb or .pbtxt file. Default: CHECKPOINT.meta.")
@click.option(
    "--output_nodes",
    "--output-nodes",
    help="Names of the output nodes, comma separated. Default: the graph's one output.",
)
@click.option("-o", "--output", required=True, help="The .pb (or .pbtxt) file to write.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def freeze(checkpoint: str, graph: str | None, output_nodes: str | None, output: str, as_json: bool) -> None:
    """Write a graph with its variables turned into constants.

    CHECKPOINT is a checkpoint prefix, or a directory whose latest checkpoint is taken.
    """
    from hornbeam.cli import freeze as freezing
    from hornbeam.cli import render

    names = [n.strip() for n in output_nodes.split(",") if n.strip()] if output_nodes else None
    frozen = freezing.freeze(checkpoint, graph, names, output)
    click.echo(render.dumps(frozen)) if as_json else click.echo(
        f"{output}: {frozen['nodes']} nodes, {frozen['constants']} variables as constants, outputs {', '.join(frozen['outputs'])}"
    )


@app.command()
@click.option("--missing", is_flag=True, help="List the names that are not covered.")
@click.option("--modules", is_flag=True, help="List the module paths that `hornbeam run` maps.")
@click.option("--ops", is_flag=True, help="List the op types, each with whether it has a gradient.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--markdown", is_flag=True, help="Print the table of docs/coverage.md.")
@click.argument("namespace", required=False)
def coverage(missing: bool, modules: bool, ops: bool, as_json: bool, markdown: bool, namespace: str | None) -> None:
    """Count how much of TensorFlow 1's API is there, by namespace.

    NAMESPACE (such as nn or contrib.layers) restricts the listing to it.
    """
    from hornbeam.cli import coverage as counting

    counting.show(namespace, missing=missing, modules=modules, ops=ops, json=as_json, markdown=markdown)


def run_app(args: list[str]) -> int:
    """Runs the command line; an error is one line and exit code 1, wrong usage 2. `--debug` may stand anywhere."""
    debug = "--debug" in args
    try:
        app.main([a for a in args if a != "--debug"], prog_name="hornbeam", standalone_mode=False)
    except click.exceptions.Exit as e:
        return e.exit_code
    except click.Abort:
        return 130
    except click.UsageError as e:
        e.show()
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except Exception as e:
        if debug:
            traceback.print_exc()
        else:
            click.echo(f"hornbeam: {_line(e)}", err=True)
        return 1
    return 0


def _line(error: Any) -> str:
    """An error as one line."""
    text = " ".join(str(getattr(error, "message", None) or error).split())
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return text or type(error).__name__
