"""One verb a file: what the commands do, without a terminal."""
