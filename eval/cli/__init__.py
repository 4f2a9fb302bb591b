"""The commands `pincite eval` and `pincite compare`. Start with `commands.eval_command`."""
