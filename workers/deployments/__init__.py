"""What is deployed under a name: specs, presets of services, `models.yaml`."""
