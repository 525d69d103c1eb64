"""Released models: the files in exported/, and the release of a run."""

import json
import pathlib
import re
import shutil
import sys

import keras
import numpy as np
import pytest

import pixel_zoo as pz
from pixel_zoo import models
from pixel_zoo.training import Recipe, train
from pixel_zoo.zoo import card, hugging_face, index, release, saved_model
from pixel_zoo.zoo.command import training_command
from pixel_zoo.zoo.recipe_facts import recipe_facts
from pixel_zoo.zoo.whole import is_whole

EXPORTED = pathlib.Path(__file__).parents[1] / "exported"
NAME = "digits_pixel_cnn"


def test_every_model_has_its_file_its_card_and_its_pictures():
    entries = index.read_index()
    files = {
        f"{name}.{part}": facts for name, entry in entries.items() for part, facts in entry.get("parts", {}).items()
    }
    files |= entries
    assert pz.list() == sorted(entries) and set(files) == {path.stem for path in EXPORTED.glob("*.keras")}
    assert all(is_whole(EXPORTED / f"{name}.keras", facts["sha256"]) for name, facts in files.items())
    for name, entry in entries.items():
        assert (EXPORTED / f"{name}.md").read_text() == card.card(name, entry)
        figure = "members" if "members" in entry else "curve"
        assert (EXPORTED / f"{name}.png").exists() and (EXPORTED / f"{name}.{figure}.png").exists()
    assert (EXPORTED / "README.md").read_text() == card.readme(entries)


def test_the_commands_of_the_cards_train_those_models():
    trained = {name: entry for name, entry in index.read_index().items() if "members" not in entry}
    for name, entry in trained.items():
        command, _ = training_command(Recipe(**entry["recipe"]), EXPORTED.parent / "recipes", f"runs/{name}")
        assert command in (EXPORTED / f"{name}.md").read_text()


def test_the_readme_has_the_figures_of_the_cards():
    """Its last column has the figures of papers only: a target of our own is not a published figure."""
    root = EXPORTED.parent
    text = (root / "README.md").read_text()
    for name, entry in index.read_index().items():
        thumbnail = f"docs/thumbnails/{name}.png"
        assert (root / thumbnail).exists()
        start = f'| <img src="{thumbnail}" width="160" alt="four samples"> | [`{name}`](exported/{name}.md)<br>'
        figures = f"{card.architecture(entry)} | {card.nats(entry)} | {entry['bits_per_dim']:.3f} | "
        (published,) = re.findall(re.escape(start + figures) + r"(.*) \|\n", text)
        figure = re.search(r"\d+\.\d+ (nats|bits/dim)", entry["recipe"]["target"])[0]
        assert published.startswith(figure if "arXiv" in entry["recipe"]["source"] else "–")


RECIPES = """
from pixel_zoo.training import Recipe

tiny = Recipe(data="digits", model="PixelCNN", model_options={"filters": 4, "num_blocks": 1, "head_filters": 8})
other = Recipe(data="digits", model="PixelCNN", model_options={"filters": 4, "dropout": 0.5}, epochs=1)
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A run of one epoch, released as a pretrained model: (directory of it, its entry, the run's model)."""
    folder = tmp_path_factory.mktemp("zoo")
    for name in ("recipes", "exported"):
        (folder / name).mkdir()
    (folder / "recipes" / "mine.py").write_text(RECIPES)
    (folder / "index.json").write_text("{}")
    options = {"filters": 4, "num_blocks": 1, "head_filters": 8}
    recipe = Recipe(
        data="digits", model="PixelCNN", model_options=options, learning_rate=1e-2, batch_size=128, epochs=1, target="?"
    )
    with pytest.MonkeyPatch.context() as patch:  # compiling the sampling takes longer than training
        patch.setattr(models.PixelModel, "generate", lambda self, num_images, **_: np.zeros((num_images, 8, 8, 1), int))
        patch.setattr(models.PixelModel, "complete", lambda self, images, known, **_: images * known[..., None])
        patch.setattr(index, "PATH", folder / "index.json")
        train(recipe, folder / "run", verbose=0)
        entry = release.release(folder / "run", "mine", folder / "exported", folder / "recipes")
    return folder, entry, keras.models.load_model(folder / "run" / "best.keras")


def test_a_released_model_has_the_weights_without_the_optimiser(released):
    folder, entry, trained = released
    model = keras.models.load_model(folder / "exported" / "mine.keras")
    assert not model.compiled
    for weight, expected in zip(model.get_weights(), trained.get_weights(), strict=True):
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, expected)
    assert is_whole(folder / "exported" / "mine.keras", entry["sha256"])
    assert (folder / "exported" / "mine.keras").stat().st_size == entry["bytes"]


def test_the_card_says_what_was_reached_and_how(released):
    folder, entry, trained = released
    assert json.loads((folder / "index.json").read_text()) == {"mine": entry}
    nats = -trained.log_likelihood(pz.data.arrays("digits", "test"))
    assert entry["nats"] == pytest.approx(nats.mean(), abs=1e-3)
    assert entry["standard_error"] == pytest.approx(nats.std() / 300**0.5, rel=1e-2)
    words = (folder / "exported" / "mine.md").read_text()
    command = (
        "pixel-zoo train recipes/mine.py --model tiny --set learning_rate=0.01 --set batch_size=128 --set epochs=1"
    )
    on_jax = "KERAS_BACKEND=jax " if keras.backend.backend() == "jax" else ""
    assert f"`{on_jax}{command} --output runs/mine`" in words
    assert f"{nats.mean():.3f} ± " in words and "1 of the recipe's 10 epochs, 10 steps" in words
    assert entry["seconds"] > 0 and entry["sha256"] in words and "?" in words
    assert f"{nats.mean():.3f} ± " in (folder / "exported" / "README.md").read_text()
    assert len(entry["validation_nats_of_epochs"]) == len(entry["training_nats_of_epochs"]) == 1
    assert f"| Validation nats | {entry['validation_nats']:.2f} |" in words
    assert entry["versions"]["pixel-zoo"] == pz.__version__


def test_the_card_of_a_model_trained_on_jax_has_a_command_that_does_so(released):
    _, entry, _ = released
    assert "`KERAS_BACKEND=jax pixel-zoo train" in card.card("mine", entry | {"backend": "jax"})
    assert "KERAS_BACKEND" not in card.card("mine", entry | {"backend": "tensorflow"})


def test_cards_are_renewed_with_the_aims_of_the_recipes(released, tmp_path, monkeypatch):
    _, entry, _ = released
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "mine.py").write_text(RECIPES.replace("8}", "8}, target='9.00 nats, test split', source='here'"))
    monkeypatch.setattr(index, "PATH", tmp_path / "index.json")
    index.PATH.write_text(json.dumps({"mine": entry}))
    release.renew_cards(tmp_path, recipes)
    words = (tmp_path / "mine.md").read_text()
    assert f"| 9.00 nats, test split (here); **missed by {entry['nats'] - 9:.2f} nats** |" in words
    assert index.read_index()["mine"]["recipe"]["source"] == "here"


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("PixelCNN", {}, "PixelCNN 7x32"),
        ("GatedPixelCNN", {"filters": 8}, "Gated PixelCNN 7x8"),
        ("PixelRNN", {"recurrence": "row", "num_blocks": 2}, "Row LSTM 2x16"),
        ("PixelRNN", {"num_classes": 3}, "Diagonal BiLSTM 7x16 given the label"),
        ("MultiScalePixelRNN", {"small_shapes": ((2, 2),)}, "multi-scale Diagonal BiLSTM 7x16"),
        ("MultiScalePixelRNN", {"base": "PixelCNN", "options": [{}, {"num_blocks": 1}]}, "multi-scale PixelCNN 1x32"),
    ],
)
def test_the_architecture_of_a_recipe_has_the_options_that_it_leaves_out(model, options, words):
    assert card.architecture({"recipe": {"model": model, "model_options": options}}) == words


@pytest.mark.parametrize(
    ("target", "nats", "words"),
    [
        ("79.20 nats, test split", 79.204, "; **met**"),
        ("79.20 nats, test split", 79.206, "; **missed by 0.01 nats**"),
        ("79.20 nats, test split", float("nan"), "; **missed by nan nats**"),
        ("fewer than histograms, test split", 79.206, ""),
    ],
)
def test_the_card_says_whether_the_aim_was_met(released, target, nats, words):
    _, entry, _ = released
    aimed = entry | {"nats": nats, "recipe": entry["recipe"] | {"target": target, "source": "table 4"}}
    assert f"| Aimed at | {target} (table 4){words} |" in card.card("mine", aimed)


def test_the_card_says_that_a_run_ended_early(released):
    _, entry, _ = released
    early = entry | {"recipe": entry["recipe"] | {"epochs": 3}}
    assert "10 epochs, ended before the 3 of the command, at most 10 steps" in card.card("mine", early)
    assert "ended before" not in card.card("mine", entry)
    assert "Started from" not in card.card("mine", entry)
    tuned = entry | {"recipe": entry["recipe"] | {"initial_weights": "old.keras"}, "initial_weights_sha256": "ab12"}
    assert "| Started from | the weights of `old.keras` as it was then, SHA-256 `ab12` |" in card.card("mine", tuned)


def test_the_card_names_the_teacher(released):
    _, entry, _ = released
    assert "Taught by" not in card.card("mine", entry)
    taught = entry | {"recipe": entry["recipe"] | {"teacher": "large.keras"}, "teacher_sha256": "ab12"}
    row = "| Taught by | the predictions of `large.keras` as it was then, SHA-256 `ab12`: the training loss is "
    assert row in card.card("mine", taught)
    taught["command"] = "pixel-zoo train digits:pixel_cnn --output runs/mine"
    assert recipe_facts("digits:pixel_cnn", {"mine": taught})[4].endswith(", with a teacher")


def test_a_run_may_lack_an_option_that_its_recipe_has_got_since(tmp_path):
    (tmp_path / "mine.py").write_text(RECIPES)
    run = Recipe(data="digits", model="PixelCNN", model_options={"filters": 4}, epochs=1)
    command, _ = training_command(run, tmp_path, "runs/old")
    assert command.endswith("mine.py --model other --set model_options.dropout=0.0 --output runs/old")


def test_a_run_that_no_recipe_makes_is_refused(released, tmp_path):
    folder, _, _ = released
    configuration = json.loads((folder / "run" / "config.json").read_text())
    configuration["recipe"]["model"] = "GatedPixelCNN"
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text(json.dumps(configuration))
    with pytest.raises(ValueError, match=r"run: no recipe in .* becomes that of the run"):
        release.release(tmp_path / "run", "mine", tmp_path, folder / "recipes")


def test_a_file_too_large_for_git_is_refused(released, tmp_path, monkeypatch):
    folder, _, _ = released
    monkeypatch.setattr(release, "LARGEST", 1000)
    with pytest.raises(ValueError, match=r"run: the file would have [\d,]+ bytes; at most 1,000"):
        release.release(folder / "run", "mine", tmp_path, folder / "recipes")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is written by TensorFlow")
def test_saved_models_are_listed_for_the_server(tmp_path, monkeypatch):
    def export(model, path, version):
        (path / str(version)).mkdir(parents=True)
        (path / str(version) / "saved_model.pb").touch()
        return path / str(version)

    def export_that_fails(model, path, version):
        raise OSError("No space left on device")

    monkeypatch.setattr(saved_model, "export", export)
    (tmp_path / "models.config").write_text("# What it is.\n#\nmodel_config_list {\n}\n")
    for _ in range(2):
        assert saved_model.write_saved_model(NAME, tmp_path) == tmp_path / NAME / "1"
    entry = f'  config {{ name: "{NAME}" base_path: "/models/{NAME}" model_platform: "tensorflow" }}\n'
    assert (tmp_path / "models.config").read_text() == f"# What it is.\n#\nmodel_config_list {{\n{entry}}}\n"

    monkeypatch.setattr(saved_model, "export", export_that_fails)
    with pytest.raises(OSError):
        saved_model.write_saved_model(NAME, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, "models.config"]
    assert (tmp_path / NAME / "1" / "saved_model.pb").exists()


def test_a_hugging_face_folder_is_what_keras_reads(tmp_path, monkeypatch):
    """Keras downloads the repository with huggingface_hub, and reads the directory that this returns."""
    hugging_face.write_hugging_face(NAME, tmp_path / "hub")
    from keras.src.saving import saving_lib

    class Hub:
        @staticmethod
        def snapshot_download(repo_id, **_):
            assert repo_id == f"user/{NAME}"
            return str(tmp_path / "hub")

    monkeypatch.setattr(saving_lib, "huggingface_hub", Hub)
    model = keras.saving.load_model(f"hf://user/{NAME}")
    images = pz.data.arrays("digits", "test")[:4]
    np.testing.assert_array_equal(model.log_likelihood(images), pz.load(NAME).log_likelihood(images))
    readme = (tmp_path / "hub" / "README.md").read_text()
    assert readme.startswith("---\n") and f"![Samples and completions]({NAME}.png)" in readme
    assert (tmp_path / "hub" / f"{NAME}.png").exists()
    assert f'keras.saving.load_model("hf://USER/{NAME}")' in readme and "pz.load" not in readme
    assert f"unpacked from `{NAME}.keras`" in readme


def test_the_card_of_the_hub_has_the_figures_as_metadata(tmp_path, monkeypatch):
    from huggingface_hub import ModelCard

    hugging_face.write_hugging_face("digits_multi_scale", tmp_path / "hub")
    shown, entry = ModelCard.load(tmp_path / "hub" / "README.md").data, index.read_index()["digits_multi_scale"]
    assert (shown.library_name, shown.license, shown.model_name) == ("keras", "apache-2.0", "digits_multi_scale")
    assert {"pixel-zoo", "multiscalepixelrnn"} <= set(shown.tags)
    figures = {result.metric_type: result.metric_value for result in shown.eval_results}
    assert figures == {"nats": entry["nats"], "bits_per_dim": entry["bits_per_dim"]}
    assert {(result.dataset_type, result.dataset_split) for result in shown.eval_results} == {("digits", "test")}
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"needs huggingface_hub.*pip install 'pixel-zoo\[hub\]'"):
        hugging_face.write_hugging_face(NAME, tmp_path / "other")


def test_the_card_shows_the_picture_first_and_what_the_samples_lack():
    for name, entry in index.read_index().items():
        text = card.card(name, entry)
        assert text.index(f"]({name}.png)") < text.index("**Limitations**: ") < text.index("| Test |")
        assert entry["recipe"]["data"] in card.LIMITATIONS
