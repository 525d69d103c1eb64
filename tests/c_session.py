"""A SavedModel run by TensorFlow's C library alone, through the C++ loader and session that TensorFlow Serving uses.

This file needs Linux, NumPy and the libraries inside the TensorFlow wheel; TensorFlow's Python, Keras and pixel_zoo it
never imports. What only they can tell, the names of a signature's tensors, is handed in.
"""

import ctypes
import functools
import os
import pathlib
import sys

import numpy as np

INVALID_ARGUMENT = 3

_DTYPES = {1: np.dtype("float32"), 3: np.dtype("int32"), 4: np.dtype("uint8"), 9: np.dtype("int64"), 10: np.dtype(bool)}
# A serialised ConfigProto: graph_options.rewrite_options.disable_meta_optimizer = True.
_WITHOUT_OPTIMIZERS = bytes([10 << 3 | 2, 5, 10 << 3 | 2, 3, 0x98, 0x01, 1])
_STRING, _STRING_BYTES = 7, 24  # the type's number, and the size of a TF_TString
_ENUMS = {dtype: enum for enum, dtype in _DTYPES.items()}


class Failure(Exception):
    """An error status of the library.

    Args:
        code: int, the status code; gRPC's numbers.
        message: str.
    """

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code, self.message = code, message


class _Output(ctypes.Structure):
    """TF_Output: an operation and which of its outputs."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class _Buffer(ctypes.Structure):
    """TF_Buffer: bytes and how to free them."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocate", ctypes.c_void_p))


@functools.cache
def library(folder):
    """The C API.

    Args:
        folder: where the TensorFlow wheel was unpacked, `.../site-packages/tensorflow`.
    """
    framework = ctypes.CDLL(str(pathlib.Path(folder) / "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
    c_api = ctypes.CDLL(str(pathlib.Path(folder) / "libtensorflow_cc.so.2"), ctypes.RTLD_GLOBAL)
    pointer, count, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
    for name, result, *arguments in [
        ("TF_NewStatus", pointer),
        ("TF_DeleteStatus", None, pointer),
        ("TF_GetCode", count, pointer),
        ("TF_Message", ctypes.c_char_p, pointer),
        ("TF_AllocateTensor", pointer, count, pointer, count, size),
        ("TF_DeleteTensor", None, pointer),
        ("TF_TensorData", pointer, pointer),
        ("TF_TensorByteSize", size, pointer),
        ("TF_TensorType", count, pointer),
        ("TF_NumDims", count, pointer),
        ("TF_Dim", ctypes.c_int64, pointer, count),
        ("TF_NewGraph", pointer),
        ("TF_NewSessionOptions", pointer),
        ("TF_DeleteSessionOptions", None, pointer),
        ("TF_SetConfig", None, pointer, ctypes.c_char_p, size, pointer),
        ("TF_GraphOperationByName", pointer, pointer, ctypes.c_char_p),
        ("TF_LoadSessionFromSavedModel", pointer, *[pointer] * 4, count, *[pointer] * 3),
        ("TF_SessionRun", None, *[pointer] * 4, count, pointer, pointer, count, pointer, count, pointer, pointer),
        ("TF_StringInit", None, pointer),
        ("TF_StringCopy", None, pointer, ctypes.c_char_p, size),
        ("TF_StringGetDataPointer", pointer, pointer),
        ("TF_StringGetSize", size, pointer),
        ("TF_GetAllOpList", ctypes.POINTER(_Buffer)),
        ("TF_DeleteBuffer", None, pointer),
    ]:
        function = getattr(c_api, name, None) or getattr(framework, name)
        function.restype, function.argtypes = result, arguments
        setattr(c_api, name, function)
    return c_api


def op_list(folder):
    """A serialised OpList: every op that the library knows."""
    c_api = library(folder)
    buffer = c_api.TF_GetAllOpList()
    try:
        return ctypes.string_at(buffer.contents.data, buffer.contents.length)
    finally:
        c_api.TF_DeleteBuffer(buffer)


class CSession:
    """A loaded SavedModel.

    Args:
        folder: see `library`.
        path: the SavedModel, a version's directory.
        signatures: dictionary from a signature's name to {"inputs": names, "outputs": names}, names being a dictionary
            from what a caller calls a tensor to what it is called in the graph, such as "StatefulPartitionedCall:1".
        optimize: whether graphs are optimised before they first run, as TensorFlow Serving does it. For small models
            that takes longer than all that follows.

    Raises:
        Failure: if it can't be loaded.
    """

    def __init__(self, folder, path, signatures, optimize=True):
        self._c = library(folder)
        self._graph = self._c.TF_NewGraph()
        options = self._c.TF_NewSessionOptions()
        tags = (ctypes.c_char_p * 1)(b"serve")
        try:
            if not optimize:
                self._checked(self._c.TF_SetConfig, options, _WITHOUT_OPTIMIZERS, len(_WITHOUT_OPTIMIZERS))
            self._session = self._checked(
                self._c.TF_LoadSessionFromSavedModel, options, None, str(path).encode(), tags, 1, self._graph, None
            )
        finally:
            self._c.TF_DeleteSessionOptions(options)
        self._signatures = {
            name: {way: {key: self._output(tensor) for key, tensor in names.items()} for way, names in ways.items()}
            for name, ways in signatures.items()
        }

    def run(self, signature, inputs):
        """Call a signature; any number of threads may at once.

        Args:
            signature: its name.
            inputs: dictionary of NumPy arrays.

        Returns:
            Dictionary of NumPy arrays.

        Raises:
            Failure: with the code and the message of the status.
        """
        fed, fetched = (self._signatures[signature][way] for way in ("inputs", "outputs"))
        values = (ctypes.c_void_p * len(fed))(*[self._tensor(np.asarray(inputs[key])) for key in fed])
        results = (ctypes.c_void_p * len(fetched))()
        tensors = [(_Output * len(ways))(*ways.values()) for ways in (fed, fetched)]
        feeds, fetches = (tensors[0], values, len(fed)), (tensors[1], results, len(fetched))
        try:
            self._checked(self._c.TF_SessionRun, self._session, None, *feeds, *fetches, None, 0, None)
            return {key: self._array(tensor) for key, tensor in zip(fetched, results, strict=True)}
        finally:
            for tensor in [*values, *results]:
                self._c.TF_DeleteTensor(tensor)

    def _checked(self, function, *arguments):
        """Call a function whose last argument is a status; raise a Failure unless that says OK."""
        status = self._c.TF_NewStatus()
        try:
            result = function(*arguments, status)
            if code := self._c.TF_GetCode(status):
                raise Failure(code, self._c.TF_Message(status).decode())
            return result
        finally:
            self._c.TF_DeleteStatus(status)

    def _output(self, tensor):
        operation, _, index = tensor.partition(":")
        return _Output(self._c.TF_GraphOperationByName(self._graph, operation.encode()), int(index or 0))

    def _tensor(self, array):
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        if array.dtype == object:  # bytes
            tensor = self._c.TF_AllocateTensor(_STRING, shape, array.ndim, array.size * _STRING_BYTES)
            for place, value in zip(self._strings(tensor, array.size), array.flat, strict=True):
                self._c.TF_StringInit(place)
                self._c.TF_StringCopy(place, value, len(value))
            return tensor
        tensor = self._c.TF_AllocateTensor(_ENUMS[array.dtype], shape, array.ndim, array.nbytes)
        ctypes.memmove(self._c.TF_TensorData(tensor), np.ascontiguousarray(array).ctypes.data, array.nbytes)
        return tensor

    def _strings(self, tensor, count):
        """The addresses of the strings of a tensor."""
        start = self._c.TF_TensorData(tensor)
        return [start + index * _STRING_BYTES for index in range(count)]

    def _array(self, tensor):
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        if self._c.TF_TensorType(tensor) == _STRING:
            places = self._strings(tensor, int(np.prod(shape)))
            values = [
                ctypes.string_at(self._c.TF_StringGetDataPointer(place), self._c.TF_StringGetSize(place))
                for place in places
            ]
            return np.array(values, object).reshape(shape)
        content = ctypes.string_at(self._c.TF_TensorData(tensor), self._c.TF_TensorByteSize(tensor))
        return np.frombuffer(content, _DTYPES[self._c.TF_TensorType(tensor)]).reshape(shape)


# A process of its own: `multiprocessing` calls these in it.

_sessions = {}


def forbid_imports():
    """Forbid imports of the packages that could do the work of this file."""
    assert not {"tensorflow", "keras", "pixel_zoo"} & set(sys.modules)
    sys.modules.update(tensorflow=None, keras=None, pixel_zoo=None)


def run(arguments, signature, inputs):
    """`CSession(*arguments).run(signature, inputs)`, loaded once."""
    key = str(arguments[1])
    if key not in _sessions:
        _sessions[key] = CSession(*arguments)
    return _sessions[key].run(signature, inputs)


def growth(arguments, signature, inputs, calls):
    """How many bytes of memory `calls` calls leave behind, once a fifth as many have warmed up."""
    for _ in range(calls // 5):
        run(arguments, signature, inputs)
    before = _resident()
    for _ in range(calls):
        run(arguments, signature, inputs)
    return _resident() - before


def _resident():
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
