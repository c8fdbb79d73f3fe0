import pytest

from reports.schema import ResultRow


@pytest.fixture
def result_row():
    """One cell that was measured."""
    return ResultRow(
        run_id="r",
        implementation="cpp",
        device="cpu",
        N=2,
        C=320,
        H=64,
        W=64,
        G=32,
        dtype="float32",
        weight_dtype="float32",
        affine=True,
        eps=1e-5,
        layout="contiguous",
        direction="forward",
        activation="silu",
        status="ok",
        speedup=1.6,
    )
