"""The command `firmware-flows`: the only place that prints."""
