"""Train a network of two hidden layers; write its weights, its loss by epoch and how well it learned."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import yaml
from sklearn.neural_network import MLPClassifier


def main() -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())["train"]
    # The seed that tally.yaml names, recorded in the receipt: with it every run gives the same bytes.
    seed = int(os.environ["TALLY_SEED"])
    with np.load("features.npz") as features:
        x, y = features["x_train"], features["y_train"]
    # Noise that no seed decides, as sums on a graphics card have it; see what `tally repro` says then.
    # x = x + np.random.default_rng().normal(scale=1e-9, size=x.shape)

    model = MLPClassifier(
        hidden_layer_sizes=tuple(params["hidden"]),
        learning_rate_init=params["learning_rate"],
        batch_size=params["batch"],
        random_state=seed,
    )
    losses = []
    for epoch in range(params["epochs"]):
        model.partial_fit(x, y, classes=np.arange(10))
        losses.append(model.loss_)
        if epoch % 2:
            print(f"epoch {epoch + 1:3}: loss {model.loss_:.4f}")

    weights = {f"weights_{layer}": each for layer, each in enumerate(model.coefs_)}
    biases = {f"biases_{layer}": each for layer, each in enumerate(model.intercepts_)}
    np.savez("model.npz", **weights, **biases)
    Path("plots").mkdir(exist_ok=True)
    with open("plots/loss.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["epoch", "loss"])
        table.writerows(enumerate(losses, start=1))
    report = {"accuracy": model.score(x, y), "loss": model.loss_}
    Path("train.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
