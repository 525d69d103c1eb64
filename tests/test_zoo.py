"""Pretrained models: fetched whole or not at all, as their cards say, and made of runs by one command."""

import concurrent.futures
import hashlib
import http.server
import json
import pathlib
import re
import shutil
import socket
import threading

import keras
import numpy as np
import pytest
from test_cli import call, refused

import pixel_zoo as pz
from pixel_zoo import models
from pixel_zoo.training import Recipe, train
from pixel_zoo.zoo import card, download, hugging_face, index, pretrained, release, saved_model, verify
from pixel_zoo.zoo.command import training_command
from pixel_zoo.zoo.whole import is_whole

EXPORTED = pathlib.Path(__file__).parents[1] / "exported"
CONTENT = np.random.default_rng(0).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SOME = 9 * download.CHUNK
NAME = "digits_pixel_cnn"


# Fetching


class Server:
    """A web server on loopback; `behave` are functions of a request's handler, for one request each, the last for all.

    Attributes:
        url: its address.
        ranges: list, the header Range of each request, or None.
    """

    def __init__(self, *behave):
        self.behave, self.ranges = list(behave), []

    def __enter__(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.ranges.append(self.headers["Range"])
                (server.behave.pop(0) if len(server.behave) > 1 else server.behave[0])(self)

            def log_message(self, *_):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()


def sends(content, ranges=True, until=None):
    """Send `content`, or the range asked for, but break off after `until` bytes."""

    def respond(handler):
        wanted = handler.headers["Range"] if ranges else None
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:][:until])

    return respond


def status(code):
    def respond(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return respond


@pytest.fixture(autouse=True)
def loopback_without_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def fetch(server, path):
    return download.download(f"{server.url}/file", path, len(CONTENT), SHA256)


def test_a_file_is_fetched_whole(tmp_path):
    with Server(sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "new" / "file").read_bytes() == CONTENT
    assert server.ranges == [None]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["file", "file.lock"]


def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path):
    with Server(sends(CONTENT, until=SOME), sends(CONTENT, until=SOME), sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={SOME}-", f"bytes={2 * SOME}-"]


def test_the_next_process_goes_on_where_one_has_ended(tmp_path):
    refusal = rf"can't be fetched \(status 503\); {SOME} of {len(CONTENT)} bytes are there"
    with Server(sends(CONTENT, until=SOME), status(503)) as server, pytest.raises(ConnectionError, match=refusal):
        fetch(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    with Server(sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [f"bytes={SOME}-"]


def test_a_server_without_ranges_sends_all_again(tmp_path):
    with Server(sends(CONTENT, until=SOME), sends(CONTENT, ranges=False)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_server_whose_file_is_shorter_has_another_one(tmp_path):
    def shorter(handler):
        if handler.headers["Range"] == f"bytes={SOME}-":
            status(416)(handler)
        else:
            sends(CONTENT[:SOME])(handler)

    with Server(shorter) as server, pytest.raises(ValueError, match="another file than the index knows"):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


def test_a_server_that_always_ends_too_early_is_given_up(tmp_path):
    refusal = f"{SOME} of {len(CONTENT)} bytes"
    with Server(sends(CONTENT, ranges=False, until=SOME)) as server, pytest.raises(ConnectionError, match=refusal):
        fetch(server, tmp_path / "file")
    short = sends(CONTENT[:SOME], ranges=False)  # a whole answer, of too few bytes
    with Server(short) as server, pytest.raises(ConnectionError, match="the server sent no more"):
        fetch(server, tmp_path / "file")


def test_another_file_is_refused_and_not_kept(tmp_path):
    refusal = "another file than the index knows"
    with Server(sends(CONTENT[::-1])) as server, pytest.raises(ValueError, match=refusal):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


@pytest.mark.parametrize("left", [CONTENT[:1000:-1][:500], CONTENT[::-1], CONTENT + b"more"])
def test_the_beginning_of_another_version_is_thrown_away(left, tmp_path):
    (tmp_path / "file.part").write_bytes(left)
    with Server(sends(CONTENT)) as server:
        assert fetch(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with Server(status(404)) as server, pytest.raises(FileNotFoundError, match=r"/file does not exist \(404\)"):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


def test_of_several_that_fetch_a_file_one_does(tmp_path):
    asked, go_on = threading.Event(), threading.Event()

    def wait(handler):
        asked.set()
        assert go_on.wait(60)
        sends(CONTENT)(handler)

    with Server(wait) as server, concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(fetch, server, tmp_path / "file")
        assert asked.wait(60)
        second = pool.submit(fetch, server, tmp_path / "file")
        concurrent.futures.wait([second], timeout=0.2)  # so long that it would have asked too
        go_on.set()
        assert first.result().read_bytes() == second.result().read_bytes() == CONTENT
    assert server.ranges == [None]


def test_an_address_of_no_web_server_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"url must begin with http:// or https://, got '127.0.0.1:80/file'"):
        download.download("127.0.0.1:80/file", tmp_path / "file", 1, SHA256)


def test_a_server_that_is_silent_is_given_up(tmp_path, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(download, "TIMEOUT", (5, 0.2))

    def stall(handler):
        sends(CONTENT, until=SOME)(handler)
        over.wait()

    with Server(stall, lambda handler: over.wait()) as server:
        with pytest.raises(ConnectionError, match=rf"\(\w*\); {SOME} of {len(CONTENT)} bytes"):
            fetch(server, tmp_path / "file")
        over.set()


def test_offline_is_said_so(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
        with pytest.raises(ConnectionError, match=r"can't be fetched \(ConnectionError\); 0 of 1 bytes are there"):
            download.download(url, tmp_path / "file", 1, SHA256)


def test_an_installed_package_fetches_a_model_once(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "CHECKOUT", tmp_path / "no checkout")
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PIXEL_ZOO_URL", raising=False)
    with pytest.raises(FileNotFoundError, match="set PIXEL_ZOO_URL to the address") as absent:
        pz.load(NAME)
    assert "another file" not in str(absent.value)
    with Server(sends((EXPORTED / f"{NAME}.keras").read_bytes())) as server:
        monkeypatch.setenv("PIXEL_ZOO_URL", f"{server.url}/")
        assert pz.load(NAME).levels == 17
        pz.load(NAME)
        assert len(server.ranges) == 1
        (tmp_path / "cache" / f"{NAME}.keras").write_bytes(b"damaged")
        assert pz.load(NAME).levels == 17
        assert len(server.ranges) == 2
    monkeypatch.delenv("PIXEL_ZOO_URL")
    (tmp_path / "cache" / f"{NAME}.keras").write_bytes(b"damaged")
    with pytest.raises(FileNotFoundError, match=rf"cache/{NAME}.keras' is another file: its SHA-256 differs"):
        pz.load(NAME)


def test_wrong_settings_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "CHECKOUT", tmp_path / "no checkout")
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIXEL_ZOO_URL", "127.0.0.1:9106")
    with pytest.raises(ValueError, match=r"PIXEL_ZOO_URL must begin with http:// or https://, got '127.0.0.1:9106'"):
        pz.load(NAME)
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIXEL_ZOO_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("PIXEL_ZOO_URL", "http://127.0.0.1:9")
    with pytest.raises(PermissionError, match=r"PIXEL_ZOO_CACHE must name a directory that can be written, got .*file"):
        pz.load(NAME)


def test_the_cache_may_be_in_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "CHECKOUT", tmp_path / "no checkout")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIXEL_ZOO_CACHE", "~/models")
    (tmp_path / "models").mkdir()
    shutil.copy(EXPORTED / f"{NAME}.keras", tmp_path / "models")
    assert pretrained.find(NAME) == tmp_path / "models" / f"{NAME}.keras"


# What is in exported/


def test_every_model_has_its_file_its_card_and_its_pictures():
    entries = index.read_index()
    assert pz.list() == sorted(entries) == sorted(path.stem for path in EXPORTED.glob("*.keras"))
    for name, entry in entries.items():
        assert is_whole(EXPORTED / f"{name}.keras", entry["sha256"]), name
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
    text = (EXPORTED.parent / "README.md").read_text()
    for name, entry in index.read_index().items():
        aim = entry["recipe"]["target"].partition(",")[0]
        bits = f"{entry['bits_per_dim']:.3f}"
        words = (f"`{name}`", card.architecture(entry), card.nats(entry), bits, f"{aim}: {card.outcome(entry)}")
        assert f"| {' | '.join(words)} |\n" in text


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="looks at both backends, whichever it starts from")
def test_digits_are_what_their_cards_say(capsys):
    assert call("verify", EXPORTED, "--data", "digits") == 0
    out = capsys.readouterr().out
    count = sum(entry["recipe"]["data"] == "digits" for entry in index.read_index().values())
    assert count >= 1 and f"{count} verified, 0 not verified, 0 failed" in out, out


def test_list_shows_likelihoods_and_what_they_are_of(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert call("list") == 0
    shown = capsys.readouterr().out
    assert card.nats(index.read_index()[NAME]) in shown and shown.count("PixelCNN 3x32 given the label") == 1
    assert " nats an image given the label, " in (EXPORTED / "digits_class_conditional.md").read_text()
    assert "given the label" not in (EXPORTED / f"{NAME}.md").read_text()


def test_list_has_whole_names_and_figures_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert call("list") == 0
    shown = [re.split(r"\s*│\s*", line) for line in capsys.readouterr().out.splitlines()]
    assert all([name, card.nats(entry)] in [row[1:3] for row in shown] for name, entry in index.read_index().items())


# What verify finds


@pytest.fixture(scope="module")
def probed():
    return verify.probe(pz.load(NAME))


@pytest.fixture
def directory(tmp_path, monkeypatch, probed):
    """A directory that holds one model, of an index that knows it alone; and that index, which may be changed."""
    entries = {NAME: index.read_index()[NAME]}
    shutil.copy(EXPORTED / f"{NAME}.keras", tmp_path)
    monkeypatch.setattr(verify, "read_index", lambda: entries)
    monkeypatch.setattr(verify, "_probes_elsewhere", lambda paths: [probed for _ in paths])
    return tmp_path, entries


def finding(directory):
    (found,) = verify.verify(directory)
    return found.verdict, found.words


def test_a_wrong_figure_is_found(directory, capsys):
    directory, entries = directory
    entries[NAME] = entries[NAME] | {"nats": entries[NAME]["nats"] + 0.01}
    assert call("verify", directory) == 1
    out = capsys.readouterr().out
    assert f"{NAME}: failed: " in out and "on the card" in out and "0 verified, 0 not verified, 1 failed" in out


@pytest.mark.parametrize("figure", ["images", "standard_error", "bits_per_dim"])
@pytest.mark.parametrize("factor", [1.01, np.nan])
def test_a_wrong_other_figure_is_found(figure, factor, directory):
    directory, entries = directory
    entries[NAME] = entries[NAME] | {figure: entries[NAME][figure] * factor}
    verdict, words = finding(directory)
    assert verdict == "failed" and figure in words.partition("differs in ")[2]


def test_a_changed_file_is_found(directory):
    directory, _ = directory
    with open(directory / f"{NAME}.keras", "ab") as file:
        file.write(b"more")
    verdict, words = finding(directory)
    assert verdict == "failed" and "SHA-256" in words


def test_backends_that_differ_are_found(directory, monkeypatch):
    directory, _ = directory
    monkeypatch.setattr(verify, "_probes_elsewhere", lambda paths: [[1.0, 2.0, 3.0, 4.0]])
    assert "differ" in finding(directory)[1]
    monkeypatch.setattr(verify, "_probes_elsewhere", lambda paths: ["does not load on jax: KeyError: 'head'"])
    assert finding(directory) == ("failed", "does not load on jax: KeyError: 'head'")


def test_what_is_not_there_is_not_verified(directory, monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError("digits is not prepared")

    directory, _ = directory
    monkeypatch.setattr(verify, "evaluate", absent)
    verdict, words = finding(directory)
    assert verdict == "not verified" and "no data: digits is not prepared" in words
    (directory / f"{NAME}.keras").unlink()
    assert finding(directory) == ("not verified", "its file is not there")


def test_without_the_other_backend_the_rest_is_compared(directory, monkeypatch):
    directory, entries = directory
    monkeypatch.undo()  # of what stands for the other backend
    monkeypatch.setattr(verify, "read_index", lambda: entries)
    monkeypatch.setattr(verify.importlib.util, "find_spec", lambda name: None)
    verdict, words = finding(directory)
    assert verdict == "not verified" and "on the card" in words and words.endswith("is not installed")
    entries[NAME] = entries[NAME] | {"nats": 1.0}
    assert finding(directory)[0] == "failed"


def test_nothing_verified_is_no_success(directory, capsys):
    directory, _ = directory
    (directory / f"{NAME}.keras").unlink()
    assert call("verify", directory) == 1
    assert "0 verified, 1 not verified, 0 failed" in capsys.readouterr().out


def test_a_file_that_does_not_load_is_said_so(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    assert verify._probe_or_reason(tmp_path / "broken.keras").startswith(
        f"does not load on {keras.backend.backend()}: "
    )


def test_bad_input_of_verify_is_one_line(tmp_path, capsys):
    assert "is no directory" in refused(capsys, "verify", tmp_path / "none")
    assert "no model of 'no_such_data'" in refused(capsys, "verify", EXPORTED, "--data", "no_such_data")


# Releasing


RECIPES = """
from pixel_zoo.training import Recipe

tiny = Recipe(data="digits", model="PixelCNN", model_options={"filters": 4, "num_blocks": 1, "head_filters": 8})
other = Recipe(data="digits", model="PixelCNN", model_options={"filters": 4, "dropout": 0.5}, epochs=1)
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A run of one epoch, made a pretrained model: (directory of it, its entry, the run's model)."""
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
    with pytest.raises(ValueError, match=r"run: the file would be of [\d,]+ bytes; at most 1,000"):
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
    assert readme.startswith("---\nlibrary_name: keras\n") and f"![Samples and completions]({NAME}.png)" in readme
    assert (tmp_path / "hub" / f"{NAME}.png").exists()
    assert f'keras.saving.load_model("hf://USER/{NAME}")' in readme and "pz.load" not in readme
    assert f"unpacked from `{NAME}.keras`" in readme
