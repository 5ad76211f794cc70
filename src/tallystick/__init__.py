"""Git for everything git can't hold: data, models, environments, and a receipt for every run."""

__version__ = "0.1.0"
