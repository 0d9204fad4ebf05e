"""The errors of `workers/errors.py`, for the folders that see this one and not that."""

from ..workers.errors import ProviderError as ProviderError
from ..workers.errors import QuackLLMError as QuackLLMError
from ..workers.errors import RequestError as RequestError
from ..workers.errors import near_names as near_names
