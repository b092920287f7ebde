import numpy as np
from numpy.typing import NDArray

def see(picture: NDArray[np.uint8], face: tuple[float, float, float], quarters: int, /) -> bytes: ...
