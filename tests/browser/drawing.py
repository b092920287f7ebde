"""What of a page is drawn."""

DRAWN = """(selector) => {
  const canvas = document.querySelector(selector);
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.filter((_, index) => index % 4 === 3 && pixels[index] > 0).length;
}"""
"""The number of pixels of a canvas that are not clear."""
