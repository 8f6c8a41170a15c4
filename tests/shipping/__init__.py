"""What is shipped: the image, its locks, the compose file, the Kubernetes manifests, the wheel."""
