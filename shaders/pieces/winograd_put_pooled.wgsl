
// Stores the maxima of the 2x2 windows in a tile of outputs, given by columns, and the position 0..3 of each
// in row-major order, one byte an element, four channels a word. Of equal values the first is the maximum, as in Keras;
// windows that the map does not fill are left out.

@group(0) @binding(3) var<storage, read_write> positions: array<u32>;

struct Best { value: vec4f, position: vec4u }

fn better(best: Best, v: vec4f, position: u32) -> Best {
    let wins = !(v <= best.value); // not v > best: a window of NaN has to stay NaN
    return Best(select(best.value, v, wins), select(best.position, vec4u(position), wins));
}

fn put_window(i: u32, a: vec4f, b: vec4f, c: vec4f, d: vec4f) {
    let best = better(better(better(Best(a, vec4u()), b, 1u), c, 2u), d, 3u);
    y[y_at / 4u + i] = vec4<y_type>(best.value);
    let bytes = best.position << vec4u(0u, 8u, 16u, 24u);
    positions[positions_at + i] = bytes.x | bytes.y | bytes.z | bytes.w;
}

fn put_tile(tile: Tile, c: u32, k0: Outputs, k1: Outputs, k2: Outputs, k3: Outputs) {
    let h = p.h / 2u;
    let w = p.w / 2u;
    let y = OUTPUTS / 2u * tile.y;
    let x = OUTPUTS / 2u * tile.x;
    let down = h - min(h, y);
    let right = w - min(w, x);
    let first = ((tile.image * h + y) * w + x) * p.c4 + c;
    let pitch = w * p.c4;
    if down > 0u && right > 0u { put_window(first, k0.a, k1.a, k0.b, k1.b); }
    if OUTPUTS == 2u { return; }
    if down > 0u && right > 1u { put_window(first + p.c4, k2.a, k3.a, k2.b, k3.b); }
    if down > 1u && right > 0u { put_window(first + pitch, k0.c, k1.c, k0.d, k1.d); }
    if down > 1u && right > 1u { put_window(first + pitch + p.c4, k2.c, k3.c, k2.d, k3.d); }
}
