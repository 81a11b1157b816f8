"""What the draws say of claims: samples, estimates, verdicts."""
