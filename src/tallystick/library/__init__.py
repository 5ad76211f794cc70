"""For programs: read tracked files at any commit, and tell a run what happens in training."""
