"""See which files a command reads and writes: an audit hook, a system tracer, or a kernel that denies."""
