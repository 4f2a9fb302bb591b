"""Build the reader: training examples, training, export and calibration.

Start with `train_reader`, then `calibrate`.
"""
