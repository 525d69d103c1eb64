"""Exported models run by TensorFlow's C library, as TensorFlow Serving runs them, and by no Python of ours."""

import functools
import io
import multiprocessing
import multiprocessing.pool
import pathlib

import c_session
import keras
import numpy as np
import pytest
import saved_models
from catalogue import GIVEN_MODELS, given_with
from PIL import Image
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo.sampling import Sampler, particle_walker

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only the TensorFlow backend writes SavedModels"
)

SHAPE, LEVELS = (3, 4, 1), 3
COUNT = 5
RESTRICTED = Sampler(top_k=2, top_p=0.9, min_p=0.2)
# Images given with labels: a mixture of Gated PixelCNN and Row LSTM, and a multi-scale model of PixelCNNs. A Diagonal
# BiLSTM is exported in test_edges.py and among the pretrained models; test_serving.py gives vectors and a small image.
SERVED = [entry for entry in GIVEN_MODELS if entry.model_class is pz.models.Mixture]
# A session takes seconds for the first call of a signature: what is the same for all models is shown by one.
of_all_signatures = pytest.mark.parametrize("served", ["MultiScalePixelRNN"], indirect=True)
OF_EACH_MODEL = ("score", "log_probabilities", "sample", "complete")
EXPORTED = sorted((pathlib.Path(__file__).parents[1] / "exported").glob("*/[0-9]*/"))


@pytest.fixture(scope="module")
def process():
    """A process in which neither TensorFlow's Python, nor Keras, nor pixel_zoo can be imported."""
    with multiprocessing.get_context("spawn").Pool(1, c_session.forbid_imports) as pool:
        yield pool


def multi_scale():
    arguments = {"base": "PixelCNN", "options": {"filters": 4, "num_blocks": 1, "head_filters": 4}, "num_classes": 3}
    return pz.models.MultiScalePixelRNN(SHAPE, LEVELS, small_shapes=((3, 2),), **arguments)


@pytest.fixture(
    scope="module",
    params=[*SERVED, "MultiScalePixelRNN"],
    ids=str,
)
def served(request, tmp_path_factory, process):
    """A model, and a function that calls a signature of its SavedModel in that process."""
    small = {"image_shape": SHAPE, "levels": LEVELS, "num_blocks": 1}
    model = scrambled(multi_scale() if request.param == "MultiScalePixelRNN" else request.param.make(**small))
    path = pz.export(model, tmp_path_factory.mktemp("served"))
    arguments = saved_models.session_arguments(path, optimize=request.param in SERVED)
    return model, path, lambda *request: process.apply(c_session.run, (arguments, *request))


def given(model):
    """The conditions of COUNT images, as arguments of the model's methods."""
    return given_with(model.stages[0], COUNT)


def requests(model):
    """A request to each signature, of COUNT images."""
    beside = {name.removesuffix("s"): value for name, value in given(model).items()}
    noise = {"seed": np.arange(COUNT) * 2**33 - 2, "temperature": np.ones(COUNT, "float32"), **beside}
    image = random_images(model, COUNT)
    known = np.random.default_rng(0).random((COUNT, *SHAPE[:2])) < 0.5
    asked = {
        "serving_default": {"image": image, **beside},
        "score": {"image": image, **beside},
        "log_probabilities": {"image": image, **beside},
        "surprise": {"image": image, **beside},
        "sample": noise,
        "complete": {"image": image, "known": known, **noise},
    }
    asked |= {"upscale": {"small": image[:, :, ::2], **noise}} if len(model.stages) > 1 else {}
    asked |= {
        "score_png": {"image_bytes": png_files(image), **beside},
        "sample_png": noise,
        "complete_png": {"image_bytes": png_files(image, known), **noise},
    }
    return asked | {
        f"{name}_with_options": asked[name] | options(COUNT)
        for name in ("sample", "complete", "upscale")
        if name in asked
    }


def png_files(images, known=None):
    """Images of up to three levels as PNG files, transparent where they are not known."""
    files = []
    for index, image in enumerate(images[..., 0]):
        picture = Image.fromarray((image * 127).astype("uint8"))  # 0, 127 and 254 are levels 0, 1 and 2 of 3
        if known is not None:
            picture.putalpha(Image.fromarray(np.where(known[index], 255, 254).astype("uint8")))
        files.append(io.BytesIO())
        picture.save(files[-1], "PNG")
    return np.array([file.getvalue() for file in files], object)


def levels_of(files):
    """The images of PNG files (n, height, width, 1)."""
    values = [np.asarray(Image.open(io.BytesIO(file)), int) for file in files]
    return (np.stack(values) * LEVELS // 256)[..., None]


def options(count):
    """The options of as many images; the first image has all rules off."""
    of_other = RESTRICTED.options(count - 1)
    return {name: np.insert(of_other[name], 0, rule.off) for name, rule in Sampler.rules().items()}


@pytest.mark.slow
def test_every_signature_answers_as_python_does(served):
    model, _, call = served
    asked, beside = requests(model), given(model)
    image, known, seed = (asked["complete"][key] for key in ("image", "known", "seed"))
    for name in ("score", "serving_default") if "upscale" in asked else ("score",):
        scores = call(name, asked[name])
        np.testing.assert_allclose(scores["log_likelihood"], model.log_likelihood(image, **beside), rtol=1e-5)
        np.testing.assert_allclose(scores["bits_per_dim"], model.bits_per_dim(image, **beside), rtol=1e-5)
    expected = call("log_probabilities", asked["log_probabilities"])["log_probability"]
    np.testing.assert_allclose(expected, model.log_probabilities(image, **beside), rtol=1e-4, atol=1e-5)
    nats = call("surprise", asked["surprise"])["surprise"]
    np.testing.assert_allclose(nats, model.surprise(image, **beside), rtol=1e-4, atol=1e-5)
    sampled, completed = call("sample", asked["sample"]), call("complete", asked["complete"])
    assert (sampled["image"] == model.generate(COUNT, seed=seed, **beside)).all()
    assert (completed["image"] == model.complete(image, known, seed=seed, **beside)).all()
    for answer in (sampled, completed):
        assert answer["image"].dtype == np.uint8
        nats = model.log_likelihood(answer["image"], **beside)
        np.testing.assert_allclose(answer["log_likelihood"], nats, rtol=1e-5)
    if "upscale" in asked:
        large = model.upscale(asked["upscale"]["small"], seed=seed, **beside)
        assert (call("upscale", asked["upscale"])["image"] == large).all()


@pytest.mark.slow
@of_all_signatures
def test_signatures_with_png_files_answer_as_those_with_numbers(served):
    model, _, call = served
    asked = requests(model)
    for name in ("score", "sample", "complete"):
        numbers, files = call(name, asked[name]), call(f"{name}_png", asked[f"{name}_png"])
        np.testing.assert_allclose(files["log_likelihood"], numbers["log_likelihood"], rtol=1e-5)
        assert name == "score" or (levels_of(files["image_bytes"]) == numbers["image"]).all()


@pytest.mark.slow
@of_all_signatures
def test_pictures_that_are_no_png_of_the_right_size_are_refused(served):
    model, _, call = served
    request = requests(model)["score_png"]
    jpeg = io.BytesIO()
    Image.new("L", SHAPE[1::-1]).save(jpeg, "JPEG")
    (wide,) = png_files(np.zeros((1, 3, 5, 1), int))
    huge = wide[:16] + bytes([0, 15, 0, 0]) * 2 + wide[24:]  # says that it has 983,040 x 983,040 pixels
    whole, palette = request["image_bytes"][0], io.BytesIO()
    Image.new("P", SHAPE[1::-1]).save(palette, "PNG")
    for file, said in [
        (b"", "image_bytes: must be PNG files"),
        (jpeg.getvalue(), "image_bytes: must be PNG files"),
        (wide, r"image_bytes: must be 4 pixels wide and 3 high, got widths and heights.*5"),
        (huge, r"image_bytes: must be 4 pixels wide and 3 high, got widths and heights.*983040"),
        (palette.getvalue(), "image_bytes: must be PNG files of grey or RGB, not of a palette"),
        (whole[:40], "Invalid PNG"),
    ]:
        files = request["image_bytes"].copy()
        files[1] = file
        with pytest.raises(c_session.Failure, match=said) as failed:
            call("score_png", request | {"image_bytes": files})
        assert failed.value.code == c_session.INVALID_ARGUMENT


@pytest.mark.slow
@of_all_signatures
def test_options_of_sampling_are_those_of_python(served):
    """Each image has its own; the first has none, and is the one of the signature without options."""
    model, _, call = served
    asked, beside = requests(model), given(model)
    image, known, seed = (asked["complete"][key] for key in ("image", "known", "seed"))
    expected = {
        "sample": model.generate(COUNT, seed=seed, sampler=RESTRICTED, **beside),
        "complete": model.complete(image, known, seed=seed, sampler=RESTRICTED, **beside),
    }
    for name, images in expected.items():
        plain, restricted = call(name, asked[name]), call(f"{name}_with_options", asked[f"{name}_with_options"])
        assert (restricted["image"][0] == plain["image"][0]).all()
        assert (restricted["image"][1:] == images[1:]).all()
        assert (restricted["image"] != plain["image"]).any()
        np.testing.assert_allclose(restricted["log_likelihood"][0], plain["log_likelihood"][0], rtol=1e-5)


@pytest.mark.slow
@of_all_signatures
def test_inputs_of_different_lengths_are_refused_by_name(served):
    model, _, call = served
    asked = requests(model)
    for name, key in [
        ("sample", "temperature"),
        ("complete", "known"),
        ("complete", "seed"),
        ("sample_with_options", "min_p"),
        ("complete_png", "seed"),
        *([("score", "label")] if "label" in asked["score"] else []),
    ]:
        for length in (1, COUNT - 1):
            wrong = rf"{key}: must have as many entries as \w+,.*5.*got.*{length}"
            with pytest.raises(c_session.Failure, match=wrong) as failed:
                call(name, asked[name] | {key: asked[name][key][:length]})
            assert failed.value.code == c_session.INVALID_ARGUMENT


@pytest.mark.slow
def test_the_batch_is_free_and_merging_changes_no_image(served):
    model, _, call = served
    all_asked = requests(model)
    for name in all_asked if "upscale" in all_asked else OF_EACH_MODEL:
        asked, merged = all_asked[name], call(name, all_asked[name])
        for part in (slice(0, 1), slice(1, COUNT)):
            alone = call(name, {key: value[part] for key, value in asked.items()})
            for key in merged.keys() - {"image_bytes"}:
                np.testing.assert_allclose(alone[key], merged[key][part], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@of_all_signatures
def test_a_bad_value_is_an_invalid_argument_that_names_the_input(served):
    model, _, call = served
    asked = requests(model)
    for name, key, bad in [
        ("score", "image", asked["score"]["image"] + LEVELS),
        ("serving_default", "image", asked["score"]["image"] + LEVELS),
        ("surprise", "image", asked["score"]["image"] + LEVELS),
        ("complete", "image", np.full_like(asked["score"]["image"], 255)),
        ("sample", "temperature", np.full(COUNT, -1, "float32")),
        ("complete", "temperature", np.full(COUNT, np.nan, "float32")),
        ("sample_with_options", "top_k", np.full(COUNT, -1, "int32")),
        ("complete_with_options", "top_p", np.zeros(COUNT, "float32")),
        ("complete_with_options", "min_p", np.full(COUNT, 1.5, "float32")),
        *([("score", "label", np.full(COUNT, 3))] if model.num_classes else []),
        *([("upscale", "small", asked["upscale"]["small"] + LEVELS)] if "upscale" in asked else []),
    ]:
        wrong = rf"{key}: (values must be 0\.\.2|must be a finite|must be 0\.\.2|must be at least 0|must be in)"
        with pytest.raises(c_session.Failure, match=wrong) as failed:
            call(name, asked[name] | {key: bad})
        assert failed.value.code == c_session.INVALID_ARGUMENT


@pytest.mark.slow
@of_all_signatures
def test_another_shape_is_an_invalid_argument_that_names_the_input(served):
    """Another width too, which a convolution would not mind."""
    model, _, call = served
    asked = requests(model)
    for name, key, bad in [
        ("score", "image", asked["score"]["image"][:, :, 1:]),
        ("complete", "known", asked["complete"]["known"][:, 1:]),
        ("sample", "seed", asked["sample"]["seed"][:, None]),
    ]:
        with pytest.raises(c_session.Failure, match=rf"Shape of tensor \w*{key}\w* \[5,") as failed:
            call(name, asked[name] | {key: bad})
        assert failed.value.code == c_session.INVALID_ARGUMENT


@pytest.mark.slow
def test_nothing_but_operations_of_servers_is_in_the_graph(served, process):
    """None of Python's, none that needs XLA, and none of those that a request reaches touches a file."""
    from tensorflow.core.framework import op_def_pb2

    _, path, _ = served
    graph = saved_models.meta_graph(path)
    folder = saved_models.session_arguments(path)[0]
    known = {op.name for op in op_def_pb2.OpList.FromString(process.apply(c_session.op_list, (folder,))).op}
    functions = {function.signature.name for function in graph.graph_def.library.function}
    assert saved_models.all_operations(graph) <= known | functions
    reached = saved_models.operations_reached(graph)
    assert {"Conv2D", "Assert"} <= reached
    for word in ("Py", "Xla", "File", "Save", "Restore", "Checkpoint"):
        assert not [name for name in reached if word in name]


def warm_up_requests(path):
    """The requests that TensorFlow Serving warms up with, read as it does: signature and inputs of each."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    records = tf.data.TFRecordDataset(str(path / "assets.extra" / "tf_serving_warmup_requests")).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]
    return [
        (log.model_spec.signature_name, {key: tf.make_ndarray(value) for key, value in log.inputs.items()})
        for log in logs
    ]


@pytest.mark.slow
@of_all_signatures
def test_warm_up_requests_are_of_every_signature_and_answered(served):
    model, path, call = served
    asked = requests(model)
    warm_up = warm_up_requests(path)
    assert sorted(name for name, _ in warm_up) == sorted(asked)
    for name, inputs in warm_up:
        assert inputs.keys() == asked[name].keys()
        assert all(len(value) == 1 for value in call(name, inputs).values())


@pytest.mark.slow
def test_a_fixed_number_of_particles_is_served(process, tmp_path, monkeypatch):
    """Of two scales, with labels, resampled in every row. Without late evidence, the first particle is the answer."""
    monkeypatch.setattr(particle_walker, "THRESHOLD", 1.0)
    model = scrambled(multi_scale())
    path = pz.export(model, tmp_path, particles=6)
    call = functools.partial(process.apply, c_session.run)
    arguments, name, asked = (
        saved_models.session_arguments(path, optimize=False),
        "complete_with_6_particles",
        requests(model)["complete"],
    )
    asked["known"][:2] = np.indices(SHAPE[:2])[0] < np.array([0, 3])[:, None, None]
    answer = call((arguments, name, asked))
    given_to_python = [asked[key] for key in ("image", "known", "seed")]
    options = {"particles": 6, "return_log_likelihood": True, "return_diagnostics": True}
    completed, nats, diagnostics = model.complete(*given_to_python, **options, **given(model))
    assert (answer["image"] == completed).all()
    np.testing.assert_allclose(answer["log_likelihood"], nats, rtol=1e-4)
    np.testing.assert_allclose(answer["effective_sample_size"], diagnostics.effective_sample_size, rtol=1e-3)
    np.testing.assert_allclose(answer["log_evidence"], diagnostics.log_evidence, rtol=1e-4, atol=1e-4)
    alone = call((arguments, name, {key: value[3:4] for key, value in asked.items()}))
    assert (alone["image"] == answer["image"][3:4]).all()
    with pytest.raises(c_session.Failure, match="temperature: must be above 0 with particles") as failed:
        call((arguments, name, asked | {"temperature": np.zeros(COUNT, "float32")}))
    assert failed.value.code == c_session.INVALID_ARGUMENT

    # The variants that the other signatures have too.
    of_png = {key: value for key, value in asked.items() if key not in ("image", "known")}
    of_png["image_bytes"] = png_files(asked["image"], asked["known"])
    in_png = call((arguments, f"{name}_png", of_png))
    assert (levels_of(in_png.pop("image_bytes")) == answer["image"]).all()
    for key, value in in_png.items():
        assert (value == answer[key]).all()
    sampler, of_model = Sampler(1.5, min_p=1e-4), model.generate(COUNT, seed=7, **given(model))
    restricted = asked | {"image": of_model} | sampler.options(COUNT)
    expected = model.complete(of_model, *given_to_python[1:], sampler=sampler, **options, **given(model))
    with_options = call((arguments, f"{name}_with_options", restricted))
    assert (with_options["image"] == expected[0]).all()
    np.testing.assert_allclose(with_options["log_evidence"], expected[2].log_evidence, rtol=1e-4, atol=1e-4)
    with pytest.raises(c_session.Failure, match="known: the known pixels of an image have probability 0") as failed:
        call((arguments, f"{name}_with_options", restricted | Sampler(top_k=1).options(COUNT)))
    assert failed.value.code == c_session.INVALID_ARGUMENT
    assert {name, f"{name}_png", f"{name}_with_options"} <= {name for name, _ in warm_up_requests(path)}


def test_a_wrong_number_of_particles_is_refused(tmp_path):
    for wrong in (0, 1, 2.5):
        with pytest.raises(ValueError, match=r"particles must be .*"):
            pz.export(multi_scale(), tmp_path, particles=wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPORTED, ids=lambda path: path.parent.name)
def test_a_pretrained_model_is_served_as_it_was_saved(path, process):
    """An image is scored as by its .keras file, and another request answered: of all, each signature of one model."""
    arguments, warm_up = saved_models.session_arguments(path, optimize=False), warm_up_requests(path)
    another = warm_up[EXPORTED.index(path) :: len(EXPORTED)]
    for name, inputs in [*another, *(request for request in warm_up if request[0] == "score")]:
        process.apply(c_session.run, (arguments, name, inputs))
        if name == "score":
            model = keras.models.load_model(path.parent.with_suffix(".keras"))
            inputs |= {"image": random_images(model, 1)}
            nats = process.apply(c_session.run, (arguments, name, inputs))["log_likelihood"]
            np.testing.assert_allclose(nats, model.log_likelihood(inputs["image"], inputs.get("label")), rtol=1e-4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The arguments of a session of a model as quick as can be."""
    image = keras.Input((2, 2, 1), dtype="int32", name="image")
    x = pz.layers.MaskedConv2D(2, 3, "A")(keras.layers.Rescaling(1.0)(image))
    model = scrambled(pz.models.PixelModel(image, pz.layers.Logits(8)(x)))
    return saved_models.session_arguments(pz.export(model, tmp_path_factory.mktemp("tiny")))


@pytest.mark.slow
def test_eight_threads_at_once_get_their_own_answers(tiny):
    """In this process: threads that share a pool of processes would wait for each other."""
    session = c_session.CSession(*tiny)
    seeds = [np.arange(count) + 10 * count for count in range(1, 9)]
    asked = [{"seed": seed, "temperature": np.ones(len(seed), "float32")} for seed in seeds]
    alone = [session.run("sample", request)["image"] for request in asked]
    assert len({image[0].tobytes() for image in alone}) == len(alone)
    with multiprocessing.pool.ThreadPool(8) as threads:
        together = threads.map(lambda request: session.run("sample", request)["image"], asked * 25)
    for number, image in enumerate(together):
        assert (image == alone[number % 8]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("score", {"image": np.zeros((2048, 2, 2, 1), "uint8")}),
        ("sample", {"seed": np.arange(2048), "temperature": np.ones(2048, "float32")}),
    ],
)
def test_calls_leave_no_memory_behind(tiny, process, name, asked):
    """A call's tensors take 24 KB and more."""
    assert process.apply(c_session.growth, (tiny, name, asked, 300)) < 3e6
