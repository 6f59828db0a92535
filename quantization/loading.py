"""Reading trained networks: Keras 1 to 3, QKeras old and new, pruned or not."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from quantization.backend import import_keras, import_qkeras
from quantization.errors import ModelFileError
from quantization.file_safety import refuse_code_and_strangers
from quantization.model_files import ModelFile, read_model_file

log = logging.getLogger(__name__)

_KERAS_3_REMEDY = "Save the network again with Keras 3 and qkeras-v3, from layers of these two"


def load_keras(path: str | Path) -> Any:
    """The Keras model of a `.keras`, `.h5`/`.hdf5`, or `.json` file with its weights beside it; never compiled.

    Files of Keras 1, 2 (tf.keras, tf_keras) and 3, layers of Keras, of QKeras 0.9 and of qkeras-v3; the wrappers of
    TensorFlow's pruning are removed. The weights of `NAME.json` are `NAME_weights.h5` or `NAME.weights.h5`. Nothing in
    the file is run: Lambda layers and classes of other packages are refused.

    Raises ModelFileError, which names the file, the layer where there is one, the reason and the remedy.
    """
    file = read_model_file(Path(path))
    refuse_code_and_strangers(file.path, file.config)
    if file.is_keras_2:
        from quantization.keras2 import build_keras_2

        try:
            return build_keras_2(file)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ModelFileError(
                file.path, f"the description of the network is incomplete ({error!r})", "Save the network again"
            ) from error
    return _load_keras_3(file)


def _load_keras_3(file: ModelFile) -> Any:
    keras = import_keras()
    import_qkeras()
    import quantization.layers  # noqa: F401  registers our own

    try:
        if file.path.suffix != ".json":
            return keras.saving.load_model(file.path, compile=False, safe_mode=True)
        model = keras.models.model_from_json(file.path.read_text(encoding="utf-8"))
        model.load_weights(file.weights_path)
        return model
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise ModelFileError(file.path, f"Keras cannot read it ({reason})", _KERAS_3_REMEDY) from error
