import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.study.splits import split

LABELS = np.repeat(np.arange(10, dtype=np.uint8), np.arange(40, 60, 2))


@given(seed=st.integers(0, 50), folds=st.integers(2, 7), fold=st.integers(0, 6))
def test_every_image_has_one_part_and_classes_their_share(seed, folds, fold):
    made = split(LABELS, study_seed=0, seed=seed, folds=folds, fold=fold % folds)
    parts = (made.train, made.validation, made.test)
    assert sorted(np.concatenate(parts)) == list(range(len(LABELS)))
    left = np.bincount(LABELS) - np.bincount(LABELS[made.validation])
    assert np.all(np.abs(np.bincount(LABELS[made.test]) - left / folds) < 1)


def test_folds_test_everything_but_the_validation_part_once():
    made = [split(LABELS, study_seed=0, seed=3, folds=5, fold=fold) for fold in range(5)]
    tested = np.concatenate([one.test for one in made])
    assert sorted(tested) == sorted(set(range(len(LABELS))) - set(made[0].validation.tolist()))


def test_the_validation_part_is_the_studys_and_no_seeds():
    first, other = (split(LABELS, study_seed=0, seed=seed, folds=5, fold=0) for seed in (0, 1))
    assert first.validation.tolist() == other.validation.tolist()
    assert first.test.tolist() != other.test.tolist()
    elsewhere = split(LABELS, study_seed=1, seed=0, folds=5, fold=0)
    assert elsewhere.validation.tolist() != first.validation.tolist()
