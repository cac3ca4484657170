"""Points of images in turn for tests, as those of the Kodak suite."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.analysis.points.rows import frame

PIXELS = 768 * 512


def images(num: int = 24, *, method: str = "epr", factor: float = 1.0, **others: Any) -> pd.DataFrame:
    """Three configurations of ``kodim01.png`` to ``num``: 0.3, 0.6 and 1.2 bits per pixel at means of 29, 32, 35 dB."""
    return frame(
        *(
            {
                "sweep_id": f"{method}-0123abcd",
                "task": "image(file=24 files#ac723f)",
                "architecture": "grids",
                "method": method,
                "config": f"lam={index}",
                "config_hash": f"{method}{index}",
                "size_bytes": round(factor * rate * PIXELS / 8),
                "quality": quality + (number - (num + 1) / 2) / 10,
                "quality_val": quality + (number - (num + 1) / 2) / 10,
                "quality_name": "psnr_db",
                "signal_unit": "pixel",
                "signal_count": PIXELS,
                "task_file": f"kodim{number:02}.png#{number:06}",
            }
            | others
            for index, (rate, quality) in enumerate(((0.3, 29.0), (0.6, 32.0), (1.2, 35.0)))
            for number in range(1, num + 1)
        )
    )
