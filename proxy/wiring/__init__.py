"""From settings to working parts: the only room that knows which part needs which."""
