"""Try the trained network on images that it has not seen."""

import csv
import json
from pathlib import Path

import numpy as np


def probabilities(layers: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """What the network makes of each image: a probability for each of the ten digits."""
    for weights in layers[:-1]:
        x = np.maximum(x @ weights, 0)
    odds = x @ layers[-1]
    odds = np.exp(odds - odds.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def main() -> None:
    with np.load("features.npz") as features, np.load("model.npz") as model:
        x, y = features["x_test"], features["y_test"]
        layers = [model[f"layer_{number}"] for number in range(len(model.files))]
    predicted = probabilities(layers, x)
    guesses = predicted.argmax(axis=1)
    report = {
        "accuracy": float(np.mean(guesses == y)),
        "log_loss": float(-np.log(predicted[np.arange(len(y)), y]).mean()),
    }
    Path("metrics.json").write_text(json.dumps(report, indent=2) + "\n")
    Path("plots").mkdir(exist_ok=True)
    with open("plots/confusion.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["digit", *(f"taken for {digit}" for digit in range(10))])
        counts = np.bincount(10 * y + guesses, minlength=100).reshape(10, 10)
        table.writerows([digit, *row] for digit, row in enumerate(counts.tolist()))
    print(f"accuracy {report['accuracy']:.4f}, log loss {report['log_loss']:.4f}")


if __name__ == "__main__":
    main()
