/** Round halves to even, as the server does. */
export function roundEven(value) {
    const floor = Math.floor(value);
    const rest = value - floor;
    if (rest !== 0.5)
        return rest < 0.5 ? floor : floor + 1;
    return floor % 2 === 0 ? floor : floor + 1;
}
const SMALLEST_PART = 8;
/** The square around a point as far as the picture goes; null where it hardly does. */
export function partAround(picture, centre, reach) {
    const left = Math.max(0, Math.trunc(centre.x - reach));
    const top = Math.max(0, Math.trunc(centre.y - reach));
    const width = Math.min(picture.width, Math.trunc(centre.x + reach) + 1) - left;
    const height = Math.min(picture.height, Math.trunc(centre.y + reach) + 1) - top;
    return width < SMALLEST_PART || height < SMALLEST_PART ? null : { left, top, width, height };
}
