"""A launch covers each element of a group once, in whole warps."""

from hypothesis import given
from hypothesis import strategies as st

from kernels.cuda.launch import plan

sizes = st.integers(1, 5000)


@given(N=st.integers(1, 64), G=st.integers(1, 64), channels=st.integers(1, 64), positions=sizes, last=st.booleans())
def test_a_group_is_lines_of_neighbors(N, G, channels, positions, last):
    launch = plan(N=N, C=G * channels, G=G, positions=positions, channels_last=last)
    assert launch.grid == N * G
    assert launch.outer * launch.inner == channels * positions
    width, height = launch.block
    assert width * height % 32 == 0
    assert 32 <= width * height <= 1024
    # Not a thread more than twice what there is to do, save to fill a warp.
    assert width * height < max(33, 2 * launch.outer * launch.inner)


@given(channels=st.integers(1, 12), G=st.integers(1, 5), positions=st.integers(1, 40), last=st.booleans())
def test_lines_hold_the_groups_elements(channels, G, positions, last):
    C = channels * G
    launch = plan(N=1, C=C, G=G, positions=positions, channels_last=last)
    covered = sorted(o * launch.stride + i for o in range(launch.outer) for i in range(launch.inner))
    step_c, step_p = (1, C) if last else (positions, 1)
    assert covered == sorted(c * step_c + p * step_p for c in range(channels) for p in range(positions))
