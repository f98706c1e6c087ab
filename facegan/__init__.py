"""The science: a landmark-conditioned face GAN whose loss is dissected. Knows nothing of Ray, MLflow or S3."""
