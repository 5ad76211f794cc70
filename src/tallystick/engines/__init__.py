"""Where many pieces of work are done: here in threads, or on a cluster."""
