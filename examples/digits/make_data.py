"""Write scikit-learn's handwritten digits as 1,797 small images and a table of labels."""

import csv
from pathlib import Path

from sklearn.datasets import load_digits

DATA = Path("data")


def main() -> None:
    images = DATA / "digits"
    images.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    with open(DATA / "labels.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "label"])
        for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            name = f"{number:04}.pgm"
            # PGM: a grey image of 8 x 8 pixels, 17 shades, one byte each.
            (images / name).write_bytes(b"P5 8 8 16\n" + pixels.astype("uint8").tobytes())
            table.writerow([name, label])
    print(f"wrote {len(digits.images):,} images to {images} and their labels to {DATA / 'labels.csv'}")


if __name__ == "__main__":
    main()
