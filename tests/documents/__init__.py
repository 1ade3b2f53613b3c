"""The examples of the five designs, played as they are written there."""
