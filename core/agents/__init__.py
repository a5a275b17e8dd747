"""What the hub knows of agents beside hub.yaml: whether they may act, how they are, and what they were told."""
