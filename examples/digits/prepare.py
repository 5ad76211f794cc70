"""Read the images and their labels, and split them for training and evaluation."""

import csv
from pathlib import Path

import numpy as np
import yaml

HEADER = b"P5 8 8 16\n"


def read_image(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if not data.startswith(HEADER) or len(data) != len(HEADER) + 64:
        raise SystemExit(f"{path} is not a grey image of 8 x 8 pixels")
    return np.frombuffer(data, dtype=np.uint8, offset=len(HEADER)) / 16


def main() -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())["prepare"]
    with open("data/labels.csv", newline="") as file:
        labels = {row["file"]: int(row["label"]) for row in csv.DictReader(file)}
    images = sorted(Path("data/digits").glob("*.pgm"))
    x = np.array([read_image(path) for path in images])
    y = np.array([labels[path.name] for path in images])
    order = np.random.default_rng(params["shuffle"]).permutation(len(x))
    test, train = np.split(order, [round(len(x) * params["test_share"])])
    np.savez("features.npz", x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test])
    print(f"{len(images):,} images: {len(train):,} to train on, {len(test):,} to evaluate with")


if __name__ == "__main__":
    main()
