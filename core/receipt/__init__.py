"""Receipts: what proves, without a hub, that people approved exactly this and what became of it."""
