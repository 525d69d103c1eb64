"""The log messages of TensorFlow: those about the machine are dropped, errors are shown."""

import contextlib
import importlib.abc
import os
import re
import sys
import tempfile

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
SEVERITIES = "IWE"  # information, warning, error: level 1 drops the first, level 2 two, level 3 all; fatal ones stay
GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA, WSL, AMD


def quieten_tensorflow() -> None:
    """Let TensorFlow log errors only, if it is not imported yet and the environment does not set its level.

    Without a GPU, TensorFlow reports that as an error: then only fatal ones are shown. Exceptions are raised as ever.
    `TF_CPP_MIN_LOG_LEVEL=0` in the environment shows everything.

    Example:

    >>> quieten_tensorflow()
    >>> os.environ["TF_CPP_MIN_LOG_LEVEL"] in ("0", "1", "2", "3")
    True
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault(LEVEL, "2" if any(map(os.path.exists, GPUS)) else "3")
        sys.meta_path.insert(0, _TensorFlowFinder())


class _TensorFlowFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as the other finders do; some of its libraries ignore its level while they are loaded."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "tensorflow":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader.exec_module = _without_messages(spec.loader.exec_module)
        return spec


def _without_messages(function):
    """A function whose output to file descriptor 2, by C++ code too, is shown after it without dropped messages."""

    def run(*args):
        with contextlib.ExitStack() as opened:
            try:
                stderr = opened.enter_context(os.fdopen(os.dup(2), "wb"))
                written = opened.enter_context(tempfile.TemporaryFile())
            except OSError:  # there is no stderr, or nowhere to write
                return function(*args)
            os.dup2(written.fileno(), 2)
            try:
                return function(*args)
            finally:
                os.dup2(stderr.fileno(), 2)
                written.seek(0)
                stderr.writelines(line for line in written if not _is_dropped(line))

    return run


def _is_dropped(line):
    dropped = SEVERITIES[: int(os.environ.get(LEVEL) or 0)].encode()
    heading = rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    return bool(dropped) and bool(re.match(rb"[%b]\d{4} \d\d|%b" % (dropped, heading), line))
