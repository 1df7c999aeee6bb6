"""The scorecard: what happened, counted. Metrics are folds over events, and no metric is ever written by hand."""
