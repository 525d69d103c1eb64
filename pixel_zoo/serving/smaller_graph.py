"""Fewer operations in a SavedModel, so that servers load it faster."""

import pathlib
from typing import Any

from pixel_zoo.files import replacing

# The constants of each traced operation, and the arithmetic of shapes: half of all operations of a walk. They depend on
# their inputs alone.
_MERGED = {"Const", "Shape", "StridedSlice", "Pack", "Prod", "Cast"}


def shrink(path: pathlib.Path) -> None:
    """Merge equal operations of each function of a SavedModel, and drop the shapes that TensorFlow infers anyway.

    A server spends most of its loading time in TensorFlow's optimiser, which visits every operation of every function
    before it restores the weights. The fingerprint is removed: it is that of the larger graph.

    Args:
        path: pathlib.Path of the SavedModel, a version's directory.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in model.meta_graphs:
        graph = meta_graph.graph_def
        for node in graph.node:
            node.attr.pop("_output_shapes", None)
        for function in graph.library.function:
            for node in function.node_def:
                node.attr.pop("_output_shapes", None)
            colocated = any("_class" in node.attr for node in function.node_def)  # names other operations
            while not colocated and _merge_once(function):
                pass
    with replacing(file) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    (path / "fingerprint.pb").unlink(missing_ok=True)


def _merge_once(function: Any) -> bool:
    """Merge operations of a FunctionDef that have equal inputs and attributes; return whether there were any.

    Their consumers may be equal then, so this is repeated.
    """
    first: dict[tuple, str] = {}
    instead: dict[str, str] = {}
    kept = []
    outputs = set(function.control_ret.values())
    for node in function.node_def:
        if node.op in _MERGED and node.name not in outputs:
            twin = first.setdefault(_key(node), node.name)
            if twin != node.name:
                instead[node.name] = twin
                continue
        kept.append(node)
    if not instead:
        return False
    kept = [type(node).FromString(node.SerializeToString()) for node in kept]  # `del` clears the originals
    del function.node_def[:]
    function.node_def.extend(kept)
    for node in function.node_def:
        inputs = dict.fromkeys(_renamed(name, instead) for name in node.input if name.startswith("^"))
        node.input[:] = [_renamed(name, instead) for name in node.input if not name.startswith("^")] + list(inputs)
    for name, tensor in list(function.ret.items()):
        function.ret[name] = _renamed(tensor, instead)
    return True


def _key(node: Any) -> tuple:
    attributes = sorted((name, value.SerializeToString(deterministic=True)) for name, value in node.attr.items())
    return node.op, node.device, tuple(node.input), tuple(attributes)


def _renamed(tensor: str, instead: dict[str, str]) -> str:
    """The name of a tensor, "operation:output:index", or of a control input, "^operation", after merging."""
    control = "^" if tensor.startswith("^") else ""
    operation, colon, output = tensor.removeprefix("^").partition(":")
    return control + instead.get(operation, operation) + colon + output
