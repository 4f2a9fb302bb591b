"""Measurements of speed, growth, load and peers, each a command of `make`. Start with `bench`."""
