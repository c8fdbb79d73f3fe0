import pytest

from bench.errors import UsageError
from bench.record.space import Writing, refuse_too_little, writing

NEEDED = Writing(least=5_000_000, most=20_000_000)


def test_room_for_all_is_silent_and_leaves_nothing(tmp_path):
    told = []
    refuse_too_little(tmp_path, NEEDED, "--out", told.append, free_bytes=20_000_000)
    assert told == []
    assert list(tmp_path.iterdir()) == []


def test_room_for_a_part_is_a_warning(tmp_path):
    told = []
    refuse_too_little(tmp_path, NEEDED, "--out", told.append, free_bytes=19_999_999)
    assert told == [
        f"{tmp_path} has 20.0 MB free, and the run may write 20.0 MB: should the disk fill, nothing is lost and the "
        "run can go on"
    ]


def test_no_room_for_one_pass_is_refused(tmp_path):
    with pytest.raises(UsageError) as error:
        refuse_too_little(tmp_path, NEEDED, "--out", print, free_bytes=4_000_000)
    assert str(error.value) == (
        f"--out: {tmp_path} has 4.0 MB free, where the first pass alone writes 5.0 MB; "
        "free space there, or name another folder"
    )


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--out: cannot write to .*gone \(No such file or directory\)"):
        refuse_too_little(tmp_path / "gone", NEEDED, "--out", print)


def test_each_pass_writes_as_much():
    one, eight, fifteen = (writing(blocks=100, names=6, passes=passes) for passes in (1, 8, 15))
    assert one.least == one.most == eight.least
    assert fifteen.most - eight.most == eight.most - one.most > 0
