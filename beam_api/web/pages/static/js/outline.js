// The outline of a face over its picture.

import { fitted } from "./pulse.js";

const COLOUR = "#7ff0df"; // over a picture, so the same in both schemes

/** Draw the face, given in fractions of the picture; nothing for null. */
export function drawOutline(canvas, face) {
  const { context, width, height, ratio } = fitted(canvas);
  if (!face) return;
  const [left, top, wide, high] = face.box;
  Object.assign(context, { strokeStyle: COLOUR, fillStyle: COLOUR, lineWidth: 2.5 * ratio, shadowColor: "#0008", shadowBlur: 4 * ratio });
  context.beginPath();
  context.ellipse((left + wide / 2) * width, (top + high / 2) * height, (wide / 2) * width, (high / 2) * height, 0, 0, 2 * Math.PI);
  context.stroke();
  for (const [x, y] of face.landmarks) {
    context.beginPath();
    context.arc(x * width, y * height, 2.5 * ratio, 0, 2 * Math.PI);
    context.fill();
  }
}
