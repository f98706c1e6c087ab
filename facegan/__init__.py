"""The science: a landmark-conditioned face GAN whose loss is gradient_sums. Knows nothing of Ray, MLflow or S3."""
