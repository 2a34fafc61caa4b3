"""Event files: TensorFlow's name and first record, many threads, regular flushes, exit, a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hornbeam.core import errors
from hornbeam.files import events
from hornbeam.files.events import EventFileWriter, EventsWriter, summary_iterator
from hornbeam.proto import Event

from .support import GOLDEN, full_disk


def only_file(directory: Path) -> Path:
    (found,) = directory.iterdir()
    return found


def steps(path: Path) -> list[int]:
    return [e.step for e in summary_iterator(str(path)) if not e.file_version]


def test_reads_tensorflows_file() -> None:
    version, loss = summary_iterator(GOLDEN / "events")
    assert version.file_version == "brain.Event:2"
    assert version.source_metadata.writer == "tensorflow.core.util.events_writer"
    assert loss.step == 3 and loss.summary.value[0].tag == "loss" and loss.summary.value[0].simple_value == 1.5


def test_name_and_first_record(tmp_path: Path) -> None:
    before = int(time.time())
    writer = EventFileWriter(tmp_path / "logs", filename_suffix=".s")
    path = only_file(tmp_path / "logs")
    stem, seconds, host = path.name.rsplit(".s", 1)[0].partition(".out.tfevents.")[0::2] + ("",)
    assert stem == "events" and int(seconds.partition(".")[0]) >= before and path.name.endswith(".s") and host == ""
    (version,) = summary_iterator(path)
    assert version.file_version == "brain.Event:2" and abs(version.wall_time - before) < 5
    assert version.source_metadata == next(iter(summary_iterator(GOLDEN / "events"))).source_metadata
    assert writer.get_logdir() == str(tmp_path / "logs")


def test_events_are_in_order_after_flush_and_close(tmp_path: Path) -> None:
    writer = EventFileWriter(tmp_path, max_queue=1000)
    for i in range(5):
        writer.add_event(Event(step=i))
    writer.flush()
    assert steps(only_file(tmp_path)) == [0, 1, 2, 3, 4]
    writer.add_event(Event(step=5))
    writer.close()
    writer.close()
    assert steps(only_file(tmp_path)) == list(range(6))


def test_no_more_than_max_queue_events_wait(tmp_path: Path) -> None:
    writer = EventFileWriter(tmp_path, max_queue=3)
    for i in range(4):
        writer.add_event(Event(step=i))
    assert steps(only_file(tmp_path)) == [0, 1, 2]
    writer.close()


def test_events_are_flushed_regularly(tmp_path: Path) -> None:
    writer = EventFileWriter(tmp_path, flush_secs=0.05)
    writer.add_event(Event(step=1))
    deadline = time.monotonic() + 10
    while steps(only_file(tmp_path)) != [1]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    writer.close()


def test_after_close_events_are_dropped_until_reopened(tmp_path: Path) -> None:
    writer = EventFileWriter(tmp_path)
    first = only_file(tmp_path)
    writer.close()
    writer.add_event(Event(step=1))
    writer.reopen()
    writer.add_event(Event(step=2))
    writer.close()
    (second,) = set(tmp_path.iterdir()) - {first}
    assert steps(first) == [] and steps(second) == [2]


def test_two_writers_in_one_second_do_not_meet(tmp_path: Path) -> None:
    writers = [EventFileWriter(tmp_path) for _ in range(3)]
    for i, writer in enumerate(writers):
        writer.add_event(Event(step=i + 1))
        writer.close()
    assert sorted(steps(p)[0] for p in tmp_path.iterdir()) == [1, 2, 3]


def test_many_threads(tmp_path: Path) -> None:
    writer = EventFileWriter(tmp_path)
    threads = [
        threading.Thread(target=lambda n=n: [writer.add_event(Event(step=n * 100 + i)) for i in range(100)])
        for n in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    writer.close()
    assert sorted(steps(only_file(tmp_path))) == list(range(800))


@pytest.mark.parametrize("ending", ["pass", "raise SystemExit(3)", "del w; import gc; gc.collect()"])
def test_what_is_pending_is_written_at_exit(tmp_path: Path, ending: str) -> None:
    program = (
        "import sys\n"
        "from hornbeam.files.events import EventFileWriter\n"
        "from hornbeam.proto import Event\n"
        f"w = EventFileWriter(sys.argv[1]); w.add_event(Event(step=7)); {ending}\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60)
    assert steps(only_file(tmp_path)) == [7]


def test_a_full_disk_raises_and_keeps_the_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = EventFileWriter(tmp_path)
    writer.add_event(Event(step=1))
    with full_disk(monkeypatch, 10), pytest.raises(errors.ResourceExhaustedError, match="No space left"):
        writer.flush()
    assert steps(only_file(tmp_path)) == []
    writer.close()
    assert steps(only_file(tmp_path)) == [1]


def test_a_record_that_is_no_event(tmp_path: Path) -> None:
    writer = EventsWriter(tmp_path / "events")
    writer.write_serialized_event(b"\xff\xff\xff")
    writer.close()
    found = summary_iterator(writer.file_name)
    next(found)
    with pytest.raises(errors.DataLossError, match="record 1 is not an event"):
        next(found)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError):
        summary_iterator(tmp_path / "none")
    assert os.listdir(tmp_path) == [] and events.FILE_VERSION == "brain.Event:2"
