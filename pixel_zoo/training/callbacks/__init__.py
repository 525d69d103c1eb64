"""What watches and records a run while `fit` trains."""
