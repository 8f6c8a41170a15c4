"""What an intermediary does to an HTTP message: fields, paths, credentials' syntax, problem documents. No I/O."""
