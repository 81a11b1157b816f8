"""A run with claims, of each verdict one, and a title and texts that HTML must not take for its own."""

import specs

import fastlstm

# One of each verdict, and one of more points than are shown at once
CLAIMS = [
    {"text": "No draw <vanishes>.", "source": "nobody & 1997", "statistic": "share(vanished)", "predicts": "<= 0"},
    {
        "text": "The truncated gradient points where the full one does.",
        "statistic": "quantile(cec_cosine, 0.1)",
        "predicts": ">= 1 - steps / 20",
        "where": "steps == 2",
    },
    {
        "text": "The median is this number.",
        "statistic": "median(log10_grad)",
        "predicts": "== -1.045",
        "tolerance": 0.001,
        "where": "point == 0",
    },
    {
        "text": "Larger weights, smaller adjoints.",
        "statistic": "median(log10_dC0)",
        "predicts": "falls along default_normal_std",
    },
]
TITLE = "Do <all> gradients & adjoints live?"  # what HTML must not take for its own


def claimed_run(folder):
    """A finished run of specs.WHOLE with these claims, `whole` in the folder."""
    return fastlstm.run(specs.WHOLE | {"title": TITLE, "claim": CLAIMS}, folder / "whole")
