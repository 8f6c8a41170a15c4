"""Fuzzing of what reads bytes that strangers send: see ``targets``; ``python -m tests.fuzz`` runs one by coverage."""
