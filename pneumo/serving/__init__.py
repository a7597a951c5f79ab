"""Films served to others: one bounded queue before the models, the HTTP API, the audit log and what drifts in it."""
