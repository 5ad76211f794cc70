"""The folder that a traced command's interpreters import from first."""
