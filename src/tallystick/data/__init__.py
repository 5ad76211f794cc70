"""Tracked data: pointers, and what lies behind them in the worktree and the stores."""
