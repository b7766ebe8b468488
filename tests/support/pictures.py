"""Makes pictures of pages small: 256 colours are enough for text on plain ground."""

import base64
import struct
import zlib

import numpy as np
from playwright.sync_api import BrowserContext

COLOURS = 256
PIXELS = """async (picture) => {
  const image = new Image();
  image.src = `data:image/png;base64,${picture}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(image, 0, 0);
  const bytes = drawing.getImageData(0, 0, image.width, image.height).data;
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return [image.width, image.height, btoa(text)];
}"""


def small(context: BrowserContext, picture: bytes) -> bytes:
    """Return a PNG with the 256 most frequent colours of another one; each other colour becomes the nearest of them."""
    page = context.new_page()
    width, height, raw = page.evaluate(PIXELS, base64.b64encode(picture).decode())
    page.close()
    pixels = np.frombuffer(base64.b64decode(raw), np.uint8).reshape(-1, 4)[:, :3]
    colours, place, count = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    palette = colours[np.argsort(-count)[:COLOURS]]
    apart = np.abs(colours[:, None].astype(int) - palette[None]).sum(axis=2)
    shown = apart.argmin(axis=1).astype(np.uint8)[place.ravel()].reshape(height, width)
    rows = np.insert(shown, 0, 0, axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(name, body) for name, body in parts)


def _part(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
