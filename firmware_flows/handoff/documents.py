"""JSON files that may come from anywhere: read, and their shape checked, before anything relies on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError


def read_document(path: Path, schema: type[BaseModel]) -> dict[str, Any]:
    """The object in a file. Raises OSError, or ValueError with a few words on the first thing that is wrong."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schema.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise ValueError(f"{place}: {first['msg'].partition(' or instance of')[0]}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return dict(document)
