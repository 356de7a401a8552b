"""What a person waits for, measured beside the alternatives: `python -m benchmarks --help`."""
