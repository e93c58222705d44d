"""Photos in, faces and names out: free of Flask, of SQL and of file moves."""

import os

# ONNX Runtime would otherwise number this machine, keep the number in the user's home, and report to its makers.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
