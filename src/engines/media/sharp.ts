/** The part of sharp that is used here: the package itself comes with a pack. Its reference: https://sharp.pixelplumbing.com */

interface RawShape {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

export interface SharpInput {
  readonly failOn?: "none" | "truncated" | "error" | "warning";
  readonly limitInputPixels?: number;
  readonly pages?: number;
  readonly raw?: RawShape;
}

/** A picture that is laid over another. SVG too. */
export interface SharpLayer {
  readonly input: Uint8Array;
  readonly raw?: RawShape;
  readonly left?: number;
  readonly top?: number;
}

export interface SharpPipeline {
  autoOrient(): SharpPipeline;
  toColourspace(space: "srgb" | "b-w"): SharpPipeline;
  flatten(options: { readonly background: string }): SharpPipeline;
  ensureAlpha(): SharpPipeline;
  resize(
    width: number,
    height: number,
    options: { readonly fit: "fill"; readonly kernel: "linear" | "nearest"; readonly fastShrinkOnLoad: boolean },
  ): SharpPipeline;
  composite(layers: readonly SharpLayer[]): SharpPipeline;
  png(options: { readonly compressionLevel: number }): SharpPipeline;
  raw(options: { readonly depth: "uchar" }): SharpPipeline;
  toBuffer(options: { readonly resolveWithObject: true }): Promise<{
    readonly data: Uint8Array;
    readonly info: { readonly width: number; readonly height: number; readonly channels: number };
  }>;
}

export interface Sharp {
  (input: Uint8Array, options?: SharpInput): SharpPipeline;
  cache(options: boolean): void;
}
