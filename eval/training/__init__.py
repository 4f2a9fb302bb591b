"""Making the reader: training examples, training, export, calibration. Start with `train_reader`, then `calibrate`."""
