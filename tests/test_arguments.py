"""Checks of what users pass to `generate` and `complete`."""

import numpy as np
import pytest

from pixel_zoo.arguments import check_seeds


@pytest.mark.parametrize("seed", [2**63 - 3, -(2**63), np.uint64(5), [2**63 - 1, -(2**63), 0]])
def test_seeds_have_64_bits(seed):
    seeds = check_seeds(seed, 3)
    assert seeds.dtype == "int64"
    assert seeds.tolist() == (seed if isinstance(seed, list) else [int(seed) + index for index in range(3)])


@pytest.mark.parametrize("seed", [2**63 - 2, 2**63, 2**64, -(2**63) - 1, [0, 0, 2**63], np.uint64(2**63), [10**30] * 3])
def test_seeds_do_not_wrap(seed):
    with pytest.raises(ValueError, match=r"seed: the seeds of all 3 images must lie in -2\*\*63\.\.2\*\*63 - 1, got"):
        check_seeds(seed, 3)


@pytest.mark.parametrize("seed", [1.0, "1", True, [object()] * 3])
def test_seeds_are_integers(seed):
    with pytest.raises(TypeError, match="seed must be an integer"):
        check_seeds(seed, 3)
