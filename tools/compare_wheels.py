"""Compare the contents of two wheels, such as the one built from the sdist and the one built from the checkout.

python tools/compare_wheels.py ONE.whl OTHER.whl     # exit code 1 if they differ, with the names of the files
"""

import sys
import zipfile


def contents(wheel):
    """The CRC-32 of each file of a wheel, by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}


def differences(one, other):
    """The names of the files that are in one wheel only, or differ, sorted."""
    one, other = contents(one), contents(other)
    return sorted(name for name in one | other if one.get(name) != other.get(name))


if __name__ == "__main__":
    found = differences(*sys.argv[1:3])
    if found:
        sys.exit(f"the wheels differ in {len(found)} files: {', '.join(found)}")
    print(f"{sys.argv[1]} has the same {len(contents(sys.argv[1]))} files as {sys.argv[2]}")
