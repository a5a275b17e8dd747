"""The Model Context Protocol: what an agent may ask of the hub, as tools. No tool decides anything."""
