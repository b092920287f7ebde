import { roundEven, type Part, type Picture } from "./image.js";

/** A part of a picture in grey at another size. Pixels are computed when they are asked for: a predictor asks for few. */
export interface GreyView {
  readonly width: number;
  readonly height: number;
  /** The level of a pixel inside the view. */
  at(x: number, y: number): number;
}

export interface GreyImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Smaller by averaging areas, larger by interpolation, both with OpenCV's rounding. */
export function greyView(picture: Picture, part: Part, scale: number): GreyView {
  const width = Math.max(1, roundEven(part.width * scale));
  const height = Math.max(1, roundEven(part.height * scale));
  return scale < 1 ? new Averaged(picture, part, width, height) : new Interpolated(picture, part, width, height);
}

/** All pixels of a view. */
export function greyImage(view: GreyView): GreyImage {
  const { width, height } = view;
  const data = new Uint8Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) data[i] = view.at(x, y);
  }
  return { data, width, height };
}

function grey(red: number, green: number, blue: number): number {
  return (red * 9798 + green * 19235 + blue * 3735 + 16384) >> 15;
}

/** Which source pixels a target pixel covers along one side, and how much of the first and the last one. */
class Cover {
  readonly first: Int32Array;
  readonly last: Int32Array;
  readonly firstShare: Float32Array;
  readonly lastShare: Float32Array;
  readonly share: Float32Array;

  constructor(from: number, to: number) {
    this.first = new Int32Array(to);
    this.last = new Int32Array(to);
    this.firstShare = new Float32Array(to);
    this.lastShare = new Float32Array(to);
    this.share = new Float32Array(to);
    const scale = from / to;
    for (let i = 0; i < to; i++) {
      const begin = i * scale;
      const end = begin + scale;
      const width = Math.min(scale, from - begin);
      const wholeEnd = Math.min(Math.floor(end), from - 1);
      const wholeBegin = Math.min(Math.ceil(begin), wholeEnd);
      const before = wholeBegin - begin > 1e-3 ? (wholeBegin - begin) / width : 0;
      const after = end - wholeEnd > 1e-3 ? Math.min(Math.min(end - wholeEnd, 1), width) / width : 0;
      this.share[i] = 1 / width;
      this.first[i] = before ? wholeBegin - 1 : wholeBegin;
      this.last[i] = after ? wholeEnd : wholeEnd - 1;
      this.firstShare[i] = before || (wholeBegin < wholeEnd ? 1 / width : after);
      this.lastShare[i] = after || 1 / width;
    }
  }

  weight(i: number, at: number): number {
    if (at === this.first[i]) return this.firstShare[i]!;
    return at === this.last[i] ? this.lastShare[i]! : this.share[i]!;
  }
}

class Averaged implements GreyView {
  private readonly across: Cover;
  private readonly down: Cover;

  constructor(
    private readonly picture: Picture,
    private readonly part: Part,
    readonly width: number,
    readonly height: number,
  ) {
    this.across = new Cover(part.width, width);
    this.down = new Cover(part.height, height);
  }

  at(x: number, y: number): number {
    const { picture, part, across, down } = this;
    const { data } = picture;
    const left = across.first[x]!;
    const right = across.last[x]!;
    const { fround } = Math; // each step in single precision and in OpenCV's order: rows first, then their sum
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let row = down.first[y]!; row <= down.last[y]!; row++) {
      let rowRed = 0;
      let rowGreen = 0;
      let rowBlue = 0;
      let i = ((part.top + row) * picture.width + part.left + left) * 4;
      for (let column = left; column <= right; column++, i += 4) {
        const weight = across.weight(x, column);
        rowRed = fround(rowRed + fround(weight * data[i]!));
        rowGreen = fround(rowGreen + fround(weight * data[i + 1]!));
        rowBlue = fround(rowBlue + fround(weight * data[i + 2]!));
      }
      const high = down.weight(y, row);
      red = fround(red + fround(high * rowRed));
      green = fround(green + fround(high * rowGreen));
      blue = fround(blue + fround(high * rowBlue));
    }
    return grey(roundEven(red), roundEven(green), roundEven(blue));
  }
}

/**
 * Neighbours along one side and the second one's weight in 2048ths. At an edge both are the same pixel; across, the
 * second one then has no weight, and down it keeps its own, which OpenCV rounds apart from the first one's.
 */
class Between {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Int32Array;

  constructor(from: number, to: number, side: "across" | "down") {
    this.low = new Int32Array(to);
    this.high = new Int32Array(to);
    this.weight = new Int32Array(to);
    for (let i = 0; i < to; i++) {
      const at = Math.fround(((i + 0.5) * from) / to - 0.5);
      const floor = Math.floor(at);
      const inside = floor >= 0 && floor < from - 1;
      this.low[i] = Math.min(Math.max(floor, 0), from - 1);
      this.high[i] = Math.min(Math.max(floor + 1, 0), from - 1);
      this.weight[i] = inside || side === "down" ? roundEven(Math.fround(at - floor) * 2048) : 0;
    }
  }
}

class Interpolated implements GreyView {
  private readonly across: Between;
  private readonly down: Between;

  constructor(
    private readonly picture: Picture,
    private readonly part: Part,
    readonly width: number,
    readonly height: number,
  ) {
    this.across = new Between(part.width, width, "across");
    this.down = new Between(part.height, height, "down");
  }

  at(x: number, y: number): number {
    const { across, down } = this;
    const weight = down.weight[y]!;
    const above = this.row(down.low[y]!, across.low[x]!, across.high[x]!, across.weight[x]!);
    const below = this.row(down.high[y]!, across.low[x]!, across.high[x]!, across.weight[x]!);
    return ((((2048 - weight) * (above >> 4)) >> 16) + ((weight * (below >> 4)) >> 16) + 2) >> 2;
  }

  private row(y: number, low: number, high: number, weight: number): number {
    return this.source(low, y) * (2048 - weight) + this.source(high, y) * weight;
  }

  private source(x: number, y: number): number {
    const { picture, part } = this;
    const i = ((part.top + y) * picture.width + part.left + x) * 4;
    return grey(picture.data[i]!, picture.data[i + 1]!, picture.data[i + 2]!);
  }
}
