"""The MLflow mirror of what the store holds."""
