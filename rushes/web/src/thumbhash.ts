/** Paints a ThumbHash (Evan Wallace, https://evanw.github.io/thumbhash/): the blurred stand-in of a poster. No transparency. */

export interface Pixels {
  width: number;
  height: number;
  /** RGBA, row by row. */
  data: Uint8ClampedArray<ArrayBuffer>;
}

const LONGER = 32;
/** Colours look paler for having been rounded. */
const SATURATION = 1.25;

/** The picture of a hash, 32 pixels on its longer side; null where it is none. */
export function decode(hash: Uint8Array): Pixels | null {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = hash;
  const head = a | (b << 8) | (c << 16);
  const tail = d | (e << 8);
  const landscape = tail >> 15 === 1;
  const shorter = tail & 7;
  const [across, down] = (landscape ? [7, shorter] : [shorter, 7]).map((count) => Math.max(3, count)) as [number, number];
  if (hash.length < 5 + Math.ceil((waves(across, down) + 10) / 2) || head >> 23) return null;
  const next = nibbles(hash.subarray(5));
  const light = channel(across, down, ((head >> 18) & 31) / 31, next);
  const yellow = channel(3, 3, (((tail >> 3) & 63) / 63) * SATURATION, next);
  const reddish = channel(3, 3, (((tail >> 9) & 63) / 63) * SATURATION, next);
  const ratio = (landscape ? 7 : shorter) / (landscape ? shorter : 7);
  const width = Math.max(1, Math.round(ratio > 1 ? LONGER : LONGER * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? LONGER / ratio : LONGER));
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = [(x + 0.5) / width, (y + 0.5) / height] as const;
      const l = (head & 63) / 63 + light(...at);
      const p = ((head >> 6) & 63) / 31.5 - 1 + yellow(...at);
      const q = ((head >> 12) & 63) / 31.5 - 1 + reddish(...at);
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      data.set([red * 255, (red - q) * 255, blue * 255, 255], (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

/** How many frequencies but the mean there are in a triangle of `across` by `down`. */
function waves(across: number, down: number): number {
  let count = -1;
  for (let row = 0; row < down; row += 1) for (let column = 0; column * down < across * (down - row); column += 1) count += 1;
  return count;
}

/** Four bits at a time, -1 to 1. */
function nibbles(bytes: Uint8Array): () => number {
  let index = 0;
  return () => (((bytes[index >> 1] ?? 0) >> ((index++ & 1) << 2)) & 15) / 7.5 - 1;
}

/** What a channel adds to its mean at a place, 0 to 1 both ways. */
function channel(across: number, down: number, scale: number, next: () => number): (x: number, y: number) => number {
  const kept: [number, number, number][] = [];
  for (let row = 0; row < down; row += 1) {
    for (let column = row ? 0 : 1; column * down < across * (down - row); column += 1) kept.push([column, row, next() * scale]);
  }
  return (x, y) => kept.reduce((sum, [column, row, size]) => sum + 2 * size * Math.cos(Math.PI * column * x) * Math.cos(Math.PI * row * y), 0);
}

/** Draws it into a canvas, which the style sheet stretches. Nothing happens where it is no hash. */
export function paint(canvas: HTMLCanvasElement, base64: string): void {
  let picture: Pixels | null = null;
  try {
    picture = decode(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
  } catch {
    return; // no base64
  }
  if (!picture) return;
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d")?.putImageData(new ImageData(picture.data, picture.width, picture.height), 0, 0);
}
