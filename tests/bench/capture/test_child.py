"""A user's command: nothing of it changes, and every process of it is recorded however it ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from bench.capture.child import run
from bench.errors import UsageError

# One thread, for a fork leaves OpenMP's others behind and whoever needs them waits for ever.
NORM = """import torch
torch.set_num_threads(1)
def norm(): torch.relu(torch.nn.functional.group_norm(torch.ones(1, 8, 3), 2))
"""


def program(folder, text, name="program.py"):
    (folder / name).write_text(NORM + textwrap.dedent(text))
    return [sys.executable, str(folder / name)]


def counts(seen):
    return sum(seen.calls.values())


def test_every_process_is_recorded_and_the_status_is_the_programs(tmp_path):
    ended = run(
        program(
            tmp_path,
            """
            import multiprocessing, os, subprocess, sys
            class Data(torch.utils.data.Dataset):
                def __len__(self): return 4
                def __getitem__(self, place):
                    norm()
                    return place
            if __name__ == "__main__":
                norm()
                if os.fork() == 0:
                    norm()
                    os._exit(0)  # runs nothing at its end
                os.wait()
                child = multiprocessing.get_context("fork").Process(target=lambda: [norm() for _ in range(10)])
                child.start(); child.join()
                assert sorted(map(int, torch.utils.data.DataLoader(Data(), num_workers=1))) == [0, 1, 2, 3]
                subprocess.run([sys.executable, "-c", "import program; program.norm()"], check=True)
                norm()
                sys.exit(7)
            """,
        ),
        os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
    )
    assert (ended.status, ended.words) == (7, "status 7")
    assert (counts(ended.seen), ended.seen.processes) == (2 + 1 + 10 + 4 + 1, 5)
    assert {call.follows for call in ended.seen.calls} == {"relu"}


@pytest.mark.parametrize(
    ("end", "status", "words", "calls"),
    [
        ("raise KeyboardInterrupt", 130, "SIGINT", 2),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "SIGKILL", 1),  # what two seconds saw is lost
    ],
)
def test_what_was_seen_is_kept_however_it_ends(tmp_path, end, status, words, calls):
    ended = run(program(tmp_path, f"import os, signal\nnorm(); norm(); {end}"), os.environ)
    assert (ended.status, ended.words, counts(ended.seen)) == (status, words, calls)


def test_a_signal_is_handed_on_to_the_program(tmp_path):
    text = """
        import signal, sys, time
        norm()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        print("ready", flush=True)
        time.sleep(60)
    """
    host = f"""
        import os, sys
        from bench.capture.child import run
        ended = run({program(tmp_path, text)!r}, os.environ)
        print(ended.status, sum(ended.seen.calls.values()))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(host)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "5 1\n"


def test_a_sitecustomize_that_is_hidden_runs_and_torch_is_not_imported(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.found = __name__, __file__\n")
    code = "import json, sys, sitecustomize; print(json.dumps([found, sitecustomize.__file__, sorted(sys.modules)]))"
    host = f"import os, sys; from bench.capture.child import run; run([sys.executable, '-c', {code!r}], os.environ)"
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", host], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    found, file, modules = json.loads(done.stdout)
    assert found == ["sitecustomize", str(tmp_path / "sitecustomize.py")]
    assert file == str(tmp_path / "sitecustomize.py")
    assert not {"torch", "bench", "numpy"} & set(modules)


def test_what_cannot_be_started_is_said():
    with pytest.raises(UsageError, match="COMMAND: no-such-program cannot be started"):
        run(["no-such-program"], os.environ)
