"""The examples of the five designs, sent as they are written there."""
