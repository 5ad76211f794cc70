"""Container images, and the programs that run commands in them: podman and docker."""
