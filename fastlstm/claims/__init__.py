"""The language of claims, and what a sample says about one: expressions, statistics, predictions, verdicts."""
