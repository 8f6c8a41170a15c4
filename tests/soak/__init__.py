"""What takes too long for the suite: see ``__main__``."""
