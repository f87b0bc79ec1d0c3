# The part of simplejpeg that we use; the package ships no py.typed.
from typing import Any

import numpy as np
from numpy.typing import NDArray

def decode_jpeg_header(data: bytes) -> tuple[int, int, str, str]: ...
def decode_jpeg(
    data: bytes, colorspace: str = ..., *, min_height: int = ..., min_width: int = ..., **options: Any
) -> NDArray[np.uint8]: ...
