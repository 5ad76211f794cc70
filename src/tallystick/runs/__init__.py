"""Pipelines and their runs: what is stale and why, execution, receipts, the ledger."""
