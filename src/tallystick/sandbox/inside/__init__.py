"""What runs within the walls, in a Python that is not ours: standard library only, from Python 3.8 on."""
