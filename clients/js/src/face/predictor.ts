import type { GreyView } from "./grey.js";
import type { PredictorModel } from "./model.js";

const POINTS = 5;

/**
 * dlib's shape predictor: an ensemble of regression trees that moves five landmarks to where they are.
 *
 * V. Kazemi and J. Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR 2014,
 * doi:10.1109/CVPR.2014.241. It answers for any box, a wall's too.
 */
export class Predictor {
  private readonly shape = new Float32Array(2 * POINTS);
  private readonly levels: Int32Array;
  private readonly reference: Similarity;

  constructor(private readonly model: PredictorModel) {
    this.levels = new Int32Array(model.pixels);
    this.reference = new Similarity(model.mean);
  }

  /** Landmarks for the square box at (left, top), as x and y in turn, in whole pixels of the view. */
  predict(view: GreyView, left: number, top: number, side: number): number[] {
    const { model, shape } = this;
    shape.set(model.mean);
    for (let stage = 0; stage < model.stages; stage++) {
      this.look(view, stage, left, top, side);
      this.move(stage);
    }
    return Array.from(shape, (value, i) => Math.floor((i % 2 ? top : left) + side * value + 0.5));
  }

  /** The levels of the pixels that this stage compares; 0 outside the view. */
  private look(view: GreyView, stage: number, left: number, top: number, side: number): void {
    const { fround } = Math; // where dlib has single precision: a point that lies between two pixels falls on the same one
    const { model, shape, levels } = this;
    const { cos, sin } = this.reference.to(shape);
    const first = stage * model.pixels;
    for (let pixel = 0; pixel < model.pixels; pixel++) {
      const i = first + pixel;
      const anchor = 2 * model.anchors[i]!;
      const u = model.deltas[2 * i]!;
      const v = model.deltas[2 * i + 1]!;
      const right = fround(fround(fround(cos * u) - fround(sin * v)) + shape[anchor]!);
      const below = fround(fround(fround(sin * u) + fround(cos * v)) + shape[anchor + 1]!);
      const x = Math.floor(left + side * right + 0.5);
      const y = Math.floor(top + side * below + 0.5);
      levels[pixel] = x >= 0 && y >= 0 && x < view.width && y < view.height ? view.at(x, y) : 0;
    }
  }

  private move(stage: number): void {
    const { model, shape, levels } = this;
    const { trees, splitsPerTree, splits, leaves, leafStep } = model;
    for (let tree = stage * trees; tree < (stage + 1) * trees; tree++) {
      const first = tree * splitsPerTree;
      let node = 0;
      while (node < splitsPerTree) {
        const split = splits[first + node]!;
        const difference = levels[split & 1023]! - levels[(split >>> 10) & 1023]!;
        node = 2 * node + (difference > (split >>> 20) - 64 ? 1 : 2);
      }
      const leaf = (tree * (splitsPerTree + 1) + node - splitsPerTree) * 2 * POINTS;
      for (let i = 0; i < 2 * POINTS; i++) shape[i]! += leaves[leaf + i]! * leafStep;
    }
  }
}

/** Scale and rotation from one shape to others, by least squares. */
class Similarity {
  private readonly from: Float64Array;
  private readonly spread: number;

  constructor(shape: Float32Array) {
    this.from = centred(shape);
    this.spread = this.from.reduce((sum, value) => sum + value * value, 0);
  }

  to(shape: Float32Array): { cos: number; sin: number } {
    const { from } = this;
    const to = centred(shape);
    let cos = 0;
    let sin = 0;
    for (let i = 0; i < to.length; i += 2) {
      cos += from[i]! * to[i]! + from[i + 1]! * to[i + 1]!;
      sin += from[i]! * to[i + 1]! - from[i + 1]! * to[i]!;
    }
    return { cos: Math.fround(cos / this.spread), sin: Math.fround(sin / this.spread) };
  }
}

function centred(shape: Float32Array): Float64Array {
  let x = 0;
  let y = 0;
  for (let i = 0; i < shape.length; i += 2) {
    x += shape[i]! / POINTS;
    y += shape[i + 1]! / POINTS;
  }
  return Float64Array.from(shape, (value, i) => value - (i % 2 ? y : x));
}
