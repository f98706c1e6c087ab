"""MLflow: runs of a study and the registered model."""
