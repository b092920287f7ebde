/** The file that tools/pack-model.mjs writes: dlib's landmark model and its face detector. */
export interface Model {
  readonly predictor: PredictorModel;
  readonly detector: DetectorModel;
}

export interface PredictorModel {
  readonly stages: number;
  readonly trees: number;
  readonly splitsPerTree: number;
  readonly pixels: number;
  /** What a step of a leaf is, in widths of the face's box. */
  readonly leafStep: number;
  /** Five points in the unit square. */
  readonly mean: Float32Array;
  /** Where each compared pixel is, from its anchor. */
  readonly deltas: Float32Array;
  readonly anchors: Uint8Array;
  /** Two pixels of 10 bits, and a threshold of 7 with 64 added. */
  readonly splits: Uint32Array;
  readonly leaves: Int16Array;
}

export interface DetectorModel {
  readonly filters: readonly Filter[];
}

export interface Filter {
  /** 10 rows of 10 cells of 31 features. */
  readonly weights: Float32Array;
  readonly threshold: number;
}

const COORDINATES = 10;
const CELLS = 100;
const FEATURES = 31;

/** Read a model file: `await loadModel(await (await fetch(url)).arrayBuffer())`. */
export async function loadModel(packed: ArrayBuffer): Promise<Model> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const cursor = new Cursor(await new Response(stream).arrayBuffer());
  const [stages, trees, splitsPerTree, pixels] = cursor.uint32(4) as unknown as [number, number, number, number];
  const [leafStep] = cursor.float32(1) as unknown as [number];
  const predictor: PredictorModel = {
    stages,
    trees,
    splitsPerTree,
    pixels,
    leafStep,
    mean: cursor.float32(COORDINATES),
    deltas: cursor.float32(stages * pixels * 2),
    splits: new Uint32Array(cursor.planes(stages * trees * splitsPerTree, 4)),
    leaves: new Int16Array(cursor.planes(stages * trees * (splitsPerTree + 1) * COORDINATES, 2)),
    anchors: cursor.bytes(stages * pixels),
  };
  const [count] = cursor.uint32(1) as unknown as [number];
  const filters = Array.from({ length: count }, () => readFilter(cursor));
  return { predictor, detector: { filters } };
}

/** The file has one feature of all cells after another; here the features of a cell are side by side. */
function readFilter(cursor: Cursor): Filter {
  const values = cursor.float32(CELLS * FEATURES + 1);
  const weights = new Float32Array(CELLS * FEATURES);
  for (let feature = 0; feature < FEATURES; feature++) {
    for (let cell = 0; cell < CELLS; cell++) weights[cell * FEATURES + feature] = values[feature * CELLS + cell]!;
  }
  return { weights, threshold: values[CELLS * FEATURES]! };
}

class Cursor {
  private at = 0;

  constructor(private readonly buffer: ArrayBuffer) {}

  bytes(count: number): Uint8Array {
    this.at += count;
    return new Uint8Array(this.buffer.slice(this.at - count, this.at));
  }

  uint32(count: number): Uint32Array {
    return new Uint32Array(this.bytes(count * 4).buffer);
  }

  float32(count: number): Float32Array {
    return new Float32Array(this.bytes(count * 4).buffer);
  }

  /** First bytes of all numbers, then the second ones, and so on. */
  planes(count: number, size: number): ArrayBuffer {
    const apart = this.bytes(count * size);
    const together = new Uint8Array(count * size);
    for (let plane = 0; plane < size; plane++) {
      for (let i = 0; i < count; i++) together[i * size + plane] = apart[plane * count + i]!;
    }
    return together.buffer;
  }
}
