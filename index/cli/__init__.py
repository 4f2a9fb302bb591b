"""Commands that build, list and look after an index. Start with `documents.build_command`."""
