"""The handlers, one module for each kind of call. Start with `questions.ask`."""
