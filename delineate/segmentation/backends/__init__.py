"""What runs a network: torch, OpenVINO, ONNX Runtime; and which of them is taken."""
