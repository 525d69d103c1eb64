"""Write `pixel_zoo/data/digits.npz` from scikit-learn's digits, byte by byte the same each time.

    pip install scikit-learn
    python tools/digits.py

The file is part of the repository. The hashes of `tests/test_data.py` say what it must hold.
"""

import pathlib

import numpy as np
from sklearn.datasets import load_digits

PATH = pathlib.Path(__file__).parents[1] / "pixel_zoo" / "data" / "digits.npz"


def main():
    digits = load_digits()
    # NumPy gives every member of the archive the same date.
    np.savez_compressed(PATH, image=digits.images.astype("uint8")[..., np.newaxis], label=digits.target.astype("uint8"))
    print(PATH, f"{PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
