"""A past run, repeated in isolation and judged."""
