"""The paper's claims (van den Oord et al. 2016), tested at a size that two CPU cores can train.

    KERAS_BACKEND=jax python benchmarks/claims.py architecture residual depth head multiscale
    KERAS_BACKEND=jax python benchmarks/claims.py residual --seeds 0 1 2

Every net of a claim is trained on `digits` (8x8 pixels, 17 levels) by one recipe, with the same steps, batches,
optimiser, learning rate and dropout, except for those of `regularisation`; blocks and width are below. The epoch with
the fewest validation nats counts, and the figures printed are of the test split. A claim is confirmed if a net is
better than its rival by more than twice the standard error of the difference of their means over seeds.

Runs are kept in `runs/claims`, one directory per recipe: claims share nets, and an interrupted run is resumed. On JAX
compiled programs are kept there too; for nets this small, compiling takes most of the time.
"""

import argparse
import dataclasses
import hashlib
import json
import pathlib
import statistics
import time

import keras
from logistic_mixture import LogisticMixturePixelRNN
from turns import Table

from pixel_zoo import data, pictures
from pixel_zoo.files import replacing
from pixel_zoo.training import Recipe, evaluate, train
from pixel_zoo.training.set_up import build_model

ROOT = pathlib.Path(__file__).parent.parent
RUNS = ROOT / "runs" / "claims"
MULTISCALE_PICTURE = ROOT / "docs" / "claims" / "multiscale.png"

ROW_LSTM = {"recurrence": "row", "units": 16, "num_blocks": 6, "head_filters": 32, "dropout": 0.1}
DIAGONAL_BILSTM = ROW_LSTM | {"recurrence": "diagonal"}
PIXEL_CNN = {"filters": 16, "num_blocks": 6, "head_filters": 32, "dropout": 0.1}


SETTINGS = {
    "data": "digits",
    "optimizer": "adam",
    "learning_rate": 3e-3,
    "schedule": "cosine",
    "warmup_steps": 40,
    "clip_norm": 1.0,
    "ema_momentum": 0.97,
    "batch_size": 32,
    "epochs": 15,
    "jit_compile": True,
}


def recipe(model, options, **changes):
    """The recipe of all nets, with this model."""
    return Recipe(model=model, model_options=options, **SETTINGS | changes)


def row_lstm(**options):
    return recipe("PixelRNN", ROW_LSTM | options)


def architecture():
    """Diagonal BiLSTM better than Row LSTM better than PixelCNN (CIFAR-10: 3.00, 3.07, 3.14 bits/dim)."""
    return {
        "Diagonal BiLSTM": recipe("PixelRNN", DIAGONAL_BILSTM),
        "Row LSTM": row_lstm(),
        "PixelCNN": recipe("PixelCNN", PIXEL_CNN),
    }


def residual():
    """Residual and skip connections help, each alone and most together (12-layer Row LSTM: 3.06, 3.07, 3.09, 3.22)."""
    return {
        "both": row_lstm(),
        "residual only": row_lstm(skip=False),
        "skip only": row_lstm(residual=False),
        "neither": row_lstm(residual=False, skip=False),
    }


def depth():
    """Deeper is better (Row LSTM of 6, 3, 2, 1 layers: 3.09, 3.17, 3.20, 3.30 bits/dim)."""
    return {f"{blocks} blocks": row_lstm(num_blocks=blocks) for blocks in (6, 3, 2, 1)}


def head():
    """A softmax over all levels is better than a head of a few numbers (3.06 against 3.22, a continuous mixture)."""

    def mixture(components):
        return recipe(LogisticMixturePixelRNN, {"components": components, "options": ROW_LSTM})

    return {"softmax": row_lstm(), "mixture of 3 logistics": mixture(3), "one logistic": mixture(1)}


def multiscale():
    """A small image first, then the large one given it (section 3.6), against one net of the large image."""
    stages = {"small_shapes": ((4, 4),), "base": "PixelRNN", "options": ROW_LSTM}
    return {"multi-scale, 4x4 to 8x8": recipe("MultiScalePixelRNN", stages), "single-scale": row_lstm()}


def longer(model_options=None, **changes):
    """A PixelCNN trained three times as long as the nets of other claims, until it overfits."""
    return recipe("PixelCNN", PIXEL_CNN | (model_options or {}), **{"epochs": 45, "ema_momentum": 0.99} | changes)


def regularisation():
    """Not in the paper: what single changes are worth to a net that overfits."""
    shifts = {"data": "shifted", "data_options": {"of": "digits", "pixels": 1}}
    return {
        "as it is": longer(),
        "no dropout": longer({"dropout": 0.0}),
        "dropout 0.3": longer({"dropout": 0.3}),
        "no averages": longer(ema_momentum=None),
        "AdamW, weight decay 0.01": longer(optimizer="adamw", weight_decay=0.01),
        "position embedding": longer({"position_embedding": True}),
        # 5 epochs of nine times as many images: 1,820 steps instead of 1,800.
        "shifts as labels": longer({"num_classes": 9}, epochs=5, **shifts),
        "12 blocks, h = 11": longer({"num_blocks": 12, "filters": 11}),
        "3 blocks, h = 23": longer({"num_blocks": 3, "filters": 23}),
        # Trained by the recipe digits:diagonal_bilstm.
        "taught by the Diagonal BiLSTM": longer(teacher="exported/digits_diagonal_bilstm.keras"),
        "h = 32": longer({"filters": 32}),
        "h = 32, dropout 0.3": longer({"filters": 32, "dropout": 0.3}),
    }


CLAIMS = {claim.__name__: claim for claim in (architecture, residual, depth, head, multiscale, regularisation)}
#: Claims whose nets are each compared with the first, not with the one before.
AGAINST_THE_FIRST = {"regularisation"}


def show(claim, seeds):
    """Train the nets of a claim and print a table, starting with the net that should be best."""
    print(f"{claim.__name__}: {claim.__doc__}\n")
    to_the_first = claim.__name__ in AGAINST_THE_FIRST
    rival = "first row" if to_the_first else "row before"
    table = Table("net", "parameters", "test nats", "of each seed", f"above the {rival}", "shows", "CPU s a run")
    before = None
    for name, net in claim().items():
        results = [result_of(dataclasses.replace(net, seed=seed)) for seed in seeds]
        nats = [result["nats"] for result in results]
        difference, shows = above(before, nats) if before else ("", "")
        each = ", ".join(f"{one:.2f}" for one in nats)
        seconds = statistics.mean(result["cpu_seconds"] for result in results)
        table.row(name, results[0]["parameters"], with_deviation(nats), each, difference, shows, f"{seconds:.0f}")
        before = before if before and to_the_first else nats
    print(flush=True)


def with_deviation(nats):
    return f"{statistics.mean(nats):.2f}" + (f" ± {statistics.stdev(nats):.2f}" if len(nats) > 1 else "")


def above(before, nats):
    """How much worse a net is than another: the difference ± its standard error, and whether that is significant."""
    difference = statistics.mean(nats) - statistics.mean(before)
    if len(nats) < 2:
        return f"{difference:.2f}", ""
    error = ((statistics.variance(nats) + statistics.variance(before)) / len(nats)) ** 0.5
    return f"{difference:.2f} ± {error:.2f}", "yes" if abs(difference) > 2 * error else "no"


def result_of(recipe):
    """The figures of a recipe, which is trained unless a finished run exists."""
    output = directory(recipe)
    path = output / "result.json"
    if not path.exists():
        keras.backend.clear_session()
        begin = time.process_time()
        model = train(recipe, output, resume=True, verbose=0)
        seconds = time.process_time() - begin
        nats = evaluate(model, recipe.data, "test", data_options=recipe.data_options)["nats"]
        result = {"nats": nats, "parameters": model.count_params(), "cpu_seconds": seconds}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(result) + "\n")
    return json.loads(path.read_text())


def directory(recipe):
    """The run directory of a recipe."""
    text = json.dumps(recipe.to_dict(), sort_keys=True)
    return RUNS / keras.backend.backend() / hashlib.sha256(text.encode()).hexdigest()[:12]


def draw(nets, seed):
    """Write a picture: samples of each net above one another, images of the test split below them."""
    rows = []
    for net in nets:
        trained = dataclasses.replace(net, seed=seed)
        model = build_model(trained)
        model.load_weights(directory(trained) / "best.keras")
        rows.extend(model.generate(num_images=24, seed=0))
    rows.extend(data.arrays("digits", "test")[:24])
    MULTISCALE_PICTURE.parent.mkdir(parents=True, exist_ok=True)
    pictures.save(pictures.grid(rows, columns=12, levels=17), MULTISCALE_PICTURE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claim", nargs="+", choices=CLAIMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_compilation_cache_dir", str(RUNS / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    for name in options.claim:
        show(CLAIMS[name], options.seeds)
        if name == "multiscale":
            draw(CLAIMS[name]().values(), options.seeds[0])


if __name__ == "__main__":
    main()
