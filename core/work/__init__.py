"""Runs that an agent carries out instead of a command: offered, claimed, reported on, finished or lost."""
