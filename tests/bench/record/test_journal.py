import errno
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.record.durable import DamagedRun
from bench.record.journal import Journal, read

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.dictionaries(st.text(), PLAIN, max_size=4), max_size=4))
def test_what_is_appended_is_read_back_exactly(path, records):
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        for record in records:
            journal.append(record)
    assert read(path) == records


def test_a_record_is_on_disk_when_append_returns(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    with Journal(path) as journal:
        synced.clear()
        journal.append({"pass": 0})
        assert synced == [len('{"pass":0}\n')]
        assert read(path) == [{"pass": 0}]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_float_that_is_not_finite_is_refused_and_leaves_nothing(path, value):
    with Journal(path) as journal:
        with pytest.raises(ValueError, match="not JSON compliant"):
            journal.append({"latency_s": [1.0, value]})
        journal.append({"latency_s": None})
    assert read(path) == [{"latency_s": None}]


def test_every_torn_tail_is_cut_off_and_told(path):
    whole = b'{"pass":0}\n'
    last = b'{"pass":1,"seconds":1e-5}'
    for length in range(1, len(last) + 1):
        path.write_bytes(whole + last[:length])
        told = []
        assert read(path, told.append) == [{"pass": 0}]
        assert path.read_bytes() == whole
        assert told == [
            f"{path}: cut off an unfinished last line of {length} bytes; its visit is measured again",
        ]


def test_a_torn_tail_is_cut_off_before_the_journal_goes_on(path):
    path.write_bytes(b'{"pass":0}\n{"pa')
    with Journal(path, lambda line: None) as journal:
        journal.append({"pass": 1})
    assert read(path) == [{"pass": 0}, {"pass": 1}]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"pa', "no record (Unterminated string starting at: line 1 column 2 (char 1))"),
        (b"[1]", "no record (list instead of an object)"),
        (b'{"x":NaN}', "no record (NaN is no measurement)"),
        (b"", "no record (Expecting value: line 1 column 1 (char 0))"),
    ],
)
def test_a_corrupt_line_in_the_middle_names_file_and_line(path, line, found):
    path.write_bytes(b'{"pass":0}\n' + line + b'\n{"pass":2}\n')
    with pytest.raises(DamagedRun) as error:
        read(path)
    mend = "the file was changed after it was written; restore it, or start a new run"
    assert str(error.value) == f"{path}, line 2: {found}; {mend}"
    assert path.read_bytes().count(b"\n") == 3


def test_a_disk_that_fills_leaves_no_half_record(path, monkeypatch):
    with Journal(path) as journal:
        journal.append({"pass": 0})

        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                journal.append({"pass": 1})
        journal.append({"pass": 2})
    assert read(path) == [{"pass": 0}, {"pass": 2}]


LIMITED = """
import resource, sys
from pathlib import Path
from bench.record.journal import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with Journal(Path(sys.argv[1])) as journal:
    for number in range(100):
        try:
            journal.append({"number": number, "filler": "x" * 80})
        except OSError:
            print(number)
            break
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
def test_a_record_that_only_partly_fits_is_cut_off_by_a_real_limit(path):
    command = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert [record["number"] for record in read(path)] == list(range(int(done.stdout)))
    assert 900 - 110 < path.stat().st_size <= 1000
    assert path.read_bytes().endswith(b"\n")


def test_a_torn_tail_longer_than_any_block_is_found(path):
    path.write_bytes(b'{"pass":0}\n' + b"x" * (3 << 16))
    assert read(path, lambda line: None) == [{"pass": 0}]


def test_a_journal_of_a_torn_line_alone_becomes_empty(path):
    path.write_bytes(b'{"pa')
    assert read(path, lambda line: None) == []


def test_a_line_is_json_that_any_reader_takes(path):
    with Journal(path) as journal:
        journal.append({"reason": "naïve\n\u2028", "seconds": 0.1})
    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {"reason": "naïve\n\u2028", "seconds": 0.1}
