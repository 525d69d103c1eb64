"""Fit the last layer of a pretrained model of binary images to the validation split: logistic regression.

python tools/refit_logits.py NAME             # says what it is worth
python tools/refit_logits.py NAME --release   # also writes exported/NAME.*, and scores the test split

A network that overfits is too confident of images that it was not trained on. Its last layer is a linear map of some
tens of features to the logit of a pixel, so that the validation split decides its weights well: fitting them is convex,
and no other weight changes. What it is worth is measured by cross-validation: fitted to each half of the split, and
scored on the other half.
"""

import argparse
import pathlib

import keras
import numpy as np

import pixel_zoo as pz
from pixel_zoo import data, pictures
from pixel_zoo.training import Recipe, evaluate
from pixel_zoo.zoo import index
from pixel_zoo.zoo.release import facts_of_release, samples_and_completions, save_model, write_pages

EXPORTED = pathlib.Path(__file__).parents[1] / "exported"
CHUNK = 500  # images at a time
NEWTON_STEPS = 4  # from weights that are nearly right
RIDGE = 1.0  # on weights of features that are always 0


def features_of(model, images):
    """What the last layer reads, float32 (images, pixels, features + 1): the last feature is 1, for the bias."""
    network = keras.Model(model.inputs, model.layers[-1].input)
    features = network.predict(images, batch_size=100, verbose=1)
    features = features.reshape(len(images), -1, features.shape[-1])
    return np.concatenate([features, np.ones((*features.shape[:2], 1), "float32")], axis=-1)


def nats_of(weights, features, images):
    """-log p(x) of each image, float64 (images,)."""
    nats = []
    for first in range(0, len(images), CHUNK):
        x = features[first : first + CHUNK]
        sign = 2.0 * images[first : first + CHUNK].reshape(x.shape[:2]) - 1.0
        nats.append(np.logaddexp(0.0, -sign * (x @ weights.astype("float32"))).sum(axis=1, dtype="float64"))
    return np.concatenate(nats)


def fitted(weights, features, images):
    """The weights with the fewest nats, by Newton's method from some that are nearly right."""
    for _ in range(NEWTON_STEPS):
        gradient, hessian = np.zeros(len(weights)), RIDGE * np.eye(len(weights))
        for first in range(0, len(images), CHUNK):
            x = features[first : first + CHUNK].reshape(-1, len(weights))
            p = 1.0 / (1.0 + np.exp(-(x @ weights.astype("float32"))))
            gradient += x.T @ (p - images[first : first + CHUNK].reshape(-1))
            hessian += (x * (p * (1.0 - p))[:, None]).T @ x
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights


def cross_validated(weights, features, images):
    """How many nats an image fewer than `weights` those have that are fitted to the other half: (images,)."""
    half = len(images) // 2
    parts = slice(None, half), slice(half, None)
    gains = []
    for seen, held_out in (parts, parts[::-1]):
        found = fitted(weights, features[seen], images[seen])
        before, after = (nats_of(w, features[held_out], images[held_out]) for w in (weights, found))
        gains.append(before - after)
    return np.concatenate(gains)


def release(name, model, changed):
    """Write the changed model, its figures, pictures and pages."""
    path, entries = EXPORTED / f"{name}.keras", index.read_index()
    recipe = Recipe(**entries[name]["recipe"])
    figures = evaluate(model, recipe.data, "test", data_options=recipe.data_options)
    before = entries[name]["nats"]
    print(f"test: {before:.3f} nats before, {figures['nats']:.3f} after")
    save_model(model, path)
    changed = f"{changed} Without it the test split has {before:.3f} nats."
    entries[name] |= facts_of_release(path, figures) | {"changed": changed}
    pictures.save(samples_and_completions(model, recipe), EXPORTED / f"{name}.png")
    write_pages(entries, EXPORTED)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="name of a pretrained model of binary images")
    parser.add_argument("--release", action="store_true", help="write the changed model, and score the test split")
    options = parser.parse_args()
    model, entry = pz.load(options.name), index.read_index()[options.name]
    if model.levels != 2 or not isinstance(model.layers[-1], pz.layers.Logits) or "changed" in entry:
        parser.error(
            f"name: must be a single network of binary images, not yet changed after training, got {options.name!r}"
        )
    images = data.arrays(entry["recipe"]["data"], "validation", **entry["recipe"]["data_options"])
    kernel, bias = model.layers[-1].get_weights()
    weights = np.append(kernel, bias).astype("float64")
    features = features_of(model, images)
    before, gain = nats_of(weights, features, images).mean(), cross_validated(weights, features, images)
    error = gain.std() / len(gain) ** 0.5
    print(f"validation: {before:.3f} nats; fitted to one half, {gain.mean():.4f} ± {error:.4f} fewer on the other")
    if options.release:
        weights = fitted(weights, features, images)
        model.layers[-1].set_weights([weights[:-1].reshape(kernel.shape), weights[-1:]])
        release(
            options.name,
            model,
            f"the last layer, {len(weights)} weights, is fitted to the validation split (`tools/refit_logits.py`). "
            f"Fitted to half of that split, it has {gain.mean():.3f} ± {error:.3f} nats fewer on the other half.",
        )


if __name__ == "__main__":
    main()
