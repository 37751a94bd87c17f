"""The commands of those who run a fleet. Each file has a `register(app)` that the command line calls once."""
