"""Run folder to bundle: ONNX, int8, parity, self-test, model card."""
