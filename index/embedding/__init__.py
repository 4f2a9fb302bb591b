"""From text to unit vectors: finding a model, exporting it to ONNX, running it. Start with `encoder.open_encoder`."""
