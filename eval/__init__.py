"""How good it is: test sets, metrics, runs, benchmarks, and training the reader.

Start with `runs.evaluation.evaluate`.
"""
