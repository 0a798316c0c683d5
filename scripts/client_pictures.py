"""Take the pictures of the guides for map clients: each example draws the sample of the world.

Run from the top of a checkout, with a gateway that serves the samples: client_pictures.py http://127.0.0.1:8080
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FOLDER = ROOT / "docs" / "images" / "clients"
CLIENTS = ("leaflet", "maplibre", "openlayers")


async def take(gateway: str) -> None:
    """Write one picture for each client."""
    from tests.browsing import launch  # noqa: PLC0415 - the checkout is on the path only now

    with urlopen(f"{gateway}/api/datasets?q=marble") as answer:  # noqa: S310 - the operator's own gateway
        dataset = json.load(answer)["datasets"][0]["id"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with launch() as browser:
        for client in CLIENTS:
            page = await browser.new_page(viewport={"width": 640, "height": 460})
            await page.goto(f"{gateway}/examples/{client}.html#dataset={dataset}")
            await page.wait_for_selector("body[data-drawn=yes]")
            await asyncio.sleep(1)
            pixels = cv2.imdecode(np.frombuffer(await page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
            cv2.imwrite(str(FOLDER / f"{client}.webp"), pixels, [cv2.IMWRITE_WEBP_QUALITY, 80])
            print(FOLDER / f"{client}.webp")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gateway")
    asyncio.run(take(parser.parse_args().gateway))
