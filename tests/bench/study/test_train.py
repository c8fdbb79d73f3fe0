"""One training, in this process."""

import numpy as np
import pytest
import torch

from bench.study import plan, train
from bench.study.data import Data, load_saved
from bench.study.plan import Point

RANDOM = np.random.default_rng(0)
LABELS = np.tile(np.arange(10, dtype=np.uint8), 40)
LIT = np.zeros((10, 8, 8), np.int64)
LIT[np.arange(8), np.arange(8)] = 1
LIT[8, :, 0] = LIT[9, :, 7] = 1
DATA = Data(
    name="digits", source="by hand", labels=LABELS,
    # Each class lights its own row or column: learnt in an epoch or two.
    images=(RANDOM.integers(0, 8, (400, 8, 8)) + 40 * LIT[LABELS]).astype(np.uint8),
)  # fmt: skip
POINT = Point(purpose=plan.COMPARE, budget="epochs", length=2, norm="group:8", implementation="native", batch_size=16,
              learning_rate=3e-3, seed=3, fold=1)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(point=POINT, go_on=lambda _: True):
    epochs = []

    def hear(epoch):
        epochs.append(epoch)
        return go_on(epoch)

    return train.train(point, DATA, folds=4, study_seed=0, device="cpu", go_on=hear), epochs


def plain(outcome):
    return [value for name in ("accuracy", "loss", "validation_accuracy", "validation_loss", "updates", "epochs")
            if (value := getattr(outcome, name)) is not None]  # fmt: skip


def test_a_seed_gives_the_same_figures_to_the_last_bit_and_another_does_not():
    assert plain(trained()[0]) == plain(trained()[0])
    other = trained(Point.from_dict(POINT.to_dict() | {"seed": 4}))[0]
    assert plain(other) != plain(trained()[0])


def test_the_test_set_is_looked_at_when_comparing_and_never_when_tuning():
    compared, epochs = trained()
    assert compared.test_samples == 86
    assert compared.accuracy > 0.8
    assert [one.epoch for one in epochs] == [1, 2]
    assert compared.updates == epochs[-1].updates == 2 * (254 // 16)
    tuned, _ = trained(Point.from_dict(POINT.to_dict() | {"purpose": plan.TUNE}))
    assert (tuned.accuracy, tuned.loss, tuned.test_samples) == (None, None, None)
    assert tuned.validation_accuracy == compared.validation_accuracy


def test_fixed_updates_may_end_within_an_epoch():
    outcome, epochs = trained(Point.from_dict(POINT.to_dict() | {"budget": "updates", "length": 20}))
    assert [one.updates for one in epochs] == [15, 20]
    assert outcome.epochs == 20 * 16 / 254


def test_a_hopeless_training_ends_without_a_test():
    outcome, epochs = trained(go_on=lambda _: False)
    assert (len(epochs), outcome.pruned, outcome.accuracy) == (1, True, None)


def test_a_diverged_training_says_so():
    with pytest.raises(train.Diverged, match=r"^the loss is not finite within 15 updates$"):
        trained(Point.from_dict(POINT.to_dict() | {"norm": "none", "implementation": None, "learning_rate": 1e30}))


def test_data_is_saved_and_loaded_whole(tmp_path):
    DATA.save(tmp_path / "data.npz")
    again = load_saved(tmp_path / "data.npz")
    assert (again.name, again.source, again.sha256()) == (DATA.name, DATA.source, DATA.sha256())
    assert again.images.dtype == np.uint8
