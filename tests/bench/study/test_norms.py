import pytest

from bench.errors import UsageError
from bench.study import norms


def test_a_word_read_and_written_is_itself():
    words = ("none", "batch", "layer", "group:2", "group:32", "instance")
    assert [norms.read(word).word for word in words] == list(words)


def test_instance_norm_has_a_group_a_channel_in_each_layer():
    assert [norms.read("instance").groups_for(channels) for channels in (32, 64)] == [32, 64]
    assert [norms.read("group:32").groups_for(channels) for channels in (32, 64)] == [32, 32]


def test_numbers_after_group_are_groups():
    assert norms.read_list(("batch", "group:2", "4", "8", "none")) == ("batch", "group:2", "group:4", "group:8", "none")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("groop:8", "--norm: 'groop:8' is unknown; did you mean 'group:8'?"),
        ("group", "--norm: 'group' has no number of groups; give it as group:8"),
        (
            "group:3",
            "--norm: 'group:3' does not divide the 32 channels of the first layer;"
            " give group:2, 4, 8, 16 or 32; layer is one group, instance a group a channel",
        ),
    ],
)
def test_an_unknown_word_is_one_line(word, message):
    with pytest.raises(UsageError) as refused:
        norms.read(word)
    assert str(refused.value) == message
