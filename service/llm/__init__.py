"""A language model that may choose sentences, and never writes any. Start with `choosing.Chooser.choose`."""
