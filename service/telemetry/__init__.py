"""Metrics, traces and logs, none of which hold the words of a question. Start with `instrumentation`."""
