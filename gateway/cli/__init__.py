"""The commands: each parses its options, calls one function below, and prints what came of it."""
