"""What the tests and the benchmark of serving read from an exported SavedModel, by TensorFlow's own protos."""

import pathlib


def meta_graph(path):
    """The MetaGraphDef of a SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel.FromString((pathlib.Path(path) / "saved_model.pb").read_bytes())
    (graph,) = saved_model.meta_graphs
    return graph


def tensor_names(signature_defs):
    """What each tensor of each signature is called in the graph, as `c_session.CSession` takes it."""
    return {
        name: {way: {key: info.name for key, info in getattr(signature, way).items()} for way in ("inputs", "outputs")}
        for name, signature in signature_defs.items()
        if not name.startswith("__")
    }


def session_arguments(path, optimize=True):
    """The arguments of a `c_session.CSession` of a SavedModel."""
    import tensorflow as tf

    return str(pathlib.Path(tf.__file__).parent), str(path), tensor_names(meta_graph(path).signature_def), optimize


def all_operations(graph):
    """The operations of a MetaGraphDef, in its functions too; a call of a function is one of its name or of a kind."""
    functions = graph.graph_def.library.function
    return {node.op for nodes in (graph.graph_def.node, *(f.node_def for f in functions)) for node in nodes}


def operations_reached(graph):
    """The operations that run when a signature is called."""
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    nodes = {node.name: node for node in graph.graph_def.node}
    outputs = [info.name for signature in graph.signature_def.values() for info in signature.outputs.values()]
    waiting, seen, reached = [_node_name(name) for name in outputs], set(), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        ran = functions[name].node_def if name in functions else [nodes[name]] if name in nodes else []
        for node in ran:
            reached.add(node.op)
            waiting += [_node_name(tensor) for tensor in node.input if name in nodes]
            waiting += [called for value in node.attr.values() for called in _functions_of(value)]
    return reached


def _node_name(tensor):
    """ "^node" and "node:1" are the node "node"."""
    return tensor.removeprefix("^").partition(":")[0]


def _functions_of(attribute):
    return [attribute.func.name, *(function.name for function in attribute.list.func)]
