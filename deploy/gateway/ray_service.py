"""The import path of KubeRay files written before 0.2: `quackllm.deploy.gateway.ray_service:application`."""

from .serving.ray_service import application

__all__ = ["application"]
